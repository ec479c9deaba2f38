"""
What comes in through an inbox: one batch, or whatever waits there.

A batch is put into the inbox before anything is delivered, so its records may be acknowledged
whatever the sinks do. An inbox in memory is not durable: there, a record may be acknowledged
when every sink has applied its block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs

from qldb_stream.errors import BacklogError, QldbStreamError, UsageError
from qldb_stream.events import (
    Block,
    BlockAddress,
    ControlRecord,
    RevisionDetails,
    RevisionKind,
)
from qldb_stream.inbox import MemoryInbox
from qldb_stream.pipeline._drain import Shared, SinkDrain, Start
from qldb_stream.pipeline._inputs import address_of
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._sinks import OpenSinks
from qldb_stream.pipeline._target import SinkPlan
from qldb_stream.report import (
    BatchResult,
    DeliveryReport,
    Gap,
    ItemOutcome,
    Position,
    StrandDelivery,
    StrandState,
)
from qldb_stream.typing import Inbox, Item

__all__ = ["InboxDelivery"]

PUT_ITEMS: Final = 500  # items of one transaction of the inbox


@attrs.frozen
class InboxDelivery:
    """
    Puts into an inbox and delivers from it to every sink, in the thread of the caller.

    Args:
        plans: the sinks.
        inbox: where records wait.
        rules: how blocks are delivered.
        sinks: the open sinks.
        start: the number to begin with where a sink has nothing.
        gaps: declared gaps by strand.
        shared: what the drains know together.
    """

    plans: tuple[SinkPlan, ...]
    inbox: Inbox
    rules: DeliveryRules
    sinks: OpenSinks
    start: Start
    gaps: Mapping[str, Sequence[Gap]]
    shared: Shared

    @property
    def is_durable(self) -> bool:
        """Say whether what the inbox holds outlives the process."""
        return not isinstance(self.inbox, MemoryInbox)

    def put(self, items: Sequence[Item | Block]) -> None:
        """
        Put items into the inbox, all or none.

        Raises:
            BacklogError: it is full.
            DeliveryError: it cannot be reached, after retries.
        """
        now_s, copies = self.rules.clock.now_s(), _redacted_numbers(items)
        self.shared.owed.tell(copies)  # so that nobody trims them as soon as they are there
        self.rules.retrying("").call(lambda: self.inbox.put(items, now_s))
        self.shared.owed.tell(copies)  # who looked in between has to look again

    def put_some(self, items: Sequence[Item | Block]) -> int:
        """
        Put the first items, as many as find room; answer how many.

        Raises:
            BacklogError: there is no room even for one.
            DeliveryError: it cannot be reached, after retries.
        """
        count = len(items)
        while True:
            try:
                self.put(items[:count])
                return count
            except BacklogError:
                if count <= 1:
                    raise
                count //= 2

    def drain(self, strands: Iterable[str], is_over: Callable[[], bool]) -> DeliveryReport:
        """
        Deliver what waits of some strands to every sink.

        Raises:
            UsageError, PluginError: what was asked for cannot be done.
        """
        strands = tuple(strands)
        found: list[StrandDelivery] = []
        failed: dict[str, str] = {}
        for plan in self.plans:
            try:
                found += self.drain_sink(plan, strands, is_over)
            except UsageError:
                raise
            except QldbStreamError as exc:
                failed[plan.name] = str(exc)
        return DeliveryReport(tuple(found), failed)

    def drain_sink(
        self, plan: SinkPlan, strands: Iterable[str], is_over: Callable[[], bool]
    ) -> list[StrandDelivery]:
        """
        Deliver what waits of some strands to one sink.

        Raises:
            QldbStreamError: the sink could not be opened.
        """
        drain = SinkDrain(
            self.sinks.get(plan),
            self.inbox,
            self.rules,
            start=self.start,
            gaps=self.gaps,
            shared=self.shared,
            is_over=is_over,
        )
        found = [drain.drain(strand_id) for strand_id in strands]
        if any(delivery.state is StrandState.FAILED for delivery in found):
            self.sinks.drop(plan)
        return found

    def handle_batch(
        self, items: Sequence[Item | Block], is_over: Callable[[], bool]
    ) -> BatchResult:
        """Put a batch, deliver the strands that it touches, and say what may be acknowledged."""
        addresses = [address_of(item) for item in items]
        strands = sorted({at.strand_id for at in addresses if at is not None})
        stored, refusal = self._put_all(items)
        delivery = self.drain(strands, is_over)
        if refusal is not None and delivery.applied:
            more, refusal = self._put_all(items[stored:])  # what was delivered made room
            stored += more
            if more:
                delivery = self.drain(strands, is_over)
        reached = None if self.is_durable else {s: self._positions(s) for s in strands}
        outcomes = tuple(
            [
                _outcome(item, address, reached, is_stored=n < stored)
                for n, (item, address) in enumerate(zip(items, addresses, strict=True))
            ]
        )
        return BatchResult(outcomes, delivery, refusal)

    def _put_all(self, items: Sequence[Item | Block]) -> tuple[int, str | None]:
        """Put items piece by piece; answer how many, and what kept the rest out."""
        stored = 0
        while stored < len(items):
            try:
                stored += self.put_some(items[stored : stored + PUT_ITEMS])
            except QldbStreamError as exc:
                return stored, str(exc)
        return stored, None

    def _positions(self, strand_id: str) -> list[Position | None]:
        """Give what every sink has of a strand."""
        return [self.inbox.position(plan.name, strand_id) for plan in self.plans]


def _outcome(
    item: Item | Block,
    address: BlockAddress | None,
    reached: Mapping[str, Sequence[Position | None]] | None,
    *,
    is_stored: bool,
) -> ItemOutcome:
    """Say what became of an item; `reached` by strand, where being stored is not enough."""
    if isinstance(item, ControlRecord):
        return ItemOutcome.PASSED
    if not is_stored:
        return ItemOutcome.REFUSED
    if reached is not None:
        has = address and all(_has(p, address.sequence_no) for p in reached[address.strand_id])
        if not has:
            return ItemOutcome.REFUSED
    return ItemOutcome.DURABLE if address is not None else ItemOutcome.QUARANTINED


def _has(position: Position | None, number: int) -> bool:
    return position is not None and number <= position.sequence_no and number not in position.parked


def _redacted_numbers(items: Iterable[Item | Block]) -> dict[str, list[int]]:
    """Find the blocks, by strand, of which redacted revisions came."""
    found: dict[str, list[int]] = {}
    for item in items:
        revisions = item.revisions if isinstance(item, Block) else ()
        if isinstance(item, RevisionDetails):
            revisions = (item.revision,)
        if any(revision.kind is RevisionKind.REDACTED for revision in revisions):
            address = address_of(item)
            assert address is not None
            found.setdefault(address.strand_id, []).append(address.sequence_no)
    return found
