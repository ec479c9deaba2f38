"""
`Pipeline`: one delivery core in three forms, `run`, `consume` and `handle_batch`.

This is the face of the room: it keeps the settings, and hands the work to who does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random

from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.ordering import check_numbers
from qldb_stream.pipeline._batch import InboxDelivery
from qldb_stream.pipeline._checks import NO_CHECKS, Checks
from qldb_stream.pipeline._clock import Clock, SystemClock
from qldb_stream.pipeline._consume import DRAIN_EVERY_S, Consumer
from qldb_stream.pipeline._core import NO_GAPS
from qldb_stream.pipeline._drain import GapsTold, Shared
from qldb_stream.pipeline._full import FULL_FOR_S
from qldb_stream.pipeline._inputs import Input
from qldb_stream.pipeline._owed import Owed
from qldb_stream.pipeline._registration import registered
from qldb_stream.pipeline._requeue import ParkedOfSink
from qldb_stream.pipeline._retry import RetryPolicy
from qldb_stream.pipeline._rules import (
    BATCH_BLOCKS,
    LEASE_S,
    BlockFilter,
    DeliveryRules,
    Filter,
    OnRefusal,
    PerSink,
    check_refusals,
)
from qldb_stream.pipeline._run import Passes
from qldb_stream.pipeline._sinks import OpenSinks
from qldb_stream.pipeline._target import AnySink, SinkPlan, plan_sinks
from qldb_stream.plugins import Observers, load_observers
from qldb_stream.report import (
    BatchResult,
    DeliveryReport,
    Gap,
    ParkedBlock,
    ReplayReport,
    RequeueReport,
    VerifyReport,
)
from qldb_stream.typing import Inbox, Item

__all__ = ["Pipeline", "verify_source"]


class Pipeline:
    """
    Delivers a journal to sinks: assembled, in order, verified, from where each sink is.

    Args:
        sink: a sink, which stays open; a URL, which is opened when it is needed; several of
            them as a mapping of name to sink, or as a sequence; or None to verify alone. The
            name (of a URL without one: the URL, passwords masked) is what an inbox knows a
            sink by.
        start: the number of the first block, where a sink has nothing; for all
            strands, or by strand. None begins with the first block that a bounded source has.
        accept_gaps: missing blocks that the owner has declared, by strand.
        inbox: where records wait, leases and parked blocks are kept; it stays open. `run`
            needs it to park blocks, the other forms always.
        on_refusal: what becomes of a block that a sink refuses for good: `halt` stops the sink
            there; `park` puts the block aside, and what depends on it, and goes on. For all
            sinks, or by name.
        retry: how failures that may pass are retried, for all sinks, or by name.
        filter: changes each block between its verdict and the sinks.
        batch_blocks: how many blocks are applied together at most.
        token: the fencing token of a run without an inbox; an inbox gives its own.
        lease_s: how long others wait for a worker that died.
        observers: objects with hooks of `qldb_stream.hookspecs`, told beside what is installed.
        checks: what verification does in `run` beyond recomputing hashes.
        clock: the time; for tests.
        chance: draws the waits between tries; for tests.

    Raises:
        UsageError: a URL names no sink that there is, or has options that it does not
            take; a number is negative, or a gap ends before it begins; blocks are to be parked
            without an inbox. Whether a sink can be opened, the first delivery finds out.
    """

    def __init__(  # noqa: PLR0913 - the settings of a delivery, each named
        self,
        sink: AnySink | Mapping[str, AnySink] | Sequence[AnySink] | None,
        *,
        start: int | Mapping[str, int] | None = None,
        accept_gaps: Mapping[str, Sequence[Gap]] = NO_GAPS,
        inbox: Inbox | None = None,
        on_refusal: OnRefusal | Mapping[str, OnRefusal] = "halt",
        retry: RetryPolicy | Mapping[str, RetryPolicy] | None = None,
        filter: Filter | BlockFilter | None = None,  # noqa: A002 - the word for it
        batch_blocks: int = BATCH_BLOCKS,
        token: int = 0,
        lease_s: float = LEASE_S,
        observers: Sequence[object] = (),
        checks: Checks = NO_CHECKS,
        clock: Clock | None = None,
        chance: Random | None = None,
    ) -> None:
        if batch_blocks < 1:
            raise UsageError(f"batch_blocks is {batch_blocks}, at least one must be applied")
        if token < 0:
            raise UsageError(f"token is {token}, fencing tokens are 0 or more")
        if not lease_s > 0:
            raise UsageError(f"lease_s is {lease_s}, a lease lasts longer than nothing")
        check_numbers(start, accept_gaps)
        self._plans: tuple[SinkPlan, ...] = () if sink is None else plan_sinks(sink)
        per_sink = PerSink(on_refusal, RetryPolicy() if retry is None else retry)
        names = tuple([plan.name for plan in self._plans])
        check_refusals(per_sink, names, has_inbox=inbox is not None)
        self._start = start
        self._gaps = accept_gaps
        self._token = token
        self._rules = DeliveryRules(
            batch_blocks,
            per_sink,
            filter.apply if isinstance(filter, BlockFilter) else filter,
            inbox,
            lease_s,
            SystemClock() if clock is None else clock,
            Random() if chance is None else chance,  # noqa: S311 - spreads tries, hides nothing
            load_observers(*observers) if self._plans else Observers(),
        )
        self._sinks = OpenSinks(self._rules)
        self._shared = Shared(GapsTold(), Owed(names))
        self._checks = checks
        self._passes: Passes | None = None
        self._is_registered = False

    @property
    def report(self) -> ReplayReport:
        """
        Sum up the last run so far; also after it ended in an error.

        Before the first run everything in it is zero.
        """
        return ReplayReport(VerifyReport()) if self._passes is None else self._passes.report()

    def run(self, source: Input, *, jobs: int = 1) -> ReplayReport:
        """
        Verify a bounded source and deliver what may be delivered.

        A strand stops at the first block that is missing, incomplete, of two versions or
        fails a check: nothing of it is delivered from there on, and the rest of the
        source is verified all the same. Blocks that the sink has are passed over. Several
        sinks have the source read for each, one after the other, each from where it is; one
        that fails does not keep the others from it.

        Args:
            source: a `Source`, or any iterable of events, or of whole blocks such as
                `parse_export` and `Ledger.blocks` give. An iterable waits in memory to
                its end, within a limit; with a start, only until its turn has come. An
                empty one is no error: the report says `nothing_readable`.
            jobs: how many processes verify a source of files, without a sink. The report is the
                same for every number; it pays from some thousand blocks on.

        Returns:
            What was verified and what was applied; for several sinks, for each.

        Raises:
            UsageError: the sink that a URL names cannot be opened, the source cannot be read
                or yields something else, or a start leaves a hole behind what the sink has.
            SourceError: the source changed or failed while it was read.
            WorkerDiedError: one of several processes was ended from outside.
            BacklogError: an iterable has more out of order than may wait.
            QldbStreamError: whatever the only sink raised, after retries; of several, the
                report has it. In all cases `report` tells how far the run came, and the
                sink's position is that of the blocks it applied.
        """
        self._passes = Passes(
            self._plans, self._rules, self._start, self._gaps, self._token, self._checks
        )
        return self._passes.run(source, jobs)

    def handle_batch(
        self, items: Sequence[Item | Block], *, deadline_s: float | None = None
    ) -> BatchResult:
        """
        Take one batch of a live source, and deliver what it completes.

        Sinks that a URL names stay open for the next batch, until `close`.

        Args:
            items: events, unreadable parts, or blocks; in any order.
            deadline_s: stop to deliver then, in seconds since 1970; what is durable in the
                inbox may be acknowledged all the same.

        Returns:
            For each item whether it may be acknowledged, and how each sink stands.

        Raises:
            UsageError: there is no inbox, or a sink has nothing and no start was given.
        """
        with self._delivering() as delivery:
            return delivery.handle_batch(items, self._is_over_at(deadline_s))

    def drain(self, *, deadline_s: float | None = None) -> DeliveryReport:
        """
        Deliver whatever waits in the inbox, to every sink.

        Args:
            deadline_s: stop then, in seconds since 1970.

        Raises:
            UsageError: there is no inbox, or a sink has nothing and no start was given.
        """
        with self._delivering() as delivery:
            return delivery.drain(delivery.inbox.strands(), self._is_over_at(deadline_s))

    def consume(
        self,
        source: Input,
        *,
        stop: threading.Event | None = None,
        drain_every_s: float = DRAIN_EVERY_S,
        full_for_s: float = FULL_FOR_S,
    ) -> DeliveryReport:
        """
        Read a source without an end and deliver it, each sink in a thread of its own.

        Sinks that a URL names are opened in their threads. Observers are called in these.

        Args:
            source: read until it ends. A `LiveSource` is told what is durable.
            stop: set it, from a signal handler or another thread, to end in good order.
            drain_every_s: how often a sink is looked after without anything new.
            full_for_s: how long the inbox may be full without any room being made, because a
                sink stands still; observers are told every minute.

        Returns:
            What was delivered, and how each sink stands.

        Raises:
            UsageError: there is no inbox, or a sink has nothing and no start was given.
            BacklogError: the inbox is full, and what all sinks wait for has not come or a
                sink stood still for too long; it names the sinks.
            SinkUnavailableError: after a stop, a sink did not come to the end of its run.
            QldbStreamError: the source or the inbox failed.
        """
        if not full_for_s > 0:
            raise UsageError(f"full_for_s is {full_for_s}, a full inbox is waited with for a while")
        is_stopped = threading.Event() if stop is None else stop
        with self._delivering() as delivery:
            return Consumer(delivery, source, is_stopped, drain_every_s, full_for_s).run()

    def parked(self, strand_id: str | None = None) -> Iterator[ParkedBlock]:
        """
        Iterate over parked blocks by sink, strand and number.

        Raises:
            UsageError: there is no inbox.
        """
        inbox = self._with_inbox().inbox
        names = {plan.name for plan in self._plans}
        for sink, each, _ in inbox.status().parked:
            if sink in names and strand_id in {None, each}:
                yield from inbox.parked(sink, each)

    def requeue(
        self, strand_id: str, numbers: Collection[int] | None = None, *, sink: str | None = None
    ) -> RequeueReport:
        """
        Apply parked blocks after all, in order; what depends on one that stays, stays too.

        Args:
            strand_id: the strand.
            numbers: which blocks; None for all.
            sink: the sink's name, where there are several.

        Raises:
            UsageError: a block is not parked, or the sink is not known.
            LeaseHeldError: another worker delivers the strand just now.
            QldbStreamError: the sink failed in another way than by a refusal.
        """
        return self._parked_of(sink).requeue(strand_id, numbers)

    def skip(
        self, strand_id: str, sequence_no: int, reason: str, *, sink: str | None = None
    ) -> None:
        """
        Give a parked block up; the reason stays in the sink's position as a gap.

        Raises:
            UsageError: the block is not parked, or there is no reason.
            LeaseHeldError: another worker delivers the strand just now.
            QldbStreamError: the sink or the inbox failed; nothing has changed.
        """
        self._parked_of(sink).skip(strand_id, sequence_no, reason)

    def close(self) -> None:
        """Close the sinks that `handle_batch`, `drain` and the like have opened."""
        self._sinks.close()

    def _parked_of(self, sink: str | None) -> ParkedOfSink:
        delivery = self._with_inbox()
        plans = {plan.name: plan for plan in self._plans}
        if sink is None and len(plans) == 1:
            sink = next(iter(plans))
        if sink not in plans:
            raise UsageError(f"name the sink: one of {', '.join(plans)}")
        return ParkedOfSink(self._sinks.get(plans[sink]), delivery.inbox, self._rules)

    @contextmanager
    def _delivering(self) -> Iterator[InboxDelivery]:
        """Have everything kept for the sinks from now on, unless the body cannot even begin."""
        delivery = self._with_inbox()
        if not self._is_registered:
            names = [plan.name for plan in self._plans]
            with registered(delivery.inbox, names, self._rules):
                yield delivery
            self._is_registered = True
        else:
            yield delivery

    def _with_inbox(self) -> InboxDelivery:
        inbox = self._rules.inbox
        if inbox is None or not self._plans:
            raise UsageError("this needs an inbox, where records wait, and a sink")
        return InboxDelivery(
            self._plans,
            inbox,
            self._rules,
            self._sinks,
            self._start,
            self._gaps,
            self._shared,
        )

    def _is_over_at(self, deadline_s: float | None) -> Callable[[], bool]:
        clock = self._rules.clock
        return lambda: deadline_s is not None and clock.now_s() >= deadline_s


def verify_source(source: Input, *, checks: Checks = NO_CHECKS, jobs: int = 1) -> VerifyReport:
    """
    Verify everything that a bounded source holds; never stops at what is wrong.

    Args:
        source: as `Pipeline.run` takes it.
        checks: what is done beyond recomputing hashes: saved digests compared, failures
            diagnosed.
        jobs: as `Pipeline.run` takes it.

    Returns:
        Every check's outcome, summed up. `nothing_readable` says that there was not one
        record.

    Raises:
        UsageError: the source cannot be read.
        SourceError: the source changed or failed while it was read.
        BacklogError: an iterable has more out of order than may wait.
    """
    return Pipeline(None, checks=checks).run(source, jobs=jobs).verification
