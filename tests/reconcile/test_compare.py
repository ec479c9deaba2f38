"""A replayed ledger beside its source: what is equal, and how each difference is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SourceError
from qldb_stream.events import Block, Revision, TableInfo
from qldb_stream.ion import IonSlice, dumps, to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import Comparison, Difference, compare_ledgers
from qldb_stream.reconcile._notes import Notes
from qldb_stream.replay import IdRecord, lookup_ids
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import JournalShape, make_journal
from tests.replay.blocks import STRAND, THINGS, block, digest, document_id, revision

BLOCKS = [
    block(0, statements=["CREATE TABLE Things"]),
    block(1, revision(1, 1, 0, {"n": 1}), revision(1, 2, 0, {"n": 2, "to": document_id(1)})),
    block(2),
    block(3, revision(3, 1, 1, {"n": 3, "to": [document_id(2)]})),
    block(4, revision(4, 2, 1)),
]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A destination in memory that BLOCKS were replayed into."""
    with Ledger.open(":memory:") as opened:
        replay(opened, BLOCKS)
        yield opened


def replay(ledger: Ledger, blocks: list[Block], ids: str = "any", base: str | None = None) -> None:
    """Replay blocks into a ledger, in one run."""
    last = blocks[-1]
    position = Position(last.address.strand_id, last.address.sequence_no, last.summary.block_hash)
    assert position == LedgerSink(ledger, ids=ids, base=base).apply(blocks, position, 1)


def run(ledger: Ledger, statement: str, *parameters: Any) -> list[Any]:
    """Run a statement on a ledger."""

    def work(txn: Any) -> list[Any]:
        return list(txn.execute_statement(statement, *parameters))

    return ledger.driver().execute_lambda(work)


def with_revision(number: int, index: int, **changes: Any) -> list[Block]:
    """BLOCKS, with one revision changed."""
    changed = list(BLOCKS)
    revisions = list(changed[number].revisions)
    revisions[index] = attrs.evolve(revisions[index], **changes)
    changed[number] = attrs.evolve(changed[number], revisions=tuple(revisions))
    return changed


def only(comparison: Comparison) -> Difference:
    """The one difference that was found."""
    (difference,) = comparison.differences
    assert not comparison.ok
    return difference


@pytest.mark.parametrize("ids", ["any", "keep", "paths=to"])
def test_a_replay_equals_its_source(ids: str) -> None:
    """Under each rule for ids the destination equals the source, all of it compared."""
    with Ledger.open(":memory:") as ledger:
        replay(ledger, BLOCKS, ids)
        assert Comparison(blocks=5, revisions=4, documents=1) == compare_ledgers(BLOCKS, ledger)


def test_a_synthetic_journal_replays_to_its_equal() -> None:
    """Inserts, updates, deletes, redactions, empty blocks and system revisions all arrive."""
    for erased in (False, True):
        journal = make_journal(5, blocks=120, shape=JournalShape(redactions=0.2, erased=erased))
        with Ledger.open(":memory:") as ledger:
            replay(ledger, list(journal))
            comparison = compare_ledgers(journal, ledger)
        assert () == comparison.differences
        assert 120 == comparison.blocks
        assert comparison.documents > 0


def test_a_ledger_is_compared_with_a_ledger() -> None:
    """The source may be a ledger's own blocks."""
    with Ledger.open(":memory:") as source, Ledger.open(":memory:") as ledger:
        run(source, "CREATE TABLE Things")
        run(source, "INSERT INTO Things ?", [{"n": 1}, {"n": 2}])
        run(source, "UPDATE Things AS t SET t.n = 3 WHERE t.n = 1")
        replay(ledger, list(source.blocks()))
        assert Comparison(blocks=3, revisions=3, documents=2) == compare_ledgers(
            source.blocks(), ledger
        )


def test_a_later_start_equals_what_it_took_up() -> None:
    """With base=insert versions are mapped by their offset, unknown deletes are nothing."""
    blocks = [
        block(5, revision(5, 1, 3, {"n": 3})),
        block(6, revision(6, 2, 7), revision(6, 1, 4, {"n": 4})),
    ]
    with Ledger.open(":memory:") as ledger:
        replay(ledger, blocks, base="insert")
        assert Comparison(blocks=2, revisions=3, documents=1) == compare_ledgers(blocks, ledger)


def test_an_altered_document_is_named(ledger: Ledger) -> None:
    """A document that somebody changed through the ledger is named, with both ids."""
    run(ledger, "UPDATE Things AS t SET t.n = 4 WHERE t.n = 3")
    (record,) = lookup_ids(ledger, [document_id(1)])
    expected = Difference(
        "the document was changed by something else than the replay",
        STRAND,
        None,
        document_id(1),
        "Things",
        ledger.digest().tip.sequence_no,
        record.destination_id,
    )
    assert expected == only(compare_ledgers(BLOCKS, ledger))


def test_a_document_altered_in_the_file_is_named(tmp_path: Path) -> None:
    """A document that was changed behind the ledger's back is named."""
    path = tmp_path / "copy.ledger"
    with Ledger.open(str(path)) as ledger:
        replay(ledger, BLOCKS)
    db = sqlite3.connect(path)
    data = dumps({"n": 3, "to": ["changed"]})
    changed = db.execute(
        "UPDATE revision SET data = ? WHERE version = 1 AND data IS NOT NULL"
        " AND table_no = (SELECT no FROM catalog_table WHERE name = 'Things')",
        (data,),
    )
    assert 1 == changed.rowcount
    db.commit()
    db.close()
    with Ledger.open(str(path)) as ledger:
        comparison = compare_ledgers(BLOCKS, ledger)
    assert not comparison.ok
    assert {document_id(1)} == {difference.document_id for difference in comparison.differences}
    assert ("the data differs", 3) == (
        comparison.differences[0].what,
        comparison.differences[0].sequence_no,
    )


def test_a_table_that_somebody_dropped_is_named(ledger: Ledger) -> None:
    """A table that the replay did not drop must be there while it has documents."""
    (record,) = lookup_ids(ledger, [document_id(1)])
    run(ledger, "DROP TABLE Things")
    expected = Difference(
        "the table is missing, with its documents",
        STRAND,
        table="Things",
        destination_id=record.table_id,
    )
    assert expected == only(compare_ledgers(BLOCKS, ledger))
    run(ledger, "CREATE TABLE Things")
    assert expected == only(compare_ledgers(BLOCKS, ledger))


def test_a_table_that_the_source_dropped_is_not_expected(ledger: Ledger) -> None:
    """A table may be dropped by the source, be made anew, and come back."""
    dropped = [*BLOCKS, block(5, statements=["DROP TABLE Things"])]
    replay(ledger, dropped)
    assert Comparison(blocks=6, revisions=4) == compare_ledgers(dropped, ledger)

    other = TableInfo("Things", "5bCdEfGhIjKlMnOpQrStU2")
    anew = [
        *dropped,
        block(6, statements=["CREATE TABLE Things"]),
        block(7, revision(7, 8, 0, {"n": 8}, table=other)),
    ]
    replay(ledger, anew)
    assert Comparison(blocks=8, revisions=5, documents=1) == compare_ledgers(anew, ledger)

    undropped = [
        *anew,
        block(8, statements=["DROP TABLE Things"]),
        block(9, statements=[f'UNDROP TABLE "{THINGS.table_id}"']),
    ]
    replay(ledger, undropped)
    assert Comparison(blocks=10, revisions=5, documents=1) == compare_ledgers(undropped, ledger)


def test_a_table_that_somebody_took_back_is_named(ledger: Ledger) -> None:
    """A table that the source dropped must not be there."""
    dropped = [*BLOCKS, block(5, statements=["DROP TABLE Things"])]
    replay(ledger, dropped)
    (record,) = lookup_ids(ledger, [document_id(1)])
    run(ledger, f'UNDROP TABLE "{record.table_id}"')
    assert (
        "the table is there, which the source has dropped"
        == only(compare_ledgers(dropped, ledger)).what
    )


def test_a_document_that_the_source_has_not_is_named(ledger: Ledger) -> None:
    """A document that somebody inserted stands for none of the source's."""
    run(ledger, "INSERT INTO Things VALUE {'n': 9}")
    difference = only(compare_ledgers(BLOCKS, ledger))
    assert (None, "Things") == (difference.document_id, difference.table)
    assert "the document was changed by something else than the replay" == difference.what


@pytest.mark.parametrize(
    ("number", "changes", "what"),
    [
        (3, {"data_ion": to_slice({"n": 3, "to": []})}, "the data differs"),
        (3, {"data_ion": None}, "the kind differs"),
        (4, {"data_ion": to_slice({})}, "the kind differs"),
        (3, {"metadata": revision(3, 1, 2).metadata}, "the version differs"),
        (3, {"metadata": revision(3, 7, 1).metadata}, "the revision is not in the destination"),
        (
            3,
            {"table": TableInfo("Others", THINGS.table_id)},
            "the revision is in another table",
        ),
        (
            3,
            {"data_ion": None, "data_hash": digest("data")},
            "the revision is redacted in the source only",
        ),
    ],
)
def test_each_way_to_differ_is_told(
    number: int, changes: dict[str, Any], what: str, ledger: Ledger
) -> None:
    """Data, kind, version, table, redaction and absence each have their sentence."""
    comparison = compare_ledgers(with_revision(number, 0, **changes), ledger)
    assert what == comparison.differences[0].what
    assert number == comparison.differences[0].sequence_no


def test_a_block_that_is_missing_is_named(ledger: Ledger) -> None:
    """Source blocks that were not replayed are named."""
    comparison = compare_ledgers([*BLOCKS, block(5), block(6)], ledger)
    assert [5, 6] == [difference.sequence_no for difference in comparison.differences]
    assert {"the block is not in the destination"} == {d.what for d in comparison.differences}


def test_blocks_beyond_the_source_are_named(ledger: Ledger) -> None:
    """Replayed blocks that the source does not have are named, in the middle and at the end."""
    comparison = compare_ledgers([*BLOCKS[:2], BLOCKS[3]], ledger)
    assert [2, 4] == [difference.sequence_no for difference in comparison.differences]
    assert {"the destination has a block that the source has not"} == {
        difference.what for difference in comparison.differences
    }


def test_a_block_that_was_applied_twice_is_named(ledger: Ledger) -> None:
    """A second transaction that claims a position is a difference, whoever wrote it."""
    run(ledger, "UPDATE qldb_stream_position AS p SET p.sequence_no = 2 WHERE p.sequence_no = 4")
    difference = only(compare_ledgers(BLOCKS, ledger))
    assert ("the block was applied more than once", 2) == (difference.what, difference.sequence_no)


def test_a_document_without_its_id_record_is_named(ledger: Ledger) -> None:
    """A block that claims a position and writes a document that nobody mapped is reported."""
    with Ledger.open(":memory:") as other:
        replay(other, BLOCKS[:1])

        def work(txn: Any) -> None:
            txn.execute_statement("INSERT INTO Things VALUE {'n': 1}")
            txn.execute_statement("UPDATE qldb_stream_position AS p SET p.sequence_no = 1")

        other.driver().execute_lambda(work)
        comparison = compare_ledgers([BLOCKS[0], block(1)], other)
    difference = only(comparison)
    assert "nothing says what the document stands for" == difference.what
    assert (1, None, "Things") == (difference.sequence_no, difference.document_id, difference.table)
    assert difference.destination_id is not None


def test_a_current_document_that_is_not_the_last_revision_is_named(tmp_path: Path) -> None:
    """What queries show must be what the journal last said of each document."""
    path = tmp_path / "copy.ledger"
    with Ledger.open(str(path)) as ledger:
        replay(ledger, BLOCKS)
        (record,) = lookup_ids(ledger, [document_id(1)])
    db = sqlite3.connect(path)
    db.execute("DELETE FROM document WHERE id = ?", (record.destination_id,))
    db.commit()
    db.close()
    with Ledger.open(str(path)) as ledger:
        difference = only(compare_ledgers(BLOCKS, ledger))
    assert ("the document is missing from its table", document_id(1), 3) == (
        difference.what,
        difference.document_id,
        difference.sequence_no,
    )


def test_an_outdated_current_document_is_named(tmp_path: Path) -> None:
    """A document whose current state is an older revision is named."""
    path = tmp_path / "copy.ledger"
    with Ledger.open(path) as ledger:
        replay(ledger, BLOCKS)
        (record,) = lookup_ids(ledger, [document_id(1)])
    db = sqlite3.connect(path)
    db.execute(
        "UPDATE document SET revision_no ="
        " (SELECT no FROM revision WHERE document_id = ? AND version = 0) WHERE id = ?",
        (record.destination_id, record.destination_id),
    )
    db.commit()
    db.close()
    with Ledger.open(path) as ledger:
        difference = only(compare_ledgers(BLOCKS, ledger))
    assert ("the current document is not what the journal last said", document_id(1)) == (
        difference.what,
        difference.document_id,
    )


@attrs.frozen
class Shown:
    """A ledger of which one revision of the journal is shown differently."""

    ledger: Ledger
    change: Callable[[Revision], Revision]

    def blocks(self) -> Iterator[Block]:
        """Show every revision changed."""
        for shown in self.ledger.blocks():
            yield attrs.evolve(shown, revisions=tuple(map(self.change, shown.revisions)))

    def driver(self) -> Any:
        """Show the documents as they are."""
        return self.ledger.driver()


def test_damaged_data_is_told(ledger: Ledger) -> None:
    """Data that cannot be read differs from everything, and what is current differs from it."""
    last = ledger.digest().tip.sequence_no - 1

    def damage(shown: Revision) -> Revision:
        data = shown.data_ion
        if data is None or shown.address.sequence_no != last or "Things" not in str(shown.table):
            return shown
        return attrs.evolve(
            shown, data_ion=IonSlice(data.buf[:-3], data.start, data.end - 3, data.symbols)
        )

    comparison = compare_ledgers(BLOCKS, Shown(ledger, damage))
    assert [
        ("the data cannot be read", 3),
        ("the current document is not what the journal last said", 3),
    ] == [(difference.what, difference.sequence_no) for difference in comparison.differences]


def test_revisions_redacted_on_both_sides_are_equal(ledger: Ledger) -> None:
    """Where both have only hashes left, nothing differs in that revision."""

    def redact(shown: Revision) -> Revision:
        return (
            attrs.evolve(shown, data_ion=None, data_hash=digest("data"))
            if _is_third(shown)
            else shown
        )

    def _is_third(shown: Revision) -> bool:
        return (
            shown.document_id == mapped
            and shown.metadata is not None
            and not shown.metadata.version
        )

    (record,) = lookup_ids(ledger, [document_id(1)])
    mapped = record.destination_id
    source = with_revision(1, 0, data_ion=None, data_hash=digest("data"))
    assert compare_ledgers(source, Shown(ledger, redact)).ok


def test_damaged_rows_of_ours_are_passed_over(ledger: Ledger) -> None:
    """Rows of our own tables that say nothing neither map ids nor repeat blocks."""
    run(ledger, "INSERT INTO qldb_stream_ids VALUE {'source_id': 'x'}")
    run(ledger, "INSERT INTO qldb_stream_ids VALUE {'source_id': 'x', 'version_offset': 0}")
    run(ledger, "INSERT INTO qldb_stream_position VALUE {'strand_id': 'x'}")
    run(ledger, "DELETE FROM qldb_stream_ids AS i WHERE i.source_id = 'x'")
    assert compare_ledgers(BLOCKS, ledger).ok


def test_numbers_that_no_journal_has_are_damage(ledger: Ledger) -> None:
    """Numbers beyond 2**63 in rows of ours are as good as none, and the rest is compared."""
    far = {"strand_id": STRAND, "sequence_no": 1 << 63, "source_id": document_id(1)}
    record = {"destination_id": "x", "table_id": "t", "version_offset": 1 << 63}
    run(ledger, "INSERT INTO qldb_stream_position ?", far)
    run(ledger, "INSERT INTO qldb_stream_ids ?", far | record)
    run(ledger, "INSERT INTO qldb_stream_ids ?", far | record | {"version_offset": -1})
    assert compare_ledgers(BLOCKS, ledger).ok


def test_notes_that_cannot_be_kept_are_told() -> None:
    """What the temporary database raises is told as an error of the source."""
    notes = Notes()
    notes.close()
    for use in (
        lambda: notes.find("x"),
        lambda: notes.record(IdRecord("s", "d", "t")),
        lambda: list(notes.iter_tables()),
    ):
        with pytest.raises(SourceError, match="the temporary notes cannot be kept"):
            use()


def test_documents_of_another_strand_are_its_own(ledger: Ledger) -> None:
    """Two strands in one destination are compared each with its own blocks."""
    journal = make_journal(3, blocks=30)
    replay(ledger, list(journal))
    comparison = compare_ledgers(BLOCKS, ledger)
    assert Comparison(blocks=5, revisions=4, documents=1) == comparison
    both = compare_ledgers([*BLOCKS, *journal], ledger)
    assert (True, 35) == (both.ok, both.blocks)


def test_nothing_is_not_equal_to_anything(ledger: Ledger) -> None:
    """A source without blocks shows nothing and is a difference."""
    assert Difference("the source has no blocks") == only(compare_ledgers([], ledger))


def test_differences_beyond_the_limit_are_counted(ledger: Ledger) -> None:
    """The first differences are kept, the rest is a number."""
    source = [*BLOCKS, *(block(number) for number in range(5, 10))]
    comparison = compare_ledgers(source, ledger, limit=2)
    assert (2, 3) == (len(comparison.differences), comparison.more)


def test_a_comparison_is_printed_whole() -> None:
    """The JSON object has every count and every field of a difference."""
    difference = Difference("the data differs", STRAND, 3, document_id(1), "Things", 7)
    assert {
        "ok": False,
        "blocks": 4,
        "revisions": 9,
        "documents": 2,
        "differences": [
            {
                "what": "the data differs",
                "strand_id": STRAND,
                "sequence_no": 3,
                "document_id": document_id(1),
                "table": "Things",
                "destination_no": 7,
                "destination_id": None,
            }
        ],
        "more": 1,
        "requeued": 0,
    } == Comparison(4, 9, 2, (difference,), 1).as_json()
