"""
How each hash of a journal comes about: the formulas of qldb-facts 1.4, 2.5 and 2.6.

Assembly asks whether the hashes of a copy are its own, verification which of them is not,
and why; both ask here, so that no rule exists twice. Bytes that cannot be read are an
answer and no exception, because both must be able to speak about damaged records.

Three parts of a block have their hash in entriesHashList, and no position is known: each
must be a member of its own. One member for two parts would let one part pass as another.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.events import BlockSummary, RedactionInfo, Revision, TransactionInfo
from qldb_stream.hashing import DIGEST_BYTES, dot, merkle_root
from qldb_stream.report import DeleteRule

__all__ = [
    "Fit",
    "RevisionFault",
    "SummaryFits",
    "fit_summary",
    "hash_data",
    "hash_revision_parts",
    "maybe_delete_rule",
    "revision_recomputes",
    "summary_recomputes",
    "without_data",
]

# What stands for the data that a delete has not: nothing, or the SHA-256 of the Ion Hash
# forms of null and of null.struct (facts 1.4, 2.4).
_DELETED_DATA: Final[Mapping[DeleteRule, bytes]] = MappingProxyType(
    {
        DeleteRule.METADATA_ONLY: b"",
        DeleteRule.NULL_DATA: sha256(b"\x0b\x0f\x0e").digest(),
        DeleteRule.NULL_STRUCT_DATA: sha256(b"\x0b\xdf\x0e").digest(),
    }
)


# --- revisions -----------------------------------------------------------------------------


def hash_data(revision: Revision) -> bytes | None:
    """
    Give H(data) of a revision's document as its source wrote it.

    It is computed where the document is here as it was; of one that is redacted, withheld or
    masked it is what came with the revision, if anything did.

    Raises:
        IonDecodeError: the document's bytes are not sound, so that it has no hash.
    """
    if revision.data_ion is None or revision.masked:
        return revision.data_hash
    return revision.data_ion.hash()


def without_data(revision: Revision) -> Revision:
    """
    Give a revision as a redaction leaves it: `dataHash` for the document (facts 2.6).

    Raises:
        IonDecodeError: as `hash_data`.
    """
    if revision.data_ion is None:
        return revision
    # A hash it must have: without one it would be a delete.
    data_hash = hash_data(revision) or revision.data_ion.hash()
    return attrs.evolve(revision, data_ion=None, data_hash=data_hash)


class RevisionFault(enum.Enum):
    """Why the two parts of a revision's hash cannot be joined; the value is the field."""

    NO_METADATA = "hash"
    METADATA_UNREADABLE = "metadata"
    DATA_UNREADABLE = "data"
    OTHER_DATA_HASH = "dataHash of other data"
    NO_DATA_HASH = "dataHash"


def hash_revision_parts(revision: Revision) -> tuple[bytes, bytes | None] | RevisionFault:
    """
    Hash what a revision's hash is made of.

    Returns:
        H(metadata), and H(data) or what a redaction left of it; None for a delete's. Their
        `dot` is the revision's hash. Or why there is no such pair: dataHash is beside
        data that it is not the hash of, or no digest.
    """
    if revision.metadata is None:
        return RevisionFault.NO_METADATA
    try:
        metadata_hash = revision.metadata.ion.hash()
    except DecodeError:
        return RevisionFault.METADATA_UNREADABLE
    data_hash = revision.data_hash
    if revision.data_ion is not None:
        try:
            data_hash = revision.data_ion.hash()
        except DecodeError:
            return RevisionFault.DATA_UNREADABLE
        if revision.data_hash is not None and revision.data_hash != data_hash:
            return RevisionFault.OTHER_DATA_HASH
    if data_hash is not None and len(data_hash) != DIGEST_BYTES:
        return RevisionFault.NO_DATA_HASH
    return metadata_hash, data_hash


def maybe_delete_rule(metadata_hash: bytes, revision_hash: bytes) -> DeleteRule | None:
    """Find the rule by which a delete has its hash; None when none fits (facts 1.4)."""
    for rule, data_hash in _DELETED_DATA.items():
        if dot(metadata_hash, data_hash) == revision_hash:
            return rule
    return None


def revision_recomputes(revision: Revision) -> bool:
    """Say whether a revision's hash is that of its own metadata and data."""
    parts = hash_revision_parts(revision)
    if isinstance(parts, RevisionFault):
        return False
    metadata_hash, data_hash = parts
    if data_hash is None:
        return maybe_delete_rule(metadata_hash, revision.hash) is not None
    return dot(metadata_hash, data_hash) == revision.hash


# --- blocks --------------------------------------------------------------------------------


class Fit(enum.Enum):
    """
    How a part of a block stands to the hash that should be its own.

    SHARED: its member of entriesHashList is another part's already. UNREADABLE: its bytes
    cannot be hashed; of entriesHashList, that it is empty or holds what is no digest.
    """

    FITS = "fits"
    WRONG = "wrong"
    SHARED = "shared"
    UNREADABLE = "unreadable"


@attrs.frozen
class SummaryFits:
    """How each part of a summary fits; None for one that it does not have."""

    revisions_root: Fit | None
    transaction_info: Fit | None
    redaction_info: Fit | None
    entries_hash: Fit
    block_hash: Fit

    @property
    def all_fit(self) -> bool:
        """Say whether every part that is there fits."""
        parts = (self.revisions_root, self.transaction_info, self.redaction_info)
        return (
            self.entries_hash is Fit.FITS
            and self.block_hash is Fit.FITS
            and all(part is None or part is Fit.FITS for part in parts)
        )


def fit_summary(summary: BlockSummary, leaves: Sequence[bytes]) -> SummaryFits:
    """
    Compare the hashes of a block's parts with those that the block states.

    Args:
        summary: of the block.
        leaves: the hashes of its revisions, in order; none for a block without.
    """
    members = summary.entries_hash_list
    taken: list[bytes] = []
    root = None if not leaves else _fit_member(_maybe_root(leaves), members, taken)
    transaction = _fit_info(summary.transaction_info, members, taken)
    redaction = _fit_info(summary.redaction_info, members, taken)
    return SummaryFits(root, transaction, redaction, _fit_entries(summary), _fit_block(summary))


def summary_recomputes(summary: BlockSummary) -> bool:
    """Say whether a summary's hashes are those of its own parts."""
    return fit_summary(summary, [leaf.hash for leaf in summary.revision_summaries]).all_fit


def _fit_info(
    info: TransactionInfo | RedactionInfo | None, members: Sequence[bytes], taken: list[bytes]
) -> Fit | None:
    if info is None:
        return None
    try:
        part = info.ion.hash()
    except DecodeError:
        return Fit.UNREADABLE
    return _fit_member(part, members, taken)


def _fit_member(part: bytes | None, members: Sequence[bytes], taken: list[bytes]) -> Fit:
    if part is None or part not in members:
        return Fit.WRONG
    if part in taken:
        return Fit.SHARED
    taken.append(part)
    return Fit.FITS


def _fit_entries(summary: BlockSummary) -> Fit:
    root = _maybe_root(summary.entries_hash_list)
    if not root:
        return Fit.UNREADABLE
    return Fit.FITS if root == summary.entries_hash else Fit.WRONG


def _fit_block(summary: BlockSummary) -> Fit:
    # An empty entriesHash would let blockHash be the predecessor's: dot's neutral element.
    if len(summary.entries_hash) != DIGEST_BYTES:
        return Fit.WRONG
    try:
        joined = dot(summary.entries_hash, summary.previous_block_hash)
    except UsageError:
        return Fit.WRONG
    return Fit.FITS if joined == summary.block_hash else Fit.WRONG


def _maybe_root(leaves: Sequence[bytes]) -> bytes | None:
    try:
        return merkle_root(leaves)
    except UsageError:
        return None
