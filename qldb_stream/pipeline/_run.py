"""
`run`: one bounded source, from its items to each sink and a report.

This is the thin edge around `PipelineCore`: `iter_checked` reads the source and asks for
a sink's positions, a pass hands what comes out over. Without a sink it is the same run, so what
a replay refuses is what verification names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import chain

import attrs

from qldb_stream.errors import QldbStreamError, SourceError, UsageError
from qldb_stream.events import BlockAddress, Need
from qldb_stream.pipeline._at_sight import maybe_sound_at_sight
from qldb_stream.pipeline._checks import Checks
from qldb_stream.pipeline._core import CheckedBlock, PipelineCore
from qldb_stream.pipeline._delivery import Delivery
from qldb_stream.pipeline._foreign import closing_sink
from qldb_stream.pipeline._inputs import (
    Input,
    PlacedItem,
    SearchableSource,
    SharedSource,
    address_of,
    iter_placed,
    order_of,
)
from qldb_stream.pipeline._lease import FixedToken, Leases, Tokens, naming_lack
from qldb_stream.pipeline._located import RecallingSource, with_copies
from qldb_stream.pipeline._registration import registered
from qldb_stream.pipeline._rules import DeliveryRules
from qldb_stream.pipeline._sound import SettledRun, maybe_run, maybe_sound
from qldb_stream.pipeline._target import SinkPlan
from qldb_stream.pipeline._whereabouts import located
from qldb_stream.report import (
    Gap,
    GapFound,
    Position,
    Problem,
    ProblemCode,
    ReplayReport,
    SinkReport,
    VerifyReport,
)

__all__ = ["Passes", "iter_checked"]


class Passes:
    """
    One run over a source: a pass for each sink, or one without.

    Args:
        plans: the sinks; none to verify alone.
        rules: how blocks are delivered.
        start: as `Pipeline` takes it.
        gaps: declared gaps by strand.
        token: the fencing token where no inbox gives one.
        checks: what verification does beyond recomputing hashes.
    """

    def __init__(
        self,
        plans: tuple[SinkPlan, ...],
        rules: DeliveryRules,
        start: int | Mapping[str, int] | None,
        gaps: Mapping[str, Sequence[Gap]],
        token: int,
        checks: Checks,
    ) -> None:
        self._plans = plans
        self._rules = rules
        self._start = start
        self._gaps = gaps
        self._token = token
        self._checks = checks
        self._runs: list[_Run] = []
        self._failures: dict[str, str] = {}

    def run(self, source: Input, jobs: int = 1) -> ReplayReport:
        """Read the source once for each sink; see `Pipeline.run`."""
        if jobs > 1 and self._plans:
            raise UsageError("several processes verify together, but one delivers: jobs is 1 then")
        if len(self._plans) > 1 and isinstance(source, Iterator):
            raise UsageError(
                "several sinks read the source once each, and an iterator can be read once: give "
                "a source, or a list"
            )
        if not self._plans:
            self._pass(source, None, jobs)
        for plan in self._plans:
            try:
                self._run_sink(plan, source)
            except (UsageError, SourceError):
                raise  # what all sinks have to do with
            except QldbStreamError as exc:
                if len(self._plans) == 1:
                    raise
                self._failures[plan.name] = str(exc)
        return self.report()

    def report(self) -> ReplayReport:
        """Sum up what has come of it so far."""
        if len(self._plans) < 2:  # noqa: PLR2004 - none, or one
            return self._runs[0].report() if self._runs else ReplayReport(VerifyReport())
        found = {run.name: run.report() for run in self._runs}
        sinks = tuple(
            [
                SinkReport(
                    plan.name,
                    found.get(plan.name, ReplayReport(VerifyReport())),
                    self._failures.get(plan.name),
                )
                for plan in self._plans
            ]
        )
        return _sum(sinks)

    def _run_sink(self, plan: SinkPlan, source: Input) -> None:
        inbox = self._rules.inbox
        with ExitStack() as closing:
            target = self._rules.retrying(plan.name).call(lambda: plan.open(inbox))
            if plan.is_ours:
                closing.enter_context(closing_sink(target.own))
            tokens: Tokens = FixedToken(self._token)
            if inbox is not None:
                closing.enter_context(registered(inbox, (plan.name,), self._rules))
                tokens = leases = Leases(inbox, plan.name, self._rules.lease_s, self._rules.clock)
                closing.callback(_release, leases)
            with naming_lack(tokens):
                self._pass(source, Delivery(target, self._rules, tokens))

    def _pass(self, source: Input, delivery: Delivery | None, jobs: int = 1) -> None:
        order = order_of(source, has_start=self._start is not None)
        core = PipelineCore(order, start=self._start, gaps=self._gaps, checks=self._checks)
        run = _Run(core, delivery, self._gaps)
        self._runs.append(run)
        run.read(source, jobs)
        if delivery is not None:
            self._tell_gaps(delivery.name, run.report().verification)

    def _tell_gaps(self, sink: str, report: VerifyReport) -> None:
        for problem in report.problems:
            if problem.code is ProblemCode.GAP and problem.strand_id is not None:
                first, now_s = problem.sequence_no or 0, self._rules.clock.now_s()
                event = GapFound(sink, problem.strand_id, first, now_s)
                self._rules.observers.tell("qldb_stream_gap_found", event)


def _release(leases: Leases) -> None:
    with suppress(QldbStreamError):  # it runs out by itself
        leases.release_all()


def _sum(sinks: tuple[SinkReport, ...]) -> ReplayReport:
    """Sum up the reports of several sinks."""
    whole = next((sink for sink in sinks if sink.failure is None), sinks[0])
    return attrs.evolve(
        whole.report,
        applied=sum(sink.report.applied for sink in sinks),
        skipped=sum(sink.report.skipped for sink in sinks),
        documents=sum(sink.report.documents for sink in sinks),
        left_out=_counted(sink.report.left_out for sink in sinks),
        given_up=sum(sink.report.given_up for sink in sinks),
        still_parked=sum(sink.report.still_parked for sink in sinks),
        copies_erased=sum(sink.report.copies_erased for sink in sinks),
        parked=_joined(sink.report.parked for sink in sinks),
        not_atomic=_joined(sink.report.not_atomic for sink in sinks),
        names_avoided=tuple(chain.from_iterable(s.report.names_avoided for s in sinks)),
        redactions_pending=_joined(sink.report.redactions_pending for sink in sinks),
        redacted_copies=_joined(sink.report.redacted_copies for sink in sinks),
        sinks=sinks,
    )


def _counted(found: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Add up counts by name."""
    total: Counter[str] = Counter()
    for counts in found:
        total.update(counts)
    return total


def _joined(blocks: Iterable[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    return tuple(chain.from_iterable(blocks))


def iter_checked(
    core: PipelineCore,
    source: Input,
    *,
    position_of: Callable[[str], Position | None] = lambda _strand_id: None,
    jobs: int = 0,
) -> Iterator[CheckedBlock]:
    """
    Feed a source to a core, to its end, and iterate over what comes out.

    Args:
        core: fresh, and made for the order in which the source's items come.
        source: what is fed.
        position_of: is asked for what a sink has of a strand, once for each strand.
        jobs: how many processes verify, where blocks themselves are not needed: what comes out
            of sound ones may be a stub, with their address, time and hashes, or nothing, where
            one plainly follows another. 0 for all of each.

    Yields:
        Each whole block with its verdict; `core.report()` sums up what is past.

    Raises:
        QldbStreamError: what `Pipeline.run` raises, the sink's own errors apart.
    """
    place: BlockAddress | None = None
    if isinstance(source, RecallingSource):
        core.locate = partial(with_copies, source=source)
    for found in _iter_shared(source, jobs) if jobs else iter_placed(source):
        if not isinstance(found, tuple):
            if place is not None:
                core.finish(place)
                yield from _ready(core)
            yield from _pass_sound(core, found)
            place = None
            continue
        address, item = found
        if address != place:
            if place is not None:
                core.finish(place)
                yield from _ready(core)
            place = address
        at = address_of(item)
        if at is not None and not core.knows(at.strand_id):
            core.open_strand(at.strand_id, position_of(at.strand_id))
        core.feed(item)
        yield from _ready(core)
    core.close()
    yield from _ready(core)


def _iter_shared(source: Input, jobs: int) -> Iterator[PlacedItem | SettledRun]:
    if not isinstance(source, SharedSource):
        if jobs == 1:
            return iter_placed(source)
        raise UsageError(
            f"several processes cannot share {type(source).__name__}: files and folders are shared"
        )
    return source.shared_items(jobs, maybe_sound, maybe_sound_at_sight, maybe_run)


def _pass_sound(core: PipelineCore, run: SettledRun) -> Iterator[CheckedBlock]:
    """Pass a run of sound blocks; what comes out are those that begin or break a chain."""
    if run.summed is not None and core.pass_run(run.summed):
        return
    settled = run.settled
    while settled:
        settled = settled[core.pass_following(settled) :]
        for one in settled[:1]:
            core.pass_sound(one.answer, one.events)
            yield from _ready(core)
        settled = settled[1:]


def _ready(core: PipelineCore) -> Iterator[CheckedBlock]:
    while not isinstance(checked := core.next_block(), Need):
        yield checked


class _Run:
    """One run: the core, the delivery, and what has come of them so far."""

    def __init__(
        self, core: PipelineCore, delivery: Delivery | None, gaps: Mapping[str, Sequence[Gap]]
    ) -> None:
        self.name = "" if delivery is None else delivery.name
        self._core = core
        self._delivery = delivery
        self._gaps = gaps
        self._located: tuple[Problem, ...] = ()  # of a verification that came to its end

    def read(self, source: Input, jobs: int) -> None:
        """Read the source to its end, delivering as blocks come out."""
        delivery = self._delivery
        if delivery is None:
            self._verify(source, jobs)
            return
        for checked in iter_checked(self._core, source, position_of=delivery.position_of):
            delivery.add(checked)
        delivery.flush()

    def _verify(self, source: Input, jobs: int) -> None:
        with ExitStack() as kept:
            holders = None
            if isinstance(source, SearchableSource):
                holders = kept.enter_context(source.searchable())
            for _ in iter_checked(self._core, source, jobs=jobs):
                pass
            if holders is not None:
                self._located = located(self._core.report().problems, holders)

    def report(self) -> ReplayReport:
        """Sum up what has come of it so far."""
        verification, before_start = self._core.report(), self._core.before_start
        if self._delivery is None:
            if self._located:
                verification = attrs.evolve(verification, problems=self._located)
            return ReplayReport(verification, before_start=before_start)
        return attrs.evolve(
            self._delivery.report(verification),
            before_start=before_start,
            redacted_copies=tuple((at.strand_id, at.sequence_no) for at in self._core.redacted),
            strands_unmet=tuple(sorted(name for name in self._gaps if not self._core.knows(name))),
        )
