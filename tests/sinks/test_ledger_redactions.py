"""A redaction of the source's is one of the destination's: the data are gone, the proof stays."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import attrs
import pytest

from qldb_stream import Pipeline
from qldb_stream.errors import StaleTokenError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import IonSlice
from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.report import Position
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import ErasingSink

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
    found = contents(tmp_path)
    secrets = {str(v).encode() for d in gone for v in d.decode().values() if isinstance(v, str)}
    # Words and ids that stand in what was not redacted may be in the files.
    living = b"".join(
        revision.data_ion.to_bytes()
        for block in JOURNAL.with_erased()
        for revision in block.revisions
        if revision.data_ion is not None
    ) + b"".join(str(r.document_id).encode() for block in BLOCKS for r in block.revisions)
    gone_words = [secret for secret in secrets if len(secret) > 8 and secret not in living]
    assert gone_words
    assert [] == [secret for secret in gone_words if secret in found]


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
