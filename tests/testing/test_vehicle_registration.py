"""The vehicle-registration story: what it leaves behind, and that a seed tells one story."""

from __future__ import annotations

from typing import Any

from qldb_stream.events import Block, RevisionKind
from qldb_stream.ledger import Ledger
from qldb_stream.testing.vehicle_registration import Chapter, tell_story


def _told(ledger: Ledger, **options: int) -> list[Chapter]:
    return list(tell_story(ledger.driver(), **options))


def _select(ledger: Ledger, statement: str) -> list[Any]:
    rows: list[Any] = ledger.driver().execute_lambda(
        lambda txn: list(txn.execute_statement(statement))
    )
    return rows


def _only_reads(block: Block) -> bool:
    info = block.summary.transaction_info
    return info is not None and all(s.statement.startswith("SELECT") for s in info.statements)


def test_a_block_for_each_transaction() -> None:
    """Each transaction that writes is one block, and what its chapter counts is in there."""
    with Ledger.open(":memory:") as ledger:
        chapters = _told(ledger, vehicles=6)
        blocks = [block for block in ledger.blocks() if not _only_reads(block)]

    known = [r for b in blocks for r in b.revisions if r.kind is not RevisionKind.SYSTEM]
    assert len(blocks) == sum(c.transactions for c in chapters if "reads" not in c.title)
    assert len(known) == sum(chapter.revisions for chapter in chapters)


def test_every_kind_of_change() -> None:
    """The story inserts, updates and deletes."""
    with Ledger.open(":memory:") as ledger:
        _told(ledger, vehicles=6)
        kinds = {r.kind for b in ledger.blocks() for r in b.revisions}

    assert {RevisionKind.INSERT, RevisionKind.UPDATE, RevisionKind.DELETE} <= kinds


def test_documents_name_each_other() -> None:
    """A vehicle names its registration and the registration names the vehicle, by ids."""
    with Ledger.open(":memory:") as ledger:
        _told(ledger, vehicles=3)
        there = _select(ledger, "SELECT v_id, v.RegistrationId FROM Vehicle AS v BY v_id")
        back = _select(ledger, "SELECT r_id, r.VehicleId FROM VehicleRegistration AS r BY r_id")

    assert 3 == len(there)
    assert {(str(row["v_id"]), str(row["RegistrationId"])) for row in there} == {
        (str(row["VehicleId"]), str(row["r_id"])) for row in back
    }


def test_ownership_moves() -> None:
    """A vehicle that was sold has another owner than before, and remembers the former."""
    with Ledger.open(":memory:") as ledger:
        _told(ledger, vehicles=6)
        sold = _select(
            ledger,
            "SELECT VALUE r.FormerOwner FROM VehicleRegistration AS r "
            "WHERE r.FormerOwner IS NOT MISSING",
        )

    assert 2 == len(sold)


def test_one_seed_one_story() -> None:
    """The same seed tells the same story; another seed another."""
    cars = []
    for seed in (1, 1, 2):
        with Ledger.open(":memory:") as ledger:
            _told(ledger, seed=seed, vehicles=3)
            cars.append(sorted(_select(ledger, "SELECT VALUE v.VIN FROM Vehicle AS v")))

    assert cars[0] == cars[1]
    assert cars[0] != cars[2]
