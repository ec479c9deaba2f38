"""
Deliver what waits of one strand in an inbox to one sink, and look again before letting go.

Read by number, an inbox is a sorted source: from the block after the sink's position on, all
records of a number are fed before the core is told that nothing more comes for it. So the
choice among copies, verification, conflicts and verdicts are those of a run over files. The
difference is the end: a number of which nothing is stored, or not all, is no error but what the
strand waits for.

A drain holds the strand's lease. It is given back on the condition that nothing came since the
last look; otherwise its holder goes round again, so no record waits for the next one to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

import attrs

from qldb_stream.errors import (
    BacklogError,
    Disposition,
    QldbStreamError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import BlockAddress, Need
from qldb_stream.pipeline._core import NO_GAPS, Order, PipelineCore, Verdict, is_redacted
from qldb_stream.pipeline._delivery import Delivery
from qldb_stream.pipeline._lease import Leases
from qldb_stream.pipeline._owed import Copy, Owed
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._setback import once_had, others_have
from qldb_stream.pipeline._target import Target
from qldb_stream.report import (
    Gap,
    GapFound,
    Position,
    Problem,
    ProblemCode,
    StrandDelivery,
    StrandState,
)
from qldb_stream.typing import Inbox

__all__ = ["GapsTold", "Shared", "SinkDrain", "Start"]

Start = int | Mapping[str, int] | None

_ROUND_BLOCKS: Final = 1000  # so many go through one core, whose books grow with them


class GapsTold:
    """Remembers which holes observers were told of, so that each is told once."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def is_new(self, sink: str, strand_id: str, number: int) -> bool:
        """Take note of a hole; say whether it is another one than the last time."""
        key = (sink, strand_id)
        is_new = self._last.get(key) != number
        self._last[key] = number
        return is_new


@attrs.frozen
class Shared:
    """
    What the drains of a pipeline know together.

    `told` are the holes that observers know of, `owed` what sinks have to look at before
    anything is trimmed.
    """

    told: GapsTold
    owed: Owed


@attrs.frozen
class _Stop:
    """Why a look at a strand ended."""

    state: StrandState
    waits_for: int | None = None
    detail: str = ""
    problems: tuple[Problem, ...] = ()


class SinkDrain:
    """
    Drains strands of an inbox into one sink.

    Args:
        target: the sink.
        inbox: where records wait.
        rules: how blocks are delivered.
        start: the number to begin with where the sink has nothing, as for a run.
        gaps: declared gaps by strand.
        shared: what it knows together with other drains of the pipeline.
        is_over: says when to stop in good order, though more could be delivered.
    """

    def __init__(
        self,
        target: Target,
        inbox: Inbox,
        rules: DeliveryRules,
        *,
        start: Start = None,
        gaps: Mapping[str, Sequence[Gap]] = NO_GAPS,
        shared: Shared,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = target
        self._inbox = inbox
        self._rules = rules
        self._start = start
        self._gaps = gaps
        self._told = shared.told
        self._owed = shared.owed
        self._is_over = is_over

    def drain(self, strand_id: str) -> StrandDelivery:
        """
        Deliver what can be delivered of a strand, until nothing more came meanwhile.

        Args:
            strand_id: the strand.

        Returns:
            How the sink stands now. What a sink or the inbox raised is in it; the lease is
            given back.

        Raises:
            UsageError: the strand has neither a position nor a start, or what the caller asks
                for cannot be done.
            PluginError: the sink is broken.
        """
        leases = _OpenLeases(self._inbox, self._target.name, self._rules)
        delivery = Delivery(self._target, self._rules, leases)
        look = _Look(strand_id, delivery)
        try:
            is_held = self._rules.retrying(self._target.name).call(lambda: leases.take(strand_id))
            if not is_held:
                return look.outcome(_Stop(StrandState.BUSY))
            try:
                return self._go_round(look, leases)
            except BaseException:
                with suppress(QldbStreamError):  # what is under way says more; it runs out
                    leases.release_all()
                raise
        except UsageError:
            raise
        except StaleTokenError:
            # Too slow: somebody else has the strand now, and goes on where we were.
            return look.outcome(_Stop(StrandState.BUSY))
        except QldbStreamError as exc:
            return look.outcome(_Stop(_state_after(exc), detail=str(exc)))

    def _go_round(self, look: _Look, leases: Leases) -> StrandDelivery:
        while True:
            arrivals = self._inbox.arrivals(look.strand_id)
            stop = self._look_back(look) or self._deliver(look)
            trimmable = partial(self._inbox.trimmable, look.strand_id)
            if self._owed.may_trim(look.strand_id, trimmable):
                self._inbox.trim(look.strand_id)
            is_last = stop.state is StrandState.CUT
            if leases.release(look.strand_id, arrivals=None if is_last else arrivals):
                return look.outcome(self._settle(look, stop))

    def _look_back(self, look: _Look) -> _Stop | None:
        """
        Have erased what redacted copies show of blocks that the sink has.

        Such copies come late, and nobody delivers what is below a position; so all that could
        be trimmed is looked at before it is, and what is known to have come.
        """
        strand_id, debt = look.strand_id, self._owed.of(self._target.name, look.strand_id)
        look.position = look.delivery.position_of(strand_id)
        late = self._late(strand_id, look.position, debt.numbers)
        while numbers := list(islice(late, _ROUND_BLOCKS)):
            stop = CUT if self._is_over() else self._run(look, numbers)
            if stop is not None:
                return stop
        self._owed.settle(self._target.name, strand_id, debt)
        return None

    def _late(
        self, strand_id: str, position: Position | None, known: AbstractSet[int]
    ) -> Iterator[int]:
        """Iterate over the numbers below a position to look back at."""
        had = None if position is None else self._inbox.trimmable(strand_id)
        until = -1 if position is None or had is None else min(had, position.sequence_no)
        number = self._inbox.next_stored(strand_id, -1) if until >= 0 else None
        while number is not None and number <= until:
            yield number
            number = self._inbox.next_stored(strand_id, number)
        if position is not None:
            yield from sorted(n for n in known if until < n <= position.sequence_no)

    def _deliver(self, look: _Look) -> _Stop:
        """Deliver round by round, each bounded, until something stops it."""
        stop = None
        while stop is None:
            stop = CUT if self._is_over() else self._round(look)
        return stop

    def _round(self, look: _Look) -> _Stop | None:
        """Deliver so many blocks; None when more may follow."""
        strand_id = look.strand_id
        look.position = look.delivery.position_of(strand_id)
        return self._run(look, self._numbers(strand_id, look.position))

    def _run(self, look: _Look, numbers: Iterable[int]) -> _Stop | None:
        """Feed a core with all that is stored of some numbers; None when more may follow."""
        strand_id, position = look.strand_id, look.position
        core = PipelineCore(Order.SORTED, start=self._start, gaps=self._gaps)
        core.open_strand(strand_id, position)
        stop = None
        for number in numbers:
            stop = self._feed(core, look, number)
            if stop is not None or self._is_over():
                break
        look.delivery.flush()
        self._owed.see(self._target.name, strand_id, look.take_copies())
        look.position = look.delivery.reached.get(strand_id)
        return CUT if stop is None and self._is_over() else stop

    def _numbers(self, strand_id: str, position: Position | None) -> Iterator[int]:
        """Iterate over the numbers that this round looks at."""
        number = self._first(strand_id) if position is None else position.sequence_no + 1
        for _ in range(_ROUND_BLOCKS):
            number = self._over_gaps(strand_id, number)
            yield number
            number += 1

    def _over_gaps(self, strand_id: str, number: int) -> int:
        """Give the next number to look at: declared gaps are crossed at once, however long."""
        while (gap := self._gap_at(strand_id, number)) is not None:
            stored = self._inbox.next_stored(strand_id, number - 1)
            if stored is None or stored <= gap.last:
                return number if stored is None else stored
            number = gap.last + 1
        return number

    def _gap_at(self, strand_id: str, number: int) -> Gap | None:
        gaps = self._gaps.get(strand_id, ())
        return next((gap for gap in gaps if gap.first <= number <= gap.last), None)

    def _first(self, strand_id: str) -> int:
        start = self._start
        first = start.get(strand_id) if isinstance(start, Mapping) else start
        if first is None:
            known = self._inbox.waiting(strand_id)
            lowest = "none" if known is None else known.first
            raise UsageError(
                f"sink {self._target.name} has nothing of strand {strand_id} and no start was "
                f"given: the lowest block in the inbox is {lowest}; say with which to begin"
            )
        return first

    def _feed(self, core: PipelineCore, look: _Look, number: int) -> _Stop | None:
        """Feed all records of a number, and deliver what comes of them."""
        items = self._inbox.block(look.strand_id, number)
        is_behind = look.position is not None and number <= look.position.sequence_no
        if not items:
            return None if is_behind else self._pass_hole(look, number)
        for item in items:
            core.feed(item)
        core.finish(BlockAddress(look.strand_id, number))
        checked = core.next_block()
        if is_behind:
            if not isinstance(checked, Need):
                look.delivery.add(checked)
                if is_redacted(checked.block):
                    look.copies.append((number, len(items)))
            return None
        if isinstance(checked, Need) or checked.verdict is not Verdict.DELIVER:
            return _stop_of(core, number)
        look.delivery.add(checked)
        return None

    def _pass_hole(self, look: _Look, number: int) -> _Stop | None:
        """Say what is waited for: anything, or what is missing before what came."""
        strand_id = look.strand_id
        had = once_had(self._inbox, self._target.name, strand_id)
        if had is not None and number <= had:
            return _Stop(StrandState.WAITING, number, _trimmed(number, had))
        stored = self._inbox.next_stored(strand_id, number)
        if look.position is None:  # a new sink: what others have is not kept for it
            last = others_have(self._inbox, strand_id)
            if last is not None and number <= last:
                last = last if stored is None else min(last, stored - 1)
                return _Stop(StrandState.WAITING, number, _too_late(number, last))
        if stored is None:
            return _Stop(StrandState.CURRENT, number)
        if self._gap_at(strand_id, number) is not None:
            return None  # what is behind the gap has come just now
        return _Stop(StrandState.WAITING, number, f"nothing of block {number} has come")

    def _settle(self, look: _Look, stop: _Stop) -> _Stop:
        """Tell observers of a hole."""
        if stop.state is StrandState.WAITING and stop.waits_for is not None:
            sink, strand_id, number = self._target.name, look.strand_id, stop.waits_for
            if self._told.is_new(sink, strand_id, number):
                event = GapFound(sink, strand_id, number, self._rules.clock.now_s())
                self._rules.observers.tell("qldb_stream_gap_found", event)
        return stop


CUT: Final = _Stop(StrandState.CUT)
_BAD: Final = (StrandState.STOPPED, StrandState.FAILED)


class _Look:
    """What a drain knows of the strand while it works on it."""

    def __init__(self, strand_id: str, delivery: Delivery) -> None:
        self.strand_id = strand_id
        self.delivery = delivery
        self.position: Position | None = None
        self.copies: list[Copy] = []

    def take_copies(self) -> list[Copy]:
        """Give the redacted copies of blocks that the sink had, once."""
        copies, self.copies = self.copies, []
        return copies

    def outcome(self, stop: _Stop) -> StrandDelivery:
        """Sum up."""
        not_atomic: tuple[int, ...] = ()
        try:
            not_atomic = self._not_atomic()
        except QldbStreamError as exc:
            if stop.state not in _BAD:  # else that says more
                stop = _Stop(StrandState.STOPPED, detail=str(exc))
        return StrandDelivery(
            self.delivery.name,
            self.strand_id,
            stop.state,
            self.delivery.applied,
            len(self.delivery.parked),
            self.position,
            stop.waits_for,
            stop.detail,
            stop.problems,
            not_atomic,
        )

    def _not_atomic(self) -> tuple[int, ...]:
        """Name what the sink applied in parts, from the first block that it took here."""
        first = self.delivery.first.get(self.strand_id)
        if first is None:
            return ()
        return tuple([n for n in self.delivery.not_atomic(self.strand_id) if n >= first])


class _OpenLeases(Leases):
    """Leases that are taken before the delivery asks for them."""

    def __init__(self, inbox: Inbox, sink: str, rules: DeliveryRules) -> None:
        super().__init__(inbox, sink, rules.lease_s, rules.clock)

    def open(self, strand_id: str) -> None:
        """Make sure that the lease still stands."""
        self.token(strand_id)


def _too_late(first: int, last: int) -> str:
    blocks = f"block {first} is" if first == last else f"blocks {first} to {last} are"
    return (
        f"{blocks} in the inbox no more: another sink had come so far before this one was there; "
        "replay them into it from an archive, or read the stream again with a new inbox"
    )


def _trimmed(first: int, last: int) -> str:
    blocks = f"block {first} was" if first == last else f"blocks {first} to {last} were"
    return (
        f"{blocks} trimmed when the sink had come so far, and it has them no more (was it "
        "restored from a backup?): replay them into it from an archive"
    )


def _stop_of(core: PipelineCore, number: int) -> _Stop:
    """Say why a block did not come out, or must not be delivered."""
    core.close()
    core.next_block()
    problems = core.report().problems
    detail = "; ".join(problem.message for problem in problems[:3])
    codes = {problem.code for problem in problems}
    if ProblemCode.INCOMPLETE in codes and ProblemCode.CONFLICT not in codes:
        return _Stop(StrandState.WAITING, number, detail, problems)
    return _Stop(StrandState.STOPPED, number, detail, problems)


def _state_after(error: QldbStreamError) -> StrandState:
    """Say whether a later delivery may go on by itself after an error."""
    if error.disposition is Disposition.RETRY and not isinstance(error, BacklogError):
        return StrandState.FAILED
    return StrandState.STOPPED
