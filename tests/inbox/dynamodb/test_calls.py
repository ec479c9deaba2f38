"""Throttling, lost answers, unprocessed items, refusals: what is repeated, and what is said."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError, NoCredentialsError

from qldb_stream.errors import (
    CarrierError,
    Disposition,
    InboxFileError,
    InboxUnavailableError,
    UsageError,
)
from qldb_stream.events import Undecodable
from qldb_stream.report import Position
from tests.inbox.dynamodb.faults import Faults, accepted, open_table, refusal
from tests.inbox.support import EVENTS, STRAND, STRANDS
from tests.inbox.tables import items_of

THROTTLED = [
    refusal("ThrottlingException"),
    refusal("ProvisionedThroughputExceededException"),
    refusal("InternalServerError", 500),
    refusal("SomethingNew", 503),
    refusal("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}]),
    ConnectionClosedError(endpoint_url="x"),
]


@pytest.mark.parametrize("fault", THROTTLED, ids=range(len(THROTTLED)))
def test_what_waiting_mends_is_repeated(
    dynamodb: str, table: str, faults: Faults, fault: object
) -> None:
    """Every call that fails for now is repeated, after waits that double."""
    slept: list[float] = []
    inbox = open_table(dynamodb, table, slept=slept)
    faults.before = lambda operation, count: (
        fault if operation == "TransactWriteItems" and count < 4 else None
    )

    assert 4 == inbox.put(EVENTS[:4], 1.0)
    assert [0.05, 0.1, 0.2] == slept
    inbox.close()


def test_it_is_repeated_so_often(dynamodb: str, table: str, faults: Faults) -> None:
    """In the end the caller hears of it, and may try again."""
    slept: list[float] = []
    inbox = open_table(dynamodb, table, slept=slept)
    faults.before = lambda _operation, _count: refusal("ThrottlingException")
    with pytest.raises(InboxUnavailableError, match="GetItem failed again and again: Throttling"):
        inbox.arrivals(STRAND)

    assert 9 == len(slept)
    assert 2.0 == max(slept)
    assert Disposition.RETRY is InboxUnavailableError.disposition
    inbox.close()


REFUSED = {
    "AccessDeniedException": "dynamodb:GetItem is not allowed; the role needs",
    "ResourceNotFoundException": r"no such table in [a-z0-9-]+ at http://.*; make it with",
    "ValidationException": "expected a table with the keys pk and sk",
    "ExpiredTokenException": "have expired",
    "SomethingNew": "was refused: SomethingNew",
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_waiting_does_not_mend(dynamodb: str, table: str, faults: Faults, code: str) -> None:
    """A refusal is not repeated, and says what to do."""
    inbox = open_table(dynamodb, table)
    before = faults.calls()
    faults.before = lambda _operation, _count: refusal(code)
    with pytest.raises(InboxFileError, match=REFUSED[code]):
        inbox.arrivals(STRAND)

    assert 1 == faults.calls() - before
    inbox.close()


def test_no_credentials(dynamodb: str, table: str, faults: Faults) -> None:
    """Without credentials nothing is repeated."""
    inbox = open_table(dynamodb, table)
    faults.before = lambda _operation, _count: NoCredentialsError()
    with pytest.raises(InboxFileError, match="no credentials for AWS"):
        inbox.arrivals(STRAND)
    inbox.close()


def test_unprocessed_keys_are_asked_for_again(dynamodb: str, table: str, faults: Faults) -> None:
    """What BatchGetItem leaves out is asked for again, until it leaves nothing out."""
    inbox = open_table(dynamodb, table)
    inbox.put(EVENTS[:2], 1.0)
    keys = [
        {name: item[name] for name in ("pk", "sk")}
        for item in items_of(dynamodb, table)
        if item["pk"]["S"].startswith("record#")
    ]
    left = accepted(Responses={}, UnprocessedKeys={table: {"Keys": keys}})
    faults.before = lambda operation, count: (
        left if operation == "BatchGetItem" and count < 5 else None
    )
    assert 0 == inbox.put(EVENTS[:2], 1.0)
    assert 5 == faults.counts["BatchGetItem"]

    faults.before = lambda operation, _count: left if operation == "BatchGetItem" else None
    with pytest.raises(InboxUnavailableError, match="others change"):
        inbox.put(EVENTS[:2], 1.0)
    inbox.close()


def test_unprocessed_items_are_written_again(dynamodb: str, table: str, faults: Faults) -> None:
    """What BatchWriteItem leaves undone is done again."""
    inbox = open_table(dynamodb, table)
    for strand_id in STRANDS:
        inbox.store_position("a", Position(strand_id, 1, bytes(32)), 1)
    keys = [
        {"DeleteRequest": {"Key": {"pk": {"S": "position"}, "sk": {"S": f"{strand_id}#a"}}}}
        for strand_id in STRANDS
    ]
    faults.before = lambda operation, count: (
        accepted(UnprocessedItems={table: keys})
        if operation == "BatchWriteItem" and count < 3
        else None
    )
    inbox.forget("a")

    assert () == inbox.status().positions
    assert 3 == faults.counts["BatchWriteItem"]
    inbox.close()


def test_a_lost_answer_of_put_counts_once(dynamodb: str, table: str, faults: Faults) -> None:
    """When the answer is lost that a transaction was done, it is not done twice."""
    inbox = open_table(dynamodb, table)
    faults.after = lambda operation, count: (
        ConnectionClosedError(endpoint_url="x")
        if operation == "TransactWriteItems" and count == 1
        else None
    )
    inbox.put(EVENTS[:4], 1.0)

    assert 4 == inbox.status().strands[0].records
    assert 1 == inbox.arrivals(STRAND)
    inbox.close()


def test_a_lost_answer_of_lease_is_ours(dynamodb: str, table: str, faults: Faults) -> None:
    """A lease that was taken by an attempt whose answer was lost is held, and not another's."""
    inbox = open_table(dynamodb, table)
    faults.after = lambda operation, count: (
        ConnectionClosedError(endpoint_url="x")
        if operation == "UpdateItem" and count == 1
        else None
    )
    lease = inbox.lease("a", 60.0, 1.0)

    assert lease is not None
    assert 2 == faults.counts["UpdateItem"]
    assert inbox.lease("a", 60.0, 2.0) is None
    inbox.close()


def test_another_took_the_lease_between(dynamodb: str, table: str, faults: Faults) -> None:
    """Who looks at a free lease and writes after another did, has not got it."""
    first, second = open_table(dynamodb, table), open_table(dynamodb, table)
    taken = []

    def take_between(operation: str, count: int) -> object:
        if operation == "UpdateItem" and count == 1:
            taken.append(second.lease("a", 60.0, 1.0))
        return None

    faults.before = take_between
    assert first.lease("a", 60.0, 1.0) is None
    assert taken[0] is not None
    assert [taken[0]] == list(first.status().leases)
    first.close()
    second.close()


def test_closed(dynamodb: str, table: str) -> None:
    """A closed inbox says so; closing it again does nothing."""
    inbox = open_table(dynamodb, table)
    inbox.close()
    inbox.close()
    with pytest.raises(UsageError, match="is closed"):
        inbox.strands()


def test_names_that_are_no_text(dynamodb: str, table: str) -> None:
    """A sink's name that cannot be stored is refused."""
    inbox = open_table(dynamodb, table)
    with pytest.raises(UsageError, match="no Unicode text"):
        inbox.register("ledger:\udc80")
    inbox.close()


def test_long_names_are_names(dynamodb: str, table: str) -> None:
    """A name that is too long for a key, or has its marks, is kept whole beside it."""
    names = [f"{mark}{'x' * 3000}" for mark in "ab#~"]
    inbox = open_table(dynamodb, table)
    for name in names:
        inbox.store_position(name, Position(name, 1, bytes(32)), 1)
        assert inbox.lease(name, 1.0, 1.0)

    assert sorted(names) == list(inbox.status().sinks)
    assert all(inbox.position(name, name) for name in names)
    inbox.close()


def test_no_region(monkeypatch: pytest.MonkeyPatch, aws: str) -> None:
    """Where boto3 knows no region, it is said what is missing."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(UsageError, match="cannot make a client for dynamodb"):
        open_table("http://127.0.0.1:1", "table")


def test_nobody_answers(aws: str) -> None:
    """Where nobody listens the inbox is not available now."""
    with pytest.raises(InboxUnavailableError, match="EndpointConnectionError"):
        open_table("http://127.0.0.1:1", "table")


def test_many_records_of_many_kinds(dynamodb: str, table: str) -> None:
    """More than a transaction holds is stored in several, and the counters are exact."""
    inbox = open_table(dynamodb, table)
    error = CarrierError("kinesis", 0, "cut off")
    noise = [Undecodable("shard", n, 3, error, bytes([n % 7] * 3)) for n in range(40)]
    assert len(EVENTS) == inbox.put([*EVENTS, *noise, *EVENTS], 1.0)

    assert 40 == inbox.status().quarantined
    assert len(EVENTS) == sum(strand.records for strand in inbox.status().strands)
    assert 40 == inbox.discard_quarantined(1.0)
    assert 0 == inbox.status().quarantined
    inbox.close()
