"""
A revision found by the index of an archive, in O(log n) of its blocks.

The index says where to read and gives hashes of other blocks; the block itself is read from the
archive's bytes and verified, and the path must lead to the digest. So a wrong index makes no
proof, and where it makes none the pass over the archive says why.
"""

from __future__ import annotations

import attrs

from qldb_stream.archive.evidence._given import found_at
from qldb_stream.archive.evidence._search import FoundRevision
from qldb_stream.archive.history import Archive
from qldb_stream.errors import ProofRefusedError, UsageError
from qldb_stream.parsers.digest import SavedDigest

__all__ = ["maybe_find_by_index"]


def maybe_find_by_index(
    archive: Archive, document_id: str, saved: SavedDigest, *, version: int | None = None
) -> FoundRevision | None:
    """
    Find a document's revision and its path to a saved digest by an index.

    Args:
        archive: open; its index was built now or earlier.
        document_id: 22 characters.
        saved: a digest with its tip.
        version: of the document; None takes the last one that the digest covers, as far as the
            index knows.

    Returns:
        What `find_revision` gives, with counts that rest on the index; None when that leads to
        no proof: ask `find_revision`, which tells why, or finds what the index hid.

    Raises:
        SourceError: the archive cannot be read.
    """
    try:
        proof = archive.proof(document_id, version, saved)
        if proof.block.in_conflict:
            return None
        found = found_at(proof.block.checked, proof.entry.revision, proof.block_path, saved)
    except (UsageError, ProofRefusedError):
        return None
    return attrs.evolve(found, counted=archive.built.as_json())
