"""`Pipeline.run`: what a sink gets, what it never gets, and what the report says of both."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.events import Block, BlockSummary, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import (
    Order,
    Pipeline,
    PipelineCore,
    RetryPolicy,
    Verdict,
    iter_checked,
    verify_source,
)
from qldb_stream.report import Gap, Position, ProblemCode, ReplayReport, VerifyReport
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from qldb_stream.testing.deliveries import make_delivery, write_archive
from qldb_stream.testing.journals import Journal, make_journal
from qldb_stream.typing import Item
from tests.pipeline.support import (
    BLOCKS,
    JOURNAL,
    RECORDS,
    STRAND,
    block_with_revisions,
    codes,
    flip_data,
    number_of,
    records_without,
    write_source,
)


def position_at(number: int, block_hash: bytes | None = None) -> Position:
    """Give the position after a block."""
    return Position(STRAND, number, block_hash or BLOCKS[number].block_hash)


def filled(until: int) -> MemorySink:
    """Make a sink that has every block up to a number."""
    sink = MemorySink()
    sink.apply(BLOCKS[: until + 1], position_at(until), 0)
    return sink


def test_a_sound_journal_is_applied_whole_and_in_order(tmp_path: Path) -> None:
    """The sink has every block once, and the report is that of verification."""
    source = write_source(tmp_path, make_delivery(RECORDS, seed=4, window=90, repeats=0.3))
    sink = MemorySink()
    report = Pipeline(sink).run(source)
    assert BLOCKS == sink.blocks
    assert position_at(39) == sink.position(STRAND)
    assert (verify_source(source), 40, 0) == (
        report.verification,
        report.applied,
        report.skipped,
    )


def test_a_second_run_applies_nothing(tmp_path: Path) -> None:
    """What the sink has is verified again and passed over."""
    source = write_source(tmp_path, RECORDS)
    sink = MemorySink()
    Pipeline(sink).run(source)
    report = Pipeline(sink).run(source)
    assert (True, 0, 40) == (report.ok, report.applied, report.skipped)
    assert BLOCKS == sink.blocks


@settings(max_examples=25)
@given(st.lists(st.integers(0, 39), min_size=1, max_size=4), st.integers(1, 12))
def test_any_sequence_of_growing_sources_is_applied_once(ends: list[int], batch: int) -> None:
    """Law 6 without crashes: prefixes of a journal, in any order, end in one clean run."""
    sink = MemorySink()
    applied = 0
    for end in ends:
        events = [parse_record(r) for r in RECORDS if number_of(parse_record(r)) <= end]
        applied += Pipeline(sink, batch_blocks=batch).run(events).applied
    assert BLOCKS[: max(ends) + 1] == sink.blocks
    assert max(ends) + 1 == applied


def test_a_source_that_begins_behind_the_position_is_joined_on(tmp_path: Path) -> None:
    """Newer files alone are enough, when they link to what the sink has."""
    sink = filled(19)
    report = Pipeline(sink).run(write_source(tmp_path, records_without(*range(20))))
    assert (True, 20, 0) == (report.ok, report.applied, report.skipped)
    assert BLOCKS == sink.blocks


def test_a_source_that_begins_too_late_is_refused(tmp_path: Path) -> None:
    """The hole between sink and source is named, and nothing is applied."""
    sink = filled(19)
    report = Pipeline(sink).run(write_source(tmp_path, records_without(*range(23))))
    assert [(ProblemCode.GAP, 20)] == codes(report.verification.problems)
    assert "blocks from 20 to 22" in report.verification.problems[0].message
    assert (0, BLOCKS[:20]) == (report.applied, sink.blocks)


def test_a_hole_in_what_the_sink_has_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """The sink needs no block that it has."""
    sink = filled(19)
    report = Pipeline(sink).run(write_source(tmp_path, records_without(5, 6, 19)))
    assert [(ProblemCode.GAP, 5), (ProblemCode.GAP, 19)] == codes(report.verification.problems)
    assert (20, BLOCKS) == (report.applied, sink.blocks)


@pytest.mark.parametrize("as_events", [False, True])
def test_older_blocks_are_not_called_there_already(tmp_path: Path, *, as_events: bool) -> None:
    """A sink that began later never had them: a problem, and nothing is skipped."""
    sink = MemorySink()
    Pipeline(sink).run(write_source(tmp_path, records_without(*range(9), *range(13, 40))))
    older = records_without(*range(9, 40))
    source = [*map(parse_record, older)] if as_events else write_source(tmp_path, older)
    report = Pipeline(sink).run(source)
    assert (False, 0, 0) == (report.ok, report.applied, report.skipped)
    assert [(ProblemCode.GAP, 0)] == codes(report.verification.problems)
    assert BLOCKS[9:13] == sink.blocks


def test_a_block_of_an_accepted_gap_that_turns_up_is_told(tmp_path: Path) -> None:
    """It cannot be applied any more, and what comes after the position still is."""
    sink = MemorySink()
    left = write_source(tmp_path, records_without(11, *range(30, 40)))
    Pipeline(sink, accept_gaps={STRAND: (Gap(11, 11, "shard lost"),)}).run(left)
    report = Pipeline(sink).run(write_source(tmp_path, RECORDS))
    assert (10, 29) == (report.applied, report.skipped)
    assert [(ProblemCode.GAP, 11)] == codes(report.verification.problems)
    assert "(shard lost)" in report.verification.problems[0].message


def test_another_block_at_the_position_stops_the_strand(tmp_path: Path) -> None:
    """Source and sink have parted ways: nothing is added to either's story."""
    sink = MemorySink()
    sink.positions[STRAND] = position_at(19, bytes(32))
    report = Pipeline(sink).run(write_source(tmp_path, RECORDS))
    assert [(ProblemCode.CHAIN, 19)] == codes(report.verification.problems)
    assert (0, []) == (report.applied, sink.blocks)


def test_a_block_that_does_not_link_to_the_position_stops_the_strand(tmp_path: Path) -> None:
    """The chain is checked from the sink's own hash on, and told once."""
    for left in (records_without(*range(20)), records_without(19)):
        sink = MemorySink()
        sink.positions[STRAND] = position_at(19, bytes(32))
        report = Pipeline(sink).run(write_source(tmp_path, left))
        assert (ProblemCode.CHAIN, 20) == codes(report.verification.problems)[-1]
        assert 1 == [code for code, _ in codes(report.verification.problems)].count(
            ProblemCode.CHAIN
        )
        assert (0, []) == (report.applied, sink.blocks)


def broken(kind: str) -> tuple[list[bytes], int]:
    """Break a journal in one of the ways that stop a strand; answer where."""
    number = block_with_revisions()
    if kind == "hole":
        return records_without(number), number
    if kind == "no summary":
        return records_without(number, only=BlockSummary), number
    if kind == "no revisions":
        return records_without(number, only=RevisionDetails), number
    if kind == "bit":
        return flip_data(RECORDS, number)[0], number
    rival = Journal(77, 40, JOURNAL.shape, STRAND, JOURNAL.stream_arn)
    return [
        *RECORDS,
        *(r for r in rival.iter_records() if number_of(parse_record(r)) == number),
    ], number


@pytest.mark.parametrize("kind", ["hole", "no summary", "no revisions", "bit", "conflict"])
@pytest.mark.parametrize("as_events", [False, True])
def test_a_strand_stops_at_what_is_wrong(tmp_path: Path, kind: str, *, as_events: bool) -> None:
    """Everything before it is applied, nothing from there on, and all of it is reported."""
    left, number = broken(kind)
    other = make_journal(53, blocks=10)
    left += other.iter_records()
    sink = MemorySink()
    source = [*map(parse_record, left)] if as_events else write_source(tmp_path, left)
    report = Pipeline(sink).run(source)
    assert BLOCKS[:number] == [b for b in sink.blocks if b.address.strand_id == STRAND]
    assert list(other) == [b for b in sink.blocks if b.address.strand_id != STRAND]
    assert position_at(number - 1) == sink.position(STRAND)
    assert verify_source(source) == report.verification
    numbers = {problem.sequence_no for problem in report.verification.problems}
    # The block after two versions links to one of them at most.
    assert {number} == numbers - ({number + 1} if kind == "conflict" else set())


def test_a_mended_source_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """When the missing part is there, the rest follows."""
    sink = MemorySink()
    Pipeline(sink).run(write_source(tmp_path, records_without(12)))
    report = Pipeline(sink).run(write_source(tmp_path, RECORDS))
    assert (True, 12, 28, BLOCKS) == (report.ok, report.skipped, report.applied, sink.blocks)


@pytest.mark.parametrize("start", [None, 0, 12])
def test_events_that_the_sink_has_are_counted_as_skipped(start: int | None) -> None:
    """An iterable of events tells as much of what the sink had as an archive does."""
    sink = MemorySink()
    events = [parse_record(record) for record in RECORDS]
    Pipeline(sink, start=0).run([event for event in events if number_of(event) < 12])
    report = Pipeline(sink, start=start).run(events)
    assert (True, BLOCKS) == (report.ok, sink.blocks)
    assert (12, 28, 40) == (report.skipped, report.applied, report.verification.blocks)


def test_an_event_that_is_not_what_the_sink_has_stops_the_strand() -> None:
    """A live block at the sink's position that is another one is named, and nothing follows."""
    sink = MemorySink()
    other = make_journal(77, blocks=40, strand_id=STRAND)
    events = [parse_record(record) for record in other.iter_records()]
    Pipeline(sink, start=0).run(map(parse_record, records_without(*range(12, 40))))
    report = Pipeline(sink, start=0).run(events)
    assert ProblemCode.CHAIN in {problem.code for problem in report.verification.problems}
    assert (0, BLOCKS[:12]) == (report.applied, sink.blocks)


def test_a_declared_gap_is_crossed_and_kept(tmp_path: Path) -> None:
    """The owner's word is in the position, and the chain is checked again behind it."""
    gap = Gap(11, 13, "shard lost")
    sink = MemorySink()
    source = write_source(tmp_path, records_without(11, 12, 13))
    report = Pipeline(sink, accept_gaps={STRAND: (gap,)}).run(source)
    assert (True, 37) == (report.ok, report.applied)
    position = sink.position(STRAND)
    assert position is not None
    assert (39, (gap,)) == (position.sequence_no, position.gaps)
    assert ((11, 13),) == report.verification.strands[0].missing
    again = Pipeline(sink).run(source)
    assert (True, 37) == (again.ok, again.skipped)


def test_a_start_leaves_out_what_is_before_it(tmp_path: Path) -> None:
    """Delivery begins where it is told to."""
    sink = MemorySink()
    report = Pipeline(sink, start=30).run(write_source(tmp_path, RECORDS))
    assert (True, 10, BLOCKS[30:]) == (report.ok, report.applied, sink.blocks)
    assert 30 == report.before_start


@pytest.mark.parametrize("as_events", [False, True])
def test_a_start_that_nothing_reaches_is_a_hole(tmp_path: Path, *, as_events: bool) -> None:
    """A source that ends before the start is not ok, and the start is named, once."""
    source = [*map(parse_record, RECORDS)] if as_events else write_source(tmp_path, RECORDS)
    report = Pipeline(MemorySink(), start=99).run(source)
    assert [(ProblemCode.GAP, 99)] == codes(report.verification.problems)
    assert "nothing came at or after block 99" in report.verification.problems[0].message
    assert (0, 0, 40) == (report.applied, report.skipped, report.before_start)


def test_a_start_that_is_missing_is_a_hole(tmp_path: Path) -> None:
    """Who says where to begin means that block."""
    sink = MemorySink()
    report = Pipeline(sink, start=30).run(write_source(tmp_path, records_without(30)))
    assert [(ProblemCode.GAP, 30)] == codes(report.verification.problems)
    assert 0 == report.applied


def test_a_start_beyond_what_the_sink_has_is_refused(tmp_path: Path) -> None:
    """A start is no way to leave blocks out in silence."""
    sink = filled(9)
    with pytest.raises(UsageError, match=r"has block 9, to start with 11 would leave a hole"):
        Pipeline(sink, start=11).run(write_source(tmp_path, RECORDS))
    assert BLOCKS[:10] == sink.blocks


def test_undecodable_bytes_stop_a_strand_only_when_a_part_is_missing(tmp_path: Path) -> None:
    """Garbage between sound records is reported, and everything is applied."""
    sink = MemorySink()
    source = write_source(tmp_path, [*RECORDS[:9], b"garbage", *RECORDS[9:]])
    report = Pipeline(sink).run(source)
    assert [(ProblemCode.UNDECODABLE, None)] == codes(report.verification.problems)
    assert (40, BLOCKS) == (report.applied, sink.blocks)


class Failing(MemorySink):
    """A sink that fails when it has enough."""

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Take blocks until there are 25."""
        if len(self.blocks) >= 25:
            raise SinkUnavailableError("failing", f"full, token {token}")
        return super().apply(blocks, position, token)


def test_a_failing_sink_loses_no_report(tmp_path: Path) -> None:
    """The error is raised as it is; what was applied until then is told all the same."""
    sink = Failing()
    pipeline = Pipeline(sink, batch_blocks=5, token=3, retry=RetryPolicy(retries=0))
    assert ReplayReport(VerifyReport()) == pipeline.report
    with pytest.raises(SinkUnavailableError, match="full, token 3"):
        pipeline.run(write_source(tmp_path, RECORDS))
    assert (25, BLOCKS[:25]) == (pipeline.report.applied, sink.blocks)
    assert position_at(24) == sink.position(STRAND)
    assert 30 == pipeline.report.verification.blocks


def test_a_url_is_opened_and_closed_for_the_run(tmp_path: Path) -> None:
    """The file can be opened again at once, and holds the journal."""
    path = tmp_path / "out" / "journal.jsonl"
    path.parent.mkdir()
    report = Pipeline(f"jsonl:{path}").run(write_source(tmp_path, RECORDS))
    assert (True, 40) == (report.ok, report.applied)
    sink = JsonlSink(path)
    assert position_at(39) == sink.position(STRAND)
    sink.close()


def test_without_a_sink_nothing_is_applied(tmp_path: Path) -> None:
    """A pipeline without a sink verifies."""
    report = Pipeline(None).run(write_source(tmp_path, RECORDS))
    assert (True, 40, 0, 0) == (
        report.ok,
        report.verification.blocks,
        report.applied,
        report.documents,
    )


def test_nonsense_is_refused() -> None:
    """A run of no blocks would never end."""
    with pytest.raises(UsageError, match="batch_blocks is 0"):
        Pipeline(None, batch_blocks=0)


def test_progress_is_the_sources(tmp_path: Path) -> None:
    """Who gave the source a progress watches it being read, whatever runs over it."""
    stages: list[str] = []

    def progress(_done_bytes: int, _total_bytes: int, stage: str) -> None:
        stages.append(stage)

    write_source(tmp_path, RECORDS)
    source = open_source(tmp_path, progress=progress)
    Pipeline(None).run(source)
    once = list(stages)
    verify_source(source)
    assert {"index", "read"} == set(once)
    assert 2 * once == stages


class Bounded:
    """A sorted source that only gives items."""

    bounded = True

    def items(self) -> Iterator[Item]:
        """Give the journal as it was written."""
        return map(parse_record, RECORDS)


def test_any_sorted_source_will_do() -> None:
    """A source needs to be sorted, not to know places."""
    sink = MemorySink()
    report = Pipeline(sink).run(Bounded())
    assert (True, BLOCKS) == (report.ok, sink.blocks)


class Live(Bounded):
    """A live source that happens to end."""

    bounded = False


def test_a_live_source_needs_a_start() -> None:
    """Neither position nor start: the lowest number seen is named, to choose from."""
    with pytest.raises(UsageError, match=rf"strand {STRAND} has no start; .* seen is 0"):
        Pipeline(MemorySink()).run(Live())
    sink = MemorySink()
    assert Pipeline(sink, start=0).run(Live()).ok
    assert BLOCKS == sink.blocks


CRASHING = """
import os, signal, sys
from pathlib import Path
from qldb_stream.pipeline import Pipeline
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sources import open_source

class Dying(JsonlSink):
    left = int(sys.argv[3])

    def apply(self, blocks, position, token):
        if self.left == 0:
            # Half a line, as a crash in the middle of a write leaves it.
            with Path(sys.argv[2]).open("ab") as torn:
                torn.write(b'{"recordType":"BLOCK_SUMMARY","half')
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return super().apply(blocks, position, token)

sink = Dying(sys.argv[2])
report = Pipeline(sink, batch_blocks=3).run(open_source([sys.argv[1]]))
sink.close()
print(report.applied, report.skipped)
"""


def test_killed_runs_end_in_the_state_of_one_clean_run(tmp_path: Path) -> None:
    """Law 6: SIGKILL between and within applies loses nothing and repeats nothing."""
    write_archive(make_delivery(RECORDS, seed=9, window=50), tmp_path / "archive")
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", CRASHING, str(tmp_path / "archive"), str(out)]
    for survives in ("0", "2", "1", "4"):
        killed = subprocess.run([*command, survives], capture_output=True, check=False)
        assert -9 == killed.returncode, killed.stderr
    done = subprocess.run([*command, "-1"], capture_output=True, check=True, text=True)
    assert "19 21" == done.stdout.strip()
    clean = JsonlSink(tmp_path / "clean.jsonl")
    Pipeline(clean, batch_blocks=3).run(open_source([tmp_path / "archive"]))
    clean.close()
    assert (tmp_path / "clean.jsonl").read_bytes() == out.read_bytes()


def test_checked_blocks_can_be_taken_without_a_sink(tmp_path: Path) -> None:
    """Whoever compares or counts gets the blocks that a replay would deliver."""
    core = PipelineCore(Order.SORTED)
    checked = list(iter_checked(core, write_source(tmp_path, records_without(30))))
    assert BLOCKS[:30] == [found.block for found in checked if found.verdict is Verdict.DELIVER]
    assert [(ProblemCode.GAP, 30)] == codes(core.report().problems)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("zzz", {}), "'zzz' names no sink"),
        (("zzz:x", {}), "there is no sink zzz:"),
        (("ledger:x?idz=any", {}), "has no option 'idz'"),
        ((None, {"start": -1}), "starts at block 0 or later"),
        ((None, {"start": {STRAND: -1}}), "starts at block 0 or later"),
        ((None, {"accept_gaps": {STRAND: [Gap(5, 4, "x")]}}), "a gap from 5 to 4"),
        ((None, {"batch_blocks": 0}), "batch_blocks is 0"),
        ((None, {"token": -1}), "token is -1"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str | None, dict[str, Any]],
    words: str,
) -> None:
    """A pipeline is not made of a URL or a number that could never work; nothing is opened."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        Pipeline(arguments[0], **arguments[1])
    assert [] == list(tmp_path.iterdir())
