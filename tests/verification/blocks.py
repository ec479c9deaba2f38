"""Blocks of one journal, altered, and what verification says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from qldb_stream.events import (
    Block,
    Revision,
    RevisionKind,
    TransactionInfo,
)
from qldb_stream.hashing import dot, merkle_root
from qldb_stream.ion import IonSlice, SymbolTable, to_slice
from qldb_stream.report import DeleteRule, Outcome
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.verification import verify_block

SHAPE = JournalShape(redactions=0.4, system=0.2, empty=0.2, deletes=0.3)
JOURNAL = make_journal(21, blocks=400, shape=SHAPE)
BLOCKS = list(JOURNAL)
WRONG = bytes(range(32))


def first(holds: Callable[[Block], Any]) -> Block:
    """Find the first block of the journal of which something holds."""
    return next(block for block in BLOCKS if holds(block))


def kinds(block: Block) -> list[RevisionKind]:
    """List the kinds of a block's revisions."""
    return [revision.kind for revision in block.revisions]


def written(block: Block) -> bytes:
    """Give the bytes of a block's transactionInfo."""
    info = block.summary.transaction_info
    return b"" if info is None else info.ion.to_bytes()


# A block with one document inserted by a statement of its own, and nothing else.
INSERT = first(lambda b: kinds(b) == [RevisionKind.INSERT])
UPDATE = first(lambda b: kinds(b) == [RevisionKind.UPDATE] and b"d.remark = ?" in written(b))
DELETE = first(lambda b: kinds(b) == [RevisionKind.DELETE])
SYSTEM = first(lambda b: kinds(b) == [RevisionKind.SYSTEM])
SEVERAL = first(lambda b: len(b.revisions) > 2 and RevisionKind.SYSTEM not in kinds(b))
REDACTION = first(lambda b: b.summary.redaction_info)
DDL = BLOCKS[0]
BARE = first(lambda b: b.summary.transaction_info is None and not b.revisions)


def with_summary(block: Block, **changes: Any) -> Block:
    """Give a block with other values in its summary."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, **changes))


def with_revision(block: Block, at: int = 0, **changes: Any) -> Block:
    """Give a block with other values in one revision."""
    revisions = list(block.revisions)
    revisions[at] = attrs.evolve(revisions[at], **changes)
    return attrs.evolve(block, revisions=tuple(revisions))


def with_data(block: Block, data: Any) -> Block:
    """Give a block whose first revision has another document."""
    return with_revision(block, data_ion=to_slice(data))


def with_metadata(block: Block, **changes: Any) -> Block:
    """Give a block whose first revision has other metadata, values and bytes."""
    metadata = block.revisions[0].metadata
    assert metadata is not None
    names = {"id": "id", "version": "version", "tx_id": "txId"}
    written = metadata.ion.decode() | {names[name]: value for name, value in changes.items()}
    ion = to_slice(written)
    return with_revision(block, metadata=attrs.evolve(metadata, ion=ion, **changes))


def failures(
    block: Block, rule: DeleteRule | None = None
) -> set[tuple[str, str | None, str | None]]:
    """Give code, document and field of each failed check."""
    found = verify_block(block, delete_rule=rule)
    assert (not found.problems) is found.ok
    return {(p.code.value, p.document_id, p.field) for p in found.problems}


def outcomes(block: Block, rule: DeleteRule | None = None) -> set[tuple[str, Outcome]]:
    """Give code and outcome of all checks."""
    return {(c.name.value, c.outcome) for c in verify_block(block, delete_rule=rule).checks}


def id_of(block: Block, at: int = 0) -> str | None:
    """Give the document id of a revision."""
    return block.revisions[at].document_id


def garbage() -> IonSlice:
    """Give a slice of bytes that are no Ion: a struct longer than its bytes."""
    return IonSlice(b"\xde\xff\x8a", 0, 3, SymbolTable(()))


def with_statements(block: Block, *texts: str, statements: list[int] | None = None) -> Block:
    """Give a block of one document with other statements, and a hash that fits them."""
    assert block.summary.transaction_info is not None
    written = block.summary.transaction_info.ion.decode()
    like = written["statements"][0]
    written["statements"] = [like | {"statement": text} for text in texts]
    for document in written["documents"].values():
        document["statements"] = list(range(len(texts))) if statements is None else statements
    info = TransactionInfo(to_slice(written))
    entries = (*block.summary.entries_hash_list, info.ion.hash())
    root = merkle_root(entries)
    return with_summary(
        block,
        transaction_info=info,
        entries_hash_list=entries,
        entries_hash=root,
        block_hash=dot(root, block.summary.previous_block_hash),
    )


def split(block: Block) -> Block:
    """A block's first revision as the delete that its metadata are, and as its document's hash."""
    first, *others = block.revisions
    assert first.metadata is not None
    assert first.data_ion is not None
    digest = first.metadata.ion.hash()
    delete = attrs.evolve(first, data_ion=None, hash=digest)
    bare = Revision(first.address, first.data_ion.hash())
    leaf, *leaves = block.summary.revision_summaries
    halves = (attrs.evolve(leaf, hash=digest), attrs.evolve(leaf, hash=bare.hash, document_id=None))
    summary = attrs.evolve(block.summary, revision_summaries=(*halves, *leaves))
    return Block(summary, (delete, bare, *others))
