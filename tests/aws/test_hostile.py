"""Events and environments that a stranger made: one error that says what is wrong, or a reading."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

from hypothesis import given, settings, strategies as st

from qldb_stream.aws._kinesis import read_batch
from qldb_stream.aws._object_events import read_messages, read_objects, read_prefix_run
from qldb_stream.aws._settings import _READERS, PREFIX, parse_settings
from qldb_stream.aws.tables import _parse
from qldb_stream.errors import UsageError
from qldb_stream.inbox import MemoryInbox

NAMES = st.sampled_from(
    """Records kinesis data sequenceNumber eventID eventSource eventName s3 bucket name object key
    versionId detail-type detail version-id messageId body Event prefix after skip etag objects
    LedgerName TableNames Endpoint Region strand_id first last reason tables mask""".split()  # noqa: SIM905 - read as one text
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=12),  # with surrogates, as JSON may hold them
    st.sampled_from(
        ["aws:sqs", "Object Created", "s3:TestEvent", "ObjectCreated:Put", "AAAA", "é", "{}", "[]"]
    ),
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(NAMES, TEXTS), inner, max_size=4)
    ),
    max_leaves=20,
)


def check(read: Callable[[Any], object], value: object) -> None:
    """Read, or be told."""
    with suppress(UsageError):
        read(value)


@given(VALUES)
@settings(max_examples=300)
def test_events(value: Any) -> None:
    """Whatever an event is, reading it gives a value or a `UsageError`."""
    for read in (read_batch, read_objects, read_messages, read_prefix_run, _parse):
        check(read, value)


@given(st.lists(st.fixed_dictionaries({}, optional={"kinesis": VALUES, "eventID": VALUES})))
@settings(max_examples=100)
def test_records(records: list[dict[str, Any]]) -> None:
    """Whatever records hold beside a sequence number, each is read or kept."""
    for number, record in enumerate(records):
        inner = record.get("kinesis")
        kinesis = dict(inner) if isinstance(inner, dict) else {"data": inner}
        record["kinesis"] = kinesis | {"sequenceNumber": str(number)}
    batch = read_batch({"Records": records})

    assert len(records) == len(batch.sequence_numbers)
    assert set(range(len(records))) == set(batch.record_of)  # none is dropped
    with closing(MemoryInbox()) as inbox:
        inbox.put(batch.items, 1.0)


@given(st.dictionaries(st.sampled_from([*_READERS, "TYPO"]), TEXTS | VALUES.map(str), max_size=5))
@settings(max_examples=200)
def test_environments(variables: dict[str, str]) -> None:
    """Whatever an environment says, it is taken, or all that is wrong is named."""
    check(parse_settings, {PREFIX + name: text for name, text in variables.items()})
