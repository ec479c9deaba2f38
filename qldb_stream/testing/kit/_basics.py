"""Scenarios of a sink to which nothing happens: empty runs, repeats, runs of any length."""

from __future__ import annotations

import time
from typing import Final

import attrs

from qldb_stream.errors import DeliveryError
from qldb_stream.events import RevisionKind
from qldb_stream.report import Gap, Position
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._journals import (
    deletions,
    everything,
    long_journal,
    markers_in,
    with_gap,
)
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._told import check_told
from qldb_stream.testing.kit._worker import position_after

__all__ = ["SCENARIOS"]

_WRITTEN: Final = {RevisionKind.INSERT, RevisionKind.UPDATE, RevisionKind.DELETE}
_LENGTHS: Final = (2, 5, 100)
_SPEED_BATCH: Final = 50


def _clean_run(bench: Bench) -> None:
    """Deliver block by block, twice in two places; nothing is lost."""
    blocks = everything()
    again = bench.run_clean(blocks)
    bench.check_equal(
        bench.clean(blocks),
        again,
        "two clean runs of one journal differ",
        "whatever follows from the clock, from chance or from the place is no part of the "
        "content: leave it out of read_back, or of the sink",
    )
    bench.check_there(markers_in(blocks), again)
    with bench.worker() as worker:
        worker.deliver(blocks)
        check_told(bench, worker, blocks)


def _trace(bench: Bench) -> None:
    """Apply block by block; each that writes documents changes what is read back."""
    for blocks in (everything(), deletions()):
        with bench.worker() as worker:
            worker.deliver(blocks[:1])
            before = bench.content(worker, blocks)
            for i, block in enumerate(blocks[1:], 1):
                worker.deliver(blocks[: i + 1], 1)
                after = bench.content(worker, blocks)
                kinds = sorted(r.kind.value for r in block.revisions if r.kind in _WRITTEN)
                bench.check(
                    holds=not kinds or bool(before != after),
                    problem=f"block {i} left no trace",
                    expected=f"a change for {', '.join(kinds)}",
                    found="what was read back is as before",
                    look_at="how apply treats such revisions; read_back must show deletes too",
                )
                before = after


def _empty_run(bench: Bench) -> None:
    """Apply no blocks: nothing changes, and the position is the one that was there."""
    blocks = everything()
    with bench.worker() as worker:
        worker.deliver(blocks)
        last = worker.position(blocks[0].address.strand_id)
        assert last is not None
        content = bench.content(worker, blocks)
        reached = worker.apply([], last)
        bench.check(
            holds=reached.covers(last),
            problem="an empty run lost the position",
            expected=shown(last),
            found=reached,
            look_at="apply with no blocks; it may change parked and gaps, or nothing",
        )
        look_at = "apply with no blocks"
        found = bench.content(worker, blocks)
        bench.check_equal(content, found, "an empty run changed the content", look_at)


def _same_run_twice(bench: Bench) -> None:
    """Apply every run twice: the second time it is answered and nothing changes."""
    blocks = everything()
    with bench.worker() as worker:
        position: Position | None = None
        for at in range(0, len(blocks), 6):
            run = blocks[at : at + 6]
            position = position_after(run[-1], position)
            for _ in range(2):
                reached = worker.apply(run, position)
                bench.check(
                    holds=reached.covers(position),
                    problem="a repeated run was not answered with the position",
                    expected=shown(position),
                    found=reached,
                    look_at="Position.covers: when all is there, answer the stored position",
                )
        look_at = "leave out what Position.pending of the stored position leaves out"
        bench.check_content(worker, blocks, "runs that came twice", look_at)


def _prefix_then_whole(bench: Bench) -> None:
    """Apply a part, then all from the first block on; also after opening again."""
    blocks = everything()
    for count in (1, len(blocks) // 2, len(blocks) - 1):
        for opens_again in (False, True):
            worker = bench.open(bench.place())
            try:
                worker.deliver(blocks[:count])
                worker = bench.reopen(worker) if opens_again else worker
                before = worker.position(blocks[0].address.strand_id)
                worker.apply(blocks, position_after(blocks[-1], before))
                worker.deliver(blocks)
                how = ", opened again between" if opens_again else ""
                bench.check_content(
                    worker,
                    blocks,
                    f"the first {count} blocks, then all of them{how}",
                    "leave out what Position.pending of the stored position leaves out",
                )
            finally:
                worker.close()


def _any_length(bench: Bench) -> None:
    """Apply in runs of several lengths: the same as one block at a time."""
    blocks = everything()
    for length in _LENGTHS:
        with bench.worker() as worker:
            worker.deliver(blocks, length)
            look_at = "the order in which apply writes a run: block by block, rising versions"
            bench.check_content(worker, blocks, f"runs of {length} blocks", look_at)


def _opened_again(bench: Bench) -> None:
    """Open the sink before each run: its position and its content are as they were."""
    blocks = everything()
    strand_id = blocks[0].address.strand_id
    worker = bench.open(bench.place())
    try:
        for end in range(5, len(blocks) + 5, 5):
            worker.deliver(blocks[:end])
            before = worker.position(strand_id)
            content = bench.content(worker, blocks)
            worker = bench.reopen(worker)
            after = worker.position(strand_id)
            bench.check(
                holds=before == after and _start(before) == _start(after),
                problem="the position is another after opening again",
                expected=shown(before),
                found=after,
                look_at="what position() reads: all of the Position that apply was given",
            )
            found = bench.content(worker, blocks)
            look_at = "what is durable when apply returns"
            bench.check_equal(content, found, "the content is another after opening again", look_at)
    finally:
        worker.close()
    bench.check(
        holds=bench.clean(blocks) == content,
        problem="opened again before each run",
        expected="what one clean run leaves",
        found="something else",
        look_at="what opening does to what is there",
    )


def _start(position: Position | None) -> int | None:
    return None if position is None else position.start


def _declared_gap(bench: Bench) -> str | None:
    """Cross blocks that are declared missing: the sink keeps the gap."""
    blocks = with_gap()
    gap = Gap(2, 3, "the kit left them out")
    worker = bench.open(bench.place())
    try:
        worker.deliver(blocks[:2])
        before = worker.position(blocks[0].address.strand_id)
        assert before is not None
        given = attrs.evolve(before.at(blocks[4]), gaps=(gap,))
        try:
            worker.apply(blocks[4:], given)
        except DeliveryError as exc:
            return f"refuses blocks after a gap: {shown(str(exc))}"
        worker = bench.reopen(worker)
        kept = worker.position(given.strand_id)
        bench.check(
            holds=kept is not None and kept.gaps == (gap,) and kept.covers(given),
            problem="the declared gap is not kept",
            expected=shown(given),
            found=kept,
            look_at="what position() reads: all of the Position that apply was given",
        )
    finally:
        worker.close()
    return None


def _throughput(bench: Bench) -> str:
    """Deliver 150 blocks in long runs, and say how many a second."""
    blocks = long_journal()
    with bench.worker() as worker:
        began = time.perf_counter()
        worker.deliver(blocks, _SPEED_BATCH)
        bench.blocks_per_s = len(blocks) / max(time.perf_counter() - began, 1e-6)
    return f"{bench.blocks_per_s:,.0f} blocks/s, in runs of {_SPEED_BATCH}"


SCENARIOS: Final = (
    Scenario("one clean run", "every document is there, and two runs leave the same", _clean_run),
    Scenario("every block leaves a trace", "each block that writes changes the content", _trace),
    Scenario("an empty run", "no blocks change nothing", _empty_run),
    Scenario("the same run twice", "a repeated run changes nothing", _same_run_twice),
    Scenario(
        "a prefix, then the whole", "what is there already is passed over", _prefix_then_whole
    ),
    Scenario("runs of any length", "documents are written in the order of blocks", _any_length),
    Scenario("opened again", "position and content outlive the sink", _opened_again, Needs.DURABLE),
    Scenario("a declared gap", "gaps are kept with the position", _declared_gap, Needs.PARKING),
    Scenario("throughput", "150 blocks are delivered", _throughput),
)
