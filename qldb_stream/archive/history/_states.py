"""
From the checks of one block to the state of each of its revisions.

A check that names a document is that revision's; one that names none is the block's, but for
CHAIN, which is the link to the block before. So a damaged neighbour in the same block fails
itself and leaves a sound revision sound: its hash is a leaf of the block's tree all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from qldb_stream.archive.history._values import HistoryEntry, RevisionState, worst
from qldb_stream.errors import DecodeError
from qldb_stream.events import Revision, RevisionKind, TableInfo
from qldb_stream.pipeline import CheckedBlock
from qldb_stream.report import Check, Outcome, ProblemCode

__all__ = ["UNASKED", "entries_of", "table_of"]

UNASKED: Final = (
    "redacted without a request among the blocks at hand: only the hash of the document is there"
)
_OWN: Final = ProblemCode.REVISION_HASH
_TWO: Final = "the archive has two different blocks at this address"


def entries_of(
    checked: CheckedBlock, *, in_conflict: bool, asked: Iterable[tuple[str, int]] = ()
) -> Iterator[HistoryEntry]:
    """
    Give the revisions of a block that documents have, in the block's order.

    Args:
        checked: the block, with every check on it.
        in_conflict: whether another block claims its address.
        asked: document id and version of revisions whose redaction a verified block asked for.
    """
    by_document: dict[str | None, list[Check]] = {}
    for check in checked.verification.checks:
        by_document.setdefault(check.document_id, []).append(check)
    # What a hash-only revision of the system hashes is nobody's business but its own: it is a
    # leaf of the block's tree, and the tree is checked.
    shared = [check for check in by_document.get(None, ()) if check.name is not _OWN]
    chain = [check for check in shared if check.name is ProblemCode.CHAIN]
    block = [check for check in shared if check.name is not ProblemCode.CHAIN]
    said = set(asked)
    states: dict[tuple[str, bool], RevisionState] = {}  # a document may have many revisions
    for revision in checked.block.revisions:
        metadata = revision.metadata
        if metadata is None:
            continue
        unasked = (
            revision.kind is RevisionKind.REDACTED and (metadata.id, metadata.version) not in said
        )
        state = states.get((metadata.id, unasked))
        if state is None:
            own = by_document.get(metadata.id, [])
            state = _state(own, block, chain, in_conflict=in_conflict, unasked=unasked)
            states[metadata.id, unasked] = state
        table = table_of(checked, revision)
        yield HistoryEntry(revision, checked.block.summary, state, table)


def table_of(checked: CheckedBlock, revision: Revision) -> TableInfo | None:
    """Give the table of a revision: its record's, else what transactionInfo says."""
    if revision.table is not None:
        return revision.table
    info = checked.block.summary.transaction_info
    try:
        found = None if info is None else info.documents.get(revision.document_id or "")
    except DecodeError:  # TRANSACTION_INFO has failed then
        return None
    return None if found is None else found.table


def _state(
    own: list[Check], block: list[Check], chain: list[Check], *, in_conflict: bool, unasked: bool
) -> RevisionState:
    wrong = [check.detail for check in (*own, *block, *chain) if not _is_fine(check)]
    of_revision, of_block = _outcomes(own), _outcomes(block)
    if unasked:
        of_revision.append(Outcome.NOT_CHECKABLE)
        wrong.append(UNASKED)
    if in_conflict:
        of_block.append(Outcome.FAILED)
        wrong.append(_TWO)
    return RevisionState(
        worst(of_revision), worst(of_block), worst(_outcomes(chain)), tuple(dict.fromkeys(wrong))
    )


def _outcomes(checks: list[Check]) -> list[Outcome]:
    """Give how checks ended; where none was made nothing is proven."""
    return [check.outcome for check in checks] or [Outcome.NOT_CHECKABLE]


def _is_fine(check: Check) -> bool:
    return check.outcome is Outcome.VERIFIED
