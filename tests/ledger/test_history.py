"""history(): every revision, in committed shape, by time (facts 5.3)."""

from __future__ import annotations

import pytest

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.events import RevisionKind
from qldb_stream.ion import timestamp_ms
from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import NOON_MS, Clock, ask, check_journal, make_cars, memory, run

WHOLE = "SELECT VALUE h FROM history(Car{}) AS h"
MILES = "SELECT VALUE h.data.miles FROM history(Car{}) AS h"


def make_history(clock: Clock) -> Ledger:
    """A car whose miles were 0 at noon, 1 a minute later, and which was deleted after two."""
    ledger = memory(clock)
    make_cars(ledger, "A")
    clock.now_ms += 60_000
    run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'A'")
    clock.now_ms += 60_000
    run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'A'")
    clock.now_ms += 60_000
    return ledger


def test_all_revisions_come_in_order() -> None:
    """Inserts, updates and deletes; ascending versions; the delete has no data."""
    with make_history(Clock()) as ledger:
        rows = run(ledger, "SELECT * FROM history(Car)")
        assert [0, 1, 2] == [row["metadata"]["version"] for row in rows]
        assert [True, True, False] == ["data" in row for row in rows]
        assert {"blockAddress", "hash", "metadata"} == set(rows[-1])
        blocks = list(ledger.blocks(2))
        assert [one.hash for block in blocks for one in block.revisions] == [
            row["hash"] for row in rows
        ]


@pytest.mark.parametrize(
    ("expected", "bounds"),
    [
        ([0, 1, None], ""),
        ([0, 1, None], ", `2024-05-06T12:00:00Z`"),
        ([1, None], ", `2024-05-06T12:01:00Z`"),
        ([0, 1, None], ", `2024-05-06T12:00:59.999Z`"),
        ([None], ", `2024-05-06T12:02:00Z`"),
        ([], ", `2024-05-06T12:02:01Z`"),
        ([], ", `2024T`, `2024-05-06T11:59:59Z`"),
        ([0], ", `2024T`, `2024-05-06T12:00:00Z`"),
        ([0], ", `2024-05-06T12:00:01Z`, `2024-05-06T12:00:02Z`"),
        ([0, 1], ", `2024-05-06T12:00:01Z`, `2024-05-06T12:01:02Z`"),
        ([0, 1], ", `2024-05-06T14:00:01+02:00`, `2024-05-06T14:01:02+02:00`"),
    ],
)
def test_a_range_selects_what_was_active(expected: list[int | None], bounds: str) -> None:
    """A revision is active from its txTime until the next one's; a delete at its own only."""
    with make_history(Clock()) as ledger:
        rows = run(ledger, WHOLE.format(bounds))
        assert expected == [row["data"]["miles"] if "data" in row else None for row in rows]


@pytest.mark.parametrize(
    "bounds",
    [", 5", ", 'x'", ", `2030T`", ", `2023T`, `2022T`", ", `2023T`, `2030T`", ", null"],
)
def test_bounds_must_make_sense(bounds: str) -> None:
    """Timestamps, start <= end <= now; else an error that says so."""
    with make_history(Clock()) as ledger, pytest.raises(PartiqlEvaluationError, match="history"):
        run(ledger, MILES.format(bounds))


def test_history_is_looked_up_by_id() -> None:
    """A document's id selects its revisions; another's sees none of them."""
    with make_history(Clock()) as ledger:
        run(ledger, "INSERT INTO Car ?", {"vin": "B"})
        (row,) = run(ledger, "SELECT * FROM history(Car) AS h WHERE h.data.vin = 'B'")
        text = "SELECT VALUE h.metadata.version FROM history(Car) AS h WHERE h.metadata.id = ?"
        assert [0] == run(ledger, text, row["metadata"]["id"])
        assert [] == run(ledger, text, "no such id")


def test_history_ends_with_the_snapshot() -> None:
    """Neither the transaction's own writes nor later commits are in it."""
    with make_history(Clock()) as ledger:
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B", "miles": 5})
        run(ledger, "INSERT INTO Car ?", {"vin": "C", "miles": 6})
        assert [0, 1, None] == ask(transaction, MILES.format(""))


def test_documents_come_in_the_order_of_their_ids() -> None:
    """Revisions are grouped by document, more of them than are read at once."""
    clock = Clock(NOON_MS)
    with memory(clock) as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": "A", "miles": n} for n in range(401)])
        run(ledger, "UPDATE Car SET miles = 1000")
        rows = run(ledger, "SELECT h.metadata.id, h.metadata.version FROM history(Car) AS h")
        keys = [(row["id"], row["version"]) for row in rows]
        assert sorted(keys) == keys
        assert 802 == len(keys)
        assert (
            timestamp_ms(NOON_MS)
            == run(ledger, "SELECT * FROM history(Car)")[0]["metadata"]["txTime"]
        )


def test_an_erased_revision_keeps_its_place() -> None:
    """Without its data, with H(data) in its stead, a revision still verifies (facts 2.6)."""
    with make_history(Clock()) as ledger:
        first = next(ledger.blocks(2)).revisions[0]
        assert first.data_ion is not None
        store = ledger._journal.store  # noqa: SLF001 - what a redaction will do to the file
        store.connection.execute(
            "UPDATE revision SET data = NULL, data_hash = ? WHERE hash = ?",
            (first.data_ion.hash(), first.hash),
        )
        row, *_ = run(ledger, "SELECT * FROM history(Car)")
        assert ["blockAddress", "hash", "dataHash", "metadata"] == list(row)
        assert first.data_ion.hash() == row["dataHash"]
        assert RevisionKind.REDACTED is next(ledger.blocks(2)).revisions[0].kind
        check_journal(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))
        assert b"dataHash" in list(ledger.stream_records(2, aggregated=False))[2]
