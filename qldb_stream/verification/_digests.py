"""
Compare digests that were saved earlier with the journal at hand, and say why where that fails.

A digest is the root over all block hashes from block 0 to its tip (facts 2.7), so the verifier
keeps the root when it passes a tip. What is not confirmed was not: each reason has a state of
its own, because what to do about it differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qldb_stream.report import DigestCheck, DigestState, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from qldb_stream.events import BlockAddress
    from qldb_stream.report import StrandReport
    from qldb_stream.verification._chain import ChainVerifier

__all__ = ["Saved", "check_digests", "keep_digests"]


class Saved(Protocol):
    """A digest, 32 bytes, and the block up to which it reaches; None where nothing says so."""

    @property
    def digest(self) -> bytes:
        """Give the digest."""

    @property
    def tip(self) -> BlockAddress | None:
        """Give the last block that it covers."""


def keep_digests(verifier: ChainVerifier, saved: Sequence[Saved]) -> None:
    """Have a verifier keep what `check_digests` compares with; before any block is fed."""
    for one in saved:
        if one.tip is not None:
            verifier.keep_digest(one.tip)


def check_digests(verifier: ChainVerifier, saved: Sequence[Saved]) -> Iterator[DigestCheck]:
    """
    Compare saved digests with what a verifier has seen, once it has seen all.

    Yields:
        One for each, in order.
    """
    strands = {strand.strand_id: strand for strand in verifier.strands()}
    for one in saved:
        if one.tip is None:
            yield _check_without_tip(one.digest, strands.values())
        else:
            state = _state_at(verifier, strands.get(one.tip.strand_id), one.digest, one.tip)
            yield DigestCheck(state, one.digest, one.tip.strand_id, one.tip.sequence_no)


def _state_at(
    verifier: ChainVerifier, strand: StrandReport | None, digest: bytes, tip: BlockAddress
) -> DigestState:
    if strand is None:
        return DigestState.OTHER_STRAND
    if tip.sequence_no > strand.last:
        return DigestState.BEYOND_LAST_BLOCK
    if strand.first > 0:
        return DigestState.STARTS_LATER
    if any(first <= tip.sequence_no for first, _ in strand.missing):
        return DigestState.HOLES
    outcome = verifier.check_digest(strand.strand_id, digest, tip).outcome
    if outcome is Outcome.NOT_CHECKABLE:
        return DigestState.NO_ROOT
    return DigestState.CONFIRMED if outcome is Outcome.VERIFIED else DigestState.DIFFERS


def _check_without_tip(digest: bytes, strands: Iterable[StrandReport]) -> DigestCheck:
    """Look for it at the end of each strand; that it is not there proves nothing."""
    for strand in strands:
        if strand.digest == digest:
            return DigestCheck(DigestState.CONFIRMED, digest, strand.strand_id, strand.last)
    return DigestCheck(DigestState.NO_TIP, digest)
