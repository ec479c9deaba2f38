"""What deliveries from an inbox came to, and what observers are told of a delivery."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from qldb_stream.events import BlockAddress
from qldb_stream.report._checks import Problem
from qldb_stream.report._inbox import ParkReason
from qldb_stream.report._position import Position


class StrandState(enum.Enum):
    """
    How a sink stands with a strand when a delivery from the inbox is over.

    CURRENT: it has all that is stored. WAITING: what comes next is not there, or not whole.
    STOPPED: what comes next is wrong or was refused; a person must look. FAILED: the sink or
    the inbox cannot be reached; a later delivery goes on. BUSY: another worker holds the
    strand, and looks again when it is done. CUT: the time was over, or a stop was asked for.
    """

    CURRENT = "current"
    WAITING = "waiting"
    STOPPED = "stopped"
    FAILED = "failed"
    BUSY = "busy"
    CUT = "cut"


@attrs.frozen
class StrandDelivery:
    """
    What became of one strand for one sink.

    `applied` and `parked` count blocks of this delivery. `waits_for` is the number of the
    block that must come or become whole next. `detail` says why it waits or stopped, without
    contents. `position` is where the sink stands; None for nothing, or not known. `not_atomic`
    are the blocks of this delivery that the sink applied in several transactions, by number; of
    a `consume` without an end the last 10,000.
    """

    sink: str
    strand_id: str
    state: StrandState
    applied: int = 0
    parked: int = 0
    position: Position | None = None
    waits_for: int | None = None
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    not_atomic: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "sink": self.sink,
            "strand_id": self.strand_id,
            "state": self.state.value,
            "applied": self.applied,
            "parked": self.parked,
            "position": None if self.position is None else self.position.as_json(),
            "waits_for": self.waits_for,
            "detail": self.detail,
            "not_atomic": list(self.not_atomic),
        }


@attrs.frozen
class DeliveryReport:
    """
    What a delivery from an inbox came to, for each sink and strand.

    `sinks_failed` gives by sink why it could not even be opened. `rules_unmet` names rules of
    the caller's filter that nothing came for; a pipeline leaves it to its caller.
    """

    strands: tuple[StrandDelivery, ...] = ()
    sinks_failed: Mapping[str, str] = attrs.field(factory=dict)
    rules_unmet: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether nothing failed and nothing stopped; waiting is no failure."""
        bad = (StrandState.STOPPED, StrandState.FAILED)
        return not self.sinks_failed and all(strand.state not in bad for strand in self.strands)

    @property
    def applied(self) -> int:
        """Count the blocks that were applied, by all sinks together."""
        return sum(strand.applied for strand in self.strands)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `deliver --json` prints."""
        return {
            "ok": self.ok,
            "applied": self.applied,
            "strands": [strand.as_json() for strand in self.strands],
            "sinks_failed": dict(self.sinks_failed),
            "rules_unmet": list(self.rules_unmet),
        }


class ItemOutcome(enum.Enum):
    """
    What became of one item of a batch.

    DURABLE: the inbox holds it, or every sink has applied it. PASSED: it holds nothing that
    is delivered (CONTROL). QUARANTINED: it could not be read, and is kept as it came.
    REFUSED: it is nowhere durable, and must come again.
    """

    DURABLE = "durable"
    PASSED = "passed"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


@attrs.frozen
class BatchResult:
    """
    What became of a batch: one outcome for each item, in order, and the delivery that followed.

    `refusal` says why items were refused; None when none was.
    """

    outcomes: tuple[ItemOutcome, ...]
    delivery: DeliveryReport
    refusal: str | None = None

    @property
    def failed(self) -> tuple[int, ...]:
        """Give the indexes of the items that may not be acknowledged."""
        outcomes = enumerate(self.outcomes)
        return tuple([index for index, found in outcomes if found is ItemOutcome.REFUSED])

    @property
    def acknowledged(self) -> int:
        """Count the items before the first that may not be acknowledged."""
        return next(iter(self.failed), len(self.outcomes))


@attrs.frozen
class RequeueReport:
    """
    What became of parked blocks that were to be applied, by number.

    `refused` gives why the sink refused again, without contents; `waiting` the parked block
    that comes first. Both stay parked. `not_atomic` are those that were applied in several
    transactions.
    """

    applied: tuple[int, ...] = ()
    refused: tuple[tuple[int, str], ...] = ()
    waiting: tuple[tuple[int, int], ...] = ()
    not_atomic: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Say whether all were applied."""
        return not (self.refused or self.waiting)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `parked requeue --json` prints."""
        return {
            "ok": self.ok,
            "applied": list(self.applied),
            "refused": [{"sequence_no": n, "detail": why} for n, why in self.refused],
            "waiting": [{"sequence_no": n, "because_of": m} for n, m in self.waiting],
            "not_atomic": list(self.not_atomic),
        }


@attrs.frozen
class BlockDelivered:
    """A sink has durably applied a block; `at_s` is seconds since 1970."""

    sink: str
    address: BlockAddress
    transaction_id: str
    block_timestamp: datetime
    revisions: int
    at_s: float


@attrs.frozen
class BlockParked:
    """A block was put aside for a sink, durably; `detail` quotes no contents."""

    sink: str
    address: BlockAddress
    reason: ParkReason
    detail: str
    because_of: int | None
    at_s: float


@attrs.frozen
class GapFound:
    """Blocks of a strand are missing from `first` on, and hold back what came after them."""

    sink: str
    strand_id: str
    first: int
    at_s: float


@attrs.frozen
class InboxFull:
    """
    An inbox is full and holds its source up, and this sink has not taken all that it could.

    `state` is how it stood when it last came to the end of its work, None when it never did.
    `since_s` is since when there was no room, `at_s` the moment; both in seconds since 1970.
    """

    sink: str
    state: StrandState | None
    since_s: float
    at_s: float


@attrs.frozen
class BatchDone:
    """
    A run of blocks was applied by a sink.

    `started_s` and `ended_s` are seconds since 1970; between them lies the sink's work.
    """

    sink: str
    position: Position
    blocks: int
    revisions: int
    started_s: float
    ended_s: float


@attrs.frozen
class PlannedTable:
    """
    What a replay would do to one table: statements of DDL, and documents by what is done.

    `withheld` counts those of which a filter delivers only that they are there; they count
    nowhere else.
    """

    name: str
    ddl: int = 0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    withheld: int = 0


@attrs.frozen
class DryRunReport:
    """
    What a replay would do to one sink, if it were run.

    `refused` names blocks that cannot be repeated in a ledger, as (strand_id, sequence_no, why);
    the first ones of `refused_blocks`.
    """

    sink: str
    blocks: int
    tables: tuple[PlannedTable, ...] = ()
    refused: tuple[tuple[str, int, str], ...] = ()
    refused_blocks: int = 0

    @property
    def ok(self) -> bool:
        """Say whether every block can be repeated."""
        return not self.refused_blocks

    def as_json(self) -> dict[str, Any]:
        """Give the values that `replay --dry-run --json` prints."""
        return {
            "sink": self.sink,
            "ok": self.ok,
            "blocks": self.blocks,
            "tables": [attrs.asdict(table) for table in self.tables],
            "refused_blocks": self.refused_blocks,
            "refused": [
                {"strand_id": strand_id, "sequence_no": number, "detail": why}
                for strand_id, number, why in self.refused
            ],
        }
