"""What a redaction erases is gone: from records, park, quarantine, file and log."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import attrs
import pytest

from qldb_stream.errors import CarrierError, InboxUnavailableError
from qldb_stream.events import (
    Block,
    BlockAddress,
    RedactedRevision,
    Revision,
    RevisionDetails,
    RevisionKind,
    Undecodable,
)
from qldb_stream.inbox import SqliteInbox
from qldb_stream.ion import IonSlice, dumps, load_slice
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import to_record
from qldb_stream.report import ParkedBlock, ParkReason, Position
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import Inbox
from qldb_stream.verification import verify_block
from tests.inbox.support import BLOCKS, EVENTS, REDACTIONS, address_of, redacted

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def full_bytes(asked: RedactedRevision) -> bytes:
    """The document of a revision, as its record has it."""
    for event in EVENTS:
        if event != redacted(event, [asked]):
            assert isinstance(event, RevisionDetails)
            data = event.revision.data_ion
            assert data is not None
            return data.buf[data.start : data.end]
    raise AssertionError


def block_of(asked: RedactedRevision) -> Block:
    """The block that holds a revision."""
    return next(b for b in BLOCKS if b.address == asked.block_address)


def files_of(path: Path) -> bytes:
    """All bytes of a file and of what SQLite has beside it, read by another process."""
    code = "import sys; [sys.stdout.buffer.write(open(p, 'rb').read()) for p in sys.argv[1:]]"
    names = sorted(map(str, path.parent.glob(path.name + "*")))
    return subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize("asked", REDACTIONS)
def test_nothing_of_it_is_left_in_any_file(asked: RedactedRevision, tmp_path: Path) -> None:
    """A stored and a parked document are in the files before it is erased, and not after."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    inbox.put(EVENTS, 1.0)
    inbox.park(ParkedBlock("a", block_of(asked), ParkReason.REFUSED, "", WHEN))
    data = full_bytes(asked)
    assert data in files_of(path)

    assert 2 == inbox.erase([asked])
    assert data not in files_of(path)
    assert 0 == inbox.erase([asked])
    inbox.close()


@pytest.mark.parametrize("asked", REDACTIONS[:2])
def test_what_was_erased_is_parked_without_it(asked: RedactedRevision, tmp_path: Path) -> None:
    """A run is redacted before it is applied; what of it is parked then never meets any file."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    inbox.erase([asked])
    inbox.park(ParkedBlock("a", block_of(asked), ParkReason.REFUSED, "", WHEN))

    assert full_bytes(asked) not in files_of(path)
    assert 0 == inbox.erase([asked])
    inbox.close()


def test_a_block_that_is_parked_after_an_erasure_verifies(inbox: Inbox) -> None:
    """What is parked in its redacted form is the block, with H(data) for what was erased."""
    asked = REDACTIONS[0]
    inbox.erase([asked])
    inbox.park(ParkedBlock("a", block_of(asked), ParkReason.REFUSED, "", WHEN))

    (parked,) = inbox.parked("a", asked.block_address.strand_id)
    assert RevisionKind.REDACTED in [revision.kind for revision in parked.block.revisions]
    assert verify_block(parked.block).ok


def test_the_proof_stays(inbox: Inbox) -> None:
    """The erased revision has its hash, its metadata and H(data), at its place in the block."""
    inbox.put(EVENTS, 1.0)
    inbox.erase(REDACTIONS)

    for block in BLOCKS:
        where = (block.address.strand_id, block.address.sequence_no)
        expected = [redacted(event) for event in EVENTS if address_of(event) == block.address]
        assert expected == list(inbox.block(*where))


def test_a_late_copy_comes_in_redacted(tmp_path: Path) -> None:
    """A full copy that comes after the erasure is never written to any file."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    assert 0 == inbox.erase(REDACTIONS)
    inbox.put(EVENTS, 1.0)

    assert [] == [asked for asked in REDACTIONS if full_bytes(asked) in files_of(path)]
    assert 0 == inbox.put(EVENTS, 2.0)
    inbox.close()


def test_a_redacted_copy_makes_no_second_record(inbox: Inbox) -> None:
    """Where the redacted form that erasing leaves is stored already, the full one just goes."""
    full = [e for e in EVENTS if e != redacted(e)]
    left = [redacted(e) for e in full]
    inbox.put([*full, *left], 1.0)
    assert len(full) == inbox.erase(REDACTIONS)

    (strand, *_) = inbox.status().strands
    assert len(full) == sum(s.records for s in inbox.status().strands)
    assert strand.record_bytes == sum(
        len(to_record(e).buf)
        for e in left
        if isinstance(e, RevisionDetails) and address_of(e).strand_id == strand.strand_id
    )


def test_bytes_that_name_the_document_leave_the_quarantine(inbox: Inbox) -> None:
    """An unreadable record that names the document keeps its place, not its bytes."""
    asked = REDACTIONS[0]
    error = CarrierError("kinesis", 0, "cut off")
    noise = [
        Undecodable("shard", n, 30, error, b"\x01" + name.encode())
        for n, name in enumerate([asked.document_id, "another"])
    ]
    inbox.put(noise, 1.0)
    inbox.erase([asked])

    assert [None, noise[1].data] == [found.item.data for found in inbox.quarantined()]


def unsound() -> tuple[RevisionDetails, RedactedRevision]:
    """A revision whose document's bytes are no sound Ion within, and its redaction."""
    source = next(e for e in EVENTS if isinstance(e, RevisionDetails) and e.revision.data_ion)
    raw = bytearray(to_record(attrs.evolve(source, revision=with_text(source.revision))).buf)
    at = raw.index(b"to be broken")
    raw[at] = 0xFF  # no UTF-8
    event = parse_record(bytes(raw))
    assert isinstance(event, RevisionDetails)
    assert event.revision.metadata is not None
    metadata = event.revision.metadata
    return event, RedactedRevision(event.revision.address, "t", metadata.id, metadata.version)


def with_text(revision: Revision) -> Revision:
    """A revision with another document."""
    data: IonSlice = load_slice(dumps({"text": "to be broken"}))
    return attrs.evolve(revision, data_ion=data)


def test_a_document_without_a_hash(inbox: Inbox) -> None:
    """What is no sound Ion has no redacted form: it goes, and the quarantine says so."""
    event, asked = unsound()
    address = event.revision.address
    block = next(b for b in BLOCKS if b.address == address)
    parked = attrs.evolve(block, revisions=(event.revision,))
    inbox.put([event], 1.0)
    inbox.park(ParkedBlock("a", parked, ParkReason.REFUSED, "", WHEN))

    assert 2 == inbox.erase([asked])
    assert () == inbox.block(address.strand_id, address.sequence_no)
    assert [None] == [found.item.data for found in inbox.quarantined()]
    (left,) = inbox.parked("a", address.strand_id)
    assert [RevisionKind.SYSTEM] == [r.kind for r in left.block.revisions]
    assert 0 == inbox.put([event], 2.0)
    assert () == inbox.block(address.strand_id, address.sequence_no)


def test_whoever_reads_all_the_time_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another keeps the log in use the bytes may be there, and it is asked again."""
    monkeypatch.setattr("qldb_stream.inbox._file._BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    inbox.put(EVENTS, 1.0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM record").fetchall()
    with pytest.raises(InboxUnavailableError, match="log in use"):
        inbox.erase(REDACTIONS)
    reader.close()

    assert 0 == inbox.erase(REDACTIONS)
    assert [] == [asked for asked in REDACTIONS if full_bytes(asked) in files_of(path)]
    inbox.close()


def inserts(seed: int) -> Iterator[tuple[RevisionDetails, RedactedRevision, bytes]]:
    """Revisions with documents of many lengths, each with its redaction and its bytes."""
    for record in make_journal(seed, blocks=500, shape=JournalShape(updates=0.0)).iter_records():
        event = parse_record(record)
        if not isinstance(event, RevisionDetails) or event.revision.data_ion is None:
            continue
        data, metadata = event.revision.data_ion, event.revision.metadata
        assert metadata is not None
        asked = RedactedRevision(event.revision.address, "t", metadata.id, metadata.version)
        yield event, asked, data.buf[data.start : data.end]


@pytest.mark.parametrize("seed", range(3))
def test_moved_rows_leave_nothing(seed: int, tmp_path: Path) -> None:
    """Rows that were moved while others were trimmed and erased leave no copy behind."""
    path, random = tmp_path / "a.inbox", Random(seed)
    given = list(inserts(seed))
    inbox = SqliteInbox(path)
    order = random.sample(given, len(given))
    for n in range(0, len(order), 50):
        inbox.put([event for event, _, _ in order[n : n + 50]], 1.0)
    strand_id = given[0][0].revision.address.strand_id
    chosen = random.sample(given, 120)
    for n in range(0, len(chosen), 10):
        inbox.store_position("a", Position(strand_id, n, bytes(32)), 1)
        inbox.trim(strand_id)
        inbox.erase([asked for _, asked, _ in chosen[n : n + 10]])
    left = files_of(path)

    assert [] == [n for n, (_, _, data) in enumerate(chosen) if data in left]
    assert BlockAddress(strand_id, 0) < given[0][1].block_address
    inbox.close()
