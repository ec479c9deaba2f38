"""How statements reach their documents, what that costs, and that both are told the same way."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.errors import (
    LedgerFileError,
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    TransactionClosedError,
    UnsupportedPartiqlError,
)
from qldb_stream.ledger import Access, Explanation, IOUsage, Ledger, SourceExplanation
from tests.ledger.support import ask, make_cars, memory, run


def make_garage(**settings: Any) -> Ledger:
    """A ledger with four cars (vin indexed), two people (no index), one dropped table."""
    ledger = memory(**settings)
    make_cars(ledger, "A", "B", "C", "D")
    for statement in ("CREATE TABLE Person", "CREATE TABLE Old", "DROP TABLE Old"):
        run(ledger, statement)
    run(ledger, "INSERT INTO Person << {'name': 'Ann', 'vin': 'B'}, {'name': 'Bob'} >>")
    return ledger


WAYS: list[tuple[str, list[Any]]] = [
    ("SELECT * FROM Car AS c", [("c", "Car", "SCAN", None, ())]),
    ("SELECT * FROM Car AS c WHERE c.vin = 'A'", [("c", "Car", "INDEX", "vin", ("vin =",))]),
    ("SELECT * FROM Car WHERE vin IN ('A', 'C')", [("Car", "Car", "INDEX", "vin", ("vin IN",))]),
    ("SELECT * FROM Car WHERE vin IN ?", [("Car", "Car", "INDEX", "vin", ("vin IN",))]),
    ("SELECT * FROM Car AS c WHERE 'A' = c.vin", [("c", "Car", "INDEX", "vin", ("vin =",))]),
    ("SELECT * FROM Car WHERE miles = 0", [("Car", "Car", "SCAN", None, ())]),
    ("SELECT * FROM Car WHERE vin > 'A'", [("Car", "Car", "SCAN", None, ())]),
    ("SELECT * FROM Car WHERE vin = 'A' OR vin = 'B'", [("Car", "Car", "SCAN", None, ())]),
    ("SELECT * FROM Car WHERE LOWER(vin) = 'a'", [("Car", "Car", "SCAN", None, ())]),
    (
        "SELECT * FROM Car AS c BY d WHERE c.vin = 'A' AND d = 'x'",
        [("c", "Car", "DOCUMENT_ID", None, ("id =",))],
    ),
    (
        "SELECT * FROM _ql_committed_Car AS c WHERE c.metadata.id IN ('x')",
        [("c", "Car", "DOCUMENT_ID", None, ("id IN",))],
    ),
    (
        "SELECT * FROM _ql_committed_Car AS c WHERE c.data.vin = 'A'",
        [("c", "Car", "INDEX", "vin", ("vin =",))],
    ),
    ("SELECT * FROM history(Car) AS h", [("h", "Car", "HISTORY", None, ())]),
    (
        "SELECT * FROM history(Car) AS h WHERE h.metadata.id = 'x'",
        [("h", "Car", "HISTORY", None, ("id =",))],
    ),
    (
        "SELECT * FROM Person AS p JOIN Car AS c ON c.vin = p.vin",
        [("p", "Person", "SCAN", None, ()), ("c", "Car", "INDEX", "vin", ("vin =",))],
    ),
    (
        "SELECT * FROM Person AS p, Car AS c WHERE p.vin = c.vin",
        [("p", "Person", "SCAN", None, ()), ("c", "Car", "INDEX", "vin", ("vin =",))],
    ),
    (
        "SELECT * FROM Person AS p JOIN Car AS c ON c.vin IN (p.vin, 'A') AND p.name = 'Ann'",
        [("p", "Person", "SCAN", None, ()), ("c", "Car", "INDEX", "vin", ("vin IN",))],
    ),
    (
        "SELECT * FROM Person AS p, Car AS c BY d WHERE d = p.car",
        [("p", "Person", "SCAN", None, ()), ("c", "Car", "DOCUMENT_ID", None, ("id =",))],
    ),
    (
        "SELECT * FROM Car AS c, @c.parts AS p",
        [("c", "Car", "SCAN", None, ()), ("p", None, "COLLECTION", None, ())],
    ),
    (
        "SELECT * FROM information_schema.user_tables",
        [("user_tables", "information_schema.user_tables", "CATALOG", None, ())],
    ),
    ("UPDATE Car SET miles = 1 WHERE vin = 'A'", [("Car", "Car", "INDEX", "vin", ("vin =",))]),
    ("FROM Car AS c WHERE c.vin = 'A' REMOVE c", [("c", "Car", "INDEX", "vin", ("vin =",))]),
    ("DELETE FROM Car BY d WHERE d = ?", [("Car", "Car", "DOCUMENT_ID", None, ("id =",))]),
    ("INSERT INTO Car ?", []),
    ("CREATE TABLE New", []),
    ("EXEC REDACT_REVISION ?, ?, ?", []),
]


@pytest.mark.parametrize(("text", "ways"), WAYS)
def test_the_way_to_the_documents(text: str, ways: list[Any]) -> None:
    """An id wins, then an index for `=` and IN, in joins too; everything else scans (facts 5.7)."""
    with make_garage() as ledger:
        found = [
            (source.name, source.table, source.access.value, source.field, source.conditions)
            for source in ledger.explain(text).sources
        ]
        assert ways == found


def test_an_explanation_reads_well() -> None:
    """Printed, it is a line for the statement and one for each source, sub-queries indented."""
    text = "SELECT * FROM Car AS c WHERE c.vin = ? AND EXISTS(SELECT VALUE p FROM Person AS p)"
    with make_garage() as ledger:
        explanation = ledger.explain(text)
    assert [
        "Select",
        "  INDEX(vin) Car AS c, vin = ...; conditions: 2",
        "    SCAN Person AS p; conditions: 0",
    ] == str(explanation).splitlines()
    car, _ = explanation.sources
    assert SourceExplanation("c", "Car", Access.INDEX, "vin", ("vin =",), 2, 0) == car
    assert Explanation("Select", explanation.sources) == explanation
    assert "COLLECTION x; conditions: 0" == str(
        SourceExplanation("x", None, Access.COLLECTION, None, (), 0, 0)
    )


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PartiqlParseError, "SELECT"),
        (PartiqlSemanticError, "SELECT * FROM Nothing"),
        (PartiqlSemanticError, "SELECT * FROM Old"),
        (PartiqlSemanticError, "SELECT * FROM information_schema.tables"),
        (UnsupportedPartiqlError, "SELECT * FROM Car LIMIT 1"),
    ],
)
def test_what_cannot_be_explained(error: type[Exception], text: str) -> None:
    """A statement that could not be run is refused as if it were."""
    with make_garage() as ledger, pytest.raises(error):
        ledger.explain(text)


def test_explain_follows_the_settings() -> None:
    """Extensions are explained where they are on; a closed ledger explains nothing."""
    with make_garage(extensions="on") as ledger:
        assert "Select" == ledger.explain("SELECT * FROM Car ORDER BY vin").statement
    with pytest.raises(LedgerFileError):
        ledger.explain("SELECT * FROM Car")


# --- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("SELECT * FROM Car", 4),
        ("SELECT * FROM Car WHERE vin = 'A'", 1),
        ("SELECT * FROM Car WHERE vin IN ('A', 'C', 'X')", 2),
        ("SELECT * FROM Car WHERE vin > 'A'", 4),
        ("SELECT * FROM Person AS p JOIN Car AS c ON c.vin = p.vin", 2 + 1),
        ("SELECT * FROM Person AS p JOIN Car AS c ON c.vin IN (p.vin, 'A')", 2 + 2 + 1),
        ("SELECT * FROM Person AS p JOIN Car AS c ON c.miles = 0", 2 + 2 * 4),
        ("SELECT * FROM Person AS p, Car AS c WHERE p.name = 'Ann' AND c.vin = p.vin", 2 + 1),
        ("SELECT * FROM Car AS c BY d WHERE d = 'x'", 0),
        ("SELECT COUNT(*) FROM history(Car)", 4),
        ("SELECT * FROM _ql_committed_Car", 4),
        ("SELECT * FROM information_schema.user_tables", 0),
        ("SELECT * FROM << 1, 2 >>", 0),
    ],
)
def test_read_ios_count_documents(text: str, reads: int) -> None:
    """Each document that is read counts, as often as it is read (facts 5.7)."""
    with make_garage() as ledger:
        transaction = ledger.start_transaction()
        cursor = transaction.execute_statement(text)
        assert IOUsage(reads, 0) == cursor.consumed_ios
        assert {"ReadIOs": reads} == cursor.get_consumed_ios()
        assert IOUsage(reads, 0) == transaction.consumed_ios


def test_a_cross_join_costs_what_the_service_said() -> None:
    """Six times three documents are 1092 read IOs: the official drivers' own test."""
    with memory() as ledger:
        make_cars(ledger, "A", "B", "C")
        sources = ", ".join(f"Car AS c{place}" for place in range(6))
        cursor = run_open(ledger, f"SELECT * FROM {sources}")
        assert cursor.consumed_ios.read_ios < 1092
        assert 729 == len(list(cursor))
        assert IOUsage(1092, 0) == cursor.consumed_ios


def run_open(ledger: Ledger, text: str) -> Any:
    """Run a statement in a transaction that stays open."""
    return ledger.start_transaction().execute_statement(text)


def test_a_paged_answer_counts_what_it_has_read() -> None:
    """Pages count for their own statement, whatever else runs in between."""
    with memory() as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", [{"vin": str(number)} for number in range(449)])
        paged = transaction.execute_statement("SELECT * FROM Car")
        assert IOUsage(200, 0) == paged.consumed_ios
        one = transaction.execute_statement("SELECT * FROM Car WHERE vin = 'A'")
        assert IOUsage(1, 0) == one.consumed_ios
        rows = iter(paged)
        for _ in range(201):
            next(rows)
        assert IOUsage(400, 0) == paged.consumed_ios
        paged.fill()
        assert IOUsage(450, 0) == paged.consumed_ios
        assert IOUsage(451, 449 * 2) == transaction.consumed_ios


def test_write_ios_count_documents_and_index_entries() -> None:
    """A written document is one, and each index entry that it has then one more."""
    with memory() as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()

        def used(text: str) -> IOUsage:
            return transaction.execute_statement(text).consumed_ios

        assert IOUsage(0, 2) == used("INSERT INTO Car VALUE {'vin': 'B'}")
        assert IOUsage(0, 1) == used("INSERT INTO Car VALUE {'miles': 1}")
        assert IOUsage(1, 2) == used("UPDATE Car SET miles = 9 WHERE vin = 'B'")
        assert IOUsage(1, 1) == used("DELETE FROM Car WHERE vin = 'A'")
        assert IOUsage(0, 0) == used("CREATE TABLE Other")
        assert IOUsage(2, 6) == transaction.consumed_ios


def test_what_failed_is_counted_for_the_transaction() -> None:
    """A statement that fails on a value has read, and its transaction says so."""
    with memory() as ledger:
        make_cars(ledger, "A")
        transaction = ledger.start_transaction()
        with pytest.raises(PartiqlEvaluationError):
            transaction.execute_statement("SELECT 1 / c.miles FROM Car AS c")
        assert IOUsage(1, 0) == transaction.consumed_ios


@pytest.mark.parametrize(
    "text", [text for text, ways in WAYS if "SELECT" in text and len(ways) == 1]
)
def test_the_way_told_is_the_way_taken(text: str) -> None:
    """What is explained as a scan reads every document, and nothing else does."""
    with make_garage() as ledger:
        (source,) = ledger.explain(text).sources
        parameters = [["A", "B"]] * text.count("?")
        transaction = ledger.start_transaction()
        reads = transaction.execute_statement(text, *parameters).consumed_ios.read_ios
        whole = source.access is Access.SCAN or text.endswith("history(Car) AS h")
        assert (reads == 4) is whole
        assert bool(transaction.view.reads.tables) is whole


def test_a_closed_answer_keeps_what_it_counted() -> None:
    """After its transaction a result says what it had read; what it owes is not to be had."""
    with memory() as ledger:
        make_cars(ledger)
        run(ledger, "INSERT INTO Car ?", [{"vin": str(number)} for number in range(201)])
        transaction = ledger.start_transaction()
        cursor = transaction.execute_statement("SELECT * FROM Car")
        transaction.abort()
        assert IOUsage(200, 0) == cursor.consumed_ios
        with pytest.raises(TransactionClosedError):
            cursor.fill()
        with pytest.raises(TransactionClosedError):
            list(cursor)
        assert IOUsage(200, 0) == cursor.consumed_ios
