"""Scenarios of two workers on one strand: one came back late, or both work at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

from qldb_stream.errors import Disposition, QldbStreamError, StaleTokenError
from qldb_stream.events import Block
from qldb_stream.report import Guarantee, Position
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._journals import everything, long_journal
from qldb_stream.testing.kit._processes import Victim
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._worker import Worker, position_after

__all__ = ["SCENARIOS"]

_LIMIT_S: Final = 120.0
_TOKEN: Final = (
    "store the token with the position and refuse a lower one with StaleTokenError, in the same "
    "transaction; or hold a lock as long as the sink is open"
)
_STOPPED: Final = ("done", "ended halt StaleTokenError", "ended retry ")


def _old_worker(bench: Bench) -> str:
    """Let a slow worker come back when another has taken over: it changes nothing."""
    blocks = everything()
    old = bench.open(bench.place(), token=1)
    old.deliver(blocks[:10])
    new, kept_out = _take_over(bench, old)
    try:
        new.deliver(blocks[:20])
        before = bench.content(new, blocks)
        if kept_out:
            new.close()
            old = bench.open(new.place, token=1)
            _come_back(bench, old, blocks)
            old.close()
            new = bench.open(new.place, token=2)
        else:
            old.token = 1
            _come_back(bench, old, blocks)
            new.token = 2
        found = bench.content(new, blocks)
        if bench.subject.guarantee is Guarantee.EXACTLY_ONCE:
            bench.check_equal(before, found, "an old worker came back", _TOKEN)
        new.deliver(blocks)
        bench.check_content(new, blocks, "an old worker came back, and the new one went on", _TOKEN)
    finally:
        if new.sink is not old.sink and not kept_out:
            old.close()
        new.close()
    return "the second worker is kept out while the first has the sink" if kept_out else ""


def _take_over(bench: Bench, old: Worker) -> tuple[Worker, bool]:
    """Give a worker with a higher token; True when the first had to close its sink before."""
    if not bench.subject.durable:  # another sink would know nothing of this one
        new = Worker(old.sink, old.place, bench.subject.guarantee, 2)
        return new, False
    try:
        return bench.open(old.place, token=2), False
    except QldbStreamError as error:
        if error.disposition is not Disposition.RETRY:
            raise
        old.close()
        return bench.open(old.place, token=2), True


def _come_back(bench: Bench, old: Worker, blocks: Sequence[Block]) -> None:
    """Apply with a token that is stale now: what the sink has, then what it has not."""
    exactly_once = bench.subject.guarantee is Guarantee.EXACTLY_ONCE
    before = old.position(blocks[0].address.strand_id)
    for run in (blocks[10:15], blocks[10:25]):
        try:
            reached = old.apply_by(run, position_after(run[-1], before), old.token)
        except StaleTokenError:
            continue
        is_new = run[-1] is blocks[24]
        bench.check(
            holds=not (exactly_once and is_new),
            problem="a worker with a lower token was let in",
            expected="StaleTokenError",
            found=shown(reached),
            look_at=_TOKEN,
        )


def _at_once(bench: Bench) -> str:
    """Let two processes deliver the same journal at once, with two tokens."""
    blocks, place = long_journal(), bench.place()
    clean = bench.clean(blocks)
    with closing(bench.open(place, token=1)):
        pass  # whatever is made once is made: that two make it is no matter of strands
    victims = [Victim(bench.subject, place, token) for token in (1, 2)]
    said = [victim.end(_LIMIT_S) for victim in victims]
    for one in said:
        bench.check(
            holds=one.startswith(_STOPPED),
            problem="one of two workers ended in another way than by the other's doing",
            expected="all delivered, StaleTokenError, or an error to be retried",
            found=one,
            look_at="what two transactions do to each other: translate it at the sink's edge",
        )
    with bench.worker(place, token=3) as worker:
        worker.deliver(blocks)
        found = bench.content(worker, blocks)
    bench.check_equal(clean, found, "two workers delivered at once", _TOKEN)
    return "; ".join(one.partition(":")[0] for one in said)


def _unavailable(bench: Bench) -> None:
    """Fail every seventh time, before or after the sink has worked, and try again."""
    blocks = everything()
    with bench.worker() as worker:
        flaky = _Flaky(worker)
        for _ in range(len(blocks)):
            try:
                worker.deliver(blocks, 1)
            except _FlakyError:
                continue
            break
        bench.check(
            holds=flaky.failed > 1,
            problem="the sink was never called often enough to fail",
            expected="one apply for each block",
            found=f"{flaky.calls} calls",
            look_at="what apply returns",
        )
        look_at = "a run that is repeated on the same open sink"
        bench.check_content(worker, blocks, "failed every seventh time and repeated", look_at)


class _FlakyError(QldbStreamError):
    """The way to the sink is broken, or the way back."""


class _Flaky:
    """Stands around a worker's `apply` and fails every seventh time."""

    def __init__(self, worker: Worker) -> None:
        self.calls = self.failed = 0
        apply = worker.apply_by

        def fail_now_and_then(blocks: Sequence[Block], position: Position, token: int) -> Position:
            self.calls += 1
            is_bad = self.calls % 7 == 0
            self.failed += is_bad
            if is_bad and self.failed % 2:
                raise _FlakyError
            reached = apply(blocks, position, token)
            if is_bad:
                raise _FlakyError
            return reached

        worker.apply_by = fail_now_and_then


SCENARIOS: Final = (
    Scenario("an old worker comes back", "a lower token is refused", _old_worker),
    Scenario("two workers at once", "no block is there twice", _at_once, Needs.DURABLE),
    Scenario("unavailable every seventh time", "repeats change nothing", _unavailable),
)
