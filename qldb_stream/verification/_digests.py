"""
Compare digests that were saved earlier with the journal at hand, and say why where that fails.

A digest is the root over all block hashes from block 0 to its tip (facts 2.7), so the verifier
keeps the root when it passes a tip. What is not confirmed was not: each reason has a state of
its own, because what to do about it differs.

Where it cannot be recomputed, proofs may lead to it all the same: GetBlock gave one with a block
(facts 2.7). A proven block proves those that are linked before it; so a digest is good when
each piece of the strand that is here, as far as the tip, ends with a block that is proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import attrs

from qldb_stream.report import DigestCheck, DigestState, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qldb_stream.events import BlockAddress
    from qldb_stream.report import StrandReport
    from qldb_stream.verification._chain import ChainVerifier

__all__ = ["Proof", "Saved", "check_digests", "keep_digests"]

_SETTLED: Final = frozenset((DigestState.CONFIRMED, DigestState.DIFFERS))


class Saved(Protocol):
    """A digest, 32 bytes, and the block up to which it reaches; None where nothing says so."""

    @property
    def digest(self) -> bytes:
        """Give the digest."""

    @property
    def tip(self) -> BlockAddress | None:
        """Give the last block that it covers."""


class Proof(Protocol):
    """A block that was given with a proof; whether the block is as it was is seen elsewhere."""

    @property
    def address(self) -> BlockAddress:
        """Give the block's address."""

    def leads_to(self, saved: Saved) -> bool:
        """Say whether the proof leads from the block's own hash to a digest."""


def keep_digests(verifier: ChainVerifier, saved: Sequence[Saved]) -> None:
    """Have a verifier keep what `check_digests` compares with; before any block is fed."""
    for one in saved:
        if one.tip is not None:
            verifier.keep_digest(one.tip)


def check_digests(
    verifier: ChainVerifier, saved: Sequence[Saved], proofs: Sequence[Proof] = ()
) -> Iterator[DigestCheck]:
    """
    Compare saved digests with what a verifier has seen, once it has seen all.

    Args:
        verifier: what `keep_digests` prepared.
        saved: the digests.
        proofs: of blocks that the verifier has seen, too.

    Yields:
        One for each digest, in order.
    """
    strands = {strand.strand_id: strand for strand in verifier.strands()}
    vain = [one for one in proofs if not any(one.leads_to(digest) for digest in saved)]
    for one in saved:
        if one.tip is None:
            found = _check_without_tip(one.digest, strands.values())
        else:
            state = _state_at(verifier, strands.get(one.tip.strand_id), one.digest, one.tip)
            found = DigestCheck(state, one.digest, one.tip.strand_id, one.tip.sequence_no)
        if proofs and found.state not in _SETTLED:
            found = _with_proofs(found, [p for p in proofs if p.leads_to(one)], vain, strands)
        yield found


def _with_proofs(
    found: DigestCheck,
    proofs: Sequence[Proof],
    vain: Sequence[Proof],
    strands: Mapping[str, StrandReport],
) -> DigestCheck:
    """Add what proofs say that lead to a digest, and those that lead to none."""
    refuting = [one for one in vain if found.strand_id in (None, one.address.strand_id)]
    if refuting:
        return attrs.evolve(found, state=DigestState.PROOF_DIFFERS, proof_blocks=_numbers(refuting))
    if not proofs:
        return found
    # Of a digest without tip two strands' blocks cannot both lead to it.
    strand_id = proofs[0].address.strand_id
    found = attrs.evolve(found, strand_id=strand_id, proof_blocks=_numbers(proofs))
    strand = strands.get(strand_id)
    if strand is None or not _are_proven(strand, found.proof_blocks, found.sequence_no):
        return found
    return attrs.evolve(found, state=DigestState.PROOF_HOLDS)


def _numbers(proofs: Iterable[Proof]) -> tuple[int, ...]:
    return tuple(sorted({one.address.sequence_no for one in proofs}))


def _are_proven(strand: StrandReport, proven: Sequence[int], tip: int | None) -> bool:
    """Say whether each piece of a strand, as far as the tip, ends with a proven block."""
    first = strand.first
    for hole, behind in (*strand.missing, (strand.last + 1, strand.last)):
        last = hole - 1 if tip is None else min(hole - 1, tip)
        if first <= last and last not in proven:
            return False
        first = behind + 1
    return True


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
