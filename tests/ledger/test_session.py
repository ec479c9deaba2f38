"""Commit digests, limits and time: what a session server asks of a transaction."""

from __future__ import annotations

import pytest

from qldb_stream.errors import (
    OccConflictError,
    ReadOnlyTransactionError,
    StatementError,
    TransactionClosedError,
    UsageError,
)
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import dot
from qldb_stream.ion import dumps, ion_hash, iter_elements, to_slice
from qldb_stream.ledger import Ledger
from tests.ledger import published
from tests.ledger.support import Clock, ask, check_journal, make_cars, memory, run


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


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO Car {'vin': 'A'}",
        "UPDATE Car SET vin = 'B'",
        "FROM Car AS c REMOVE c",
        "DELETE FROM Car WHERE CASE WHEN true THEN true END",
        "CREATE TABLE Van",
        "EXEC REDACT_REVISION `{strandId: \"x\", sequenceNo: 0}`, 'a', 'b'",
    ],
)
def test_a_transaction_that_may_only_read(statement: str) -> None:
    """Whatever is no SELECT is refused there, and leaves it open."""
    with memory(extensions="on") as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction(read_only=True)
        with pytest.raises(ReadOnlyTransactionError):
            ask(transaction, statement)
        assert ["A"] == ask(transaction, "SELECT VALUE c.vin FROM Car AS c")
        assert transaction.commit() is None


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
    for settings in (
        {"limits": "on"},
        {"extensions": "yes"},
        {"journal_reads": "yes"},
        {"journal_reads": "on", "read_only": True},
        {"name": "no spaces"},
        {"name": "1"},
    ):
        with pytest.raises(UsageError):
            Ledger.open(":memory:", **settings)


def test_a_statement_ends_with_its_transaction() -> None:
    """With QLDB's limits, one that goes through endless rows is cut off after 30 seconds."""
    clock = Clock()
    with memory(clock, limits="qldb") as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", {"n": list(range(1000))})
        transaction = ledger.start_transaction()
        clock.step_ms = 1000
        endless = "SELECT COUNT(*) FROM Car c, c.n AS a, c.n AS b, c.n AS d"
        with pytest.raises(TransactionClosedError, match="has expired"):
            transaction.execute_statement(endless)
        clock.step_ms = 0
        with pytest.raises(TransactionClosedError, match="has expired"):
            transaction.commit()


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
            run(ledger, "INSERT INTO Car {'a': ?, 'b': ?}", "x" * 70_000, "x" * 70_000)
        transaction = ledger.start_transaction()
        for _ in range(32):
            ask(transaction, "INSERT INTO Car ?", {"pad": "x" * 130_000})
        with pytest.raises(StatementError, match="bytes in a transaction"):
            ask(transaction, "INSERT INTO Car ?", {"pad": "x" * 130_000})
        transaction.commit()
        with pytest.raises(StatementError, match="characters in a statement"):
            run(ledger, f"SELECT '{'x' * 100_000}' FROM << 1 >>")


def test_parameters_are_limited() -> None:
    """128 KiB of binary Ion each; a digest with one that was refused is still agreed on."""
    text = "SELECT VALUE 1 FROM << 1 >> AS one WHERE ? = 1"
    too_long = ("x" * 131_073, to_slice(b"x" * 131_073), ["x" * 131_073], "\u00e9" * 65_537)
    large = to_slice([{"a": "x" * 100_000}, {"a": "y" * 100_000}])
    short_enough = ("x" * 131_072, *iter_elements(large))
    with memory(limits="qldb") as ledger:
        transaction = ledger.start_transaction()
        for long in too_long:
            with pytest.raises(StatementError, match="bytes in a parameter; the limit is 131072"):
                ask(transaction, text, long)
        for short in short_enough:
            assert [] == ask(transaction, text, short)
        digest = ion_hash(transaction.transaction_id)
        for parameter in (*too_long, *short_enough):
            digest = dot(digest, statement_digest(text, parameter))
        assert transaction.commit(digest) is None


def test_metadata_and_index_entries_count() -> None:
    """A transaction's size is more than its documents' (facts 5.8)."""
    with memory(limits="qldb") as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        documents = [{"vin": "x" * 130_000}] * 32 + [{"vin": "x" * 27_600}]
        assert sum(len(dumps(document)) for document in documents) < 4 * 1024 * 1024
        for document in documents[:-1]:
            ask(transaction, "INSERT INTO Car ?", document)
        with pytest.raises(StatementError, match="bytes in a transaction"):
            ask(transaction, "INSERT INTO Car ?", documents[-1])


def test_reads_are_journaled_when_asked() -> None:
    """Then a transaction that only read makes a block: statements, no documents (facts 2.3)."""
    with memory(journal_reads="on") as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        assert ["A"] == ask(transaction, "SELECT VALUE vin FROM Car")
        assert BlockAddress(ledger.strand_id, 3) == transaction.commit()
        info = list(ledger.blocks())[3].summary.transaction_info
        assert info is not None
        assert ["SELECT VALUE vin FROM Car"] == [one.statement for one in info.statements]
        assert ({}, ()) == (info.documents, list(ledger.blocks())[3].revisions)
        assert ledger.start_transaction().commit() is None
        assert 4 == check_journal(ledger)
        published.check_journal(ledger.stream_records(aggregated=False))


def test_reads_are_validated_before_they_are_journaled() -> None:
    """One that conflicts leaves no block."""
    with memory(journal_reads="on") as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        ask(transaction, "SELECT * FROM Car")
        run(ledger, "UPDATE Car SET miles = 1")
        with pytest.raises(OccConflictError):
            transaction.commit()
        assert 4 == check_journal(ledger)


def test_without_limits_there_are_none() -> None:
    """In process nothing is limited unless asked for."""
    with memory() as ledger:
        for number in range(25):
            run(ledger, f"CREATE TABLE t{number}")
        run(ledger, "INSERT INTO t1 ?", [{"pad": "x" * 200_000} for _ in range(50)])
        run(ledger, f"SELECT '{'x' * 100_000}' FROM << 1 >>")
