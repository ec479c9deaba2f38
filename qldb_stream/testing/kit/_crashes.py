"""
Scenarios of crashes: around and within `apply` in this process, and of processes killed.

In this process a crash is an exception that no sink may catch. Before and after `apply` a
wrapper raises it. Within, the blocks themselves do: a fuse burns down with each look at what a
block holds, wherever in its work the sink takes it. A process is killed with SIGKILL (or
what the system has for it) at a random moment while it delivers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from qldb_stream.events import Block, BlockSummary, Filtered, Revision
from qldb_stream.report import Position
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._journals import everything, long_journal
from qldb_stream.testing.kit._processes import Victim
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._worker import Apply, Worker

__all__ = ["SCENARIOS", "CrashError", "Fuse", "crash_each", "fused"]

_RUN: Final = 6  # blocks that are delivered between crashes
_FUSES: Final = (1, 3, 8, 14, 25, 40)  # looks at blocks: in the first block, and later ones
_LOOK_AT: Final = (
    "everything of a run, with the position, in one transaction; nothing committed on the way or "
    "by close()"
)
_START_S: Final = 60.0  # how long a process may take to open the sink


class CrashError(BaseException):
    """The process dies here: nothing that a sink may catch."""


class Fuse:
    """Raises at the n-th look at a block, once."""

    def __init__(self, looks: int) -> None:
        self._left = looks

    def burn(self) -> None:
        """Burn down by one."""
        self._left -= 1
        if self._left == 0:
            raise CrashError

    def put_out(self) -> None:
        """Never raise from now on."""
        self._left = 0


class _Fused(Block):
    """A block that burns a fuse whenever somebody looks into it."""

    __slots__ = ("_block", "_fuse")
    _block: Block
    _fuse: Fuse

    def __init__(
        self,
        summary: BlockSummary,
        revisions: tuple[Revision, ...] = (),
        filtered: Filtered | None = None,
    ) -> None:
        """Be what `attrs.evolve` makes of one: a block that burns nothing."""
        object.__setattr__(self, "_block", Block(summary, revisions, filtered))
        object.__setattr__(self, "_fuse", Fuse(0))

    @property
    def summary(self) -> Any:
        self._fuse.burn()
        return self._block.summary

    @property
    def revisions(self) -> tuple[Revision, ...]:
        self._fuse.burn()
        return self._block.revisions

    @property
    def filtered(self) -> Filtered | None:
        return self._block.filtered

    @property  # type: ignore[misc]  # for attrs.evolve, which makes blocks of it
    def __class__(self) -> Any:
        return Block

    def __eq__(self, other: object) -> bool:
        return self._block == (other._block if type(other) is _Fused else other)

    def __hash__(self) -> int:
        return hash(self._block)


def fused(blocks: Sequence[Block], fuse: Fuse) -> list[Block]:
    """Give blocks that are equal to others and burn a fuse."""
    found: list[Block] = []
    for block in blocks:
        made = object.__new__(_Fused)
        object.__setattr__(made, "_block", block)
        object.__setattr__(made, "_fuse", fuse)
        found.append(made)
    return found


def _dies_before(_apply: Apply) -> Apply:
    def die(_blocks: Sequence[Block], _position: Position, _token: int) -> Position:
        raise CrashError

    return die


def _dies_after(apply: Apply) -> Apply:
    def work_and_die(blocks: Sequence[Block], position: Position, token: int) -> Position:
        apply(blocks, position, token)
        raise CrashError

    return work_and_die


def _dies_within(looks: int) -> Callable[[Apply], Apply]:
    def wrap(apply: Apply) -> Apply:
        def work_until_it_dies(blocks: Sequence[Block], position: Position, token: int) -> Position:
            fuse = Fuse(looks)
            try:
                return apply(fused(blocks, fuse), position, token)
            finally:
                fuse.put_out()  # a sink in memory keeps the blocks

        return work_until_it_dies

    return wrap


def _crash(worker: Worker, blocks: Sequence[Block], wrap: Callable[[Apply], Apply]) -> None:
    """Deliver until the process dies, if it does."""
    worker.apply_by = wrap(worker.apply_by)
    try:
        worker.deliver(blocks)
    except CrashError:
        return


def crash_each(
    bench: Bench,
    blocks: Sequence[Block],
    clean: Any,
    problem: str,
    wraps: Sequence[Callable[[Apply], Apply]] | None = None,
) -> None:
    """
    Die in each run in each of several ways, then let it through.

    Args:
        bench: where.
        blocks: what is delivered.
        clean: what must be there in the end.
        problem: what is said otherwise.
        wraps: the ways to die; None for those within a run.
    """
    ways = [_dies_within(looks) for looks in _FUSES] if wraps is None else wraps
    worker = bench.open(bench.place())
    try:
        for end in range(_RUN, len(blocks) + _RUN, _RUN):
            for wrap in ways:
                _crash(worker, blocks[:end], wrap)
                worker = bench.reopen(worker)
            worker.deliver(blocks[:end])
        bench.check_equal(clean, bench.content(worker, blocks), problem, _LOOK_AT)
    finally:
        worker.close()


def _crash_everything(bench: Bench, problem: str, *wraps: Callable[[Apply], Apply]) -> None:
    blocks = everything()
    crash_each(bench, blocks, bench.clean(blocks), problem, wraps or None)


def _before(bench: Bench) -> None:
    """Die before each run."""
    _crash_everything(bench, "crashed before each apply", _dies_before)


def _within(bench: Bench) -> None:
    """Die at several places within each run."""
    _crash_everything(bench, "crashed within each apply")


def _after(bench: Bench) -> None:
    """Die after each run, before anybody has heard of it."""
    _crash_everything(bench, "crashed after each apply, before its answer came", _dies_after)


def _killed(bench: Bench) -> str:
    """Kill processes that deliver, one after the other, and go on where they were."""
    blocks, rng = long_journal(), Random("kills")
    clean = bench.clean(blocks)
    place, killed = bench.place(), 0
    span_s = Victim(bench.subject, bench.place()).run_whole(_START_S)
    for _ in range(bench.kills):
        victim = Victim(bench.subject, place)
        killed += victim.kill_after(rng.random() * span_s / 2, _START_S)
    with bench.worker(place) as worker:
        worker.deliver(blocks)
        found = bench.content(worker, blocks)
    bench.check_equal(clean, found, f"after {killed} kills", _LOOK_AT)
    return f"{killed} of {bench.kills} processes were killed while they delivered"


SCENARIOS: Final = (
    Scenario("a crash before each apply", "what follows is as if nothing was", _before),
    Scenario("a crash within each apply", "a run is applied whole or not at all", _within),
    Scenario("a crash after each apply", "what is repeated changes nothing", _after),
    Scenario("killed at random moments", "no kill shows in the content", _killed, Needs.DURABLE),
)
