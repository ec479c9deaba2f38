"""Statements against tables: rows, views, indexes, ids, errors."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from qldb_stream.errors import (
    IonEncodeError,
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    QldbStreamError,
    TransactionClosedError,
    UnsupportedPartiqlError,
)
from qldb_stream.ion import dumps, iter_text, load_slice, timestamp_ms
from qldb_stream.ledger import Ledger, Transaction
from tests.ledger.support import NOON_MS, Clock, ask, check_journal, make_cars, memory, run


def test_dml_answers_document_ids() -> None:
    """INSERT, UPDATE and DELETE give one row for each document (facts 5.2)."""
    with memory() as ledger:
        make_cars(ledger)
        inserted = run(ledger, "INSERT INTO Car << {'vin': 'A'}, {'vin': 'B'} >>")
        assert 2 == len(inserted)
        assert [{"documentId"}] * 2 == [set(row) for row in inserted]
        assert inserted[:1] == run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'A'")
        assert inserted[1:] == run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'B'")
        assert [] == run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'B'")
        assert [] == run(ledger, "UPDATE Car SET miles = 1 WHERE vin = 'B'")


def test_documents_are_inserted_from_parameters() -> None:
    """A struct, and a list of structs, as Python values or in their bytes."""
    with memory() as ledger:
        make_cars(ledger)
        documents = [{"vin": vin} for vin in "ABCDEF"]
        run(ledger, "INSERT INTO Car ?", documents[0])
        run(ledger, "INSERT INTO Car ?", documents[1:3])
        run(ledger, "INSERT INTO Car ?", load_slice(dumps(documents[3])))
        run(ledger, "INSERT INTO Car ?", load_slice(dumps(documents[4:6])))
        assert documents == sorted(run(ledger, "SELECT * FROM Car"), key=lambda row: row["vin"])
        check_journal(ledger)


@pytest.mark.parametrize("value", [1, "x", None, [1], [{"a": 1}, 2]])
def test_only_structs_are_documents(value: Any) -> None:
    """Anything else is refused, and nothing of it stays."""
    with memory() as ledger:
        make_cars(ledger)
        with pytest.raises(PartiqlEvaluationError):
            run(ledger, "INSERT INTO Car ?", value)
        assert [] == run(ledger, "SELECT * FROM Car")


def test_values_come_back_as_they_went_in() -> None:
    """Every Ion type, typed nulls and annotations survive, field order included."""
    text = """{ z: null, a: null.int, b: true, i: -5, f: 1e0, d: 1.50, t: 2020T, m: sym, s: "é",
        c: {{"clob"}}, l: [1, [2]], x: (a b), o: note::{p: 1}, bb: {{AAEC}} }"""
    (document,) = iter_text(text)
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", document)
        transaction = ledger.start_transaction()
        (found,) = transaction.execute_statement("SELECT VALUE c FROM Car AS c").iter_slices()
        assert document == found
        assert list(document.decode()) == list(found.decode())


def test_own_writes_are_seen() -> None:
    """Later statements of a transaction see what earlier ones wrote, in every view of it."""
    with memory() as ledger:
        (car,) = make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        (new,) = ask(transaction, "INSERT INTO Car ?", {"vin": "B", "miles": 1})
        ask(transaction, "UPDATE Car SET miles = 2 WHERE vin = 'B'")
        ask(transaction, "UPDATE Car SET vin = 'C' WHERE vin = 'A'")
        assert [{"vin": "B", "miles": 2}] == ask(transaction, "SELECT * FROM Car WHERE vin = 'B'")
        assert [] == ask(transaction, "SELECT * FROM Car WHERE vin = 'A'")
        assert [{"miles": 0}] == ask(transaction, "SELECT miles FROM Car WHERE vin = 'C'")
        assert [{"_1": 2}] == ask(transaction, "SELECT COUNT(*) FROM Car")
        rows = ask(transaction, "SELECT * FROM _ql_committed_Car AS c WHERE c.data.vin = 'C'")
        assert [{"data": {"vin": "C", "miles": 0}, "metadata": {"id": car, "version": 1}}] == rows
        ask(transaction, "DELETE FROM Car AS c BY id WHERE id = ?", new["documentId"])
        assert [{"_1": 1}] == ask(transaction, "SELECT COUNT(*) FROM Car")
        assert [] == ask(transaction, "SELECT * FROM Car WHERE vin = 'B'")


def test_an_uncommitted_document_is_found_once() -> None:
    """Writing a document twice under one key leaves one document."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        ask(transaction, "UPDATE Car SET vin = 'C' WHERE vin = 'B'")
        ask(transaction, "UPDATE Car SET vin = 'B' WHERE vin = 'C'")
        assert 1 == len(ask(transaction, "SELECT * FROM Car WHERE vin IN ('B', 'C')"))


def test_the_committed_view_shows_the_journal() -> None:
    """A row has address, hash, data and metadata (facts 5.3)."""
    with memory() as ledger:
        (car,) = make_cars(ledger, "A")
        (row,) = run(ledger, "SELECT * FROM _ql_committed_Car AS c WHERE c.metadata.id = ?", car)
        *_, block = ledger.blocks()
        assert {
            "blockAddress": {"strandId": ledger.strand_id, "sequenceNo": 2},
            "hash": block.revisions[0].hash,
            "data": {"vin": "A", "miles": 0},
            "metadata": {
                "id": car,
                "version": 0,
                "txTime": timestamp_ms(NOON_MS),
                "txId": block.summary.transaction_id,
            },
        } == row


def test_by_binds_the_document_id() -> None:
    """BY names the id, which can be looked up; text that is a symbol equals it too."""
    with memory() as ledger:
        first, second = make_cars(ledger, "A", "B")
        assert [{"id": first, "vin": "A"}] == run(
            ledger, "SELECT id, c.vin FROM Car AS c BY id WHERE id = ?", first
        )
        both = run(
            ledger, "SELECT VALUE c.vin FROM Car AS c BY id WHERE id IN ?", [second, first, second]
        )
        assert ["A", "B"] == sorted(both)
        (symbol,) = iter_text(f"'{first}'")
        assert ["A"] == run(ledger, "SELECT VALUE c.vin FROM Car AS c BY id WHERE id = ?", symbol)
        assert [] == run(ledger, "SELECT VALUE c.vin FROM Car AS c BY id WHERE id = 5")


def test_a_document_is_not_found_in_another_table() -> None:
    """An id belongs to its table."""
    with memory() as ledger:
        (car,) = make_cars(ledger, "A")
        run(ledger, "CREATE TABLE Bike")
        assert [] == run(ledger, "SELECT * FROM Bike AS b BY id WHERE id = ?", car)
        transaction = ledger.start_transaction()
        ask(transaction, "UPDATE Car SET miles = 1 WHERE vin = 'A'")
        assert [] == ask(transaction, "SELECT * FROM Bike AS b BY id WHERE id = ?", car)
        assert [] == ask(transaction, "SELECT * FROM Bike")


@pytest.mark.parametrize(
    "value",
    [
        "text",
        5,
        -5,
        Decimal("1.50"),
        1.5,
        True,
        datetime(2020, 1, 1, tzinfo=UTC),
        b"blob",
        [1, 2],
        {"a": [1]},
        "x" * 200,
    ],
)
def test_an_index_finds_what_a_scan_finds(value: Any) -> None:
    """A value of any type is found by equality, through the index and without."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "CREATE INDEX ON Car (indexed)")
        run(ledger, "INSERT INTO Car ?", {"indexed": value, "plain": value})
        for condition in ("c.indexed = ?", "c.plain = ?"):
            text = "SELECT VALUE c.plain FROM Car AS c WHERE " + condition
            assert [value] == run(ledger, text, value)


def test_an_index_compares_numbers_by_value() -> None:
    """1, 1.0 and 1e0 are one key (facts 5.4); the text '1' is another."""
    with memory() as ledger:
        make_cars(ledger)
        for vin in (1, Decimal("1.0"), 1.0, "1"):
            run(ledger, "INSERT INTO Car ?", {"vin": vin})
        assert 3 == len(run(ledger, "SELECT * FROM Car WHERE vin = 1"))
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = '1'"))
        assert 4 == len(run(ledger, "SELECT * FROM Car WHERE vin IN (1, '1')"))


@pytest.mark.parametrize(
    "document",
    [{"VIN": "A"}, {"Vin": "A"}, {"vin": "A", "VIN": "B"}, {"vin": None}, {"other": 1}],
)
def test_an_index_holds_what_its_name_finds(document: dict[str, Any]) -> None:
    """A field is found by its exact name, else by the only one that differs in case."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "CREATE TABLE Unindexed")
        for table in ("Car", "Unindexed"):
            run(ledger, f"INSERT INTO {table} ?", document)
        text = "SELECT * FROM {} AS c WHERE c.vin = 'A'"
        assert run(ledger, text.format("Unindexed")) == run(ledger, text.format("Car"))


def test_annotated_and_repeated_documents_are_indexed() -> None:
    """Documents that are no plain dict are found under their keys too."""
    with memory() as ledger:
        make_cars(ledger)
        for text in ("note::{vin: 'A'}", "{vin: A, vin: B}"):
            run(ledger, "INSERT INTO Car ?", *iter_text(text))
        assert 2 == len(run(ledger, "SELECT * FROM Car AS c WHERE c.vin = 'A'"))
        check_journal(ledger)


def test_a_change_of_the_key_moves_the_entry() -> None:
    """After an update the old key finds nothing and the new one the document."""
    with memory() as ledger:
        make_cars(ledger, "A")
        run(ledger, "UPDATE Car SET vin = 'B' WHERE vin = 'A'")
        assert [] == run(ledger, "SELECT * FROM Car WHERE vin = 'A'")
        assert [{"miles": 0}] == run(ledger, "SELECT miles FROM Car WHERE vin = 'B'")
        run(ledger, "DELETE FROM Car AS c WHERE c.miles = 0")
        assert [] == run(ledger, "SELECT * FROM Car WHERE vin = 'B'")


def test_many_documents_under_one_key_are_all_found() -> None:
    """More than one chunk of an index, and of a table, is read to its end."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": "A", "n": n} for n in range(650)])
        for text in ("SELECT VALUE n FROM Car WHERE vin = 'A'", "SELECT VALUE n FROM Car"):
            assert list(range(650)) == sorted(run(ledger, text))


def test_a_join_looks_up_each_outer_row() -> None:
    """Rows of an inner table come through its index."""
    with memory() as ledger:
        make_cars(ledger, "A", "B")
        run(ledger, "CREATE TABLE Owner")
        run(ledger, "INSERT INTO Owner << {'name': 'x', 'car': 'B'}, {'name': 'y', 'car': 'A'} >>")
        rows = run(ledger, "SELECT o.name, c.vin FROM Owner AS o, Car AS c WHERE c.vin = o.car")
        assert [("x", "B"), ("y", "A")] == sorted((row["name"], row["vin"]) for row in rows)


@pytest.mark.parametrize(
    ("kind", "message", "text"),
    [
        (PartiqlSemanticError, "Semantic Error: at line 1, column 15: No such variable named 'Bus'",
         "SELECT * FROM Bus"),
        (PartiqlSemanticError, "No such variable named 'Bus'", "INSERT INTO Bus {'a': 1}"),
        (PartiqlSemanticError, "No such variable named 'Bus'", "UPDATE Bus SET a = 1"),
        (PartiqlSemanticError, "No such variable", "SELECT * FROM information_schema.tables"),
        (PartiqlParseError, "Parser Error: at line 1, column 10", "SELECT * Car"),
        (UnsupportedPartiqlError, "line 1, column", "SELECT * FROM Car ORDER BY vin"),
        (UnsupportedPartiqlError, "EXEC UNDO_REVISION is not supported",
         "EXEC UNDO_REVISION `{a: 1}`"),
        (PartiqlSemanticError, "expected 1 parameter, found 0", "SELECT * FROM Car WHERE vin = ?"),
    ],
)  # fmt: skip
def test_a_bad_statement_is_located(kind: type[QldbStreamError], message: str, text: str) -> None:
    """Errors are QLDB's, and the transaction stays open and as it was (facts 2.8)."""
    with memory() as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        with pytest.raises(kind) as caught:
            ask(transaction, text)
        assert message in str(caught.value)
        ask(transaction, "UPDATE Car SET miles = 7 WHERE vin = 'A'")
        transaction.commit()
        assert [7] == run(ledger, "SELECT VALUE miles FROM Car")


def test_a_failing_statement_changes_nothing() -> None:
    """A statement that fails on its second document leaves the first as it was."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car << {'vin': 'A', 'n': 1}, {'vin': 'B', 'n': 'x'} >>")
        transaction = ledger.start_transaction()
        with pytest.raises(PartiqlEvaluationError):
            ask(transaction, "UPDATE Car AS c SET c.n = c.n + 1")
        assert transaction.commit() is None


def test_a_parameter_that_ion_cannot_say_is_refused() -> None:
    """A Python object without an Ion type never gets in."""
    with memory() as ledger:
        make_cars(ledger)
        with pytest.raises(IonEncodeError):
            run(ledger, "INSERT INTO Car ?", {"vin": object()})
        with pytest.raises(IonEncodeError):
            run(ledger, "SELECT '\ud800' FROM << 0 >>")


def test_a_closed_transaction_takes_nothing() -> None:
    """After commit and abort, statements and commits are refused; abort is not."""
    with memory() as ledger:
        make_cars(ledger)
        for close in (Transaction.commit, Transaction.abort):
            transaction = ledger.start_transaction()
            close(transaction)
            transaction.abort()
            with pytest.raises(TransactionClosedError, match=transaction.transaction_id):
                transaction.execute_statement("SELECT * FROM Car")
            with pytest.raises(TransactionClosedError):
                transaction.commit()


def test_an_aborted_transaction_leaves_nothing() -> None:
    """What was written is gone."""
    with memory() as ledger:
        make_cars(ledger)
        before = ledger.digest()
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "B"})
        ask(transaction, "CREATE TABLE Bike")
        transaction.abort()
        assert before == ledger.digest()
        assert ["Car"] == ledger.driver().list_tables()


def test_functions_of_the_transaction() -> None:
    """TXID() is its id, UTCNOW() the time in milliseconds."""
    with memory(Clock()) as ledger:
        transaction = ledger.start_transaction()
        rows = ask(transaction, "SELECT TXID() AS id, UTCNOW() AS now FROM << 0 >>")
        assert [{"id": transaction.transaction_id, "now": timestamp_ms(NOON_MS)}] == rows


def test_rows_are_buffered_before_their_snapshot_changes() -> None:
    """A long result keeps its rows when the transaction goes on, and after the commit."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": "A", "n": n} for n in range(450)])
        transaction = ledger.start_transaction()
        cursor = transaction.execute_statement("SELECT VALUE n FROM Car")
        started = iter(cursor)
        next(started)
        ask(transaction, "DELETE FROM Car")
        assert [] == ask(transaction, "SELECT VALUE n FROM Car")
        transaction.commit()
        assert 449 == len(list(started))
        assert 450 == len(list(cursor)) == len(list(cursor))


def test_a_long_result_is_computed_page_by_page() -> None:
    """Rows come as they are asked for, also twice at once; none is missed."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": "A", "n": n} for n in range(450)])
        cursor = ledger.start_transaction().execute_statement("SELECT VALUE n FROM Car")
        pairs = list(zip(cursor, cursor, strict=True))
        assert [(n, n) for n, _ in pairs] == pairs
        assert list(range(450)) == sorted(n for n, _ in pairs)
        assert 450 == len(list(cursor.iter_slices()))


@pytest.mark.parametrize("close", [Transaction.commit, Transaction.abort])
def test_rows_that_were_not_computed_end_with_the_transaction(close: Any) -> None:
    """Those that were are still there; asking for more says that the transaction is over."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": "A", "n": n} for n in range(450)])
        transaction = ledger.start_transaction()
        cursor = transaction.execute_statement("SELECT VALUE n FROM Car")
        close(transaction)
        rows = iter(cursor)
        assert 200 == len([next(rows) for _ in range(200)])
        with pytest.raises(TransactionClosedError, match=transaction.transaction_id):
            next(rows)


def test_nested_values_of_a_row_are_decoded() -> None:
    """Structs, lists and bags that a SELECT builds hold plain values."""
    with memory() as ledger:
        make_cars(ledger, "A")
        rows = run(ledger, "SELECT {'c': c, 'l': [c, 1.5]} AS s, << c.vin >> AS b FROM Car AS c")
        car = {"vin": "A", "miles": 0}
        assert [{"s": {"c": car, "l": [car, Decimal("1.5")]}, "b": ["A"]}] == rows


def test_many_points_in_one_transaction_are_read(tmp_path: Any) -> None:
    """More documents than the transaction remembers are read all the same."""
    with Ledger.open(tmp_path / "many.ledger") as ledger:
        make_cars(ledger)
        ids = [
            row["documentId"]
            for row in run(ledger, "INSERT INTO Car ?", [{"vin": f"v{n}"} for n in range(700)])
        ]
        transaction = ledger.start_transaction()
        for _ in range(2):
            for number, document_id in enumerate(ids):
                text = "SELECT VALUE c.vin FROM Car AS c BY id WHERE id = ?"
                assert [f"v{number}"] == ask(transaction, text, document_id)
                text = "SELECT VALUE c.vin FROM Car AS c WHERE c.vin = ?"
                assert [f"v{number}"] == ask(transaction, text, f"v{number}")


def test_extensions_are_a_setting_of_the_ledger() -> None:
    """What QLDB refused is allowed where the ledger was opened so, and nowhere else."""
    text = "SELECT VALUE c.vin FROM Car AS c ORDER BY c.vin DESC LIMIT 2"
    with memory() as plain, memory(extensions="on") as extended:
        for ledger in (plain, extended):
            make_cars(ledger, "B", "A", "C")
        for _ in range(2):  # the cache of statements tells the two apart
            assert ["C", "B"] == run(extended, text)
            with pytest.raises(UnsupportedPartiqlError) as caught:
                run(plain, text)
            assert UnsupportedPartiqlError(1, 34, "ORDER BY", is_extension=True) == caught.value
        check_journal(extended)
