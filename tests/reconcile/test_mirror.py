"""A mirrored ledger beside its source: what is equal, and how each difference is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.events import Block
from qldb_stream.ion import dumps
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import Comparison, Difference, VerifiedLedger, compare_mirror
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import JournalShape, make_journal
from tests.ledger.chains import chain, ddl, fill
from tests.ledger.support import memory, run
from tests.replay.blocks import STRAND, digest

JOURNAL = make_journal(4, blocks=30, shape=JournalShape(redactions=0.3, deletes=0.2, system=0.2))
BLOCKS = list(JOURNAL)
STRAND_ID = JOURNAL.strand_id


@pytest.fixture
def mirror() -> Iterator[Ledger]:
    """A mirror of the journal's first 20 blocks."""
    with memory() as opened:
        fill(opened, BLOCKS[:20])
        yield opened


def with_summary(number: int, **changes: Any) -> list[Block]:
    """The journal's first blocks, with one summary changed."""
    changed = BLOCKS[:20]
    summary = attrs.evolve(changed[number].summary, **changes)
    changed[number] = Block(summary, changed[number].revisions)
    return changed


def whats(comparison: Comparison) -> list[str]:
    """What differs."""
    return [found.what for found in comparison.differences]


def test_a_mirror_equals_its_source(mirror: Ledger) -> None:
    """Block by block and document by document, whether the source shows redactions or not."""
    comparison = compare_mirror(BLOCKS[:20], mirror)
    assert () == comparison.differences
    revisions = sum(len(each.revisions) for each in BLOCKS[:20])
    assert (20, revisions) == (comparison.blocks, comparison.revisions)
    assert 0 < comparison.documents


def test_a_mirror_of_a_ledger_with_dropped_tables_equals_it() -> None:
    """Tables that the journal drops and takes back are where they should be."""
    with memory() as source, Ledger.open(":memory:") as mirror:  # which draws ids of its own
        run(source, "CREATE TABLE A")
        run(source, "CREATE TABLE B")
        run(source, "INSERT INTO A ?", {"a": 1})
        (row,) = run(source, "INSERT INTO B ?", {"b": 1})
        assert row["documentId"]
        (dropped,) = run(source, "DROP TABLE A")
        run(source, "DROP TABLE B")
        run(source, f'UNDROP TABLE "{dropped["tableId"]}"')
        fill(mirror, source.blocks())
        comparison = compare_mirror(source.blocks(), mirror)
        assert (True, 1) == (comparison.ok, comparison.documents)


def test_blocks_that_continue_the_chain_are_no_difference(mirror: Ledger) -> None:
    """They are the mirror's own; what is current is then no longer the source's alone."""
    run(mirror, "CREATE TABLE More")
    comparison = compare_mirror(BLOCKS[:20], mirror)
    assert (True, 0) == (comparison.ok, comparison.documents)


def test_missing_blocks_are_named_on_either_side(mirror: Ledger) -> None:
    """What the mirror lacks, and what the source lacks, at its end and in between."""
    longer = compare_mirror(BLOCKS[:21], mirror)
    what = "the block is not in the destination"
    assert (Difference(what, STRAND_ID, 20),) == longer.differences
    shorter = compare_mirror([*BLOCKS[:5], *BLOCKS[6:19]], mirror)
    what = "the destination has a block that the source has not"
    expected = (Difference(what, STRAND_ID, 5), Difference(what, STRAND_ID, 19))
    assert expected == shorter.differences
    nothing = compare_mirror([], mirror, limit=2)
    assert "the source has no blocks" == whats(nothing)[0]
    assert (2, 19) == (len(nothing.differences), nothing.more)


def test_another_strand_is_another_ledgers(mirror: Ledger) -> None:
    """Its blocks have nothing to do with the mirror's."""
    (other,) = chain(ddl(0, "CREATE TABLE Things"))
    comparison = compare_mirror([other], mirror)
    assert Difference("the strand is not the destination's", STRAND, 0) == comparison.differences[0]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("block_hash", digest("other"), "the block is another one: its hash differs"),
        ("transaction_id", "0" * 22, "the transaction id differs"),
        (
            "block_timestamp",
            BLOCKS[0].summary.block_timestamp,
            "the block's time differs",
        ),
    ],
)
def test_a_changed_block_is_named(mirror: Ledger, field: str, value: object, what: str) -> None:
    """By its hash, or by what no hash covers."""
    comparison = compare_mirror(with_summary(7, **{field: value}), mirror)
    assert (Difference(what, STRAND_ID, 7),) == comparison.differences


def test_a_redaction_that_only_the_source_has_is_named() -> None:
    """Erased data must be gone; that only the mirror has erased it is fine."""
    with memory() as mirror:
        fill(mirror, BLOCKS[:13])
        erased = list(JOURNAL.with_erased())
        expected = [
            Difference(
                "the revision is redacted in the source only",
                STRAND_ID,
                one.address.sequence_no,
                full.document_id,
            )
            for one, here, gone in zip(BLOCKS, mirror.blocks(), erased, strict=False)
            for full, now, then in zip(one.revisions, here.revisions, gone.revisions, strict=True)
            if now.kind is not then.kind
        ]
        assert expected
        assert tuple(expected) == compare_mirror(erased[:13], mirror).differences


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    """A document altered in the file fails its hash, and is not what the journal said."""
    path = tmp_path / "mirror.ledger"
    with Ledger.open(path) as mirror:
        fill(mirror, BLOCKS[:20])
    connection = sqlite3.connect(path)
    with connection:
        (no,) = connection.execute(
            "SELECT max(revision_no) FROM document JOIN revision ON no = revision_no"
            " WHERE data IS NOT NULL"
        ).fetchone()
        connection.execute("UPDATE revision SET data = ? WHERE no = ?", (dumps({"x": 1}), no))
    connection.close()
    with Ledger.open(path, read_only=True) as mirror:
        expected = ["the block in the destination does not verify"]
        assert expected == whats(compare_mirror(BLOCKS[:20], mirror))
        verified = VerifiedLedger(mirror)
        assert expected == whats(compare_mirror(BLOCKS[:20], verified))
        assert not verified.report().ok
        assert expected == whats(compare_mirror(BLOCKS[:20], verified))


def test_what_was_verified_is_known(mirror: Ledger) -> None:
    """Of the last block that went by the outcome is told, of others nothing."""
    verified = VerifiedLedger(mirror)
    assert verified.verdict(BLOCKS[0]) is None
    first, second = (block for _, block in zip(range(2), verified.blocks(), strict=False))
    assert (None, True) == (verified.verdict(first), verified.verdict(second))


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    """The journal may be whole while what is current is not."""
    path = tmp_path / "mirror.ledger"
    with Ledger.open(path) as mirror:
        fill(mirror, BLOCKS[:20])
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "DELETE FROM document WHERE revision_no = (SELECT max(revision_no) FROM document"
            " JOIN revision ON no = revision_no WHERE data IS NOT NULL)"
        )
    connection.close()
    with Ledger.open(path, read_only=True) as mirror:
        found = whats(compare_mirror(BLOCKS[:20], mirror))
        assert ["the document is missing from its table"] == found


def test_blocks_without_statements_say_nothing_of_tables() -> None:
    """Blocks may have no transactionInfo at all."""
    journal = make_journal(1, blocks=30, shape=JournalShape(empty=0.9))
    assert any(one.summary.transaction_info is None for one in journal)
    with memory() as mirror:
        fill(mirror, journal)
        assert compare_mirror(journal, mirror).ok


def test_a_mirror_of_a_replayed_ledger_has_its_tables_too() -> None:
    """Tables in which a replay keeps its position are mirrored like any other."""
    with memory() as replayed, Ledger.open(":memory:") as mirror:
        last = BLOCKS[19]
        position = Position(STRAND_ID, 19, last.block_hash)
        LedgerSink(replayed).apply(BLOCKS[:20], position, 1)
        fill(mirror, replayed.blocks())
        assert compare_mirror(replayed.blocks(), mirror).ok
        assert position == LedgerSink(mirror).position(STRAND_ID)
