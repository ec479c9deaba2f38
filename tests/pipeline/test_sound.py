"""Sound blocks that pass in runs say what they say one by one, and what all of their items say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

import attrs
import pytest

from qldb_stream.events import Block, BlockAddress, RevisionDetails
from qldb_stream.hashing import dot
from qldb_stream.pipeline import Checks, Order, PipelineCore, iter_checked, verify_source
from qldb_stream.report import Gap, VerifyReport
from qldb_stream.testing import make_journal
from qldb_stream.typing import Item

BLOCKS = list(make_journal(51, blocks=40))
OTHERS = list(make_journal(52, blocks=30))
STRAND = BLOCKS[0].address.strand_id


@attrs.frozen
class Told:
    """What a source tells of a block that was looked at."""

    answer: Any
    events: int


@attrs.frozen
class ToldRun:
    """What a source tells of several such blocks."""

    settled: Sequence[Told]
    summed: Any = None


@attrs.frozen
class InMemory:
    """
    A source of blocks by rising address, of which some are looked at and some are not.

    `cut` says how many at most of consecutive blocks are summed up together, each time; 0 sums up
    nothing.
    """

    blocks: Sequence[Block]
    is_told: Callable[[BlockAddress], bool] = lambda _address: True
    cut: Callable[[], int] = lambda: 0
    bounded: bool = True

    def items(self) -> Iterator[Item]:
        """Iterate over summaries, each before its revisions."""
        for block in self.blocks:
            yield from items_of(block)

    def shared_items(
        self,
        jobs: int,
        judge: Callable[..., Any],
        _sight: Callable[..., Any],
        sum_up: Callable[..., Any],
    ) -> Iterator[Any]:
        """Tell of blocks, and give the items of those of which there is nothing to tell."""
        assert jobs == 1
        told: list[Told] = []
        for block in self.blocks:
            answer = judge(block.address, block) if self.is_told(block.address) else None
            if answer is not None:
                told.append(Told(answer, len(items_of(block))))
            elif told:
                yield from self._runs(told, sum_up)
                told = []
            if answer is None:
                yield from ((block.address, item) for item in items_of(block))
        yield from self._runs(told, sum_up)

    def _runs(self, told: list[Told], sum_up: Callable[..., Any]) -> Iterator[ToldRun]:
        """Cut what is told of blocks into runs, some of which are summed up."""
        while told:
            most = self.cut()
            run = list(consecutive(told))[:most] if most else told
            told = told[len(run) :]
            yield ToldRun(run, sum_up(run) if most else None)


def consecutive(told: Sequence[Told]) -> Iterator[Told]:
    """Give the blocks of one strand, as far as none is left out."""
    first = told[0].answer.address
    for number, one in enumerate(told, first.sequence_no):
        if one.answer.address != BlockAddress(first.strand_id, number):
            return
        yield one


def items_of(block: Block) -> list[Item]:
    """Give a block as its summary and its revisions with contents."""
    revisions = [RevisionDetails(None, r) for r in block.revisions if r.metadata is not None]
    return [block.summary, *revisions]


def linked_to_nothing(block: Block) -> Block:
    """Give a block another predecessor, and the hash that comes of it."""
    previous = bytes([7]) * 32
    own = dot(block.summary.entries_hash, previous)
    summary = attrs.evolve(block.summary, previous_block_hash=previous, block_hash=own)
    return attrs.evolve(block, summary=summary)


def without_hash(block: Block) -> Block:
    """Give a block another hash of its own, which it does not have."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, block_hash=bytes(32)))


def older(block: Block) -> Block:
    """Give a block the time of the ledger's first one."""
    at = BLOCKS[0].summary.block_timestamp
    return attrs.evolve(block, summary=attrs.evolve(block.summary, block_timestamp=at))


def damaged(random: Random) -> list[Block]:
    """Two strands of which some blocks are missing, or changed in one of several ways."""
    blocks = []
    for block in sorted([*BLOCKS, *OTHERS], key=lambda block: block.address):
        change = random.choice([None] * 12 + [linked_to_nothing, without_hash, older, "leave out"])
        if change != "leave out":
            blocks.append(change(block) if callable(change) else block)
    return blocks


@pytest.mark.parametrize("seed", range(12))
def test_runs_say_what_all_items_say(seed: int) -> None:
    """Counts, strands, holes, problems in their order, digests: whoever looked at the blocks."""
    random = Random(seed)
    blocks = damaged(random)
    tips = [Saved(bytes(32), block.address) for block in random.sample(blocks, 3)]
    checks = Checks(digests=tips)
    source = InMemory(blocks, lambda _address: random.random() < 0.8)
    summed = attrs.evolve(source, cut=lambda: random.choice([0, 1, 3, 30]))

    assert verify_all(blocks, checks) == verify_source(source, checks=checks)
    assert verify_all(blocks, checks) == verify_source(summed, checks=checks)


@attrs.frozen
class Saved:
    """A digest as verification takes it."""

    digest: bytes
    tip: BlockAddress


def verify_all(blocks: Sequence[Block], checks: Checks = Checks()) -> VerifyReport:  # noqa: B008 - frozen
    """Verify what a source says that cannot tell of blocks."""
    core = PipelineCore(Order.SORTED, checks=checks)
    for _ in iter_checked(core, InMemory(blocks)):
        pass
    return core.report()


@pytest.mark.parametrize("cut", [0, 1, 7, 100])
def test_a_sound_strand_is_one_run(cut: int) -> None:
    """Of blocks that plainly follow each other, only the first of each strand comes out."""
    blocks = sorted([*BLOCKS, *OTHERS], key=lambda block: block.address)
    core = PipelineCore(Order.SORTED)
    source = InMemory(blocks, cut=partial(int, cut))
    came_out = [found.block.address for found in iter_checked(core, source, jobs=1)]
    told = verify_all(blocks)

    assert told == core.report()
    assert {block.address for block in blocks if block.address.sequence_no == 0} == set(came_out)


@pytest.mark.parametrize(
    "how",
    [{"start": 5}, {"start": {STRAND: 7}}, {"gaps": {STRAND: [Gap(3, 6, "lost")]}}],
    ids=str,
)
def test_a_start_and_declared_gaps_count_as_ever(how: dict[str, Any]) -> None:
    """Blocks before a start are left out, and a declared gap is none, in runs as well."""
    blocks = [b for b in BLOCKS if not 3 <= b.address.sequence_no <= 6]
    reports = []
    for jobs, cut in ((0, 0), (1, 0), (1, 4)):
        core = PipelineCore(Order.SORTED, **how)
        for _ in iter_checked(core, InMemory(blocks, cut=partial(int, cut)), jobs=jobs):
            pass
        reports.append((core.report(), core.before_start))

    assert reports[0] == reports[1] == reports[2]


def test_a_copy_is_judged_by_the_block_that_was_passed_before_it() -> None:
    """Of two sound copies behind a run, the one that names the hash of the run's last is taken."""
    forged = linked_to_nothing(BLOCKS[20])
    for copies in ([BLOCKS[20], forged], [forged, BLOCKS[20]]):
        blocks = [*BLOCKS[:20], *copies, *BLOCKS[21:]]
        source = InMemory(blocks, lambda address: address != forged.address)
        found = verify_source(source)

        assert verify_all(blocks) == found
        assert verify_all(BLOCKS).strands == found.strands
        assert not found.ok
