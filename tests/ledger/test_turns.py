"""Commits that wait for one another become durable together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import LedgerFileError, OccConflictError
from qldb_stream.events import BlockAddress
from qldb_stream.ledger import Ledger
from qldb_stream.ledger._turns import MAX_TOGETHER, Line, Ticket, serve
from tests.ledger.support import ask, check_journal, check_state, make_cars, run

INSERT = "INSERT INTO Car ?"
ADDRESS = BlockAddress("S" * 22, 1)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one car."""
    with Ledger.open(tmp_path / "turns.ledger") as ledger:
        make_cars(ledger, "A")
        yield ledger


def commit_all(ledger: Ledger, statements: Sequence[tuple[Any, ...]]) -> list[Future[Any]]:
    """Let threads run a statement each, and commit while all of them wait for the writer's lock."""
    line = ledger._journal._line  # type: ignore[union-attr]  # noqa: SLF001 - to know who waits
    with ThreadPoolExecutor(len(statements)) as pool, ledger.group_commit():
        futures = [pool.submit(commit_one, ledger, statement) for statement in statements]
        deadline = time.monotonic() + 60
        while len(line._tickets) < len(statements):  # noqa: SLF001 - as above
            assert time.monotonic() < deadline
            time.sleep(0.001)
    return futures


def commit_one(ledger: Ledger, statement: tuple[Any, ...]) -> Any:
    """Run a statement and commit, without trying again."""
    transaction = ledger.start_transaction()
    ask(transaction, *statement)
    return transaction.commit()


@contextmanager
def commits_of(ledger: Ledger) -> Iterator[list[str]]:
    """Note each COMMIT that SQLite is asked for."""
    connection = ledger._journal.store.connection  # noqa: SLF001 - to see what becomes durable
    seen: list[str] = []
    connection.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    yield seen
    connection.set_trace_callback(None)


def test_commits_that_wait_share_one(ledger: Ledger) -> None:
    """Each is a block of its own, and answered; SQLite committed once."""
    before = ledger.digest().tip.sequence_no
    with commits_of(ledger) as seen:
        futures = commit_all(ledger, [(INSERT, {"vin": str(n)}) for n in range(6)])
    assert list(range(before + 1, before + 7)) == sorted(
        future.result().sequence_no for future in futures
    )
    assert ["COMMIT"] == seen
    check_journal(ledger)
    check_state(ledger)


def test_those_that_conflict_are_refused_alone(ledger: Ledger) -> None:
    """One of those that read the same document wins; who touched others does not mind."""
    update = ("UPDATE Car AS c SET c.miles = ? WHERE c.vin = 'A'",)
    futures = commit_all(ledger, [*[(*update, n) for n in range(3)], (INSERT, {"vin": "B"})])
    errors = [future.exception() for future in futures]
    assert 2 == sum(isinstance(error, OccConflictError) for error in errors)
    assert errors[-1] is None
    (miles,) = run(ledger, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'A'")
    assert errors[miles] is None
    check_journal(ledger)
    check_state(ledger)


def test_a_redaction_erases_among_others(ledger: Ledger) -> None:
    """When it is answered nothing is pending."""
    run(ledger, "UPDATE Car AS c SET c.miles = 7 WHERE c.vin = 'A'")
    (row,) = [
        row for row in run(ledger, "SELECT * FROM history(Car)") if row["metadata"]["version"] == 0
    ]
    place = row["blockAddress"]
    address = {"strandId": place["strandId"], "sequenceNo": place["sequenceNo"]}
    (table_id,) = run(ledger, "SELECT VALUE t.tableId FROM information_schema.user_tables AS t")
    statement = ("EXEC REDACT_REVISION ?, ?, ?", address, table_id, row["metadata"]["id"])
    futures = commit_all(ledger, [statement, (INSERT, {"vin": "B"}), (INSERT, {"vin": "C"})])
    assert [None] * 3 == [future.exception() for future in futures]
    assert 0 == ledger.redactions_pending
    check_journal(ledger)


def test_a_batch_whose_end_fails_is_lost_whole(ledger: Ledger) -> None:
    """All that were in it hear so, and the ledger goes on without them."""
    connection = ledger._journal.store.connection  # noqa: SLF001 - to make SQLite fail
    before = ledger.digest()
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TEMP TABLE one (id INTEGER PRIMARY KEY)")
    connection.execute(
        "CREATE TEMP TABLE two (id REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    connection.execute(
        "CREATE TEMP TRIGGER spoil AFTER INSERT ON main.block BEGIN INSERT INTO two VALUES (9); END"
    )
    futures = commit_all(ledger, [(INSERT, {"vin": str(n)}) for n in range(3)])
    assert [LedgerFileError] * 3 == [type(future.exception()) for future in futures]
    connection.execute("DROP TRIGGER spoil")
    assert before == ledger.digest()
    run(ledger, INSERT, {"vin": "B"})
    check_journal(ledger)
    check_state(ledger)


# --- the line ------------------------------------------------------------------------------


def made(work: Callable[[], BlockAddress] = lambda: ADDRESS) -> Ticket:
    """A ticket."""
    return Ticket(work)


@contextmanager
def together() -> Iterator[None]:
    """Make everything durable."""
    yield


def test_a_line_is_taken_up_to_a_bound() -> None:
    """The one who serves is among them wherever it stood; the rest stay."""
    line = Line()
    tickets = [made() for _ in range(MAX_TOGETHER + 2)]
    for ticket in tickets:
        line.join(ticket)
    assert [tickets[-1], *tickets[: MAX_TOGETHER - 1]] == line.take(tickets[-1])
    assert line.leave(tickets[-2])
    assert not line.leave(tickets[-2])


def test_an_interrupt_leaves_nobody_without_an_answer() -> None:
    """What nobody can know is said; who was refused before keeps that."""

    def interrupt() -> BlockAddress:
        raise KeyboardInterrupt

    def refuse() -> BlockAddress:
        raise OccConflictError("t")

    tickets = [made(refuse), made(), made(interrupt), made()]
    with pytest.raises(KeyboardInterrupt):
        serve(tickets, together, "cars.ledger")
    unknown = "who committed it was interrupted; it may be there or not"
    lost = LedgerFileError("cars.ledger", unknown)
    assert [OccConflictError("t"), lost, lost, lost] == [ticket.error for ticket in tickets]
    assert all(ticket.is_served for ticket in tickets)
    with pytest.raises(LedgerFileError):
        tickets[1].result()


def test_an_interrupted_waiter_leaves_the_line(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody commits for it afterwards."""
    journal: Any = ledger._journal  # noqa: SLF001 - to interrupt where it waits
    before = ledger.digest()

    class Interrupting:
        """A lock at which one is interrupted."""

        def __enter__(self) -> None:
            raise KeyboardInterrupt

        def __exit__(self, *_exc: object) -> None: ...

    monkeypatch.setattr(journal, "_commits", Interrupting())
    transaction = ledger.start_transaction()
    ask(transaction, INSERT, {"vin": "B"})
    with pytest.raises(KeyboardInterrupt):
        transaction.commit()
    monkeypatch.undo()
    assert [] == list(journal._line._tickets)  # noqa: SLF001 - as above
    assert before == ledger.digest()


def test_threads_that_never_stop_lose_nothing(ledger: Ledger) -> None:
    """Many commits from many threads: each is there once, and the chain verifies."""
    threads, each = 8, 25
    start = threading.Barrier(threads)

    def work(name: int) -> None:
        start.wait(60)
        for number in range(each):
            run(ledger, INSERT, {"vin": f"{name}-{number}"})

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    wanted = {"A", *(f"{name}-{number}" for name in range(threads) for number in range(each))}
    found = run(ledger, "SELECT VALUE c.vin FROM Car AS c")
    assert (len(wanted), wanted) == (len(found), set(found))
    check_journal(ledger)
    check_state(ledger)
