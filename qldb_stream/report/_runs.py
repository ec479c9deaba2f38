"""What a whole run of verify or replay came to."""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping
from typing import Any

import attrs

from qldb_stream.report._checks import Problem
from qldb_stream.report._claims import Claim, proven, unproven
from qldb_stream.report._digest import DigestCheck
from qldb_stream.report._version import VERSION


class Level(enum.Enum):
    """How much was checked: everything, or all that could be."""

    FULL = "full"
    PARTIAL = "partial"


@attrs.frozen
class StrandReport:
    """
    What was seen of one strand.

    `missing` are ranges between `first` and `last`, both ends included. `digest` is the
    root over all block hashes, 32 bytes, None when the strand does not start at block 0
    or has holes.
    """

    strand_id: str
    first: int
    last: int
    missing: tuple[tuple[int, int], ...] = ()
    digest: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "strand_id": self.strand_id,
            "first": self.first,
            "last": self.last,
            "missing": [list(pair) for pair in self.missing],
            "digest": None if self.digest is None else base64.b64encode(self.digest).decode(),
        }


@attrs.frozen
class UncheckedDocument:
    """A revision of which something could be neither verified nor refuted, and why."""

    reason: str
    strand_id: str
    sequence_no: int
    document_id: str

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class VerifyReport:
    """
    What verification of a source came to.

    `not_checkable` counts by reason what could be neither verified nor refuted.
    `blocks` and `revisions` count what was verified or refuted, duplicates once;
    `records` counts every record that could be read, copies and CONTROL included.
    `redacted` counts the revisions of which only the hash of the document is there. Those that
    a later block asked for are complete as they are, and no reason for a partial level; the
    others are counted in `not_checkable` too.
    `rebuilt` counts the revisions of JSON exports that verified with types put back that JSON
    had lost. `unchecked` names the documents that `not_checkable` counts, the first 100 for each
    reason; most reasons are of blocks. `digests` are those that verification was asked to compare;
    each that was not confirmed is a problem as well.
    """

    blocks: int = 0
    revisions: int = 0
    not_checkable: Mapping[str, int] = attrs.field(factory=dict)
    strands: tuple[StrandReport, ...] = ()
    problems: tuple[Problem, ...] = ()
    records: int = 0
    redacted: int = 0
    rebuilt: int = 0
    digests: tuple[DigestCheck, ...] = ()
    unchecked: tuple[UncheckedDocument, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether no problem was found."""
        return not self.problems

    @property
    def nothing_readable(self) -> bool:
        """Say whether the source held no record at all (exit code 2 of the command)."""
        return self.records == 0

    @property
    def level(self) -> Level:
        """Say whether everything could be checked; without a block nothing was."""
        return Level.PARTIAL if self.not_checkable or not self.blocks else Level.FULL

    @property
    def proves(self) -> tuple[Claim, ...]:
        """Say what it proves, strand by strand; nothing of a strand with problems."""
        return proven(self)

    @property
    def limits(self) -> tuple[Claim, ...]:
        """Say what it leaves open."""
        return unproven(self)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `verify --json` prints."""
        return {
            "version": VERSION,
            "ok": self.ok,
            "level": self.level.value,
            "blocks": self.blocks,
            "revisions": self.revisions,
            "redacted": self.redacted,
            "not_checkable": dict(self.not_checkable),
            "unchecked": [found.as_json() for found in self.unchecked],
            "strands": [strand.as_json() for strand in self.strands],
            "problems": [problem.as_json() for problem in self.problems],
            "rebuilt": self.rebuilt,
            "digests": [found.as_json() for found in self.digests],
            "proves": [claim.as_json() for claim in self.proves],
            "limits": [claim.as_json() for claim in self.limits],
        }


@attrs.frozen
class ReplayReport:
    """
    What a replay came to: what was verified, and what was applied.

    `applied` and `skipped` count blocks (skipped: the sink had them already). All others
    are what `SinkSummary` explains, but for three: `before_start`, the blocks that were left
    out because the caller's start is after them; `redacted_copies`, which names blocks, as
    (strand_id, sequence_no), that came with a redacted revision when the sink had them
    already; and
    `strands_unmet`, the strands of declared gaps of which nothing came.

    `parked` names the blocks that were put aside in this run, as (strand_id, sequence_no).
    `still_parked` counts blocks that came and were parked before; they are not among `skipped`.
    `copies_erased` counts redacted copies that the sink was given to erase; of the other
    `redacted_copies` it still holds what it got in full.
    `given_up` counts blocks that came and that the sink does without, because they were parked
    once and then skipped.
    `rules_unmet` names rules of the caller's filter that nothing came for.
    `sinks` is empty for one sink. For several it has a report for each, and the rest sums them
    up: `verification` is that of the first that came to its end, counts are sums, and lists of
    blocks name those of all sinks, as often as sinks do.

    `ids_unresolved`, `indexes_kept`, `paths_unmet` and `names_avoided` (source table, table
    there) are for people and no part of the JSON object.
    """

    verification: VerifyReport
    applied: int = 0
    skipped: int = 0
    documents: int = 0
    redactions_pending: tuple[tuple[str, int], ...] = ()
    ids_unresolved: int = 0
    indexes_kept: tuple[tuple[str, int, str], ...] = ()
    left_out: Mapping[str, int] = attrs.field(factory=dict)
    before_start: int = 0
    redacted_copies: tuple[tuple[str, int], ...] = ()
    strands_unmet: tuple[str, ...] = ()
    paths_unmet: tuple[str, ...] = ()
    parked: tuple[tuple[str, int], ...] = ()
    not_atomic: tuple[tuple[str, int], ...] = ()
    rules_unmet: tuple[str, ...] = ()
    given_up: int = 0
    still_parked: int = 0
    copies_erased: int = 0
    names_avoided: tuple[tuple[str, str], ...] = ()
    sinks: tuple[SinkReport, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether no problem was found, and no sink of several failed."""
        return self.verification.ok and all(sink.ok for sink in self.sinks)

    @property
    def nothing_readable(self) -> bool:
        """Say whether the source held no record at all."""
        return self.verification.nothing_readable

    def as_json(self) -> dict[str, Any]:
        """Give the object that `replay --json` prints."""
        entry = self.verification.as_json() | {
            "applied": self.applied,
            "skipped": self.skipped,
            "documents": self.documents,
            "redactions_pending": _addresses(self.redactions_pending),
            "redacted_copies": _addresses(self.redacted_copies),
            "copies_erased": self.copies_erased,
            "left_out": dict(self.left_out),
            "before_start": self.before_start,
            "strands_unmet": list(self.strands_unmet),
            "parked": _addresses(self.parked),
            "not_atomic": _addresses(self.not_atomic),
            "still_parked": self.still_parked,
            "given_up": self.given_up,
            "rules_unmet": list(self.rules_unmet),
        }
        if not self.sinks:
            return entry
        return entry | {"ok": self.ok, "sinks": [sink.as_json() for sink in self.sinks]}


@attrs.frozen
class SinkReport:
    """What a replay came to for one sink of several; `failure` is what ended it, or None."""

    sink: str
    report: ReplayReport
    failure: str | None = None

    @property
    def ok(self) -> bool:
        """Say whether it came to its end, and no problem was found."""
        return self.failure is None and self.report.ok

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints for it."""
        return {"sink": self.sink, "failure": self.failure} | self.report.as_json()


def _addresses(blocks: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [
        {"strand_id": strand_id, "sequence_no": sequence_no} for strand_id, sequence_no in blocks
    ]
