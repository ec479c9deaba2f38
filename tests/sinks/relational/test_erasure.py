"""Redactions: the content is gone from rows and files, the proof stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from qldb_stream.events import RevisionKind
from qldb_stream.sinks.sqlite._database import SqliteDatabase
from qldb_stream.testing import make_journal
from tests.sinks.relational.databases import Place
from tests.sinks.relational.support import EVERYTHING, apply_all, opened, position_at

JOURNAL = make_journal(9, blocks=150, shape=EVERYTHING)
BLOCKS = list(JOURNAL)
STRAND = JOURNAL.strand_id
(FIRST_REDACTION, *_) = [n for n, block in enumerate(BLOCKS) if block.summary.redaction_info]


def redacted_remarks() -> list[bytes]:
    """Give long texts that only redacted revisions have."""
    kept = [r.data for block in JOURNAL.with_erased() for r in block.revisions if r.data_ion]
    gone = {
        key
        for block in JOURNAL.with_erased()
        for r in block.revisions
        if r.kind is RevisionKind.REDACTED
        for key in [(block.address.sequence_no, r.document_id)]
    }
    remarks = [
        r.data["remark"]
        for block in BLOCKS
        for r in block.revisions
        if (block.address.sequence_no, r.document_id) in gone
    ]
    others = "\n".join(str(data.get("remark")) for data in kept)
    return [remark.encode() for remark in remarks if len(remark) > 12 and remark not in others]


def test_redacted_content_is_gone_from_the_files(place: Place) -> None:
    """Searching every byte of the database finds nothing of a redacted document."""
    remarks = redacted_remarks()
    assert remarks
    url = f"{place.url}&vacuum=full" if place.is_postgres else place.url
    with opened(url) as sink:
        for block in BLOCKS:
            sink.apply([block], position_at(block), 1)
        assert () == sink.summary().redactions_pending
        assert [] == [remark for remark in remarks if place.bytes_anywhere(remark)]
        hashes = {r.data_ion.hash() for b in BLOCKS for r in b.revisions if r.data_ion}
        redacted = [r for r in sink.history(STRAND, 0, 2**62) if r.kind is RevisionKind.REDACTED]
    assert redacted
    assert all(revision.data is None for revision in redacted)
    assert {revision.data_hash for revision in redacted} <= hashes


def test_erasing_copies_of_applied_blocks(place: Place) -> None:
    """Copies that come redacted later erase, keep both hashes, and may come again."""
    whole = BLOCKS[:FIRST_REDACTION]
    copies = list(JOURNAL.with_erased())[:FIRST_REDACTION]
    with opened(place.url) as sink:
        apply_all(sink, whole)
        for _ in range(2):
            sink.erase(copies, 1)
            assert list(sink.expect(copies)) == list(sink.history(STRAND, 0, 2**62))


def test_a_parked_block_that_was_redacted_since_comes_without_its_data(place: Place) -> None:
    """A block that is applied after its redaction never writes what was redacted."""
    (redacted,) = BLOCKS[FIRST_REDACTION].summary.redaction_info.revisions  # type: ignore[union-attr]  # it has one
    number = redacted.block_address.sequence_no
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS[:number])
        rest = BLOCKS[number + 1 :]
        parked = position_at(rest[-1])
        position = type(parked)(
            STRAND, parked.sequence_no, parked.block_hash, frozenset({number}), (), 0
        )
        sink.apply(rest, position, 1)
        sink.apply([BLOCKS[number]], parked, 1)
        found = [r for r in sink.history(STRAND, number, number) if r.kind is RevisionKind.REDACTED]
    assert [redacted.document_id] == [revision.document_id for revision in found]


def test_history_is_append_only(place: Place) -> None:
    """Who changes or deletes a row of a history is refused by the database."""
    with opened(place.url) as sink:
        apply_all(sink, BLOCKS)
    statements = ["UPDATE orders_history SET number = 'x'", "DELETE FROM orders_history"]
    for statement in statements + ["TRUNCATE orders_history"] * place.is_postgres:
        with pytest.raises(Exception, match="append-only"):
            place.query(statement)


class KilledError(BaseException):
    """The process dies here."""


def test_a_redaction_is_scrubbed_after_a_crash(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens the database after a crash between commit and scrub makes up for it."""
    remarks = redacted_remarks()
    url = f"{place.url}&vacuum=full" if place.is_postgres else place.url
    with opened(url) as sink:
        apply_all(sink, BLOCKS[:FIRST_REDACTION])
        database = type(sink._db)  # noqa: SLF001 - where it dies
        with monkeypatch.context() as patched:
            patched.setattr(database, "scrub", die)
            with pytest.raises(KilledError):
                apply_all(sink, BLOCKS[FIRST_REDACTION:], run=1)
        reached = sink.position(STRAND)
        assert reached is not None
        with monkeypatch.context() as patched:
            patched.setattr(database, "scrub", never)
            with opened(url) as other:
                redacted = (STRAND, reached.sequence_no)
                assert (redacted,) == other.summary().redactions_pending
    with opened(url) as sink:
        assert () == sink.summary().redactions_pending
        apply_all(sink, BLOCKS[reached.sequence_no + 1 :])
        assert [] == [remark for remark in remarks if place.bytes_anywhere(remark)]
    notes = f"SELECT count(*) FROM {place.own('setting')} WHERE name LIKE 'unscrubbed%'"
    assert [(0,)] == place.query(notes)


def die(_database: object, _tables: object) -> bool:
    """Die before anything is scrubbed."""
    raise KilledError


def never(_database: object, _tables: object) -> bool:
    """Fail to scrub, as while somebody reads."""
    return False


def test_a_pending_redaction_is_pending_when_it_is_opened_anew(tmp_path: Path) -> None:
    """While somebody reads an old state of a file, every opening says so; then it is done."""
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as reader:
        with opened(f"sqlite:{path}") as sink:
            apply_all(sink, BLOCKS[:FIRST_REDACTION])
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM qldb_stream_block").fetchall()
            apply_all(sink, BLOCKS[FIRST_REDACTION:], run=1)
            pending = sink.summary().redactions_pending
        assert (STRAND, FIRST_REDACTION) == pending[0]
        assert sorted(set(pending)) == list(pending)
        with opened(f"sqlite:{path}") as sink:
            assert pending == sink.summary().redactions_pending
    with opened(f"sqlite:{path}") as sink:
        assert () == sink.summary().redactions_pending


def test_a_reader_of_an_old_state_makes_a_redaction_pending(tmp_path: Path) -> None:
    """What SQLite's log still has while somebody reads is said, and gone when they stop."""
    path = tmp_path / "x.db"
    with opened(f"sqlite:{path}") as sink:
        apply_all(sink, BLOCKS[:FIRST_REDACTION])
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM qldb_stream_block").fetchall()
            apply_all(sink, BLOCKS[FIRST_REDACTION : FIRST_REDACTION + 1])
            assert ((STRAND, FIRST_REDACTION),) == sink.summary().redactions_pending
        later = next(
            n for n, b in enumerate(BLOCKS) if b.summary.redaction_info and n > FIRST_REDACTION
        )
        apply_all(sink, BLOCKS[FIRST_REDACTION + 1 : later + 1])
        assert () == sink.summary().redactions_pending


def test_a_scrub_that_fails_leaves_the_patience_of_the_connection(tmp_path: Path) -> None:
    """While a query of its own is read nothing is cut; writers are waited for as before."""
    database = SqliteDatabase(str(tmp_path / "x.db"), prefix="", timeout_s=30)
    with closing(database):
        database.execute("CREATE TABLE t (a)")
        database.execute("INSERT INTO t VALUES (1), (2)")
        rows = database.stream("SELECT a FROM t", ())
        next(rows)
        assert not database.scrub(())
        assert [(30_000,)] == database.execute("PRAGMA busy_timeout")
        list(rows)
        assert database.scrub(())
