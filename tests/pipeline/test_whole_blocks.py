"""`Pipeline.run` on whole blocks, and on what is neither an event nor a block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import BacklogError, UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Order, Pipeline, PipelineCore, verify_source
from qldb_stream.report import ProblemCode
from qldb_stream.sinks.memory import MemorySink
from tests.pipeline.support import BLOCKS, RECORDS, STRAND, codes

EVENTS = [parse_record(record) for record in RECORDS]


@pytest.mark.parametrize("start", [None, 0])
def test_whole_blocks_are_delivered_in_order(start: int | None) -> None:
    """Blocks in any order, some twice, come to the sink in order and once."""
    sink = MemorySink()
    report = Pipeline(sink, start=start).run([*BLOCKS[20:], *BLOCKS[5::-1], *BLOCKS[:20]])
    assert (True, 40) == (report.ok, report.applied)
    assert BLOCKS == sink.blocks


def test_the_blocks_of_a_ledger_are_delivered_as_they_are(tmp_path: Path) -> None:
    """What `Ledger.blocks` gives fills another ledger, and a second run applies nothing."""
    with Ledger.open(tmp_path / "source.ledger") as source:
        source.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE t"))
        source.driver().execute_lambda(lambda txn: txn.execute_statement("INSERT INTO t {'a': 1}"))
        url = f"ledger:{tmp_path}/copy.ledger"
        first = Pipeline(url).run(source.blocks())
        second = Pipeline(url).run(source.blocks())
        tip = source.digest().tip.sequence_no
    assert (True, tip + 1) == (first.ok, first.applied)
    assert (True, 0, tip + 1) == (second.ok, second.applied, second.skipped)


def test_the_blocks_of_an_export_are_verified(tmp_path: Path) -> None:
    """What `parse_export` gives is a source as events are."""
    with Ledger.open(tmp_path / "source.ledger") as source:
        source.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE t"))
        source.export(tmp_path / "out")
        blocks = source.digest().tip.sequence_no + 1
    objects = sorted((tmp_path / "out").rglob("*.ion"))
    found = [x for path in objects if "manifest" not in path.name for x in [path.read_bytes()]]
    report = verify_source(block for data in found for block in parse_export(data))
    assert (True, blocks) == (report.ok, report.blocks)


def test_blocks_and_events_meet() -> None:
    """A block that comes whole and in parts is one; two versions of it are a conflict."""
    sink = MemorySink()
    assert Pipeline(sink).run([*EVENTS, *BLOCKS[:7]]).ok
    assert BLOCKS == sink.blocks
    other = attrs.evolve(
        BLOCKS[9], summary=attrs.evolve(BLOCKS[9].summary, transaction_id="x" * 22)
    )
    report = Pipeline(MemorySink()).run([*EVENTS, other])
    assert [(ProblemCode.CONFLICT, 9)] == codes(report.verification.problems)
    assert 9 == report.applied


def test_whole_blocks_wait_within_a_limit() -> None:
    """What waits for the end of the input is bounded."""
    core = PipelineCore(Order.UNSORTED, limit=3)
    for block in BLOCKS[:3]:
        core.feed(block)
    with pytest.raises(BacklogError, match="more than 3 blocks wait for the end of the input"):
        core.feed(BLOCKS[3])
    core.close()
    with pytest.raises(UsageError, match="after close"):
        core.feed(BLOCKS[3])
    assert core.knows(STRAND)


@pytest.mark.parametrize("start", [None, 0])
@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([1, "x", None], "expected an event, found int"),
        ([*EVENTS[:9], None], "expected an event, found NoneType"),
        ([b"abc"], r"expected an event, found bytes; parse records first \(parse_record\)"),
        (b"abc", "expected a source, or an iterable of events or blocks, found bytes"),
        ("archive/", r"found str; qldb_stream\.sources\.open_source opens files and folders"),
        (Path("archive"), "found PosixPath"),
        (5, "found int"),
    ],
)
def test_what_is_no_event_is_refused(items: Any, words: str, start: int | None) -> None:
    """Nothing is passed over in silence: whatever cannot be delivered is named by its type."""
    sink = MemorySink()
    with pytest.raises(UsageError, match=words):
        Pipeline(sink, start=start).run(items)
    with pytest.raises(UsageError, match=words):
        verify_source(items)


@pytest.mark.parametrize(
    ("found", "words"), [(5, "an event, found int"), (BLOCKS[0], "found a whole Block")]
)
def test_the_assembler_takes_events_alone(found: Any, words: str) -> None:
    """A block, or anything else, is refused by the assembler, which goes on."""
    assembler = BlockAssembler()
    with pytest.raises(UsageError, match=words):
        assembler.feed(found)
    assembler.feed(EVENTS[0])


def test_an_empty_iterable_has_nothing_readable() -> None:
    """Nothing at all is no error of the call; the report says so."""
    report = Pipeline(MemorySink()).run([])
    assert (True, True, 0) == (report.nothing_readable, report.ok, report.applied)
