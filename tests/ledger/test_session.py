"""Commit digests, limits and time: what a session server asks of a transaction."""

from __future__ import annotations

import pytest

from qldb_stream.errors import StatementError, TransactionClosedError, UsageError
from qldb_stream.hashing import dot
from qldb_stream.ion import ion_hash
from qldb_stream.ledger import Ledger
from tests.ledger.support import Clock, ask, make_cars, memory, run


def statement_digest(text: str, *parameters: object) -> bytes:
    """What a driver folds for a statement (facts 2.8)."""
    digest = ion_hash(text)
    for parameter in parameters:
        digest = dot(digest, ion_hash(parameter))
    return digest


def test_a_commit_digest_is_checked() -> None:
    """The right one commits; a wrong one is refused, and the transaction stays open."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        text = "INSERT INTO Car ?"
        ask(transaction, text, {"vin": "A"})
        digest = dot(ion_hash(transaction.transaction_id), statement_digest(text, {"vin": "A"}))
        with pytest.raises(StatementError, match="Digests don't match"):
            transaction.commit(bytes(32))
        assert transaction.commit(digest) == ledger.digest().tip


@pytest.mark.parametrize("folded", [True, False])
def test_a_failed_statement_may_be_folded_or_not(*, folded: bool) -> None:
    """Both digests are accepted (facts 2.8)."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        digest = ion_hash(transaction.transaction_id)
        for text in ("SELECT * FROM", "CREATE TABLE Car"):
            with pytest.raises(Exception, match=r"Parser Error|already exists"):
                ask(transaction, text)
            digest = dot(digest, statement_digest(text)) if folded else digest
        ask(transaction, "CREATE TABLE Van")
        transaction.commit(dot(digest, statement_digest("CREATE TABLE Van")))
        assert "Van" in ledger.driver().list_tables()


def test_settings_are_known_or_refused() -> None:
    """Limits are off or qldb, extensions on or off; anything else is wrong usage."""
    for settings in ({"limits": "on"}, {"extensions": "yes"}, {"name": "no spaces"}, {"name": "1"}):
        with pytest.raises(UsageError):
            Ledger.open(":memory:", **settings)  # type: ignore[arg-type]  # one of several settings


def test_a_transaction_expires() -> None:
    """With QLDB's limits, after 30 seconds, in the words that drivers look for."""
    clock = Clock()
    with memory(clock, limits="qldb") as ledger:
        transaction = ledger.start_transaction()
        clock.now_ms += 30_000
        ask(transaction, "SELECT * FROM << 1 >>")
        clock.now_ms += 1
        with pytest.raises(TransactionClosedError, match=r"Transaction .* has expired"):
            ask(transaction, "SELECT * FROM << 1 >>")
        with pytest.raises(TransactionClosedError, match=r"Transaction .* has expired"):
            transaction.commit()


def test_tables_are_limited() -> None:
    """20 active ones, 40 in all, 5 indexes each; the replay's own do not count."""
    with memory(limits="qldb") as ledger:
        for number in range(20):
            run(ledger, f"CREATE TABLE t{number}")
        with pytest.raises(StatementError, match="21 active tables; the limit is 20"):
            run(ledger, "CREATE TABLE another")
        for number in range(3):
            run(ledger, f"CREATE TABLE qldb_stream_{number}")
        for number in range(20):
            run(ledger, f"DROP TABLE t{number}")
            run(ledger, f"CREATE TABLE t{number}")
        run(ledger, "DROP TABLE t0")
        with pytest.raises(StatementError, match="the limit is 40"):
            run(ledger, "CREATE TABLE another")
        for number in range(5):
            run(ledger, f"CREATE INDEX ON t1 (f{number})")
        with pytest.raises(StatementError, match="6 indexes on a table"):
            run(ledger, "CREATE INDEX ON t1 (f5)")


def test_transactions_are_limited() -> None:
    """40 documents, 128 KiB each, 4 MiB together, 100,000 characters a statement."""
    with memory(limits="qldb") as ledger:
        make_cars(ledger)
        run(ledger, "CREATE TABLE qldb_stream_ids")
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", [{"vin": n} for n in range(40)])
        ask(transaction, "INSERT INTO qldb_stream_ids ?", [{"n": n} for n in range(40)])
        with pytest.raises(StatementError, match="41 documents in a transaction"):
            ask(transaction, "INSERT INTO Car ?", {"vin": 40})
        ask(transaction, "UPDATE Car SET vin = 7")
        transaction.commit()
        with pytest.raises(StatementError, match="bytes in a document"):
            run(ledger, "INSERT INTO Car ?", {"pad": "x" * 131_072})
        with pytest.raises(StatementError, match="bytes in a transaction"):
            run(ledger, "INSERT INTO Car ?", [{"pad": "x" * 130_000} for _ in range(33)])
        with pytest.raises(StatementError, match="characters in a statement"):
            run(ledger, f"SELECT '{'x' * 100_000}' FROM << 1 >>")  # noqa: S608 - of this test


def test_without_limits_there_are_none() -> None:
    """In process nothing is limited unless asked for."""
    with memory() as ledger:
        for number in range(25):
            run(ledger, f"CREATE TABLE t{number}")
        run(ledger, "INSERT INTO t1 ?", [{"pad": "x" * 200_000} for _ in range(50)])
        run(ledger, f"SELECT '{'x' * 100_000}' FROM << 1 >>")  # noqa: S608 - of this test
