"""Blocks replayed into an embedded ledger: documents and their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import (
    ReplayRefusedError,
)
from qldb_stream.events import TableInfo
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.replay import lookup_ids
from qldb_stream.report import Gap
from qldb_stream.sinks.ledger import LedgerSink
from tests.replay.blocks import STRAND, THINGS, block, digest, document_id, revision
from tests.sinks.replayed import CREATED, OTHERS, at, deliver, history, mapped, rows

# --- documents ---


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
    """A block that asks for what may have come before the start is applied and listed."""
    sink = LedgerSink(ledger)
    deliver(sink, block(5, redacts=True))
    assert ((STRAND, 5),) == sink.summary().redactions_pending
    assert at(5) == sink.position(STRAND)


def test_a_redaction_of_what_never_was_is_none(ledger: Ledger) -> None:
    """Of a strand that is here whole, a document without an id here was never here."""
    sink = LedgerSink(ledger)
    deliver(sink, CREATED, block(1, redacts=True))
    assert () == sink.summary().redactions_pending
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


# --- ids ---


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


def test_paths_that_lead_nowhere_are_named(ledger: Ledger) -> None:
    """A declared path at which no document has an id is told, once something was written."""
    sink = LedgerSink(ledger, ids="paths=Nope.X,owner.id,seller")
    deliver(sink, CREATED)
    assert () == sink.summary().paths_unmet
    deliver(sink, block(1, revision(1, 1, 0, {"seller": "no id"})))
    assert ("Nope.X", "owner.id", "seller") == sink.summary().paths_unmet
    document = {"owner": [{"id": document_id(1)}], "seller": "the string of 22 bytes"}
    deliver(sink, block(2, revision(2, 2, 0, document)))
    assert ("Nope.X",) == sink.summary().paths_unmet


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


# --- journals that start later ---


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
