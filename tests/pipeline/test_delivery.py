"""Runs of blocks: how they are cut, what is counted, and what a sink may answer."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from qldb_stream.errors import PluginError, SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.pipeline import CheckedBlock, RetryPolicy, Verdict
from qldb_stream.pipeline._delivery import Delivery
from qldb_stream.pipeline._lease import FixedToken
from qldb_stream.pipeline._rules import DeliveryRules, PerSink
from qldb_stream.pipeline._target import Target
from qldb_stream.report import (
    BlockVerification,
    Gap,
    Position,
    ReplayReport,
    SinkSummary,
    VerifyReport,
)
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing.journals import JournalShape, make_journal
from qldb_stream.typing import Sink

JOURNAL = make_journal(31, blocks=30)
BLOCKS = list(JOURNAL)
AWAY = SinkUnavailableError("runs", "away")


class Runs(MemorySink):
    """A sink that notes the runs, takes at most some blocks of each, and may fail."""

    def __init__(self, most: int = 1000, fail_after: int | None = None) -> None:
        super().__init__()
        self.runs: list[list[int]] = []
        self.tokens: set[int] = set()
        self._most = most
        self._fail_after = fail_after

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply a prefix of the run; fail when enough has been taken."""
        self.runs.append([block.address.sequence_no for block in blocks])
        self.tokens.add(token)
        taken = list(blocks[: self._most])
        if self._fail_after is not None:
            taken = taken[: self._fail_after - len(self.blocks)]
        reached = position if len(taken) == len(blocks) else position.at(taken[-1])
        super().apply(taken, reached, token)
        if self._fail_after == len(self.blocks):
            raise AWAY
        return reached


def checked(block: Block, verdict: Verdict = Verdict.DELIVER, *gaps: Gap) -> CheckedBlock:
    """Give a block as the core would."""
    address = block.address
    position = Position(address.strand_id, address.sequence_no, block.block_hash, gaps=gaps)
    verification = BlockVerification(address, ())
    return CheckedBlock(
        block, verification, verdict, position if verdict is Verdict.DELIVER else None
    )


def make(sink: Sink, batch_blocks: int, token: int = 0) -> Delivery:
    """Make a delivery that tries nothing again."""
    rules = DeliveryRules(batch_blocks, PerSink(retry=RetryPolicy(retries=0)))
    return Delivery(Target("runs", sink), rules, FixedToken(token))


def deliver(delivery: Delivery, blocks: Sequence[Block]) -> None:
    """Deliver blocks to the end."""
    for block in blocks:
        delivery.add(checked(block))
    delivery.flush()


def test_runs_are_as_long_as_asked_for() -> None:
    """The last run is what is left over."""
    sink = Runs()
    delivery = make(sink, 12, 5)
    deliver(delivery, BLOCKS)
    assert [12, 12, 6] == [len(run) for run in sink.runs]
    assert (BLOCKS, 30, {5}) == (sink.blocks, delivery.applied, sink.tokens)


def test_long_blocks_make_short_runs() -> None:
    """A run is bounded in bytes too, so that memory is."""
    shape = JournalShape(tables=1, updates=0, deletes=0, redactions=0, document_bytes=100_000)
    blocks = list(make_journal(1, blocks=90, shape=shape))
    sink = Runs()
    deliver(make(sink, 1000, 0), blocks)
    assert blocks == sink.blocks
    assert len(sink.runs) > 1


def test_a_run_has_one_strand() -> None:
    """A position belongs to one strand, and so does what is applied with it."""
    other = list(make_journal(32, blocks=3))
    sink = Runs()
    deliver(make(sink, 100, 0), [*BLOCKS[:4], *other])
    assert [[0, 1, 2, 3], [0, 1, 2]] == sink.runs
    assert {BLOCKS[3].address.strand_id, other[0].address.strand_id} == set(sink.positions)


def test_a_run_ends_before_a_gap() -> None:
    """A sink that takes only part of a run never notes a gap that lies ahead."""
    sink = Runs(most=1)
    delivery = make(sink, 100, 0)
    gap = Gap(2, 2, "lost")
    delivery.add(checked(BLOCKS[0]))
    delivery.add(checked(BLOCKS[1]))
    delivery.add(checked(BLOCKS[3], Verdict.DELIVER, gap))
    delivery.add(checked(BLOCKS[4], Verdict.DELIVER, gap))
    delivery.flush()
    assert [[0, 1], [1], [3, 4], [4]] == sink.runs
    assert (gap,) == sink.positions[JOURNAL.strand_id].gaps


def test_what_is_skipped_or_held_is_not_applied() -> None:
    """Only the verdict DELIVER reaches the sink."""
    sink = Runs()
    delivery = make(sink, 100, 0)
    delivery.add(checked(BLOCKS[0], Verdict.SKIP))
    delivery.add(checked(BLOCKS[1]))
    delivery.add(checked(BLOCKS[2], Verdict.HOLD))
    delivery.flush()
    assert ([[1]], 1, 1) == (sink.runs, delivery.applied, delivery.skipped)


def test_a_prefix_is_followed_by_the_rest() -> None:
    """A sink may take less than it was given, and gets the rest at once."""
    sink = Runs(most=4)
    deliver(make(sink, 10, 0), BLOCKS[:10])
    assert [10, 6, 2] == [len(run) for run in sink.runs]
    assert BLOCKS[:10] == sink.blocks


def test_a_failure_is_raised_after_counting_what_was_applied() -> None:
    """The report knows what became durable before the sink failed."""
    sink = Runs(fail_after=7)
    delivery = make(sink, 5, 0)
    with pytest.raises(SinkUnavailableError) as caught:
        deliver(delivery, BLOCKS)
    assert AWAY == caught.value
    assert (7, BLOCKS[:7]) == (delivery.applied, sink.blocks)


class Away(MemorySink):
    """A sink that cannot be reached at all."""

    def position(self, strand_id: str) -> Position | None:
        """Fail."""
        raise SinkUnavailableError(strand_id, "away")

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Fail."""
        raise SinkUnavailableError(f"{len(blocks)}, {token}", f"away at {position.sequence_no}")


def test_a_sink_that_cannot_say_its_position_counts_nothing() -> None:
    """The first failure is the one that is told."""
    delivery = make(Away(), 1, 0)
    with pytest.raises(SinkUnavailableError, match="away at 0"):
        delivery.add(checked(BLOCKS[0]))
    assert 0 == delivery.applied


class Broken(MemorySink):
    """A sink that answers, and takes nothing."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Fail."""
        raise SinkUnavailableError(f"{len(blocks)}, {token}", f"away at {position.sequence_no}")


def test_a_sink_that_has_nothing_counts_nothing() -> None:
    """A failure at the very first block leaves the report at zero."""
    delivery = make(Broken(), 1, 0)
    with pytest.raises(SinkUnavailableError, match="away at 0"):
        delivery.add(checked(BLOCKS[0]))
    assert 0 == delivery.applied


class Buggy(MemorySink):
    """Somebody else's sink, with a bug that quotes a document."""

    def position(self, strand_id: str) -> Position | None:
        """Fail."""
        raise KeyError(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Fail."""
        raise ValueError(f"secret {blocks} {position} {token}")


def test_a_foreign_failure_names_the_sink_and_quotes_nothing() -> None:
    """What is none of our errors becomes one, without the text that may hold contents."""
    delivery = make(Buggy(), 1, 0)
    with pytest.raises(PluginError) as caught:
        delivery.add(checked(BLOCKS[0]))
    assert caught.value.plugin.endswith("test_delivery.Buggy")
    assert ("Sink.apply", "raised ValueError") == (caught.value.hook, caught.value.problem)
    with pytest.raises(PluginError, match=r"Sink\.position: raised KeyError"):
        delivery.position_of("x")


def test_our_own_bug_stays_what_it_is() -> None:
    """A failure within our own sinks is not blamed on a plug-in."""
    sink = MemorySink()
    sink.blocks = None  # type: ignore[assignment]  # a bug, as it were
    with pytest.raises(TypeError):
        make(sink, 1, 0).add(checked(BLOCKS[0]))


class Idle(MemorySink):
    """A sink that does nothing and says nothing."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Answer the position before the first block."""
        assert token >= 0
        return attrs.evolve(position, sequence_no=blocks[0].address.sequence_no - 1)


def test_a_sink_that_takes_nothing_must_say_why() -> None:
    """Without this the delivery would ask for ever."""
    delivery = make(Idle(), 1, 0)
    with pytest.raises(PluginError, match=r"Idle, hook Sink\.apply: applied no block"):
        delivery.add(checked(BLOCKS[0]))


def test_without_a_summary_revisions_and_redactions_are_counted() -> None:
    """Who does not say that it erased something has not."""
    delivery = make(MemorySink(), 7, 0)
    deliver(delivery, BLOCKS)
    documents = sum(r.metadata is not None for block in BLOCKS for r in block.revisions)
    redactions = tuple(
        (block.address.strand_id, block.address.sequence_no)
        for block in BLOCKS
        if block.summary.redaction_info is not None
    )
    report = delivery.report(VerifyReport())
    assert ReplayReport(VerifyReport(), 30, 0, documents, redactions) == report


class Summarizing(MemorySink):
    """A sink that tells what it did."""

    def summary(self) -> SinkSummary:
        """Tell something that can be recognised."""
        return SinkSummary(5, (("s", 1),), 2, (("s", 3, "t"),), {"x": 4})


def test_a_sinks_own_summary_is_what_counts() -> None:
    """The report carries all that the sink says."""
    delivery = make(Summarizing(), 7, 0)
    deliver(delivery, BLOCKS[:2])
    expected = ReplayReport(VerifyReport(), 2, 0, 5, (("s", 1),), 2, (("s", 3, "t"),), {"x": 4})
    assert expected == delivery.report(VerifyReport())
