"""`stream_handler`, with an inbox and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.aws import StreamHandler, stream_handler
from qldb_stream.aws._function_sink import block_function
from qldb_stream.errors import (
    QldbStreamError,
    SinkRefusedError,
    UndeliveredError,
    UsageError,
)
from qldb_stream.events import Block, Revision, RevisionKind, Undecodable
from qldb_stream.filters import parse_filter
from qldb_stream.inbox import open_inbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import RetryPolicy
from qldb_stream.testing import make_journal
from tests.aws.events import Context, failures, kinesis_event, metric_lines

JOURNAL = make_journal(21, blocks=12)
RECORDS = list(JOURNAL.iter_records())
ONCE = RetryPolicy(0)
Deploy = Callable[..., None]


@pytest.fixture(autouse=True)
def bare(deploy: Deploy) -> None:
    """No environment that says anything."""


def number_of(record: bytes) -> int | None:
    """The block's number of a record; None of CONTROL."""
    address = getattr(parse_record(record), "address", None)
    return None if address is None else address.sequence_no


def records_of(number: int) -> list[bytes]:
    """The records of a block."""
    return [record for record in RECORDS if number_of(record) == number]


class Seen:
    """Remembers what a function was called for."""

    def __init__(self) -> None:
        self.blocks: list[int] = []
        self.fails_at: dict[int, Exception] = {}

    def on_block(self, block: Block) -> None:
        """Take a block, or fail."""
        number = block.address.sequence_no
        if number in self.fails_at:
            raise self.fails_at[number]
        self.blocks.append(number)


def test_revisions_come_with_their_blocks() -> None:
    """A function of two parameters gets each revision that has contents, in order."""
    seen: list[tuple[int, bytes]] = []

    @stream_handler
    def on_revision(revision: Revision, block: Block) -> None:
        """Mine."""
        seen.append((block.address.sequence_no, revision.hash))

    answer = on_revision(kinesis_event(RECORDS[::-1] + RECORDS), Context())

    assert failures({}, None) == answer
    expected = [
        (block.address.sequence_no, revision.hash)
        for block in JOURNAL
        for revision in block.revisions
        if revision.metadata is not None
    ]
    assert expected == seen
    assert isinstance(on_revision, StreamHandler)
    assert ("Mine.", "on_revision") == (on_revision.__doc__, on_revision.function.__name__)


def test_alone_a_cut_block_comes_again() -> None:
    """Without an inbox what is whole is delivered, and the answer names where the rest begins."""
    seen = Seen()
    event = kinesis_event(RECORDS[:-1])
    first = next(n for n, record in enumerate(RECORDS) if number_of(record) == 11)

    assert failures(event, first) == stream_handler(seen.on_block)(event, Context())
    assert list(range(11)) == seen.blocks


def test_alone_holes_are_passed_over() -> None:
    """Without an inbox missing numbers may be in other shards: order holds within the batch."""
    seen = Seen()
    event = kinesis_event(records_of(9) + records_of(2) + records_of(5))

    assert failures({}, None) == stream_handler(seen.on_block)(event, None)
    assert [2, 5, 9] == seen.blocks


def test_alone_a_block_that_is_never_whole_is_an_error() -> None:
    """Without an inbox a batch that holds no whole block fails, and says what to do."""
    (number,) = [n for n in range(12) if len(records_of(n)) > 1][:1]
    handler = stream_handler(Seen().on_block)

    with pytest.raises(UndeliveredError, match="give stream_handler an inbox"):
        handler(kinesis_event(records_of(number)[:-1]), Context())


def test_alone_what_the_function_raises_points_at_its_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it raises later in a batch is told without its text; at the first record, raised."""
    seen = Seen()
    seen.fails_at[4] = KeyError("a secret")
    handler = stream_handler(seen.on_block)
    event = kinesis_event(RECORDS)
    first = next(n for n, record in enumerate(RECORDS) if number_of(record) == 4)

    assert failures(event, first) == handler(event, Context())
    told = json.loads(capsys.readouterr().err)
    assert "batch_cut" == told["event"]
    assert told["error"].startswith("KeyError at ")
    assert "secret" not in told["error"]
    with pytest.raises(KeyError):
        handler(kinesis_event(RECORDS[first:]), Context())
    assert [0, 1, 2, 3] == seen.blocks


def test_alone_damage_stops_the_strand() -> None:
    """Without an inbox nothing is delivered from a block on that does not verify."""
    seen = Seen()
    event = kinesis_event([spoil(record, 5) for record in RECORDS])
    first = next(n for n, record in enumerate(RECORDS) if number_of(record) == 5)

    assert failures(event, first) == stream_handler(seen.on_block)(event, Context())
    assert [0, 1, 2, 3, 4] == seen.blocks


def spoil(record: bytes, number: int) -> bytes:
    """Flip a bit of the document in a block's first revision."""
    revision = getattr(parse_record(record), "revision", None)
    if revision is None or number_of(record) != number:
        return record
    data = revision.data_ion
    at = record.index(data.buf[data.start : data.end]) + (data.end - data.start) - 1
    return record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]


def test_alone_unreadable_records() -> None:
    """Without an inbox what cannot be read fails, unless a function takes it."""
    seen, unread = Seen(), list[Undecodable]()
    event = kinesis_event([*RECORDS, b"foreign"])

    assert failures(event, len(RECORDS)) == stream_handler(seen.on_block)(event, Context())
    with pytest.raises(QldbStreamError):
        stream_handler(seen.on_block)(kinesis_event([b"foreign"]), Context())
    takes = stream_handler(on_undecodable=unread.append)(seen.on_block)
    assert failures({}, None) == takes(event, Context())
    assert [b"foreign"] == [each.data for each in unread]


def test_alone_an_unreadable_record_that_nobody_took_comes_again() -> None:
    """What raises for an unreadable record acknowledges neither it nor anything behind it."""
    seen, unread = Seen(), list[Undecodable]()

    def take(each: Undecodable) -> None:
        if unread:
            raise OSError("no room")
        unread.append(each)

    handler = stream_handler(on_undecodable=take)(seen.on_block)
    event = kinesis_event([b"foreign", b"strange", *RECORDS])
    assert failures(event, 1) == handler(event, Context())
    with pytest.raises(OSError, match="no room"):
        handler(kinesis_event([b"strange", *RECORDS]), Context())
    assert ([b"foreign"], []) == ([each.data for each in unread], seen.blocks)


def test_alone_filters_hold() -> None:
    """A filter changes blocks without an inbox too, and what it withholds is not handed over."""
    table = next(r.table.table_name for b in JOURNAL for r in b.revisions if r.table is not None)
    seen: list[Revision] = []
    handler = stream_handler(filter=parse_filter({"tables": [table]}))(
        lambda revision, _block: seen.append(revision)
    )
    handler(kinesis_event(RECORDS), Context())

    assert {table} == {revision.table.table_name for revision in seen if revision.table}
    assert RevisionKind.WITHHELD not in {revision.kind for revision in seen}


def test_with_an_inbox_shards_come_together(tmp_path: Path) -> None:
    """With an inbox blocks are whole and in order, whatever shards and batches they come in."""
    seen = Seen()
    path = str(tmp_path / "function.inbox")
    handler = stream_handler(inbox=path, start=0)(seen.on_block)
    shards = [kinesis_event(RECORDS[n::3], n) for n in range(3)]
    with metric_lines() as lines:
        answers = [handler(event, Context()) for event in shards[::-1] + shards]

    assert [failures({}, None)] * 6 == answers
    assert list(range(12)) == seen.blocks
    assert len(RECORDS) * 2 == sum(line["Records"] for line in lines)
    again = stream_handler(inbox=path, name=handler._name)(Seen().on_block)  # noqa: SLF001 - its default name
    assert (True, 0) == (again.drain(None, Context())["ok"], again.drain()["applied"])


def test_the_environment_names_the_inbox(deploy: Deploy) -> None:
    """Inbox and start may come from the environment, read at the first event."""
    seen = Seen()
    handler = stream_handler(seen.on_block)
    deploy()
    handler(kinesis_event(RECORDS[: len(RECORDS) // 2]), Context())
    handler(kinesis_event(RECORDS[len(RECORDS) // 2 :]), Context())

    assert list(range(12)) == seen.blocks


def test_with_an_inbox_what_raises_waits_there() -> None:
    """With an inbox a function that raises stops the strand; a drain goes on from there."""
    seen = Seen()
    seen.fails_at[4] = KeyError("a secret")
    handler = stream_handler(inbox=open_inbox("memory:"), start=0, retry=ONCE)(seen.on_block)
    with metric_lines() as lines:
        handler(kinesis_event(RECORDS), Context())
        seen.fails_at.clear()
        drained = handler.drain({}, Context())

    (strand,) = lines[0]["strands"]
    assert ("failed", 1) == (strand["state"], lines[0]["StrandsFailed"])
    assert "KeyError at " in strand["detail"]
    assert "a secret" not in strand["detail"]
    assert list(range(12)) == seen.blocks
    assert 8 == drained["applied"]


def test_with_an_inbox_refused_blocks_are_parked() -> None:
    """A block that the function refuses for good is parked when that was asked for."""
    seen = Seen()
    strand_id = next(iter(JOURNAL)).address.strand_id
    seen.fails_at[4] = SinkRefusedError("mine", strand_id, 4, "no such customer")
    inbox = open_inbox("memory:")
    handler = stream_handler(inbox=inbox, start=0, on_refusal="park", name="mine")(seen.on_block)
    handler(kinesis_event(RECORDS), Context())

    parked = [block.block.address.sequence_no for block in inbox.parked("mine", strand_id)]
    assert 4 in parked
    assert sorted(set(range(12)) - set(parked)) == seen.blocks


def test_without_an_inbox_nothing_waits() -> None:
    """What needs an inbox says so."""
    handler = stream_handler(on_refusal="park")(Seen().on_block)
    with pytest.raises(UsageError, match="need an inbox"):
        handler(kinesis_event(RECORDS), Context())
    with pytest.raises(UsageError, match="there is no inbox"):
        stream_handler(Seen().on_block).drain()


def test_functions() -> None:
    """A function takes a block, or a revision and its block; anything else is refused at once."""

    async def later(block: Block) -> None:
        """Not now."""

    def with_more(block: Block, *, client: Any) -> None:
        """Need more."""

    def with_default(block: Block, limit: int = 3) -> None:
        """Need no more."""

    wrong: tuple[Any, ...] = (later, with_more, lambda: None, lambda _a, _b, _c: None)
    for bad in wrong:
        with pytest.raises(UsageError):
            stream_handler(bad)
    assert with_default is block_function(with_default)
