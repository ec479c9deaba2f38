"""
What a person does with parked blocks: apply them after all, or give them up.

Both are one `apply`, in which the block's number leaves `parked`; for a block that is given up
the reason stays in the position as a gap of one block, marked as skipped. The inbox forgets the
block afterwards: what a crash leaves there is removed when the strand is next delivered.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import attrs

from qldb_stream.errors import Disposition, QldbStreamError, UsageError
from qldb_stream.pipeline._delivery import Delivery
from qldb_stream.pipeline._follow import Followed, touched_by
from qldb_stream.pipeline._lease import Leases
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._target import Target
from qldb_stream.report import Gap, ParkedBlock, Position, RequeueReport
from qldb_stream.typing import Inbox

__all__ = ["ParkedOfSink"]


@attrs.frozen
class ParkedOfSink:
    """The parked blocks of one open sink."""

    target: Target
    inbox: Inbox
    rules: DeliveryRules

    def requeue(self, strand_id: str, numbers: Collection[int] | None) -> RequeueReport:
        """
        Apply parked blocks, in order; None for all.

        Raises:
            UsageError: a number is not parked.
            LeaseHeldError: another worker delivers the strand.
            QldbStreamError: the sink failed in another way than by a refusal.
        """
        with self._held(strand_id) as (delivery, position):
            if numbers is not None:
                found = self._parked(strand_id, position)
                _check_numbers(strand_id, numbers, [p.address.sequence_no for p in found])
            waiting = self._parked(strand_id, position)
            return _Requeue(self, delivery, position).run(waiting, numbers)

    def skip(self, strand_id: str, number: int, reason: str) -> None:
        """
        Give a parked block up.

        Raises:
            UsageError: it is not parked, or there is no reason.
            LeaseHeldError: another worker delivers the strand.
            QldbStreamError: the sink or the inbox failed; nothing has changed.
        """
        if not reason.strip():
            raise UsageError("a block that is given up needs a reason")
        with self._held(strand_id) as (delivery, position):
            _check_numbers(strand_id, (number,), position.parked)
            gaps = (*position.gaps, Gap(number, number, reason, is_skipped=True))
            delivery.move(attrs.evolve(position, parked=position.parked - {number}, gaps=gaps))
            self.inbox.unpark(self.target.name, strand_id, number)

    @contextmanager
    def _held(self, strand_id: str) -> Iterator[tuple[Delivery, Position]]:
        """Hold the strand while the body works on what is parked of it."""
        leases = Leases(self.inbox, self.target.name, self.rules.lease_s, self.rules.clock)
        delivery = Delivery(self.target, self.rules, leases)
        try:
            position = delivery.position_of(strand_id)
            if position is None:
                raise UsageError(f"sink {self.target.name} has nothing of strand {strand_id}")
            yield delivery, position
        finally:
            leases.release_all()

    def _parked(self, strand_id: str, position: Position) -> Iterator[ParkedBlock]:
        """Iterate over what the position names, one held at a time: each may be large."""
        for parked in self.inbox.parked(self.target.name, strand_id):
            if parked.address.sequence_no in position.parked:
                yield parked


class _Requeue:
    """One requeue: what stays parked, so that nothing overtakes it."""

    def __init__(self, of_sink: ParkedOfSink, delivery: Delivery, position: Position) -> None:
        self._of_sink = of_sink
        self._delivery = delivery
        self._position = position
        self._staying = Followed()

    def run(self, waiting: Iterable[ParkedBlock], numbers: Collection[int] | None) -> RequeueReport:
        """Apply what is asked for, as long as nothing that stays is to come before it."""
        applied: list[int] = []
        refused: list[tuple[int, str]] = []
        blocked: list[tuple[int, int]] = []
        for parked in waiting:
            number = parked.address.sequence_no
            is_asked = numbers is None or number in numbers
            cause = self._delivery.cause(parked.block, self._staying) if is_asked else None
            why = self._apply(parked) if is_asked and cause is None else None
            if is_asked and cause is None and why is None:
                applied.append(number)
                continue
            self._staying.add(number, touched_by(parked.block))
            if cause is not None:
                blocked.append((number, cause))
            elif why is not None:
                refused.append((number, why))
        split = set(self._delivery.not_atomic(self._position.strand_id)) if applied else set()
        return RequeueReport(
            tuple(applied),
            tuple(refused),
            tuple(blocked),
            tuple([number for number in applied if number in split]),
        )

    def _apply(self, parked: ParkedBlock) -> str | None:
        """Apply one; answer why it is refused."""
        number, strand_id = parked.address.sequence_no, parked.address.strand_id
        position = attrs.evolve(self._position, parked=self._position.parked - {number})
        try:
            self._delivery.apply_parked(parked.block, position)
        except QldbStreamError as exc:
            if exc.disposition is not Disposition.QUARANTINE:
                raise
            return str(exc)
        self._position = position
        self._of_sink.inbox.unpark(parked.sink, strand_id, number)
        return None


def _check_numbers(strand_id: str, asked: Collection[int] | None, parked: Collection[int]) -> None:
    unknown = sorted(set(asked or ()) - set(parked))
    if unknown:
        raise UsageError(f"not parked: block {strand_id}/{unknown[0]}")
