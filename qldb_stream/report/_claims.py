"""
What a verification proves, and what it does not: sentences for people, codes for programs.

A sentence here says no more than what was checked: hashes tell that what is here fits
together, and only a digest from elsewhere tells that it is what the ledger held. Everything is
worked out from the report's own fields, so that a report from anywhere says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from qldb_stream.report._checks import ProblemCode
from qldb_stream.report._digest import DigestState
from qldb_stream.report._wording import count

if TYPE_CHECKING:
    from qldb_stream.report._digest import DigestCheck
    from qldb_stream.report._runs import StrandReport, VerifyReport

# What says nothing against the blocks that are here.
_NOT_AGAINST: Final = frozenset(
    {
        ProblemCode.DIGEST,
        ProblemCode.GAP,
        ProblemCode.UNDECODABLE,
        ProblemCode.EXPORT_INCOMPLETE,
    }
)
_NAMED: Final = 5  # of the blocks that are proven one by one; reports have them all


@attrs.frozen
class Claim:
    """
    One thing that a verification proves, or does not.

    `code` is stable. `strand_id` is None for what holds of all.
    """

    code: str
    sentence: str
    strand_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {"code": self.code, "strand_id": self.strand_id, "sentence": self.sentence}


def proven(report: VerifyReport) -> tuple[Claim, ...]:
    """Say what a report proves, by strand."""
    claims = [claim for strand in report.strands for claim in _strand_proofs(report, strand)]
    if report.rebuilt:
        claims.append(
            Claim(
                "REBUILT",
                f"{report.rebuilt} documents fit their hashes once types that JSON lost are put "
                "back: what they say is what was hashed",
            )
        )
    return tuple(claims)


def unproven(report: VerifyReport) -> tuple[Claim, ...]:
    """Say what a report leaves open, by strand and then of all."""
    claims = [claim for strand in report.strands for claim in _strand_limits(report, strand)]
    if report.problems:
        claims.append(
            Claim("PROBLEMS", "what is named as a problem is not proven, and may have been altered")
        )
    if report.redacted:
        claims.append(
            Claim(
                "REDACTED",
                f"what {count(report.redacted, 'redacted revision')} said: of their documents only "
                "hashes are left",
            )
        )
    if report.not_checkable:
        things = count(sum(report.not_checkable.values()), "thing")
        claims.append(
            Claim(
                "NOT_CHECKABLE",
                f"{things} could be neither verified nor refuted: the reasons are counted in this "
                "report",
            )
        )
    if report.blocks:
        claims.append(
            Claim(
                "NOT_HASHED",
                "no hash covers a block's blockAddress, transactionId and blockTimestamp: they "
                "are compared wherever the journal repeats them",
            )
        )
    return tuple(claims)


# --- by strand -----------------------------------------------------------------------------


def _strand_proofs(report: VerifyReport, strand: StrandReport) -> Iterator[Claim]:
    confirmed = _confirmed(report.digests, strand.strand_id)
    is_sound = not _is_refuted(report, strand.strand_id)
    if is_sound:
        yield _consistent(report, strand)
    numbers = _proven_blocks(report.digests, strand.strand_id)
    if numbers and is_sound:
        yield Claim(
            "BLOCKS_PROVEN",
            f"a proof leads from {_blocks(numbers)} to a saved digest: each is what the ledger "
            "held when the digest was saved, and so are the blocks that are linked before it here",
            strand.strand_id,
        )
    if confirmed is not None:
        yield Claim(
            "DIGEST_CONFIRMED",
            f"the hashes of blocks 0 to {confirmed} are those of the saved digest: where a block "
            "fits its hash, it is the one that the ledger held when the digest was saved",
            strand.strand_id,
        )


def _consistent(report: VerifyReport, strand: StrandReport) -> Claim:
    """Say what hashes and links alone prove of a strand without problems."""
    nothing = "nothing but what is not checkable" if report.not_checkable else "nothing"
    changed = f"{nothing} can have been changed, removed or put in between"
    if strand.missing:
        return Claim(
            "CHAIN_IN_PIECES",
            "the blocks that are here fit their hashes, and each piece without holes is linked: in "
            f"a piece {changed} without the hash of its last block being another",
            strand.strand_id,
        )
    linked = f"blocks {strand.first} to {strand.last} are all here, fit their hashes and are linked"
    if strand.first == strand.last:
        linked = f"block {strand.first} is here and fits its hashes"
    if strand.digest is not None:
        sentence = f"{linked}: {changed} without the digest being another"
        return Claim("CHAIN_FROM_START", sentence, strand.strand_id)
    sentence = f"{linked}: {changed} without the hash of block {strand.last} being another"
    return Claim("CHAIN_FROM_FIRST", sentence, strand.strand_id)


def _strand_limits(report: VerifyReport, strand: StrandReport) -> Iterator[Claim]:
    own = strand.strand_id
    if strand.first > 0:
        yield Claim(
            "STARTS_LATER",
            f"the blocks before {strand.first} are not here: nothing is proven of them, that "
            f"block {strand.first} follows them is only said by itself, and no digest can be "
            "recomputed",
            own,
        )
    if strand.missing:
        yield Claim(
            "HOLES",
            "blocks are missing in between: nothing is proven of them, nor that what stands "
            "behind a hole follows what stands before it; no digest can be recomputed",
            own,
        )
    confirmed = _confirmed(report.digests, own)
    if confirmed is None:
        beyond = "beyond what proofs lead from, " if _proven_blocks(report.digests, own) else ""
        yield Claim(
            "NO_DIGEST",
            f"{beyond}no digest that was saved elsewhere confirms it: who rewrote the whole "
            "journal, all hashes included, would not be seen",
            own,
        )
    yield _after(strand, confirmed)


def _after(strand: StrandReport, confirmed: int | None) -> Claim:
    if confirmed is None or confirmed >= strand.last:
        return Claim(
            "END_OPEN",
            f"whether there were blocks after {strand.last} cannot be seen from what is here",
            strand.strand_id,
        )
    return Claim(
        "AFTER_DIGEST",
        f"blocks {confirmed + 1} to {strand.last} are later than the saved digest, which confirms "
        "nothing of them; nor can be seen whether there were more",
        strand.strand_id,
    )


def _confirmed(digests: Sequence[DigestCheck], strand_id: str) -> int | None:
    """Give the highest block of a strand up to which a saved digest was confirmed."""
    tips = [
        found.sequence_no
        for found in digests
        if found.state is DigestState.CONFIRMED and found.strand_id == strand_id
    ]
    return max((tip for tip in tips if tip is not None), default=None)


def _proven_blocks(digests: Sequence[DigestCheck], strand_id: str) -> list[int]:
    """Give the blocks of a strand from which proofs lead to saved digests."""
    numbers = {
        number
        for found in digests
        if found.state is not DigestState.PROOF_DIFFERS and found.strand_id == strand_id
        for number in found.proof_blocks
    }
    return sorted(numbers)


def _blocks(numbers: Sequence[int]) -> str:
    """Name blocks, the first few of many."""
    shown = ", ".join(str(number) for number in numbers[:_NAMED])
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"block{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _is_refuted(report: VerifyReport, strand_id: str) -> bool:
    """
    Say whether something is wrong with a strand, or with nobody knows which.

    What is missing, what is no journal, and a digest that could not be compared are problems, but
    say nothing against the blocks that are here.
    """
    return any(
        problem.strand_id in (strand_id, None)
        for problem in report.problems
        if problem.code not in _NOT_AGAINST
    ) or any(
        found.state is DigestState.DIFFERS and found.strand_id == strand_id
        for found in report.digests
    )
