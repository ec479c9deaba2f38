"""
Find what was changed in a block's summary: its transaction, its redactions, its own hashes.

The hashes of a block hold each other: each is made of others, so that one that was altered is
the one with which all fit again. Tried are the values that it must have by the others, and each
bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.hashing import DIGEST_BYTES, dot, merkle_root
from qldb_stream.report import Diagnosis, Evidence, FieldChange, ProblemCode
from qldb_stream.verification.diagnosis._search import search

if TYPE_CHECKING:
    from qldb_stream.events import BlockSummary, RedactionInfo, TransactionInfo
    from qldb_stream.verification.diagnosis._search import Effort

__all__ = ["diagnose_summary"]

_EFFORT: Final = 1 << 22  # bytes that are hashed; a statement's text has many bits
_MAX_ENTRIES: Final = 16  # there are four (facts 2.5)
_BITS: Final = 8 * DIGEST_BYTES
_TRY_BYTES: Final = 256

_BIT: Final = "another hash, by one bit"
_BY_OTHERS: Final = "the one that the block's other hashes make"


def diagnose_summary(code: ProblemCode, summary: BlockSummary, effort: Effort) -> Diagnosis | None:
    """
    Find out what was changed in a summary.

    Args:
        code: which of its checks failed.
        summary: of the block.
        effort: what may be spent on this and all other failures.

    Returns:
        The change with which it fits; None when none was found within the bound.
    """
    if effort.left <= 0:
        effort.stops += 1
        return None
    own = effort.part(_EFFORT)
    changes: Sequence[FieldChange] = ()
    if code is ProblemCode.TRANSACTION_INFO:
        changes = _in_info(summary.transaction_info, "transactionInfo", summary, own)
    elif code is ProblemCode.REDACTION_INFO:
        changes = _in_info(summary.redaction_info, "redactionInfo", summary, own)
    elif code is ProblemCode.ENTRIES_HASH:
        changes = _first(_iter_entries(summary), own)
    elif code is ProblemCode.BLOCK_HASH:
        changes = _first(_iter_block(summary), own)
    effort.give_back(own)
    evidence = Evidence.LEAF_HASH if code in _BY_MEMBERS else Evidence.BLOCK_HASHES
    return Diagnosis(evidence, tuple(changes)) if changes else None


_BY_MEMBERS: Final = frozenset((ProblemCode.TRANSACTION_INFO, ProblemCode.REDACTION_INFO))


def _in_info(
    info: TransactionInfo | RedactionInfo | None, part: str, summary: BlockSummary, effort: Effort
) -> Sequence[FieldChange]:
    if info is None:
        return ()
    members = frozenset(summary.entries_hash_list)
    found = search(info.ion, members.__contains__, effort, one_only=True)
    return () if found is None else found.told(part)


# --- hashes --------------------------------------------------------------------------------

_Try = tuple[FieldChange, Callable[[], bool]]


def _first(tries: Iterator[_Try], effort: Effort) -> Sequence[FieldChange]:
    """Give the first change with which the hashes fit."""
    for change, fits in tries:
        try:
            if fits():
                return (change,)
        except UsageError:  # another hash is no digest
            return ()
        if not effort.spend(_TRY_BYTES):
            effort.stops += 1
            return ()
    return ()


def _iter_entries(summary: BlockSummary) -> Iterator[_Try]:
    """Iterate over what may be wrong when the root over the entries is not entriesHash."""
    members, stated, previous = (
        summary.entries_hash_list,
        summary.entries_hash,
        summary.previous_block_hash,
    )
    if not 0 < len(members) <= _MAX_ENTRIES:
        return
    change = FieldChange("entriesHash", "OTHER_HASH", _BY_OTHERS)
    yield change, lambda: dot(merkle_root(members), previous) == summary.block_hash
    for at, member in enumerate(members):
        path = f"entriesHashList[{at}]"
        for other in _parts(summary):
            change = FieldChange(path, "OTHER_HASH", _BY_OTHERS)
            yield change, _root_with(members, at, other, stated)
        for other in _flipped(member):
            yield FieldChange(path, "ONE_BIT", _BIT), _root_with(members, at, other, stated)


def _iter_block(summary: BlockSummary) -> Iterator[_Try]:
    """Iterate over what may be wrong when entriesHash and previousBlockHash make another hash."""
    entries, previous, stated = (
        summary.entries_hash,
        summary.previous_block_hash,
        summary.block_hash,
    )
    change = FieldChange("blockHash", "ONE_BIT", _BIT)
    yield change, lambda: dot(entries, previous) in set(_flipped(stated))
    for other in _flipped(previous):
        change = FieldChange("previousBlockHash", "ONE_BIT", _BIT)
        yield change, _joined(entries, other, stated)


def _root_with(
    members: Sequence[bytes], at: int, other: bytes, stated: bytes
) -> Callable[[], bool]:
    return lambda: merkle_root([*members[:at], other, *members[at + 1 :]]) == stated


def _joined(entries: bytes, previous: bytes, stated: bytes) -> Callable[[], bool]:
    return lambda: dot(entries, previous) == stated


def _parts(summary: BlockSummary) -> Iterator[bytes]:
    """Iterate over the hashes of the block's parts, which its entries are made of."""
    try:
        if summary.revision_summaries:
            yield merkle_root([leaf.hash for leaf in summary.revision_summaries])
        for info in (summary.transaction_info, summary.redaction_info):
            if info is not None:
                yield info.ion.hash()
    except (DecodeError, UsageError):
        return


def _flipped(digest: bytes) -> Iterator[bytes]:
    """Iterate over a digest with each one bit otherwise."""
    if len(digest) == DIGEST_BYTES:
        number = int.from_bytes(digest, "big")
        for bit in range(_BITS):
            yield (number ^ 1 << bit).to_bytes(DIGEST_BYTES, "big")
