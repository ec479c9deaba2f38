"""Say more of what did not verify, where somebody asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from qldb_stream.records import is_from_json
from qldb_stream.report import Outcome
from qldb_stream.verification import diagnosis

if TYPE_CHECKING:
    from qldb_stream.events import Block, Revision
    from qldb_stream.report import Check, Diagnosis
    from qldb_stream.verification._evidence import BlockEvidence
    from qldb_stream.verification.diagnosis import Effort, Efforts

__all__ = ["REBUILT", "explain", "explain_summary"]

REBUILT: Final = "as rebuilt: the hash is the revision's once types that JSON lost are put back"
_REBUILT_PART: Final = "as rebuilt: its hash is in entriesHashList with types that JSON lost"
_BOUNDED: Final = "; the search for what was changed stopped at its bound"
_CHANGED: Final = "the document of a JSON export is another than the one that was hashed"


def explain(check: Check, revision: Revision, evidence: BlockEvidence, efforts: Efforts) -> Check:
    """
    Give a check that is not VERIFIED with what could be found out about it.

    A document of a JSON export that fits its hash with types put back is verified; one that
    fits with a value changed is found to be changed, and fails.
    """
    if check.outcome is Outcome.FAILED:
        stops = efforts.failures.stops
        found = diagnosis.diagnose_revision(revision, evidence, efforts.failures)
        return _told(check, found, has_stopped=efforts.failures.stops > stops)
    if not revision.from_json:
        return check
    stops = efforts.rebuilding.stops
    rebuilt = diagnosis.rebuild_revision(revision, efforts.rebuilding)
    if rebuilt is None:
        return _told(check, None, has_stopped=efforts.rebuilding.stops > stops)
    found = rebuilt.diagnosis
    if rebuilt.is_genuine:
        return attrs.evolve(check, outcome=Outcome.VERIFIED, detail=REBUILT, diagnosis=found)
    check = attrs.evolve(check, outcome=Outcome.FAILED, detail=_CHANGED)
    return _told(check, found, has_stopped=False)


def explain_summary(check: Check, block: Block, efforts: Efforts) -> Check:
    """
    Give a check of a summary that is not VERIFIED with what could be found out about it.

    A part from a JSON export that has its hash with types put back is verified.
    """
    summary = block.summary
    if check.outcome is Outcome.NOT_CHECKABLE:
        return _explain_part(check, block, efforts.rebuilding) if is_from_json(summary) else check
    stops = efforts.failures.stops
    found = diagnosis.diagnose_summary(check.name, summary, efforts.failures)
    return _told(check, found, has_stopped=efforts.failures.stops > stops)


def _explain_part(check: Check, block: Block, effort: Effort) -> Check:
    """Try to put types back into the part that a check is of."""
    stops = effort.stops
    found = diagnosis.rebuild_part(check.name, block, effort)
    if found is None:
        return _told(check, None, has_stopped=effort.stops > stops)
    return attrs.evolve(check, outcome=Outcome.VERIFIED, detail=_REBUILT_PART, diagnosis=found)


def _told(check: Check, found: Diagnosis | None, *, has_stopped: bool) -> Check:
    """Give a check with what was found, or with why it may be that nothing was."""
    if found is not None:
        return attrs.evolve(check, field=found.field, diagnosis=found)
    return attrs.evolve(check, detail=check.detail + _BOUNDED) if has_stopped else check
