from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.aws._context import deadline_of
from qldb_stream.aws._kinesis import read_batch
from qldb_stream.errors import CarrierError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.pipeline import SystemClock
from qldb_stream.testing import make_journal
from tests.aws.events import SHARD, Context, failures, kinesis_event

JOURNAL = make_journal(3, blocks=4)
RECORDS = list(JOURNAL.iter_records())


def test_records_and_items() -> None:
    """Each item knows its record, whatever a record holds."""
    event = kinesis_event([RECORDS[0], b"foreign", RECORDS[1]])
    batch = read_batch(event)

    assert (0, 1, 2) == batch.record_of
    assert [False, True, False] == [isinstance(item, Undecodable) for item in batch.items]
    assert failures(event, None) == batch.response(batch.first_failed(()))
    assert failures(event, 1) == batch.response(batch.first_failed((2, 1)))


def test_aggregated_records_keep_their_number() -> None:
    """All items of a KPL frame have the number of its record."""
    from qldb_stream.ledger import Ledger

    with Ledger.open(":memory:", name="cars") as ledger:
        driver = ledger.driver()
        driver.execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE Vehicle"))
        driver.execute_lambda(lambda txn: txn.execute_statement("INSERT INTO Vehicle ?", {"a": 1}))
        batch = read_batch(kinesis_event(ledger.stream_records()))

    assert len(batch.items) > len(batch.sequence_numbers) == max(batch.record_of) + 1


def test_unreadable_records_are_named() -> None:
    """What cannot be read is named by shard and sequence number, as Lambda does."""
    event = kinesis_event([b"foreign"])
    event["Records"][0]["kinesis"]["data"] = "no base64!"
    (found,) = read_batch(event).items

    number = event["Records"][0]["kinesis"]["sequenceNumber"]
    assert isinstance(found, Undecodable)
    assert f"Kinesis record {SHARD}:{number}" == found.source
    assert isinstance(found.error, CarrierError)
    assert found.source == found.error.carrier


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"Records": "many"},
        {"Records": [{"s3": {}}]},
        {"Records": [None]},
        {"Records": [{"kinesis": {"sequenceNumber": "", "data": ""}}]},
        {"Records": [{"kinesis": {"sequenceNumber": "1" * 129, "data": ""}}]},
        {"Records": [{}] * 10_001},
    ],
)
def test_other_events(event: Any) -> None:
    """Another event than Kinesis's is refused with what to do."""
    with pytest.raises(UsageError, match=r"Kinesis|batch has at most"):
        read_batch(event)


def test_deadlines() -> None:
    """A part of the time that is left is kept; without a context there is no deadline."""

    class Noon(SystemClock):
        """Always the same."""

        def now_s(self) -> float:
            """Noon."""
            return 1000.0

    assert None is deadline_of(None, Noon())
    assert 1008.0 == deadline_of(Context(10_000), Noon())
    assert 1890.0 == deadline_of(Context(900_000), Noon())
