"""Blocks replayed into an embedded ledger: what is written, how often, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import (
    ChainBreakError,
    ConflictError,
    LedgerFileError,
    ReplayRefusedError,
    SequenceGapError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, TableInfo
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.ledger import Environment, Ledger
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.replay import IdRecord, Outcome, Replay, lookup_ids, parse_id_rule
from qldb_stream.report import Gap, Position
from qldb_stream.sinks._session import SessionSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import make_journal
from tests.replay.blocks import STRAND, THINGS, block, digest, document_id, revision

OTHERS = TableInfo("Others", "9zYxWvUtSrQpOnMlKjIhG8")
CREATED = block(0, statements=["CREATE TABLE Things"])


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty destination in memory."""
    with Ledger.open(":memory:") as opened:
        yield opened


def at(sequence_no: int, **more: Any) -> Position:
    """The position after a block made by hand."""
    return Position(STRAND, sequence_no, digest("block", sequence_no), **more)


def deliver(sink: LedgerSink, *blocks: Block, token: int = 1, **more: Any) -> None:
    """Apply blocks one by one."""
    for each in blocks:
        reached = at(each.address.sequence_no, **more)
        assert reached == sink.apply([each], reached, token)


def rows(ledger: Ledger, statement: str, *parameters: Any) -> list[Any]:
    """Run a query on the destination."""

    def work(txn: Any) -> list[Any]:
        return list(txn.execute_statement(statement, *parameters))

    return ledger.driver().execute_lambda(work)


def mapped(ledger: Ledger, number: int) -> str:
    """The destination's id of document `number`."""
    (record,) = lookup_ids(ledger, [document_id(number)])
    return record.destination_id


def history(ledger: Ledger, table: str = "Things") -> list[tuple[int, Any]]:
    """Version and data of every revision of a table, by version."""
    statement = f"SELECT h.metadata.version, h.data FROM history({table}) AS h"  # noqa: S608 - a test's table
    found = rows(ledger, statement)
    return sorted(((row["version"], row.get("data")) for row in found), key=lambda row: row[0])


def tip(ledger: Ledger) -> int:
    """The number of the destination's last block."""
    return ledger.digest().tip.sequence_no


# --- transactions, position and order -------------------------------------------------------


def test_each_block_is_one_transaction(ledger: Ledger) -> None:
    """A block makes exactly one block in the destination, the first and an empty one too."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    assert 0 == tip(ledger)
    deliver(sink, block(1, revision(1, 1, 0, {"a": 1}), revision(1, 2, 0, {"a": 2})), block(2))
    assert 2 == tip(ledger)


def test_the_position_is_read_first_and_written_last(ledger: Ledger) -> None:
    """Once the tables are made, the first statement reads the position, the last writes it."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})), block(2))
    for written in list(ledger.blocks())[-2:]:
        info = written.summary.transaction_info
        assert info is not None
        texts = [statement.statement for statement in info.statements]
        assert texts[0].startswith("SELECT ")
        assert "FROM qldb_stream_position" in texts[0]
        assert "qldb_stream_position" in texts[-1]
        assert not texts[-1].startswith("SELECT")


def test_a_new_destination_has_no_position(ledger: Ledger) -> None:
    """Asked before anything was applied, the sink answers None and makes nothing."""
    assert LedgerSink(ledger).position(STRAND) is None
    assert [] == rows(ledger, "SELECT * FROM information_schema.user_tables")


def test_the_position_is_what_was_applied(ledger: Ledger) -> None:
    """Position, gaps and parked blocks come back as they were given; other strands have none."""
    sink = LedgerSink(ledger)
    gaps = (Gap(7, 9, "lost"),)
    deliver(sink, CREATED, block(1), parked=frozenset({4}), gaps=gaps)
    assert at(1, parked=frozenset({4}), gaps=gaps) == sink.position(STRAND)
    assert sink.position("Bd3B7NABCxT12W36o0d8v3") is None


def test_a_file_is_gone_on_with(tmp_path: Path) -> None:
    """Opened again, a destination goes on after its last block."""
    path = tmp_path / "copy.ledger"
    sink = LedgerSink.open(path)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})))
    sink.close()
    sink = LedgerSink.open(path)
    assert at(1) == sink.position(STRAND)
    deliver(sink, block(2, revision(2, 1, 1, {"a": 2})))
    assert [(0, {"a": 1}), (1, {"a": 2})] == history(sink.ledger)
    sink.close()


def test_blocks_that_are_applied_are_passed_over(ledger: Ledger) -> None:
    """A block delivered again changes nothing, alone or in a run."""
    sink = LedgerSink(ledger)
    first = block(1, revision(1, 1, 0, {"a": 1}))
    deliver(sink, CREATED, first)
    deliver(sink, CREATED, first)
    second = block(2, revision(2, 1, 1, {"a": 2}))
    assert at(2) == sink.apply([CREATED, first, second], at(2), 1)
    assert [(0, {"a": 1}), (1, {"a": 2})] == history(ledger)
    assert 2 == sink.summary().documents


def test_another_block_with_the_last_number_is_a_conflict(ledger: Ledger) -> None:
    """A block that claims the last number with another hash is never passed over."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    other = block(0)
    object.__setattr__(other.summary, "block_hash", digest("other"))
    with pytest.raises(ConflictError) as caught:
        sink.apply([other], at(0), 1)
    assert ConflictError(STRAND, 0, "blockHash") == caught.value


def test_a_block_that_does_not_link_is_refused(ledger: Ledger) -> None:
    """The next block must carry the last one's hash."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    stranger = block(1)
    object.__setattr__(stranger.summary, "previous_block_hash", digest("other"))
    with pytest.raises(ChainBreakError):
        sink.apply([stranger], at(1), 1)
    assert at(0) == sink.position(STRAND)


@pytest.mark.parametrize(
    "refused",
    [
        [block(0, statements=["CREATE TABLE A", "DROP TABLE Nothing"])],
        [block(5, revision(5, 1, 3, {"a": 1}))],
        [block(5, revision(5, 1, 3, {"a": 1})), block(6)],
    ],
    ids=["statement", "unknown document", "run"],
)
def test_a_refused_first_block_leaves_the_destination_as_it_was(
    refused: list[Block], ledger: Ledger
) -> None:
    """A replay that applied nothing makes no block, neither for tables of its own."""
    rows(ledger, "CREATE TABLE Mine")
    before = list(ledger.blocks())
    sink = LedgerSink(ledger)
    last = refused[-1].address.sequence_no
    with pytest.raises(ReplayRefusedError):
        sink.apply(refused, at(last), 1)
    assert before == list(ledger.blocks())
    deliver(sink, CREATED)
    assert 1 == tip(ledger)


def test_a_hole_is_refused_unless_it_is_declared(ledger: Ledger) -> None:
    """Blocks may be missing only where gaps or parked numbers say so."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    with pytest.raises(SequenceGapError) as caught:
        sink.apply([block(5)], at(5, parked=frozenset({1}), gaps=(Gap(2, 3, "lost"),)), 1)
    assert SequenceGapError(STRAND, 4, 4) == caught.value
    deliver(sink, block(5), parked=frozenset({1, 4}), gaps=(Gap(2, 3, "lost"),))
    position = sink.position(STRAND)
    assert position is not None
    assert 5 == position.sequence_no


def test_a_stale_token_is_refused(ledger: Ledger) -> None:
    """A worker with a lower token than the stored one writes nothing."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, token=7)
    with pytest.raises(StaleTokenError) as caught:
        sink.apply([block(1)], at(1), 6)
    assert StaleTokenError(STRAND, 7, 6) == caught.value
    assert at(0) == sink.position(STRAND)
    deliver(sink, block(1), token=8)


# --- runs -----------------------------------------------------------------------------------


def test_a_run_is_applied_together(ledger: Ledger) -> None:
    """Several blocks are several transactions, and all are applied on return."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    before = tip(ledger)
    run = [block(number, revision(number, number, 0, {"n": number})) for number in range(1, 6)]
    assert at(5) == sink.apply(run, at(5), 1)
    assert before + 5 == tip(ledger)
    assert 5 == sink.summary().documents


def test_a_run_ends_before_a_block_that_is_refused(ledger: Ledger) -> None:
    """What came before is applied and told; the refusal is raised when the block comes first."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    bad = block(2, revision(2, 2, 0, {}), revision(2, 9, 4, {"n": 9}))
    run = [block(1, revision(1, 1, 0, {"n": 1})), bad, block(3)]
    assert at(1) == sink.apply(run, at(3), 1)
    assert at(1) == sink.position(STRAND)
    with pytest.raises(ReplayRefusedError) as caught:
        sink.apply(run[1:], at(3), 1)
    assert (STRAND, 2) == (caught.value.strand_id, caught.value.sequence_no)
    assert [(0, {"n": 1})] == history(ledger)
    assert 1 == sink.summary().documents


def test_a_run_that_breaks_leaves_nothing_behind(ledger: Ledger) -> None:
    """When the first block of a run is refused, nothing of it is counted or applied."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED)
    with pytest.raises(ReplayRefusedError):
        sink.apply([block(1, revision(1, 9, 4, {})), block(2)], at(2), 1)
    assert at(0) == sink.position(STRAND)
    assert 0 == sink.summary().documents
    deliver(sink, block(1, revision(1, 1, 0, {"n": 1})))


# --- documents ------------------------------------------------------------------------------


def test_versions_keep_step(ledger: Ledger) -> None:
    """Insert, updates and delete give the same versions as in the source."""
    sink = LedgerSink(ledger)
    deliver(
        sink,
        CREATED,
        block(1, revision(1, 1, 0, {"a": 1})),
        block(2, revision(2, 1, 1, {"a": 2, "b": {"c": [1, None]}})),
        block(3, revision(3, 1, 2)),
    )
    expected = [(0, {"a": 1}), (1, {"a": 2, "b": {"c": [1, None]}}), (2, None)]
    assert expected == history(ledger)
    assert [] == rows(ledger, "SELECT * FROM Things")


def test_each_document_is_bound_to_its_own_id(ledger: Ledger) -> None:
    """Several inserts of one block are bound each to its own document."""
    sink = LedgerSink(ledger)
    deliver(
        sink, CREATED, block(1, *(revision(1, number, 0, {"n": number}) for number in (1, 2, 3)))
    )
    found = rows(ledger, "SELECT id, t.n FROM Things AS t BY id")
    assert {1: mapped(ledger, 1), 2: mapped(ledger, 2), 3: mapped(ledger, 3)} == {
        row["n"]: row["id"] for row in found
    }


def test_a_redacted_revision_becomes_a_placeholder(ledger: Ledger) -> None:
    """Where the source has no data any more, its hashes stand in and the version counts."""
    sink = LedgerSink(ledger)
    redacted = revision(1, 1, 0, data_hash=digest("data"))
    deliver(sink, CREATED, block(1, redacted), block(2, revision(2, 1, 1, {"a": 2})))
    placeholder = {"qldb_stream_redacted": {"hash": redacted.hash, "data_hash": digest("data")}}
    assert [(0, placeholder), (1, {"a": 2})] == history(ledger)


def test_a_redaction_is_pending(ledger: Ledger) -> None:
    """A block that asks for a redaction is applied as empty and listed."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, redacts=True))
    assert ((STRAND, 1),) == sink.summary().redactions_pending
    assert at(1) == sink.position(STRAND)


def test_tables_of_a_destination_are_counted(ledger: Ledger) -> None:
    """A source's own qldb_stream_ tables are never replayed; the summary counts them."""
    sink = LedgerSink(ledger)
    own = TableInfo("qldb_stream_ids", OTHERS.table_id)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"source_id": "x"}, table=own)))
    assert {"qldb_stream_ids": 1} == dict(sink.summary().left_out)
    assert [] == rows(ledger, "SELECT * FROM qldb_stream_ids")


def test_a_document_that_somebody_deleted_is_a_refusal(ledger: Ledger) -> None:
    """An update of what is not there any more is refused by name."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"a": 1})))
    rows(ledger, "DELETE FROM Things")
    with pytest.raises(ReplayRefusedError, match="something else changed it"):
        sink.apply([block(2, revision(2, 1, 1, {"a": 2}))], at(2), 1)


# --- ids ------------------------------------------------------------------------------------


def test_keep_changes_no_document(ledger: Ledger) -> None:
    """By default documents stay as they are, and the ids are kept beside them."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"me": document_id(1)})))
    assert [(0, {"me": document_id(1)})] == history(ledger)
    (record,) = lookup_ids(ledger, [document_id(1), document_id(2)])
    (row,) = rows(
        ledger, "SELECT t.tableId FROM information_schema.user_tables AS t WHERE t.name = 'Things'"
    )
    assert (document_id(1), row["tableId"], 0) == (
        record.source_id,
        record.table_id,
        record.version_offset,
    )
    assert document_id(1) != record.destination_id


def test_any_rewrites_every_known_id(ledger: Ledger) -> None:
    """Under `any` references within a block and to earlier blocks are rewritten."""
    sink = LedgerSink(ledger, ids="any")
    deliver(
        sink,
        CREATED,
        block(1, revision(1, 1, 0, {"n": 1})),
        block(2, revision(2, 2, 0, {"to": document_id(1), "not": document_id(8)})),
        block(3, revision(3, 1, 1, {"back": [document_id(2)]})),
    )
    (row,) = rows(ledger, 'SELECT VALUE t FROM Things AS t WHERE t."to" = ?', mapped(ledger, 1))
    assert {"to": mapped(ledger, 1), "not": document_id(8)} == row
    assert (1, {"back": [mapped(ledger, 2)]}) in history(ledger)


def test_a_document_deep_in_an_export_is_rewritten_and_stored(ledger: Ledger) -> None:
    """A slice far inside a longer buffer is stored alone, with a symbol table of its own."""
    plain = to_slice({"to": document_id(1), "n": 2})
    before = bytes(5000)
    buf = before + plain.buf[plain.start : plain.end]
    deep = IonSlice(buf, len(before), len(buf), plain.symbols)
    naming = attrs.evolve(revision(2, 2, 0, {}), data_ion=deep)
    sink = LedgerSink(ledger, ids="any")
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {"n": 1})), block(2, naming))
    assert (0, {"to": mapped(ledger, 1), "n": 2}) in history(ledger)


def test_forward_and_circular_references_are_one_revision(ledger: Ledger) -> None:
    """Documents that name themselves, later ones and each other are still inserted once."""
    sink = LedgerSink(ledger, ids="any")
    names: dict[int, dict[str, Any]] = {
        1: {"self": document_id(1)},
        2: {"next": document_id(3)},
        3: {"ring": document_id(4)},
        4: {"ring": document_id(3), "back": document_id(1)},
        5: {"plain": True},
    }
    tables = {1: THINGS, 2: THINGS, 3: OTHERS, 4: OTHERS, 5: THINGS}
    deliver(
        sink,
        CREATED,
        block(1, statements=["CREATE TABLE Others"]),
        block(2, *(revision(2, n, 0, data, table=tables[n]) for n, data in names.items())),
    )
    ids = {number: mapped(ledger, number) for number in names}
    expected: dict[str, dict[str, Any]] = {
        ids[1]: {"self": ids[1]},
        ids[2]: {"next": ids[3]},
        ids[3]: {"ring": ids[4]},
        ids[4]: {"ring": ids[3], "back": ids[1]},
        ids[5]: {"plain": True},
    }
    found = rows(ledger, "SELECT id, t AS d FROM Things AS t BY id")
    found += rows(ledger, "SELECT id, t AS d FROM Others AS t BY id")
    assert expected == {row["id"]: row["d"] for row in found}
    assert [0] * 5 == [
        version for table in ("Things", "Others") for version, _ in history(ledger, table)
    ]
    assert 5 == sink.summary().documents


def test_an_update_may_name_a_document_of_the_same_block(ledger: Ledger) -> None:
    """An update waits for the insert of what it names, before or after it in the block."""
    sink = LedgerSink(ledger, ids="any")
    deliver(
        sink,
        CREATED,
        block(1, revision(1, 1, 0, {"n": 1}), revision(1, 2, 0, {"n": 2})),
        block(
            2,
            revision(2, 1, 1, {"to": document_id(3)}),
            revision(2, 3, 0, {"n": 3}),
            revision(2, 2, 1, {"to": document_id(3)}),
        ),
    )
    expected: list[tuple[int, Any]] = [(0, {"n": 1}), (0, {"n": 2}), (0, {"n": 3})]
    expected += [(1, {"to": mapped(ledger, 3)})] * 2
    assert expected == sorted(history(ledger), key=repr)


def test_paths_rewrite_what_they_lead_to(ledger: Ledger) -> None:
    """Under `paths` an unknown id there is left and counted, other strings are not looked at."""
    sink = LedgerSink(ledger, ids="paths=owner.id,seller")
    document = {"owner": {"id": document_id(1)}, "seller": document_id(7), "x": document_id(1)}
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {})), block(2, revision(2, 2, 0, document)))
    rewritten = {**document, "owner": {"id": mapped(ledger, 1)}}
    assert (0, rewritten) in history(ledger)
    assert 1 == sink.summary().ids_unresolved


def test_looked_up_ids_come_in_the_order_asked(ledger: Ledger) -> None:
    """Unknown ids are left out, repeated ones come once, and an empty ledger knows none."""
    assert [] == lookup_ids(ledger, [document_id(1)])
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, *(revision(1, number, 0, {}) for number in (1, 2, 3))))
    asked = [document_id(number) for number in (3, 9, 1, 3)]
    assert [document_id(3), document_id(1)] == [
        record.source_id for record in lookup_ids(ledger, asked)
    ]


def test_ids_are_looked_up_again_after_a_restart(tmp_path: Path) -> None:
    """What a process remembers of ids is only a cache."""
    path = tmp_path / "copy.ledger"
    sink = LedgerSink.open(path, ids="any")
    deliver(sink, CREATED, block(1, revision(1, 1, 0, {}), revision(1, 2, 0, {})))
    sink.close()
    sink = LedgerSink.open(path, ids="any")
    deliver(sink, block(2, revision(2, 1, 1, {"to": document_id(2)})))
    assert (1, {"to": mapped(sink.ledger, 2)}) in history(sink.ledger)
    sink.close()


# --- journals that start later --------------------------------------------------------------


def test_an_unknown_document_is_refused(ledger: Ledger) -> None:
    """Without base=insert a document whose insert is missing stops the replay, by name."""
    sink = LedgerSink(ledger)
    with pytest.raises(ReplayRefusedError, match=f"document {document_id(1)} was inserted before"):
        sink.apply([block(5, revision(5, 1, 3, {"a": 1}))], at(5), 1)


def test_base_insert_takes_documents_up(ledger: Ledger) -> None:
    """With base=insert the first version that is seen is inserted, and the offset kept."""
    sink = LedgerSink(ledger, base="insert")
    deliver(
        sink,
        block(5, revision(5, 1, 3, {"a": 3}), revision(5, 2, 1, data_hash=digest("data"))),
        block(6, revision(6, 1, 4, {"a": 4})),
        block(7, revision(7, 3, 2)),
    )
    assert (1, {"a": 4}) in history(ledger)
    assert [3, 1] == [
        record.version_offset for record in lookup_ids(ledger, [document_id(1), document_id(2)])
    ]
    assert [] == lookup_ids(ledger, [document_id(3)])
    assert 3 == sink.summary().documents


def test_tables_of_a_later_start_come_from_the_revisions(ledger: Ledger) -> None:
    """Where CREATE TABLE is not in the journal, the table is made when it is needed."""
    sink = LedgerSink(ledger, base="insert")
    deliver(
        sink,
        block(5, statements=["DROP TABLE Gone", "CREATE INDEX ON Others (Name)"]),
        block(6, revision(6, 1, 0, {"a": 1})),
    )
    tables = rows(ledger, "SELECT VALUE t.name FROM information_schema.user_tables AS t")
    assert {"Things", "Others"} == {name for name in tables if not name.startswith("qldb_")}


def test_a_missing_table_is_refused_when_nothing_is_missing(ledger: Ledger) -> None:
    """From block 0 on every table was made by a statement; one that was not is a refusal."""
    sink = LedgerSink(ledger)
    deliver(sink, block(0))
    with pytest.raises(ReplayRefusedError, match="the destination has no table Things"):
        sink.apply([block(1, revision(1, 1, 0, {}))], at(1), 1)


def test_versions_in_a_declared_gap_move_the_offset(ledger: Ledger) -> None:
    """Across a gap a version that jumps is refused, or moves the offset with base=insert."""
    gaps = (Gap(2, 3, "lost"),)
    careful = LedgerSink(ledger)
    jump = block(4, revision(4, 1, 5, {"a": 5}))
    deliver(careful, CREATED, block(1, revision(1, 1, 0, {"a": 0})))
    with pytest.raises(ReplayRefusedError, match="are in a declared gap"):
        careful.apply([jump], at(4, gaps=gaps), 1)
    sink = LedgerSink(ledger, base="insert")
    deliver(sink, jump, block(5, revision(5, 1, 6)), gaps=gaps)
    (record,) = lookup_ids(ledger, [document_id(1)])
    assert 4 == record.version_offset
    assert [(0, {"a": 0}), (1, {"a": 5}), (2, None)] == history(ledger)


# --- tables and indexes ---------------------------------------------------------------------


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


# --- several sinks, and URLs ----------------------------------------------------------------


def test_two_sinks_on_one_ledger_apply_each_block_once(ledger: Ledger) -> None:
    """Whoever comes second passes over what the first has applied."""
    first, second = LedgerSink(ledger), LedgerSink(ledger)
    blocks = [CREATED, *(block(n, revision(n, n, 0, {"n": n})) for n in range(1, 6))]
    for each in blocks:
        deliver(first, each)
        deliver(second, each)
    assert [(0, {"n": n}) for n in range(1, 6)] == sorted(history(ledger), key=repr)
    assert (5, 0) == (first.summary().documents, second.summary().documents)


def test_our_tables_are_made_once(ledger: Ledger) -> None:
    """A second sink, also after a crash in between, finds both tables and indexes made."""
    rows(ledger, "CREATE TABLE qldb_stream_ids")
    for _ in range(2):
        deliver(LedgerSink(ledger), CREATED)
    found = rows(ledger, "SELECT t.name, t.indexes FROM information_schema.user_tables AS t")
    own = {row["name"]: [index["expr"] for index in row["indexes"]] for row in found}
    assert ["[strand_id]"] == own["qldb_stream_position"]
    assert ["[source_id]"] == own["qldb_stream_ids"]


def test_a_url_opens_the_sink_with_its_options(tmp_path: Path) -> None:
    """The scheme `ledger:` takes a path, ids and base."""
    path = tmp_path / "copy.ledger"
    sink = open_sink(f"ledger:{path}?ids=paths=a.b,c&base=insert")
    assert isinstance(sink, LedgerSink)
    deliver(sink, CREATED)
    sink.close()
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("rest", ["", "x.ledger?ids=some", "x.ledger?base=update", "x.ledger?a=b"])
def test_a_bad_url_is_refused_before_a_file_is_made(
    rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong options are a UsageError and leave no file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        open_sink(f"ledger:{rest}")
    assert [] == list(tmp_path.iterdir())


def test_a_wrong_base_is_refused(ledger: Ledger) -> None:
    """The only value of base is insert."""
    with pytest.raises(UsageError, match="the only value is insert"):
        LedgerSink(ledger, base="update")


# --- other writers, caches, any course of events --------------------------------------------


class Intruder:
    """A clock that writes the position in a transaction of its own when it is armed."""

    def __init__(self) -> None:
        self.ledger: Ledger | None = None
        self.armed = False
        self._now_ms = 1_700_000_000_000

    def now_ms(self) -> int:
        """Tell the time; before that, interfere."""
        if self.armed and self.ledger is not None:
            self.armed = False
            rows(self.ledger, "UPDATE qldb_stream_position AS p SET p.token = 1")
            self.armed = True
        self._now_ms += 1
        return self._now_ms


def test_a_writer_that_always_comes_between_is_told() -> None:
    """When each attempt conflicts with another writer, the sink is not available now."""
    intruder = Intruder()
    environment = Environment(now_ms=intruder.now_ms, sleep=lambda _: None)
    with Ledger.open(":memory:", environment=environment) as ledger:
        sink = LedgerSink(ledger)
        deliver(sink, CREATED)
        intruder.ledger, intruder.armed = ledger, True
        with pytest.raises(SinkUnavailableError):
            sink.apply([block(1)], at(1), 1)
        intruder.armed = False
        assert at(0) == sink.position(STRAND)
        deliver(sink, block(1))


def test_a_file_that_fails_is_no_refusal(tmp_path: Path) -> None:
    """A destination that cannot be written says so; the block is not to blame."""
    sink = LedgerSink.open(tmp_path / "copy.ledger")
    deliver(sink, CREATED)
    sink.close()
    with pytest.raises(LedgerFileError):
        sink.apply([block(1, revision(1, 1, 0, {}))], at(1), 1)
    with pytest.raises(LedgerFileError):
        sink.apply([block(1), block(2)], at(2), 1)


def test_what_is_remembered_of_ids_is_bounded(ledger: Ledger) -> None:
    """Ids that had to be forgotten are looked up again."""
    replay = Replay(parse_id_rule("any"))
    sink = SessionSink("ledger", ledger, replay)
    reached = at(1)
    sink.apply([CREATED, block(1, revision(1, 1, 0, {}), revision(1, 2, 0, {}))], reached, 1)
    strangers = [
        IdRecord(document_id(n), document_id(n), document_id(0)) for n in range(10, 16_400)
    ]
    replay.remember(Outcome(applied=True, records=tuple(strangers)))
    sink.apply([block(2, revision(2, 1, 1, {"to": document_id(2)}))], at(2), 1)
    assert (1, {"to": mapped(ledger, 2)}) in history(ledger)


_JOURNAL = list(make_journal(11, blocks=40))


@given(
    st.lists(
        st.tuples(st.integers(0, 39), st.integers(1, 12), st.booleans()), min_size=1, max_size=8
    )
)
@settings(max_examples=25)
def test_any_course_of_events_ends_like_one_clean_run(
    events: list[tuple[int, int, bool]],
) -> None:
    """Repeats, runs of any length and restarts end in the state of one clean run (law 6)."""
    strand_id = _JOURNAL[0].address.strand_id
    with TemporaryDirectory() as folder:
        path = Path(folder) / "copy.ledger"
        sink = LedgerSink.open(path, ids="any")
        for first, size, restart in [*events, (0, 40, False)]:
            if restart:
                sink.close()
                sink = LedgerSink.open(path, ids="any")
            reached = sink.position(strand_id)
            known = -1 if reached is None else reached.sequence_no
            run = _JOURNAL[min(first, known + 1) : known + 1 + size]
            last = run[-1]
            sink.apply(run, Position(strand_id, last.address.sequence_no, last.block_hash), 1)
        assert () == compare_ledgers(_JOURNAL, sink.ledger).differences
        sink.close()


def test_a_position_that_moved_is_found_again(ledger: Ledger) -> None:
    """A position document that was written anew under another id is found by its strand."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1))
    (document,) = rows(ledger, "SELECT * FROM qldb_stream_position")
    rows(ledger, "DELETE FROM qldb_stream_position")
    rows(ledger, "INSERT INTO qldb_stream_position ?", document)
    deliver(sink, block(1), block(2), block(3))
    assert 1 == len(rows(ledger, "SELECT * FROM qldb_stream_position"))
    assert at(3) == sink.position(STRAND)
