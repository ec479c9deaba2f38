"""Tables and indexes of a mirror: ids that are learnt, and statements that were journaled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qldb_stream.errors import ReplayRefusedError
from qldb_stream.events import TableInfo
from qldb_stream.ledger import Ledger, MirroredBlock
from tests.ledger.chains import chain, ddl, fill, linked, tables, written
from tests.ledger.support import memory, run
from tests.replay.blocks import THINGS, block

CREATED = ddl(0, "CREATE TABLE Things")
OTHER_ID = "9zYxWvUtSrQpOnMlKjIhG8"


@pytest.fixture
def mirror() -> Iterator[Ledger]:
    """An empty ledger in memory, to be mirrored into."""
    with memory() as opened:
        yield opened


def test_a_table_gets_its_id_with_its_first_document(mirror: Ledger) -> None:
    """Until then it has an id of ours, because the journal does not say it."""
    blocks = chain(CREATED, block(1, written(1, 1, 0, {"a": 1})), block(2))
    mirror.mirror(blocks[0])
    ((_, ours, _),) = tables(mirror)
    assert THINGS.table_id != ours
    mirror.mirror(blocks[1])
    assert [("Things", THINGS.table_id, "ACTIVE")] == tables(mirror)
    assert [{"a": 1}] == run(mirror, "SELECT * FROM Things")


def test_tables_of_one_name_are_kept_apart_within_a_block(mirror: Ledger) -> None:
    """Documents belong to the table that had the name at their statement."""
    again = TableInfo("Things", OTHER_ID)
    made = block(
        0,
        written(0, 1, 0, {"a": 1}),
        written(0, 2, 0, {"a": 2}, table=again),
        statements=[
            "CREATE TABLE Things",
            "INSERT INTO Things ?",
            "DROP TABLE Things",
            "CREATE TABLE Things",
            "INSERT INTO Things ?",
        ],
        documents={1: (THINGS, [1]), 2: (again, [4])},
    )
    mirror.mirror(linked(None, made))
    expected = [("Things", THINGS.table_id, "INACTIVE"), ("Things", OTHER_ID, "ACTIVE")]
    assert expected == tables(mirror)
    assert [{"a": 2}] == run(mirror, "SELECT * FROM Things")
    history = run(mirror, f"SELECT VALUE h.data FROM history('{THINGS.table_id}') AS h")
    assert [{"a": 1}] == history


def test_a_table_without_a_statement_is_made_of_its_document(mirror: Ledger) -> None:
    """The journal names table and id, which is all that there is to know."""
    mirror.mirror(linked(None, block(0, written(0, 1, 0, {"a": 1}))))
    assert [("Things", THINGS.table_id, "ACTIVE")] == tables(mirror)


def test_contradictions_about_tables_are_refused(mirror: Ledger) -> None:
    """An id has one name, and an active table one id."""
    first, second = chain(CREATED, block(1, written(1, 1, 0, {})))
    fill(mirror, [first, second])
    for table, problem in (
        (TableInfo("Others", THINGS.table_id), "is called Things, and here Others"),
        (TableInfo("Things", OTHER_ID), f"and here the id {OTHER_ID}"),
    ):
        with pytest.raises(ReplayRefusedError, match=problem):
            mirror.mirror(linked(second, block(2, written(2, 2, 0, {}, table=table))))


def test_undrop_finds_the_table_by_its_id_or_because_it_is_the_only_one(mirror: Ledger) -> None:
    """An id that no document told is learnt where one table alone can be meant."""
    fill(
        mirror,
        chain(
            ddl(0, "CREATE TABLE Things", "CREATE TABLE Others"),
            block(1, written(1, 1, 0, {})),
            ddl(2, "DROP TABLE Things", "DROP TABLE Others"),
            ddl(3, f'UNDROP TABLE "{THINGS.table_id}"', f'UNDROP TABLE "{OTHER_ID}"'),
        ),
    )
    expected = [("Others", OTHER_ID, "ACTIVE"), ("Things", THINGS.table_id, "ACTIVE")]
    assert expected == tables(mirror)


def test_an_undrop_that_may_mean_several_tables_is_refused(mirror: Ledger) -> None:
    """Both are named, and nothing is guessed."""
    first = linked(None, ddl(0, "CREATE TABLE A", "CREATE TABLE B", "DROP TABLE A", "DROP TABLE B"))
    mirror.mirror(first)
    with pytest.raises(ReplayRefusedError, match="may mean any of the tables A, B"):
        mirror.mirror(linked(first, ddl(1, f'UNDROP TABLE "{OTHER_ID}"')))


def test_statements_that_had_no_effect_are_passed_over(mirror: Ledger) -> None:
    """What the service must have refused changes nothing, should it be journaled."""
    fill(
        mirror,
        chain(
            ddl(0, "CREATE TABLE Things", "CREATE TABLE Things", "DROP TABLE Nothing"),
            ddl(1, "CREATE INDEX ON Things (a)", "CREATE INDEX ON Things (a)"),
            ddl(2, "CREATE INDEX ON Nothing (a)", f'UNDROP TABLE "{OTHER_ID}"'),
            ddl(3, 'DROP INDEX "0000000000000000000000" ON Nothing WITH (purge = true)'),
        ),
    )
    assert ["Things"] == [name for name, _, _ in tables(mirror)]


def test_the_only_index_is_dropped_and_one_of_several_is_kept(mirror: Ledger) -> None:
    """Index ids are not journaled; what could not be mapped is told."""
    drop = 'DROP INDEX "0000000000000000000000" ON Things WITH (purge = true)'
    blocks = chain(
        ddl(0, "CREATE TABLE Things", "CREATE INDEX ON Things (a)", "CREATE INDEX ON Things (b)"),
        ddl(1, drop),
        ddl(2, "CREATE TABLE Others", "CREATE INDEX ON Others (a)"),
        ddl(3, drop.replace("Things", "Others")),
        ddl(4, drop.replace("Things", "Others")),
    )
    kept = [mirror.mirror(each) for each in blocks]
    assert MirroredBlock(0, 0, ("Things",)) == kept[1]
    assert [MirroredBlock(0, 0)] * 2 == kept[3:]
    statement = "SELECT t.name, t.indexes FROM information_schema.user_tables AS t"
    found = {row["name"]: [i["expr"] for i in row["indexes"]] for row in run(mirror, statement)}
    assert {"Things": ["[a]", "[b]"], "Others": []} == found
