"""What a statement's text costs: parsed anew, compiled, or found in the cache."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

from benchmarks._timing import Row, best_us, ceiling_row
from qldb_stream.ledger import Ledger
from qldb_stream.ledger._prepared import prepare
from qldb_stream.partiql import compile_statement, parse_statement

# Of about 100 characters each, as applications send them.
STATEMENTS = (
    (
        "SELECT r.City, r.Owners, r.State FROM Registration AS r"
        " WHERE r.VIN = ? AND r.State IN ('WA', 'OR')"
    ),
    (
        "SELECT v.VIN, v.Make FROM Vehicle AS v, VehicleRegistration AS r"
        " WHERE v.VIN = ? AND r.VIN = v.VIN"
    ),
    (
        "UPDATE VehicleRegistration AS r SET r.Owners.Main.PersonId = ?, r.City = 'Seattle'"
        " WHERE r.VIN = ?"
    ),
    (
        "INSERT INTO Vehicle"
        " VALUE {'VIN': '1N4AL11D75C109151', 'Type': 'Sedan', 'Year': 2011, 'Color': ?}"
    ),
    (
        "SELECT VALUE h.metadata.version FROM history(Person, `2021-01-01T`) AS h"
        " WHERE h.metadata.id = ?"
    ),
    (
        "FROM VehicleRegistration AS r"
        " WHERE r.VIN = ? INSERT INTO r.Owners.Secondary VALUE {'Id': ?} AT 0"
    ),
)
REPEATS = 30


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    length = round(fmean(map(len, STATEMENTS)))
    parse_us = _mean_us(parse_statement)
    compile_us = _mean_us(lambda text: compile_statement(parse_statement(text)))
    cached_us = _mean_us(prepare)
    return [
        ceiling_row(f"parse a statement of {length} characters", parse_us, "us", 60),
        Row("  and compile it", f"{compile_us:.0f} us"),
        Row("  find it in the cache instead", f"{cached_us:.2f} us"),
        _counting_row(),
    ]


def _mean_us(function: Callable[[str], Any]) -> float:
    """Time a function of each statement; the mean of each one's best."""

    def repeated(text: str) -> Callable[[], None]:
        def call() -> None:
            for _ in range(REPEATS):
                function(text)

        return call

    return fmean(best_us({text: repeated(text) for text in STATEMENTS}, REPEATS).values())


def _counting_row() -> Row:
    """Time an indexed look-up inside one transaction, its IOs counted."""
    with Ledger.open(":memory:") as ledger:
        execute = ledger.driver().execute_lambda
        execute(lambda txn: txn.execute_statement("CREATE TABLE Car"))
        execute(lambda txn: txn.execute_statement("CREATE INDEX ON Car (vin)"))
        execute(lambda txn: txn.execute_statement("INSERT INTO Car ?", {"vin": "A"}))
        transaction = ledger.start_transaction()
        text = "SELECT * FROM Car WHERE vin = ?"

        def look_up() -> None:
            for _ in range(REPEATS):
                list(transaction.execute_statement(text, "A"))

        return Row("  look one document up by index", f"{_one_us(look_up):.1f} us")


def _one_us(function: Callable[[], None]) -> float:
    return best_us({"": function}, REPEATS)[""]
