"""What the tests of evidence share: an archive, its digest, and bundles of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from qldb_stream.archive.evidence import Evidence, FoundRevision, make_evidence
from qldb_stream.events import Block, BlockAddress, Revision, RevisionKind
from qldb_stream.hashing import MerkleFrontier, merkle_proof
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.testing import Journal, JournalShape, make_journal, write_archive

SHAPE = JournalShape(redactions=0.3, system=0.2, erased=True)
JOURNAL = make_journal(11, blocks=40, shape=SHAPE)


def write(journal: Journal, folder: Path) -> Path:
    """Write a journal's records as files of a stream."""
    write_archive(journal.iter_records(), folder)
    return folder


def saved(journal: Journal, tip: int | None = None) -> SavedDigest:
    """The digest of a journal up to a block, the last one unless another is given."""
    tree, last = MerkleFrontier(), -1
    for block in journal:
        last = block.address.sequence_no
        tree.append(block.block_hash)
        if last == tip:
            break
    return SavedDigest(tree.root(), BlockAddress(journal.strand_id, last))


def given(digest: SavedDigest) -> bytes:
    """A digest as people write it."""
    assert digest.tip is not None
    text = base64.b64encode(digest.digest).decode()
    return f"{text}@{digest.tip.strand_id}:{digest.tip.sequence_no}".encode()


def revisions(journal: Journal) -> Iterator[tuple[Block, Revision]]:
    """Every revision of a document, with its block."""
    for block in journal:
        for revision in block.revisions:
            if revision.metadata is not None:
                yield block, revision


def found(journal: Journal, block: Block, revision: Revision) -> FoundRevision:
    """A revision, its block and its path, without a search."""
    digest = saved(journal)
    assert digest.tip is not None
    hashes = [one.block_hash for one in journal]
    path = merkle_proof(hashes, block.address.sequence_no)
    return FoundRevision(block, revision, path, digest.digest, digest.tip)


def one_of(journal: Journal, kind: RevisionKind) -> tuple[Block, Revision]:
    """The last revision of a kind."""
    return [pair for pair in revisions(journal) if pair[1].kind is kind][-1]


@cache
def bundle(kind: RevisionKind = RevisionKind.UPDATE, **options: Any) -> Evidence:
    """A bundle of the last revision of a kind."""
    block, revision = one_of(JOURNAL, kind)
    return make_evidence(found(JOURNAL, block, revision), given(saved(JOURNAL)), **options)
