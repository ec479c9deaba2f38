"""group_commit(): several blocks, one durable commit."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from qldb_stream.errors import LedgerFileError, OccConflictError
from qldb_stream.ledger import Ledger
from tests.ledger.support import ask, check_journal, make_cars, run

INSERT = "INSERT INTO Car ?"
VINS = "SELECT VALUE c.vin FROM Car AS c WHERE c.vin IN ('A', 'B', 'C')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is made."""
    return tmp_path / "grouped.ledger"


def test_a_group_is_durable_at_its_end(path: Path) -> None:
    """Another reader sees nothing of it before, all of it after."""
    with Ledger.open(path) as ledger, Ledger.open(path, read_only=True) as reader:
        make_cars(ledger)
        with ledger.group_commit():
            run(ledger, INSERT, {"vin": "A"})
            run(ledger, INSERT, {"vin": "B"})
            assert ["A", "B"] == sorted(run(ledger, VINS))
            assert 3 == ledger.digest().tip.sequence_no
            assert [] == run(reader, VINS)
            assert 1 == reader.digest().tip.sequence_no
        assert ["A", "B"] == sorted(run(reader, VINS))
        assert 4 == check_journal(ledger) == check_journal(reader)


def test_an_exception_keeps_what_had_committed(path: Path) -> None:
    """The block of code failed; the transactions before did not."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        with pytest.raises(KeyError), ledger.group_commit():  # noqa: PT012 - where it happens matters
            run(ledger, INSERT, {"vin": "A"})
            raise KeyError
    with Ledger.open(path) as ledger:
        assert ["A"] == run(ledger, VINS)
        check_journal(ledger)


def test_groups_nest(path: Path) -> None:
    """The outermost one ends them all."""
    with Ledger.open(path) as ledger, Ledger.open(path, read_only=True) as reader:
        make_cars(ledger)
        with ledger.group_commit():
            with ledger.group_commit():
                run(ledger, INSERT, {"vin": "A"})
            assert [] == run(reader, VINS)
        assert ["A"] == run(reader, VINS)


def test_an_empty_group_is_nothing(path: Path) -> None:
    """Without commits no SQLite transaction is begun."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        before = ledger.digest()
        with ledger.group_commit():
            assert [] == run(ledger, VINS)
        assert before == ledger.digest()


def test_other_threads_wait_and_do_not_see(path: Path) -> None:
    """A thread reads what is durable meanwhile, and commits after the group."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        seen: list[list[str]] = []
        conflicts: list[OccConflictError] = []
        ready, read = threading.Event(), threading.Event()

        def other() -> None:
            ready.wait()
            transaction = ledger.start_transaction()
            seen.append(ask(transaction, VINS))
            seen.append(ask(transaction, "SELECT VALUE c.vin FROM Car AS c"))
            try:
                ask(transaction, INSERT, {"vin": "C"})
                read.set()
                transaction.commit()
            except OccConflictError as exc:
                conflicts.append(exc)
            run(ledger, INSERT, {"vin": "C"})

        thread = threading.Thread(target=other)
        thread.start()
        with ledger.group_commit():
            run(ledger, INSERT, {"vin": "A"})
            ready.set()
            read.wait()
            run(ledger, INSERT, {"vin": "B"})
        thread.join()
        assert [[], []] == seen
        assert 1 == len(conflicts)
        assert ["A", "B", "C"] == sorted(run(ledger, VINS))
        blocks = [block.revisions[0].data["vin"] for block in ledger.blocks(2)]
        assert ["A", "B", "C"] == blocks
        check_journal(ledger)


def test_a_group_that_fails_is_lost_whole(path: Path) -> None:
    """Nothing of it stays, nor does what was built on it."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        before = ledger.digest()
        connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail
        with pytest.raises(LedgerFileError, match="rolled back"), ledger.group_commit():  # noqa: PT012 - see above
            run(ledger, INSERT, {"vin": "A"})
            built_on_it = ledger.start_transaction()
            assert ["A"] == ask(built_on_it, VINS)
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(LedgerFileError, match="full"):
                run(ledger, INSERT, {"vin": "B", "pad": "x" * 200_000})
            connection.execute("PRAGMA max_page_count = 1000000")
            with pytest.raises(LedgerFileError, match="has failed"):
                run(ledger, INSERT, {"vin": "C"})
            assert before == ledger.digest()
        assert before == ledger.digest()
        assert [] == run(ledger, VINS)
        run(ledger, INSERT, {"vin": "B"})
        run(ledger, INSERT, {"vin": "C"})
        with pytest.raises(OccConflictError):
            built_on_it.commit()
        assert 4 == check_journal(ledger)
    with Ledger.open(path) as ledger:
        assert 4 == check_journal(ledger)


def test_a_group_whose_end_fails_is_lost_whole(path: Path) -> None:
    """A commit that SQLite refuses takes all of the group with it."""
    with Ledger.open(path) as ledger:
        make_cars(ledger)
        before = ledger.digest()
        connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(LedgerFileError), ledger.group_commit():  # noqa: PT012 - see above
            run(ledger, INSERT, {"vin": "A"})
            # A deferred constraint that is violated makes COMMIT itself fail.
            connection.execute("CREATE TABLE parent (x PRIMARY KEY)")
            connection.execute(
                "CREATE TABLE child (x REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
            )
            connection.execute("INSERT INTO child VALUES (1)")
        assert before == ledger.digest()
        run(ledger, INSERT, {"vin": "B"})
        assert ["B"] == run(ledger, VINS)
        check_journal(ledger)
