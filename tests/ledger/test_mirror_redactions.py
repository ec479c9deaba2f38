"""Redactions in a mirror: the older revision's data is gone from its files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import (
    LedgerFileError,
    OccConflictError,
    ReplayRefusedError,
    StatementError,
)
from qldb_stream.events import Block, RedactionInfo, RevisionKind
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger, MirroredBlock
from qldb_stream.ledger._erase import clear_log
from tests.ledger.chains import chain, data_hash, ddl, fill, linked, redaction, written
from tests.ledger.support import ask, memory, run
from tests.replay.blocks import block, digest

CREATED = ddl(0, "CREATE TABLE Things")
OTHER_ID = "9zYxWvUtSrQpOnMlKjIhG8"


@pytest.fixture
def mirror() -> Iterator[Ledger]:
    """An empty ledger in memory, to be mirrored into."""
    with memory() as opened:
        yield opened


SECRET = "correct horse battery staple"


def redacted_chain() -> list[Block]:
    """A document with a secret in its first version, which the last block redacts."""
    return chain(
        ddl(0, "CREATE TABLE Things", "CREATE INDEX ON Things (name)"),
        block(1, written(1, 1, 0, {"name": SECRET})),
        block(2, written(2, 1, 1, {"name": "nobody"})),
        block(3),
        redactions={3: redaction(1, 1, 0)},
    )


def files(path: Path) -> bytes:
    """All bytes of a ledger's files."""
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


def test_a_redaction_erases_the_older_revision(tmp_path: Path) -> None:
    """No byte of it is left in file and log, while the mirror is open and afterwards."""
    path = tmp_path / "mirror.ledger"
    blocks = redacted_chain()
    with Ledger.open(path) as mirror:
        fill(mirror, blocks[:3])
        assert SECRET.encode() in files(path)
        assert MirroredBlock(0, 1) == mirror.mirror(blocks[3])
        assert SECRET.encode() not in files(path)
        found = list(mirror.blocks())[1].revisions[0]
        assert RevisionKind.REDACTED is found.kind
        assert data_hash({"name": SECRET}) == found.data_hash
        assert blocks[1].revisions[0].hash == found.hash
        assert [{"name": "nobody"}] == run(mirror, "SELECT * FROM Things")
    assert SECRET.encode() not in files(path)


def test_a_redaction_in_a_group_and_beside_a_reader(tmp_path: Path) -> None:
    """A reader keeps the log from being cut; the next commit after it does that."""
    path = tmp_path / "mirror.ledger"
    blocks = redacted_chain()
    with Ledger.open(path) as mirror:
        fill(mirror, blocks[:3])
        with Ledger.open(path, read_only=True) as reader:
            transaction = reader.start_transaction()
            assert [{"name": "nobody"}] == ask(transaction, "SELECT * FROM Things")
            fill(mirror, blocks[2:])
            assert SECRET.encode() in files(path)
            transaction.abort()
        mirror.mirror(linked(blocks[3], block(4)))
        assert SECRET.encode() not in files(path)


def test_a_copy_that_shows_the_redaction_erases_too(mirror: Ledger) -> None:
    """A block that comes again, redacted meanwhile, takes its data along; never back."""
    full = redacted_chain()[:3]
    fill(mirror, full)
    gone = attrs.evolve(full[1].revisions[0], data_ion=None, data_hash=data_hash({"name": SECRET}))
    lying = attrs.evolve(gone, data_hash=digest("other"))
    assert mirror.mirror(Block(full[1].summary, (lying,))) is None
    assert full[1].revisions == next(mirror.blocks(1)).revisions
    assert mirror.mirror(Block(full[1].summary, (gone,))) is None
    assert (gone,) == next(mirror.blocks(1)).revisions
    assert mirror.mirror(full[1]) is None
    assert (gone,) == next(mirror.blocks(1)).revisions


def test_a_copy_of_what_is_current_here_waits_for_its_redaction(mirror: Ledger) -> None:
    """While the mirror is behind, nothing current loses its data, nor an index its entry."""
    blocks = redacted_chain()
    fill(mirror, blocks[:2])
    gone = attrs.evolve(
        blocks[1].revisions[0], data_ion=None, data_hash=data_hash({"name": SECRET})
    )
    assert mirror.mirror(Block(blocks[1].summary, (gone,))) is None
    assert blocks[1].revisions == next(mirror.blocks(1)).revisions
    fill(mirror, blocks)
    assert (gone,) == next(mirror.blocks(1)).revisions


def test_a_revision_that_came_redacted_stays_so(mirror: Ledger) -> None:
    """There is nothing to erase, and its block says so."""
    gone = written(1, 1, 0, data_hash=data_hash({"name": SECRET}))
    blocks = chain(
        CREATED,
        block(1, gone),
        block(2, written(2, 1, 1, {"name": "nobody"})),
        block(3),
        redactions={3: redaction(1, 1, 0)},
    )
    fill(mirror, blocks[:3])
    assert MirroredBlock(0, 0) == mirror.mirror(blocks[3])
    assert (gone,) == next(mirror.blocks(1)).revisions


@pytest.mark.parametrize(
    "named",
    [
        redaction(2, 1, 1),
        redaction(1, 1, 5),
        redaction(9, 1, 0),
        redaction(1, 2, 0),
        redaction(1, 1, 0, tableId=OTHER_ID),
        redaction(1, 1, 0, blockAddress={"strandId": OTHER_ID, "sequenceNo": 1}),
    ],
)
def test_a_redaction_of_what_is_not_there_is_refused(mirror: Ledger, named: Any) -> None:
    """The current revision, and one that never was, cannot be redacted (facts 2.6)."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    with pytest.raises(ReplayRefusedError, match="no such revision that is not current"):
        mirror.mirror(linked(blocks[2], block(3), named))


def test_a_log_that_cannot_be_cut_is_no_failure(tmp_path: Path) -> None:
    """Whatever keeps SQLite from it, what was committed stays so; it is tried again later."""
    with Ledger.open(tmp_path / "mirror.ledger") as mirror:
        fill(mirror, redacted_chain())
        store = mirror._journal.store  # noqa: SLF001 - SQLite is brought into the way
        store.connection.execute("BEGIN IMMEDIATE")
        assert not clear_log(store)
        store.connection.execute("ROLLBACK")
        assert clear_log(store)


def test_a_revision_that_is_named_twice_is_erased_once(mirror: Ledger) -> None:
    """One erasure is counted, whatever the block repeats."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    named = redaction(1, 1, 0).revisions[0]
    twice = [
        {
            "blockAddress": {"strandId": named.block_address.strand_id, "sequenceNo": 1},
            "tableId": named.table_id,
            "documentId": named.document_id,
            "version": 0,
        }
    ] * 2
    info = RedactionInfo(to_slice({"revisions": twice}))
    assert MirroredBlock(0, 1) == mirror.mirror(linked(blocks[2], block(3), info))


HISTORY = "SELECT VALUE h.data FROM history(Things) AS h"
GONE = [None, {"name": "nobody"}]


def shown_redacted(full: Block) -> Block:
    """A copy of a block, delivered late, in which its only revision is redacted."""
    revision = full.revisions[0]
    gone = attrs.evolve(revision, data_ion=None, data_hash=data_hash(revision.data))
    return Block(full.summary, (gone,))


def erase_by_block(mirror: Ledger, blocks: list[Block]) -> None:
    """The block that redacts is mirrored."""
    assert mirror.mirror(blocks[3]) == MirroredBlock(0, 1)


def erase_by_copy(mirror: Ledger, blocks: list[Block]) -> None:
    """A late copy shows the redaction."""
    assert mirror.mirror(shown_redacted(blocks[1])) is None


ERASING = pytest.mark.parametrize("erase", [erase_by_block, erase_by_copy])


@ERASING
@pytest.mark.parametrize("where", ["", " WHERE h.metadata.id = '{id}'"])
def test_open_readers_of_history_conflict_with_an_erasure(
    mirror: Ledger, erase: Callable[[Ledger, list[Block]], None], where: str
) -> None:
    """They saw the data, then none; others commit, and so does whoever begins afterwards."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    text = HISTORY + where.format(id=blocks[1].revisions[0].document_id)
    reader, other, late = [mirror.start_transaction() for _ in range(3)]
    assert [{"name": SECRET}, {"name": "nobody"}] == ask(reader, text)
    assert [{"name": "nobody"}] == ask(other, "SELECT * FROM Things")
    erase(mirror, blocks)
    assert GONE == ask(reader, text)
    with pytest.raises(OccConflictError):
        reader.commit()
    other.commit()
    late.abort()
    again = mirror.start_transaction()
    assert GONE == ask(again, text)
    again.commit()


def test_a_reader_that_asks_after_a_late_copy_goes_on(mirror: Ledger) -> None:
    """It never saw the data, though its snapshot is older."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    reader = mirror.start_transaction()
    erase_by_copy(mirror, blocks)
    assert GONE == ask(reader, HISTORY)
    reader.commit()


def test_a_redaction_of_what_a_late_copy_erases_conflicts(mirror: Ledger) -> None:
    """Between the statement and its commit the data went: that is no damage of the file."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    transaction = mirror.start_transaction()
    (table_id,) = run(mirror, "SELECT VALUE tableId FROM information_schema.user_tables")
    address = {"strandId": mirror.strand_id, "sequenceNo": 1}
    arguments = (address, table_id, blocks[1].revisions[0].document_id)
    ask(transaction, "EXEC REDACT_REVISION ?, ?, ?", *arguments)
    erase_by_copy(mirror, blocks)
    with pytest.raises(OccConflictError):
        transaction.commit()
    with pytest.raises(StatementError, match="is redacted already"):
        run(mirror, "EXEC REDACT_REVISION ?, ?, ?", *arguments)


def test_a_reader_beside_a_group_that_erases_and_fails(tmp_path: Path) -> None:
    """It saw no data, and the data came back: it cannot commit."""
    blocks = redacted_chain()
    with Ledger.open(tmp_path / "mirror.ledger") as mirror:
        fill(mirror, blocks[:3])
        with pytest.raises(LedgerFileError), mirror.group_commit():  # noqa: PT012 - one group
            erase_by_copy(mirror, blocks)
            reader = mirror.start_transaction()
            assert GONE == ask(reader, HISTORY)
            connection = mirror._journal.store.connection  # noqa: SLF001 - to make SQLite fail
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
            mirror.mirror(linked(blocks[2], block(3, written(3, 2, 0, {"pad": "x" * 99_999}))))
        with pytest.raises(OccConflictError):
            reader.commit()
        assert [{"name": SECRET}, {"name": "nobody"}] == run(mirror, HISTORY)


def test_damaged_data_is_not_erased(mirror: Ledger) -> None:
    """Its hash would be another one; the document is named, and the block is not stored."""
    blocks = redacted_chain()
    fill(mirror, blocks[:3])
    store = mirror._journal.store  # noqa: SLF001 - to tamper
    store.query("UPDATE revision SET data = x'E00100EAFF' WHERE no = 1")
    with pytest.raises(LedgerFileError, match="document"):
        mirror.mirror(blocks[3])
    assert 3 == mirror.mirrored_blocks
