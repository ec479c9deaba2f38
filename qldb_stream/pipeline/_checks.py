"""What verification is asked for beyond recomputing every hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.report import DigestCheck, Problem, ProblemCode
from qldb_stream.verification import (
    ChainVerifier,
    Efforts,
    Proof,
    Saved,
    check_digests,
    keep_digests,
)

__all__ = ["NO_CHECKS", "Checks", "unconfirmed"]


@attrs.frozen
class Checks:
    """
    What verification does beyond recomputing hashes; by default nothing.

    `diagnose` tries, for a revision that fails, what may have been changed in it; its report
    then holds parts of documents (`FieldChange.value`), and nowhere else. `digests` are
    compared with the journal's own; where they cannot be recomputed, with what `proofs` of blocks
    lead to (`archive.evidence.AnsweredProof` is one).
    """

    diagnose: bool = False
    digests: Sequence[Saved] = ()
    proofs: Sequence[Proof] = ()

    def make_verifier(self) -> ChainVerifier:
        """Make a verifier that keeps what is compared at the end."""
        verifier = ChainVerifier(efforts=Efforts() if self.diagnose else None)
        keep_digests(verifier, self.digests)
        return verifier

    def compare(self, verifier: ChainVerifier) -> tuple[DigestCheck, ...]:
        """Compare the digests with what a verifier has seen."""
        if not self.digests:
            return ()
        return tuple(check_digests(verifier, self.digests, self.proofs))


NO_CHECKS: Final = Checks()
"""Recomputing hashes, and nothing beyond."""


def unconfirmed(digests: Iterable[DigestCheck]) -> Iterator[Problem]:
    """Make a problem of each digest that was not confirmed."""
    for found in digests:
        if not found.ok:
            yield Problem(
                ProblemCode.DIGEST,
                found.message,
                found.strand_id,
                found.sequence_no,
                None,
                "digest",
            )
