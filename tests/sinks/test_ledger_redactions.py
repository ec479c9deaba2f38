"""A redaction of the source's is one of the destination's: the data are gone, the proof stays."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import attrs
import pytest

from qldb_stream import Pipeline
from qldb_stream.errors import StaleTokenError
from qldb_stream.events import Block, RedactedRevision, RevisionKind
from qldb_stream.ion import IonSlice
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import ErasingSink
from tests.replay.blocks import STRAND, THINGS, block, document_id, redacting, revision
from tests.replay.erased import erased_words

JOURNAL = make_journal(11, blocks=80, shape=JournalShape(redactions=0.3, deletes=0.1))
BLOCKS = list(JOURNAL)


def erased_data() -> list[IonSlice]:
    """The documents that the journal redacts, as they were."""
    pairs = zip(JOURNAL, JOURNAL.with_erased(), strict=True)
    return [
        full.data_ion
        for before, after in pairs
        for full, found in zip(before.revisions, after.revisions, strict=True)
        if found.kind is RevisionKind.REDACTED and full.data_ion is not None
    ]


def contents(folder: Path) -> bytes:
    """All bytes of a folder's files."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def kinds(ledger: Ledger) -> int:
    """How many revisions of a ledger are redacted."""
    found = [r.kind for block in ledger.blocks() for r in block.revisions]
    return found.count(RevisionKind.REDACTED)


def test_redactions_are_carried_out(tmp_path: Path) -> None:
    """Each redacted revision is redacted at the destination, and no byte of it is in its files."""
    report = Pipeline(f"ledger:{tmp_path / 'x'}", start=0).run(BLOCKS)

    assert report.ok
    assert () == report.redactions_pending
    gone = erased_data()
    assert len(gone) > 5
    with Ledger.open(tmp_path / "x") as ledger:
        assert len(gone) == kinds(ledger)
        assert ledger.check().ok
        assert 0 == ledger.redactions_pending
        assert compare_ledgers(JOURNAL, ledger).ok
        assert compare_ledgers(JOURNAL.with_erased(), ledger).ok
    words = erased_words(JOURNAL)
    assert words
    found = contents(tmp_path)
    assert [] == [word for word in words if word in found]


def test_a_repeat_changes_nothing(tmp_path: Path) -> None:
    """Blocks that come again redact nothing again, cut off anywhere."""
    for end in (30, 30, 55, 80, 80):
        assert Pipeline(f"ledger:{tmp_path / 'x'}", start=0).run(BLOCKS[:end]).ok
    with Ledger.open(tmp_path / "x") as ledger:
        assert len(erased_data()) == kinds(ledger)
        assert compare_ledgers(JOURNAL, ledger).ok


def test_placeholders_are_not_redacted(tmp_path: Path) -> None:
    """Where the source's copies are redacted, there is nothing to redact but hashes."""
    report = Pipeline(f"ledger:{tmp_path / 'x'}", start=0).run(JOURNAL.with_erased())

    assert (True, ()) == (report.ok, report.redactions_pending)
    with Ledger.open(tmp_path / "x") as ledger:
        assert 0 == kinds(ledger)
        assert compare_ledgers(JOURNAL.with_erased(), ledger).ok


def test_late_copies_erase(tmp_path: Path) -> None:
    """A redacted copy of an applied block redacts too, by the token of who brings it."""
    asking = [i for i, block in enumerate(BLOCKS) if block.summary.redaction_info is not None]
    before = [without_requests(block) for block in BLOCKS]
    position = Position(JOURNAL.strand_id, -1, b"", start=0).at(before[-1])
    with closing(LedgerSink.open(tmp_path / "x")) as sink:
        assert isinstance(sink, ErasingSink)
        assert position == sink.apply(before, position, 3)
        copies = list(JOURNAL.with_erased())
        with pytest.raises(StaleTokenError):
            sink.erase(copies, 2)
        assert 0 == kinds(sink.ledger)
        sink.erase(copies, 3)
        sink.erase(copies, 3)
        assert len(erased_data()) == kinds(sink.ledger)
    assert asking


def without_requests(block: Block) -> Block:
    """The block as it would be if it had asked for no redaction."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, redaction_info=None))


def change(sequence_no: int, version: int, *numbers: int) -> Block:
    """A block that writes a version of documents."""
    made = [revision(sequence_no, number, version, {"n": version}) for number in numbers]
    texts = ["CREATE TABLE Things", "INSERT INTO Things ?"]
    documents = {number: (THINGS, [len(texts) - 1]) for number in numbers}
    statements = texts if sequence_no == 0 else texts[1:] * 2
    return block(sequence_no, *made, statements=statements, documents=documents)


def asked(number: int, version: int) -> RedactedRevision:
    """A revision of which version and block have one number."""
    address = attrs.evolve(change(version, 0, 1).address)
    return RedactedRevision(address, THINGS.table_id, document_id(number), version)


def apply(sink: LedgerSink, *blocks: Block, start: int = 0) -> list[int]:
    """Apply blocks, each by itself; the numbers of those whose redaction is left."""
    for one in blocks:
        number = one.address.sequence_no
        sink.apply([one], Position(STRAND, number, one.block_hash, start=start), 1)
    return [number for _, number in sink.summary().redactions_pending]


def test_one_block_may_redact_several_revisions(tmp_path: Path) -> None:
    """Each gets a transaction, as QLDB redacts one in each; a repeat changes nothing."""
    blocks = [
        change(0, 0, 1, 2, 3),
        change(1, 1, 1, 2, 3),
        redacting(change(2, 2, 1), asked(1, 0), asked(2, 0), asked(3, 0)),
    ]
    with closing(LedgerSink.open(tmp_path / "x")) as sink:
        assert [] == apply(sink, *blocks, *blocks[2:])
        assert 3 == kinds(sink.ledger)


def test_the_newest_revision_is_not_redacted(tmp_path: Path) -> None:
    """QLDB does not either: it is left, and the block that asked for it is named."""
    blocks = [change(0, 0, 1, 2), redacting(change(1, 1, 2), asked(1, 0))]
    copy = Block(blocks[0].summary, (revision(0, 1, 0, data_hash=bytes(32)),))
    with closing(LedgerSink.open(tmp_path / "x")) as sink:
        assert [1] == apply(sink, *blocks)
        sink.erase([copy], 1)
        assert 0 == kinds(sink.ledger)
        apply(sink, change(2, 1, 1))
        sink.erase([copy], 1)
        assert 1 == kinds(sink.ledger)


def test_nothing_is_redacted_where_nothing_was_applied(tmp_path: Path) -> None:
    """Copies of blocks that the ledger has not are passed over."""
    copy = Block(change(0, 0, 1).summary, (revision(0, 1, 0, data_hash=bytes(32)),))
    with closing(LedgerSink.open(tmp_path / "x")) as sink:
        sink.erase([copy], 1)
        assert sink.position(STRAND) is None


def test_documents_taken_up_later_are_redacted_by_their_own_versions(tmp_path: Path) -> None:
    """Versions differ by what came before the start; what never came is named."""
    blocks = [
        change(1, 1, 1),
        change(2, 2, 1),
        redacting(change(3, 3, 1), asked(1, 1)),
        redacting(change(4, 4, 1), asked(1, 0)),
    ]
    with closing(LedgerSink.open(tmp_path / "x", base="insert")) as sink:
        assert [4] == apply(sink, *blocks, start=1)
        assert 1 == kinds(sink.ledger)


def test_a_redaction_that_the_source_did_not_ask_for_is_a_difference(tmp_path: Path) -> None:
    """Equal is what is redacted in both, or in the destination because a later block asks."""
    blocks = [change(0, 0, 1), change(1, 1, 1), redacting(change(2, 2, 1), asked(1, 0))]
    with closing(LedgerSink.open(tmp_path / "x")) as sink:
        apply(sink, *blocks)
        assert () == compare_ledgers(blocks, sink.ledger).differences
        unasked = [*blocks[:2], without_requests(blocks[2])]
        (found,) = compare_ledgers(unasked, sink.ledger).differences
        assert ("the revision is redacted in the destination only", 0, document_id(1)) == (
            found.what,
            found.sequence_no,
            found.document_id,
        )
        other = attrs.evolve(blocks[0], revisions=(revision(0, 1, 0, {"n": 5}),))
        (found,) = compare_ledgers([other, *blocks[1:]], sink.ledger).differences
        assert "the data differs" == found.what
