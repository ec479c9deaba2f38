"""Say more of what did not verify, where somebody asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from qldb_stream.report import Outcome
from qldb_stream.verification.diagnosis import (
    diagnose_revision,
    diagnose_summary,
    rebuild_revision,
)

if TYPE_CHECKING:
    from qldb_stream.events import BlockSummary, Revision
    from qldb_stream.report import Check
    from qldb_stream.verification._evidence import BlockEvidence
    from qldb_stream.verification.diagnosis import Efforts

__all__ = ["REBUILT", "explain", "explain_summary"]

REBUILT: Final = "as rebuilt: the hash is the revision's once types that JSON lost are put back"


def explain(check: Check, revision: Revision, evidence: BlockEvidence, efforts: Efforts) -> Check:
    """
    Give a check that is not VERIFIED with what could be found out about it.

    A document of a JSON export that fits its hash as rebuilt is verified.
    """
    if check.outcome is Outcome.FAILED:
        found = diagnose_revision(revision, evidence, efforts.failures)
        return check if found is None else attrs.evolve(check, field=found.field, diagnosis=found)
    found = rebuild_revision(revision, efforts.rebuilding) if revision.from_json else None
    if found is None:
        return check
    return attrs.evolve(check, outcome=Outcome.VERIFIED, detail=REBUILT, diagnosis=found)


def explain_summary(check: Check, summary: BlockSummary, efforts: Efforts) -> Check:
    """Give a check of a summary that failed with what could be found out about it."""
    found = diagnose_summary(check.name, summary, efforts.failures)
    return check if found is None else attrs.evolve(check, field=found.field, diagnosis=found)
