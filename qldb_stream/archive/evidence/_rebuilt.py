"""
A revision of a JSON export with its document as it was hashed.

JSON lost types (facts 3.3). A reading that has the revision's hash is no guess: it is what was
hashed, and is proven as such. A document that fits only with a value changed is another one, and
is not proven, though it could be mended: who made the archive say something else is not helped.
"""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.errors import ProofRefusedError
from qldb_stream.events import Block, Revision
from qldb_stream.formulas import revision_recomputes
from qldb_stream.report import Diagnosis
from qldb_stream.verification import Effort
from qldb_stream.verification.diagnosis import Rebuilt, rebuild_revision

__all__ = ["as_rebuilt"]

_EFFORT: Final = 1 << 26  # bytes that are hashed, some three seconds: it is for one document


def as_rebuilt(block: Block, revision: Revision) -> tuple[Block, Revision, Diagnosis | None]:
    """
    Put the types back into a revision that a JSON export lost, where it takes that.

    Args:
        block: that holds it.
        revision: one of the block's, of any kind.

    Returns:
        Block and revision with the document that has the hash, and what was put back; both as
        they were, and None, where nothing was lost or the revision is of no JSON export.

    Raises:
        ProofRefusedError: NOT_SOUND, where no reading has the hash, or none was found.
    """
    if not revision.from_json or revision_recomputes(revision):
        return block, revision, None
    effort = Effort(_EFFORT)
    found = rebuild_revision(revision, effort, most=_EFFORT)
    if found is None or found.revision is None or not found.is_genuine:
        raise ProofRefusedError("NOT_SOUND", f"{_place(block)}: {_why(found, effort)}")
    kept = tuple([found.revision if one is revision else one for one in block.revisions])
    return attrs.evolve(block, revisions=kept), found.revision, found.diagnosis


def _place(block: Block) -> str:
    return f"block {block.address.strand_id}/{block.address.sequence_no}"


def _why(found: Rebuilt | None, effort: Effort) -> str:
    """Say why the document cannot be proven."""
    said = "the revision comes from a JSON export, which lost Ion's types, and "
    if found is not None and not found.is_genuine:
        return (
            f"{said}its hash fits no document with types put back, but one with a value changed: "
            "`qldb-stream verify` names it"
        )
    if found is not None:
        return f"{said}its hash fits with an annotation that no bundle is made with"
    bound = " before the search stopped at its bound" if effort.stops else ""
    return (
        f"{said}no reading was found that has its hash{bound}; an export in Ion, or the stream's "
        "records, would prove it"
    )
