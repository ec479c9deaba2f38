"""Blocks replayed into an embedded ledger: tables and indexes."""

from __future__ import annotations

import pytest

from qldb_stream.errors import (
    ReplayRefusedError,
)
from qldb_stream.events import TableInfo
from qldb_stream.ledger import Ledger
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, THINGS, block, revision
from tests.sinks.replayed import CREATED, OTHERS, at, deliver, rows


def table_status(ledger: Ledger) -> list[tuple[str, str]]:
    """Name and status of every table but ours."""
    found = rows(ledger, "SELECT t.name, t.status FROM information_schema.user_tables AS t")
    return sorted((r["name"], r["status"]) for r in found if not r["name"].startswith("qldb_"))


def indexed(ledger: Ledger) -> list[str]:
    """What the table Things is indexed on."""
    (row,) = rows(
        ledger, "SELECT * FROM information_schema.user_tables AS t WHERE t.name = 'Things'"
    )
    return sorted(index["expr"] for index in row["indexes"])


def test_create_table_binds_to_an_empty_table(ledger: Ledger) -> None:
    """A table of exactly that name without documents is taken over."""
    rows(ledger, "CREATE TABLE Things")
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})))
    assert [("Things", "ACTIVE")] == table_status(ledger)


def test_create_table_refuses_a_table_with_documents(ledger: Ledger) -> None:
    """Other people's documents are never mixed with a journal's."""
    rows(ledger, "CREATE TABLE Things")
    rows(ledger, "INSERT INTO Things VALUE {'a': 1}")
    sink = LedgerSink(ledger)
    with pytest.raises(ReplayRefusedError, match="has a table Things with documents"):
        sink.apply([CREATED], at(0), 1)


def test_tables_are_dropped_made_again_and_undropped(ledger: Ledger) -> None:
    """DROP, a new table of the same name, and UNDROP by the source's table id are repeated."""
    sink = LedgerSink(ledger)
    again = TableInfo("Things", OTHERS.table_id)
    deliver(
        sink,
        CREATED,
        block(1, revision(1, 1, 0, {"old": True})),
        block(2, statements=["DROP TABLE Things", "CREATE TABLE Things"]),
        block(3, revision(3, 2, 0, {"old": False}, table=again)),
    )
    assert [{"old": False}] == rows(ledger, "SELECT * FROM Things")
    deliver(
        sink,
        block(4, statements=["DROP TABLE Things", f'UNDROP TABLE "{THINGS.table_id}"']),
        block(5, revision(5, 1, 1, {"old": 1})),
    )
    assert [{"old": 1}] == rows(ledger, "SELECT * FROM Things")
    assert [("Things", "ACTIVE"), ("Things", "INACTIVE")] == table_status(ledger)


def test_an_empty_table_is_undropped_when_it_is_the_only_one(ledger: Ledger) -> None:
    """A table that never held a document has no known id; one alone can be meant."""
    sink = LedgerSink(ledger)
    undrop = f'UNDROP TABLE "{OTHERS.table_id}"'
    deliver(
        sink, CREATED, block(1, statements=["DROP TABLE Things"]), block(2, statements=[undrop])
    )
    assert [("Things", "ACTIVE")] == table_status(ledger)
    deliver(
        sink,
        block(3, statements=["DROP TABLE Things", undrop]),
        block(4, statements=["CREATE TABLE A", "CREATE TABLE B", "DROP TABLE A", "DROP TABLE B"]),
    )
    with pytest.raises(ReplayRefusedError, match="UNDROP TABLE 0000000000000000000009"):
        sink.apply([block(5, statements=['UNDROP TABLE "0000000000000000000009"'])], at(5), 1)


def test_indexes_are_made_once(ledger: Ledger) -> None:
    """An index that is there already is taken for the one to make."""
    rows(ledger, "CREATE TABLE Things")
    rows(ledger, "CREATE INDEX ON Things (A)")
    sink = LedgerSink(ledger)
    deliver(
        sink,
        CREATED,
        block(1, statements=["CREATE INDEX ON Things (A)"]),
        block(2, statements=['CREATE INDEX ON "Things" ("select it")']),
    )
    assert ["[A]", "[select it]"] == indexed(ledger)


def test_the_only_index_is_dropped_and_others_are_kept(ledger: Ledger) -> None:
    """Index ids are not journaled: DROP INDEX is repeated only where it is unambiguous."""
    sink = LedgerSink(ledger)
    drop = 'DROP INDEX "9zYxWvUtSrQpOnMlKjIhG8" ON Things WITH (purge = true)'
    deliver(
        sink,
        CREATED,
        block(1, statements=["CREATE INDEX ON Things (A)", "CREATE INDEX ON Things (B)"]),
        block(2, statements=[drop]),
    )
    assert ((STRAND, 2, "Things"),) == sink.summary().indexes_kept
    assert ["[A]", "[B]"] == indexed(ledger)
    deliver(sink, block(3, statements=["CREATE TABLE Others", "CREATE INDEX ON Others (A)"]))
    deliver(sink, block(4, statements=[drop.replace("Things", "Others")]))
    assert 1 == len(sink.summary().indexes_kept)


def test_a_statement_that_the_destination_refuses_is_named(ledger: Ledger) -> None:
    """What the ledger says becomes a refusal of the block; nothing of it is left."""
    sink = LedgerSink(ledger)
    with pytest.raises(ReplayRefusedError) as caught:
        sink.apply([block(0, statements=["CREATE TABLE A", "DROP TABLE Nothing"])], at(0), 1)
    assert (STRAND, 0) == (caught.value.strand_id, caught.value.sequence_no)
    assert [] == table_status(ledger)
    assert sink.position(STRAND) is None
