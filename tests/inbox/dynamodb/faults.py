"""What goes wrong between boto3 and AWS, by botocore's own hooks, and what tests share here."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import attrs

from qldb_stream.events import BlockAddress, Event, RedactedRevision, Revision, RevisionDetails
from qldb_stream.inbox import InboxLimits
from qldb_stream.inbox.dynamodb import DynamoDbInbox, DynamoDbOptions
from qldb_stream.ion import dumps, load_slice
from qldb_stream.ledger import Environment
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import to_record
from tests.inbox.support import EVENTS

Answer = Callable[[str, int], object]
"""Gives what becomes of a call, by its operation and how often that came: None lets it pass."""


class KilledError(BaseException):
    """A process dies here; like a kill, it is nothing that the library may catch."""


@attrs.define
class Faults:
    """What befalls the calls of all clients of a session, before they are sent and after."""

    before: Answer = lambda _operation, _count: None
    after: Answer = lambda _operation, _count: None
    counts: Counter[str] = attrs.field(factory=Counter)
    dead: bool = False

    def install(self, session: Any) -> None:
        """Hang on to everything that the session's clients will call."""
        session.events.register("before-call", self._before)
        session.events.register("after-call", self._after)

    def calls(self) -> int:
        """How many calls there were."""
        return sum(self.counts.values())

    def _before(self, model: Any, params: Any, **_others: Any) -> Any:
        if self.dead:
            raise KilledError
        if model.service_model.service_name == "dynamodb":
            check_names(json.loads(params["body"]))
        self.counts[model.name] += 1
        found = self.before(model.name, self.counts[model.name])
        if isinstance(found, BaseException):
            self.dead = isinstance(found, KilledError)
            raise found
        return found

    def _after(self, model: Any, **_others: Any) -> None:
        found = self.after(model.name, self.counts[model.name])
        if isinstance(found, BaseException):
            raise found


def check_names(request: Any) -> None:
    """Check what moto lets pass and DynamoDB does not: names and values are those in use."""
    if isinstance(request, list):
        for each in request:
            check_names(each)
    elif isinstance(request, dict):
        text = " ".join(str(v) for k, v in request.items() if k.endswith("Expression"))
        for mark, field in (("#", "ExpressionAttributeNames"), (":", "ExpressionAttributeValues")):
            given = set(request.get(field, ()))
            assert set(re.findall(rf"{mark}\w+", text)) == given, (text, given)
        values = request.get("ExpressionAttributeValues", {})
        if ":first" in values:  # of a BETWEEN, whose bounds must be in order
            assert values[":first"]["S"] <= values[":last"]["S"], values
        for name, value in request.items():
            if name not in ("Item", "Key"):
                check_names(value)


def refusal(code: str, status: int = 400, **more: Any) -> tuple[Any, dict[str, Any]]:
    """An answer of AWS's that refuses."""
    parsed = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return SimpleNamespace(status_code=status), parsed


def accepted(**answer: Any) -> tuple[Any, dict[str, Any]]:
    """An answer of AWS's."""
    return SimpleNamespace(status_code=200), answer


def open_table(
    url: str,
    table: str,
    *,
    bucket: str | None = None,
    limits: InboxLimits | None = None,
    slept: list[float] | None = None,
) -> DynamoDbInbox:
    """Open an inbox that waits for nothing."""
    waits = [] if slept is None else slept
    environment = Environment(sleep=waits.append, jitter=lambda: 1.0)
    options = DynamoDbOptions(endpoint_url=url, bucket=bucket, prefix="long/")
    return DynamoDbInbox(table, options, limits=limits, environment=environment)


def long_event(length: int, seed: int = 1) -> tuple[RevisionDetails, RedactedRevision]:
    """A revision with a document of a length that nothing compresses, and its redaction."""
    source = next(e for e in EVENTS if isinstance(e, RevisionDetails) and e.revision.data_ion)
    changed = attrs.evolve(source, revision=_with(source.revision, length, seed))
    event = parse_record(to_record(changed).buf)
    assert isinstance(event, RevisionDetails)
    metadata = event.revision.metadata
    assert metadata is not None
    return event, RedactedRevision(event.revision.address, "t", metadata.id, metadata.version)


def _with(revision: Revision, length: int, seed: int) -> Revision:
    from random import Random

    data = load_slice(dumps({"text": Random(seed).randbytes(length)}))
    return attrs.evolve(revision, data_ion=data)


def document_of(event: Event) -> bytes:
    """The bytes of an event's document."""
    assert isinstance(event, RevisionDetails)
    data = event.revision.data_ion
    assert data is not None
    return bytes(data.buf[data.start : data.end])


def where_of(event: RevisionDetails) -> tuple[str, int]:
    """The strand and number of an event's block."""
    address: BlockAddress = event.revision.address
    return address.strand_id, address.sequence_no
