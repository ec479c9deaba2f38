"""Law 1: any batching, order and duplication of a journal's records gives the same blocks."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import attrs
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import DecodeError
from qldb_stream.events import NEED_MORE, Block, ControlRecord, Event
from qldb_stream.ordering import EARLIEST, Sequencer
from qldb_stream.parsers.firehose import parse_firehose_object
from qldb_stream.parsers.kinesis import parse_kinesis_event
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import Problem, VerifyReport
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import (
    Journal,
    firehose_object,
    flip_bit,
    get_records_answer,
    lambda_event,
)
from qldb_stream.testing.strategies import batches, deliveries, journals
from qldb_stream.typing import Item

CARRIERS = {
    "get_records": lambda datas: parse_kinesis_event(get_records_answer(datas)),
    "Lambda": lambda datas: parse_kinesis_event(lambda_event(datas)),
    "Firehose": lambda datas: parse_firehose_object(firehose_object(datas)),
    "Firehose with newlines": lambda datas: parse_firehose_object(
        firehose_object(datas, newlines=True, gzipped=True)
    ),
}


@st.composite
def delivered(draw: st.DrawFn) -> tuple[Journal, list[Item]]:
    """Draw a journal, and its events as they arrive in batches by several carriers."""
    journal = draw(journals(most_blocks=10, any_documents=True))
    delivery = draw(deliveries(list(journal.iter_records())))
    items: list[Item] = []
    for batch in draw(batches(delivery)):
        items += CARRIERS[draw(st.sampled_from(sorted(CARRIERS)))](batch)
    return journal, items


def put_together(items: Iterable[Item], start: int | None) -> list[Block]:
    """Assemble and order events; with a start, each block as soon as it is ready."""
    assembler = BlockAssembler()
    sequencer = Sequencer(EARLIEST if start is None else start)
    blocks: list[Block] = []
    for item in items:
        assembler.feed(item)  # type: ignore[arg-type]  # sound records are all events
        pass_on(assembler, sequencer, blocks)
    assert () == assembler.close()
    pass_on(assembler, sequencer, blocks)
    assert () == sequencer.close()
    pass_on(assembler, sequencer, blocks)
    assert () == assembler.take_problems()
    return blocks


def pass_on(assembler: BlockAssembler, sequencer: Sequencer, blocks: list[Block]) -> None:
    """Give whole blocks to the sequencer, and take those in order."""
    while (block := assembler.next_block()) is not NEED_MORE:
        assert isinstance(block, Block)
        sequencer.feed(block)
    while (block := sequencer.next_block()) is not NEED_MORE:
        assert isinstance(block, Block)
        blocks.append(block)


@settings(max_examples=40)
@given(delivered(), st.sampled_from([None, 0]))
def test_the_same_blocks_come_out_in_the_same_order(
    delivery: tuple[Journal, list[Item]], start: int | None
) -> None:
    """What comes out is the journal, block by block, whatever way it took."""
    journal, items = delivery
    assert list(journal) == put_together(items, start)


@settings(max_examples=25)
@given(delivered())
def test_the_pipeline_delivers_the_same_blocks(delivery: tuple[Journal, list[Item]]) -> None:
    """The sink gets the journal, and the report has no problem and the journal's digest."""
    journal, items = delivery
    sink = MemorySink()
    report = Pipeline(sink, start=0).run(items)
    assert list(journal) == sink.blocks
    assert () == report.verification.problems
    assert [journal.digest()][: len(journal)] == [s.digest for s in report.verification.strands]


@settings(max_examples=25)
@given(st.data())
def test_of_a_full_and_a_redacted_copy_the_redacted_one_is_delivered(data: st.DataObject) -> None:
    """Both forms of a journal, mixed, give its redacted form when all comes before delivery."""
    journal = data.draw(journals(most_blocks=12))
    both = [r for e in (False, True) for r in journal.with_erased(erased=e).iter_records()]
    items = list(parse_kinesis_event(get_records_answer(data.draw(deliveries(both)))))
    sink = MemorySink()
    report = Pipeline(sink).run(items)
    assert () == report.verification.problems
    assert list(journal.with_erased()) == sink.blocks


@st.composite
def damaged_copies(draw: st.DrawFn, journal: Journal) -> list[Event]:
    """Draw copies of some records, several of one among them, each with a bit or two flipped."""
    records = list(journal.iter_records())
    chosen = draw(st.lists(st.sampled_from(records), min_size=1, max_size=3))
    found: list[Event] = []
    for record in [*chosen, *chosen, *chosen]:
        bits = draw(st.lists(st.integers(0, 8 * len(record) - 1), min_size=1, max_size=2))
        damaged = record
        for bit in bits:
            damaged = flip_bit(damaged, bit)
        try:
            event = parse_record(damaged)
        except DecodeError:
            continue  # where bytes that nobody can read stand is told, and so differs
        if not isinstance(event, ControlRecord):
            found.append(event)
    return found


def of_any_stream(block: Block) -> Block:
    """Give a block without its stream's name, in which copies may differ."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn=None))


def told(report: VerifyReport) -> list[Problem]:
    """List what a report says is wrong, in an order of its own."""
    return sorted(report.problems, key=repr)


@settings(max_examples=100)
@given(st.data())
def test_damaged_copies_change_nothing_by_their_order(data: st.DataObject) -> None:
    """Where among the sound records damaged copies come, first or last, tells nothing."""
    journal = data.draw(journals(most_blocks=8))
    sound = [parse_record(record) for record in journal.iter_records()]
    events = [*sound, *data.draw(damaged_copies(journal))]
    sink, other = MemorySink(), MemorySink()
    expected = Pipeline(sink).run(events)
    Random(data.draw(st.integers(0, 2**32))).shuffle(events)
    found = Pipeline(other).run(events)
    assert list(map(of_any_stream, sink.blocks)) == list(map(of_any_stream, other.blocks))
    assert told(expected.verification) == told(found.verification)
    assert attrs.evolve(expected.verification, problems=()) == (
        attrs.evolve(found.verification, problems=())
    )
