"""Tables and indexes: made, dropped, made again."""

from __future__ import annotations

import pytest

from qldb_stream.errors import PartiqlSemanticError, StatementError
from tests.ledger.support import ask, check_journal, make_cars, memory, run

BY_ID = "SELECT VALUE h.data.vin FROM history('{}') AS h"
CATALOG = "SELECT VALUE t FROM information_schema.user_tables AS t"


def test_the_catalog_shows_tables_and_indexes() -> None:
    """A row has id, name, indexes with their expressions, and status (facts 5.3)."""
    with memory() as ledger:
        (made,) = run(ledger, "CREATE TABLE Car")
        assert [made] == run(ledger, "CREATE INDEX ON Car (vin)")
        (row,) = run(ledger, CATALOG)
        (index,) = row["indexes"]
        assert {
            "tableId": made["tableId"],
            "name": "Car",
            "indexes": [{"indexId": index["indexId"], "expr": "[vin]", "status": "ONLINE"}],
            "status": "ACTIVE",
        } == row
        assert 22 == len(index["indexId"]) == len(made["tableId"])


def test_a_dropped_table_is_inactive() -> None:
    """Its name is free, its documents unreachable, its history is not (facts 5.1)."""
    with memory() as ledger:
        make_cars(ledger, "A")
        (dropped,) = run(ledger, "DROP TABLE Car")
        assert [] == ledger.driver().list_tables()
        assert ["INACTIVE"] == [row["status"] for row in run(ledger, CATALOG)]
        with pytest.raises(PartiqlSemanticError):
            run(ledger, "SELECT * FROM Car")
        assert ["A"] == run(ledger, BY_ID.format(dropped["tableId"]))


def test_a_table_can_come_back() -> None:
    """UNDROP brings documents and indexes back, unless its name was taken."""
    with memory() as ledger:
        make_cars(ledger, "A")
        (dropped,) = run(ledger, "DROP TABLE Car")
        undrop = f'UNDROP TABLE "{dropped["tableId"]}"'
        run(ledger, "CREATE TABLE Car")
        with pytest.raises(StatementError, match="already exists"):
            run(ledger, undrop)
        (second,) = run(ledger, "DROP TABLE Car")
        assert second != dropped
        assert [dropped] == run(ledger, undrop)
        with pytest.raises(StatementError, match="is active"):
            run(ledger, undrop)
        assert ["A"] == run(ledger, "SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'A'")
        check_journal(ledger)


def test_an_index_is_built_over_what_is_there() -> None:
    """Documents of before, of the same transaction, deleted ones not: all are right."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE Car")
        run(ledger, "INSERT INTO Car ?", [{"vin": vin} for vin in ("A", "B", "C", "D")])
        run(ledger, "INSERT INTO Car ?", {"other": 1})
        run(ledger, "DELETE FROM Car AS c WHERE c.vin = 'D'")
        transaction = ledger.start_transaction()
        ask(transaction, "UPDATE Car AS c SET c.vin = 'Z' WHERE c.vin = 'A'")
        ask(transaction, "CREATE INDEX ON Car (vin)")
        ask(transaction, "INSERT INTO Car ?", {"vin": "E"})
        ask(transaction, "DELETE FROM Car AS c WHERE c.vin = 'B'")
        assert ["Z"] == ask(transaction, "SELECT VALUE c.vin FROM Car AS c WHERE c.vin = 'Z'")
        transaction.commit()
        wanted = "SELECT VALUE c.vin FROM Car AS c WHERE c.vin IN ('A', 'B', 'C', 'D', 'E', 'Z')"
        assert ["C", "E", "Z"] == sorted(run(ledger, wanted))


def test_an_index_holds_what_its_own_transaction_changed_elsewhere() -> None:
    """A document that an UPDATE leaves its key is in an index made by the same transaction."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE Car")
        run(ledger, "INSERT INTO Car ?", {"vin": "A", "miles": 0})
        transaction = ledger.start_transaction()
        ask(transaction, "CREATE INDEX ON Car (vin)")
        ask(transaction, "UPDATE Car AS c SET c.miles = 1")
        transaction.commit()
        assert [1] == run(ledger, "SELECT VALUE c.miles FROM Car AS c WHERE c.vin = 'A'")


def test_a_dropped_index_is_no_longer_used() -> None:
    """After DROP INDEX the table is scanned; it can be indexed again."""
    with memory() as ledger:
        make_cars(ledger, "A")
        index_id = run(ledger, CATALOG)[0]["indexes"][0]["indexId"]
        drop = f'DROP INDEX "{index_id}" ON Car WITH (purge = true)'
        run(ledger, drop)
        assert [] == run(ledger, CATALOG)[0]["indexes"]
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = 'A'"))
        with pytest.raises(StatementError, match="No such index"):
            run(ledger, drop)
        run(ledger, "CREATE INDEX ON Car (vin)")
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = 'A'"))


def test_a_new_table_is_used_in_its_own_transaction() -> None:
    """CREATE TABLE, CREATE INDEX and INSERT can be one block."""
    with memory() as ledger:
        transaction = ledger.start_transaction()
        ask(transaction, "CREATE TABLE Car")
        ask(transaction, "CREATE INDEX ON Car (vin)")
        ask(transaction, "INSERT INTO Car ?", {"vin": "A"})
        assert 1 == len(ask(transaction, "SELECT * FROM Car WHERE vin = 'A'"))
        assert ["Car"] == [row["name"] for row in ask(transaction, CATALOG)]
        transaction.commit()
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = 'A'"))
        assert 1 == check_journal(ledger)


def test_a_table_dropped_after_writing_to_it_keeps_its_documents() -> None:
    """The documents of the same transaction are journaled under the dropped table."""
    with memory() as ledger:
        make_cars(ledger)
        transaction = ledger.start_transaction()
        ask(transaction, "INSERT INTO Car ?", {"vin": "A"})
        (dropped,) = ask(transaction, "DROP TABLE Car")
        transaction.commit()
        run(ledger, f'UNDROP TABLE "{dropped["tableId"]}"')
        assert 1 == len(run(ledger, "SELECT * FROM Car WHERE vin = 'A'"))


@pytest.mark.parametrize(
    "text",
    [
        'CREATE TABLE "1Car"',
        'CREATE TABLE "a b"',
        f'CREATE TABLE "{"x" * 129}"',
        "CREATE TABLE _ql_committed_Car",
        "CREATE TABLE Car",
        f'CREATE INDEX ON Car ("{"x" * 129}")',
        "CREATE INDEX ON Car (vin)",
        'DROP INDEX "0000000000000000000000" ON Car WITH (purge = true)',
    ],
)
def test_names_that_cannot_be_are_refused(text: str) -> None:
    """Table names are 1 to 128 letters, digits and underscores; taken names are taken."""
    with memory() as ledger:
        make_cars(ledger)
        before = ledger.digest()
        with pytest.raises(StatementError):
            run(ledger, text)
        assert before == ledger.digest()


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE Bus",
        "CREATE INDEX ON Bus (x)",
        'UNDROP TABLE "0000000000000000000000"',
        'DROP INDEX "x" ON Bus WITH (purge = true)',
    ],
)
def test_tables_that_are_not_there_are_named(text: str) -> None:
    """DDL on an unknown table is a located semantic error."""
    with memory() as ledger, pytest.raises(PartiqlSemanticError, match="at line 1, column"):
        run(ledger, text)


def test_tags_are_accepted() -> None:
    """CREATE TABLE takes aws_tags in every form, and the journal has the statement (facts 5.1)."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE A WITH (aws_tags = `{'k1':'v1', k2: \"\"}`)")
        run(ledger, "CREATE TABLE B WITH (aws_tags = {'k': 'v'})")
        run(ledger, "CREATE TABLE C WITH (aws_tags = ?)", {"k": "v"})
        assert ["A", "B", "C"] == ledger.driver().list_tables()
        check_journal(ledger)


@pytest.mark.parametrize(
    "tags", ["5", "{'k': 5}", "{'': 'v'}", "`{k: null}`", "`null.struct`", "?"]
)
def test_tags_are_checked(tags: str) -> None:
    """What AWS would not take as tags is refused, and no table is made."""
    parameters = [{"k": "v" * 257}] * tags.count("?")
    with memory() as ledger:
        with pytest.raises(StatementError, match="aws_tags must be a struct of up to 50 texts"):
            run(ledger, f"CREATE TABLE T WITH (aws_tags = {tags})", *parameters)
        assert [] == ledger.driver().list_tables()


def test_definitions_take_no_parameters() -> None:
    """A parameter too many is an error for every kind of statement."""
    with memory() as ledger:
        for text in ("CREATE TABLE T", "DROP TABLE T", 'UNDROP TABLE "t"'):
            with pytest.raises(PartiqlSemanticError, match="expected 0 parameters, found 1"):
                run(ledger, text, 1)


def test_tables_are_found_by_id() -> None:
    """A table's id may stand for its name; of a dropped one it reaches the history (facts 5.3)."""
    with memory() as ledger:
        (car,) = make_cars(ledger, "A")
        (table_id,) = run(
            ledger, "SELECT VALUE tableId FROM information_schema.user_tables WHERE name = 'Car'"
        )
        for name in (f'"{table_id}"', "Car"):
            assert [{"vin": "A", "miles": 0}] == run(ledger, f"SELECT * FROM {name}")
        assert [{"documentId": car}] == run(ledger, f'UPDATE "{table_id}" SET miles = 1')
        (data,) = run(ledger, f'SELECT VALUE data.miles FROM "_ql_committed_{table_id}"')
        assert 1 == data
        run(ledger, "DROP TABLE Car")
        for name in (f"'{table_id}'", f'"{table_id}"'):
            assert [{"_1": 2}] == run(ledger, f"SELECT COUNT(*) FROM history({name})")
        for text in (f'SELECT * FROM "{table_id}"', "SELECT * FROM history(Car)"):
            with pytest.raises(PartiqlSemanticError, match="No such variable named"):
                run(ledger, text)
        assert [{"tableId": table_id}] == run(ledger, f'UNDROP TABLE "{table_id}"')
        check_journal(ledger)
