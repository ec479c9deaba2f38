"""How a digest that was saved earlier stands to the blocks at hand."""

from __future__ import annotations

import base64
import enum
from typing import Any, Final

import attrs


class DigestState(enum.StrEnum):
    """How the comparison with a saved digest ended; stable, for programs to act on."""

    CONFIRMED = "CONFIRMED"
    DIFFERS = "DIFFERS"
    OTHER_STRAND = "OTHER_STRAND"
    BEYOND_LAST_BLOCK = "BEYOND_LAST_BLOCK"
    STARTS_LATER = "STARTS_LATER"
    HOLES = "HOLES"
    NO_ROOT = "NO_ROOT"
    NO_TIP = "NO_TIP"
    PROOF_HOLDS = "PROOF_HOLDS"
    PROOF_DIFFERS = "PROOF_DIFFERS"


_SENTENCES: Final = {
    DigestState.CONFIRMED: "the root over all block hashes up to its tip is the digest",
    DigestState.DIFFERS: (
        "the root over all block hashes up to its tip is another: a block up to there is not the "
        "one that the digest was made of, or the digest is not of this journal"
    ),
    DigestState.OTHER_STRAND: (
        "the digest is of a strand of which there is no block here: it is of another ledger"
    ),
    DigestState.BEYOND_LAST_BLOCK: (
        "the digest reaches beyond the last block here: bring the blocks up to its tip, or compare "
        "an older digest"
    ),
    DigestState.STARTS_LATER: (
        "the journal here starts after block 0, and a digest is made of all blocks from there on: "
        "it can be neither confirmed nor refuted"
    ),
    DigestState.HOLES: (
        "blocks up to its tip are missing, and a digest is made of all of them: it can be neither "
        "confirmed nor refuted"
    ),
    DigestState.NO_ROOT: (
        "there is no root over the block hashes up to its tip: block 0 names a block before it, or "
        "a block's hash is none"
    ),
    DigestState.NO_TIP: (
        "nothing says up to which block the digest reaches, and it is not that at the last block: "
        "give its tip as well"
    ),
    DigestState.PROOF_HOLDS: (
        "it cannot be recomputed from what is here, but a proof leads to it from the last block of "
        "all that is linked here"
    ),
    DigestState.PROOF_DIFFERS: (
        "it cannot be recomputed from what is here, and the proof of a block does not lead to it: "
        "the answer was changed, or is of another digest's tip"
    ),
}

_GOOD: Final = frozenset((DigestState.CONFIRMED, DigestState.PROOF_HOLDS))


@attrs.frozen
class DigestCheck:
    """
    A saved digest, and how it compares.

    `digest` is what was saved, 32 bytes. Strand and number are of the block up to which it
    reaches, None where nothing says so; of a digest without tip that is confirmed they are those
    of the last block. `proof_blocks` are the numbers of the blocks whose proofs lead to it, in
    rising order; for PROOF_DIFFERS, of those whose proofs do not.
    """

    state: DigestState
    digest: bytes = attrs.field(repr=False)
    strand_id: str | None = None
    sequence_no: int | None = None
    proof_blocks: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether the digest was confirmed, or proofs lead to it; else it was not compared."""
        return self.state in _GOOD

    @property
    def message(self) -> str:
        """Say in a sentence what came of it, and why."""
        return _SENTENCES[self.state]

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "state": self.state.value,
            "digest": base64.b64encode(self.digest).decode(),
            "strand_id": self.strand_id,
            "sequence_no": self.sequence_no,
            "proof_blocks": list(self.proof_blocks),
            "message": self.message,
        }
