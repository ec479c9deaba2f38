"""
Find what was changed in a revision whose hash does not fit.

Strategy: first what the block says a second time. Its list of hashes tells that the revision's
own hash was altered, its statement's digest that the document is genuine (facts 2.3). Then the
metadata, which has four fields and little that they can have been; then the document.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

import attrs

from qldb_stream.formulas import (
    RevisionFault,
    hash_revision_parts,
    maybe_delete_rule,
    revision_recomputes,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import timestamp_ms
from qldb_stream.report import Diagnosis, Evidence, FieldChange
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._rivals import Rivals
from qldb_stream.verification.diagnosis._search import Effort, search, search_edited

if TYPE_CHECKING:
    from qldb_stream.events import Revision
    from qldb_stream.ion import HashNode, IonSlice
    from qldb_stream.verification._evidence import BlockEvidence

__all__ = ["REBUILD_EFFORT", "Rebuilt", "diagnose_revision", "rebuild_revision"]

# In bytes that are hashed; a million of them take some 50 ms.
_REVISION_EFFORT: Final = 3 << 23
REBUILD_EFFORT: Final = 1 << 19
"""For each revision of a JSON export, of which there may be many."""
_EDIT_EFFORT: Final = 1 << 18  # beside it, for a document that was edited as well

_LEAF_BYTES: Final = 64
_MAX_VERSION: Final = 1000
_MAX_DOCUMENTS: Final = 100
_MAX_STATEMENTS: Final = 5  # that changed one document; each has up to a hundred literals
_MAX_TIMES: Final = 300  # milliseconds before a block's time; a commit takes some tens

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REPEATED: Final = "what the block says elsewhere"


def diagnose_revision(
    revision: Revision, evidence: BlockEvidence, effort: Effort
) -> Diagnosis | None:
    """
    Find out what was changed in a revision.

    Args:
        revision: one whose hash does not fit, and that can be read.
        evidence: of its block.
        effort: what may be spent on this and all other failures.

    Returns:
        The changes with which it fits; None when none were found within the bound, or its
        parts cannot be joined at all.
    """
    parts = hash_revision_parts(revision)
    if isinstance(parts, RevisionFault) or revision.metadata is None:
        return None
    if effort.left <= 0:
        effort.stops += 1
        return None
    metadata_hash, data_hash = parts
    if data_hash is not None and _is_hash_to_blame(revision, evidence, parts, effort):
        change = FieldChange("hash", "OTHER_HASH", "the one that its block is made of")
        return Diagnosis(Evidence.LEAF_HASH, (change,))
    target = _Target(revision, evidence)
    own = effort.part(_REVISION_EFFORT)
    found, part = (
        search(
            revision.metadata.ion,
            lambda digest: target.fits(digest, data_hash),
            own,
            known=lambda node: _iter_metadata(node, evidence),
            one_only=True,
        ),
        "metadata",
    )
    if found is None and revision.data_ion is not None:
        statements = evidence.statements_of(revision.document_id)[:_MAX_STATEMENTS]
        literals = [literal for statement in statements for literal in statement.literals]
        rivals = Rivals(revision.rivals, own)
        found, part = (
            search(
                revision.data_ion,
                lambda digest: target.fits(metadata_hash, digest),
                own,
                known=lambda node: chain(rivals.candidates(node), _iter_literals(node, literals)),
            ),
            "data",
        )
    effort.give_back(own)
    return None if found is None else Diagnosis(target.evidence, found.told(part))


@attrs.frozen
class Rebuilt:
    """
    A document of a JSON export as it was hashed.

    Attributes:
        diagnosis: the changes with which it has its hash.
        is_genuine: whether these are types alone, which JSON lost; else the document says
            something else than what was hashed.
        revision: it with the document as it was; None where that cannot be made.
    """

    diagnosis: Diagnosis
    is_genuine: bool
    revision: Revision | None = None


def rebuild_revision(
    revision: Revision, effort: Effort, *, most: int = REBUILD_EFFORT
) -> Rebuilt | None:
    """
    Put back the types that JSON lost, so that a document has its hash.

    Args:
        revision: of a JSON export, with a document that does not fit its hash.
        effort: what may be spent on this and all other documents.
        most: of it, on this one.

    Returns:
        With what it fits; None when that was not found within the bound.
    """
    if revision.data_ion is None:
        return None
    if effort.left <= 0:
        effort.stops += 1
        return None
    parts = hash_revision_parts(revision)
    if isinstance(parts, RevisionFault):
        return None
    metadata_hash = parts[0]

    def fits(digest: bytes) -> bool:
        return dot(metadata_hash, digest) == revision.hash

    own = effort.part(most)
    found = search(revision.data_ion, fits, own, lost_types=True)
    effort.give_back(own)
    if found is None:
        more = effort.part(min(most, _EDIT_EFFORT))
        found = search_edited(revision.data_ion, fits, more)
        effort.give_back(more)
    if found is None:
        return None
    diagnosis = Diagnosis(Evidence.REVISION_HASH, found.told("data"))
    return Rebuilt(diagnosis, found.is_lost_types, _maybe_as_it_was(revision, found.value()))


def _maybe_as_it_was(revision: Revision, data: IonSlice | None) -> Revision | None:
    """Put the document in, if it has the hash: what was tried was hashes alone."""
    if data is None:
        return None
    found = attrs.evolve(revision, data_ion=data)
    return found if revision_recomputes(found) else None


class _Target:
    """The hashes that a revision may have, and which of them it was found to have."""

    def __init__(self, revision: Revision, evidence: BlockEvidence) -> None:
        self._own = revision.hash
        self._leaves = evidence.leaf_hashes(revision.document_id)
        self.evidence = Evidence.REVISION_HASH

    def fits(self, metadata_hash: bytes, data_hash: bytes | None) -> bool:
        if data_hash is None:
            return maybe_delete_rule(metadata_hash, self._own) is not None
        found = dot(metadata_hash, data_hash)
        if found == self._own:
            return True
        if found in self._leaves:
            self.evidence = Evidence.LEAF_HASH
            return True
        return False


def _is_hash_to_blame(
    revision: Revision,
    evidence: BlockEvidence,
    parts: tuple[bytes, bytes | None],
    effort: Effort,
) -> bool:
    metadata_hash, data_hash = parts
    computed = dot(metadata_hash, data_hash or b"")
    if evidence.lists(revision.document_id, computed):
        return True
    leaves = len(evidence.summary.revision_summaries)
    return effort.spend(_LEAF_BYTES * leaves) and evidence.root_fits(revision.hash, computed)


# --- what else a value may have been -------------------------------------------------------


def _iter_literals(node: HashNode, literals: list[IonSlice]) -> Iterator[Candidate]:
    if not node.children:
        for literal in literals:
            yield Candidate.of(node, "STATEMENT", "what a literal of its statement says", literal)


def _iter_metadata(node: HashNode, evidence: BlockEvidence) -> Iterator[Candidate]:
    """Iterate over what the block says of a field of the metadata, and what is next to it."""
    summary = evidence.summary
    if node.name == "txId":
        yield Candidate.of(node, "REPEATED", _REPEATED, summary.transaction_id)
    elif node.name == "id":
        for document_id in evidence.document_ids[:_MAX_DOCUMENTS]:
            yield Candidate.of(node, "REPEATED", _REPEATED, document_id)
    elif node.name == "version":
        for version in range(_MAX_VERSION):
            yield Candidate.of(node, "OTHER_VERSION", "another version", version)
    elif node.name == "txTime":
        ms = (summary.block_timestamp - _EPOCH) // timedelta(milliseconds=1)
        for earlier in range(min(_MAX_TIMES, ms)):
            yield Candidate.of(node, "OTHER_TIME", "another time", timestamp_ms(ms - earlier))
