"""
Law 3: one flipped bit anywhere in hashed content is found, and its block is named.

What no hash covers is listed here by its bytes, and nothing else may be silent: names,
symbol tables, types and lengths count as hashed content, because all that is hashed is
reached through them. The genuine records of block 14 are flipped bit by bit, those of
synthetic journals at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.assembly import BlockAssembler
from qldb_stream.errors import AggregationError, IncompleteBlockError
from qldb_stream.events import (
    NEED_MORE,
    Block,
    BlockSummary,
    Event,
    RedactionInfo,
    Revision,
    RevisionDetails,
    RevisionKind,
    TransactionInfo,
    Undecodable,
)
from qldb_stream.ion import IonSlice
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Level, Outcome, Problem, ProblemCode, VerifyReport
from qldb_stream.testing import (
    JournalShape,
    flip_bit,
    iter_flips,
    make_journal,
    records,
    reframe,
)
from qldb_stream.typing import Item
from qldb_stream.verification import verify_block
from tests.laws.way import read, read_all, spans, verify_items

STRAND, NUMBER = "0VwGeHD7Q9LL4HSC55gDSp", 14
DOCUMENT = "6WXz9wdajiY7K5u6YwGUN4"

# What no client can recompute and no other part repeats (facts 2.5): the documented rest.
UNCOVERED = {
    "BLOCK_SUMMARY": ("qldbStreamArn", "payload.blockTimestamp"),
    "REVISION_DETAILS": ("qldbStreamArn",),
}
# The offset in a timestamp, of which only the instant is kept, is in blockTimestamp's bytes.


def problems_of(items: list[Item]) -> list[Problem]:
    """Assemble and verify the records of one block; give all that is wrong."""
    found: list[Problem] = []
    assembler = BlockAssembler()
    for item in items:
        if isinstance(item, Undecodable):
            found.append(Problem(ProblemCode.UNDECODABLE, str(item.error)))
        else:
            assembler.feed(item)
    leftovers = assembler.close()
    found += assembler.take_problems()
    for error in leftovers:
        assert isinstance(error, IncompleteBlockError)
        place = error.strand_id, error.sequence_no
        found.append(Problem(ProblemCode.INCOMPLETE, str(error), *place))
    while (block := assembler.next_block()) is not NEED_MORE:
        assert isinstance(block, Block)
        verification = verify_block(block)
        found += verification.problems
        if not found and any(c.outcome is Outcome.NOT_CHECKABLE for c in verification.checks):
            place = block.address.strand_id, block.address.sequence_no
            found.append(Problem(ProblemCode.MISMATCH, "not checkable", *place))
    return found


def genuine(vectors: Path) -> list[bytes]:
    """Read the two user records of the genuine frame."""
    return deaggregate((vectors / "kpl-14/aggregated.kpl").read_bytes())


def test_the_genuine_records_are_sound(vectors: Path) -> None:
    """Without a flip there is nothing to find."""
    assert [] == problems_of([parse_record(record) for record in genuine(vectors)])


@pytest.mark.parametrize("which", [0, 1], ids=["BLOCK_SUMMARY", "REVISION_DETAILS"])
def test_each_bit_of_the_genuine_records_is_found_and_named(vectors: Path, which: int) -> None:
    """Every flip outside the documented rest is a problem that names block 14 or its field."""
    records = genuine(vectors)
    items: list[Item] = [parse_record(record) for record in records]
    name = ("BLOCK_SUMMARY", "REVISION_DETAILS")[which]
    silent_bytes = {b for span in spans(records[which], UNCOVERED[name]) for b in span}
    missed, unnamed = [], []
    for bit, flipped in iter_flips(records[which]):
        damaged = [*items]
        damaged[which] = read(flipped)
        problems = problems_of(damaged)
        if not problems and bit // 8 not in silent_bytes:
            missed.append(bit)
        elif problems and not is_named(problems):
            unnamed.append(bit)
    assert ([], []) == (missed, unnamed)


def is_named(problems: list[Problem]) -> bool:
    """Tell whether a problem names block 14, or the part of the address that is damaged."""
    return any(
        (p.strand_id, p.sequence_no) == (STRAND, NUMBER)
        or (p.field or "").startswith("blockAddress.")
        for p in problems
    )


@pytest.mark.parametrize(
    "path",
    ["payload.revision.hash", "payload.revision.data", "payload.revision.metadata.version"],
)
def test_each_bit_of_hashed_content_names_the_document(vectors: Path, path: str) -> None:
    """A flip in a revision that still parses is told with the document's id."""
    summary, details = genuine(vectors)
    items: list[Item] = [parse_record(summary), parse_record(details)]
    [span] = spans(details, [path])
    for bit, flipped in iter_flips(details, span.start, span.stop):
        damaged = read(flipped)
        if isinstance(damaged, RevisionDetails):
            named = [p.document_id for p in problems_of([items[0], damaged])]
            assert DOCUMENT in named, bit


def test_a_flip_in_the_raw_frame_is_told_with_its_offset(vectors: Path) -> None:
    """Every bit of the frame is covered: keys, records, lengths, checksum, the magic too."""
    frame = (vectors / "kpl-14/aggregated.kpl").read_bytes()
    for _bit, flipped in iter_flips(frame):
        with pytest.raises(AggregationError) as caught:
            deaggregate(flipped)
        assert 0 <= caught.value.offset <= len(frame)


def test_a_flip_behind_a_right_checksum_is_found_all_the_same(vectors: Path) -> None:
    """Framed again, the damaged record comes out of the frame as it went in, and fails."""
    frame = (vectors / "kpl-14/aggregated.kpl").read_bytes()
    records = deaggregate(frame)
    for bit in range(4000, 8 * len(records[1]), 401):
        damaged = reframe(frame, [records[0], flip_bit(records[1], bit)])
        items = [read(record) for record in deaggregate(damaged)]
        assert [] != problems_of(items)


# --- synthetic journals ---------------------------------------------------------------------

SHAPE = JournalShape(redactions=0.3, system=0.2, empty=0.2, deletes=0.2)


@cache
def journal(seed: int, *, erased: bool) -> tuple[tuple[bytes, Event], ...]:
    """Make a journal; give its records and events, the CONTROL record apart."""
    records = list(
        make_journal(seed, blocks=14, shape=SHAPE).with_erased(erased=erased).iter_records()
    )
    return tuple(zip(records[1:], read_all(records[1:]), strict=True))


def silent_fields(event: Event, *, at_an_end: bool) -> Iterator[str]:
    """Name the fields of a record in which a flip may go unseen, as documented."""
    yield "qldbStreamArn"
    if isinstance(event, BlockSummary):
        yield "payload.blockTimestamp"
        if not any(leaf.document_id for leaf in event.revision_summaries):
            yield "payload.transactionId"
            if at_an_end:  # no block stands on its other side that would show the hole
                yield "payload.blockAddress.strandId"
    if isinstance(event, RevisionDetails) and event.revision.kind is RevisionKind.DELETE:
        # Not checkable until a delete rule has fitted in the strand (facts 1.4).
        yield "payload.revision.metadata"


@settings(max_examples=200)
@given(st.data())
def test_each_bit_of_a_synthetic_journal_is_found(data: st.DataObject) -> None:
    """A flip in any record outside the documented rest is a problem that names its block."""
    pairs = journal(data.draw(st.integers(0, 3)), erased=data.draw(st.booleans()))
    which = data.draw(st.integers(0, len(pairs) - 1))
    record, event = pairs[which]
    place = event.revision if isinstance(event, RevisionDetails) else event
    assert isinstance(place, BlockSummary | Revision)
    fields = list(silent_fields(event, at_an_end=place.address.sequence_no in (0, 13)))
    silent_bytes = {b for span in spans(record, fields) for b in span}
    byte = data.draw(st.integers(0, len(record) - 1).filter(lambda b: b not in silent_bytes))
    bit = 8 * byte + data.draw(st.integers(0, 7))
    items: list[Item] = [e for _, e in pairs]
    items[which] = read(flip_bit(record, bit))
    report = verify_items(items)
    assert not report.ok
    numbers = {p.sequence_no for p in report.problems}
    assert place.address.sequence_no in numbers or isinstance(event, BlockSummary)


@pytest.mark.parametrize("redacts", [False, True], ids=["DDL", "redaction"])
def test_each_bit_of_a_summary_without_revisions_is_found(*, redacts: bool) -> None:
    """No part that stands alone in its block can vanish: the block's own checks find it."""
    record = next(
        record
        for record, event in journal(2, erased=False)
        if isinstance(event, BlockSummary)
        and not event.revision_summaries
        and event.transaction_info is not None
        and redacts is (event.redaction_info is not None)
    )
    # Without revisions nothing repeats the address and the id; the chain holds the number.
    alone = ("payload.transactionId", "payload.blockAddress", *UNCOVERED["BLOCK_SUMMARY"])
    silent_bytes = {b for span in spans(record, alone) for b in span}
    missed = []
    for bit, flipped in iter_flips(record):
        damaged = read(flipped)
        if isinstance(damaged, BlockSummary) and bit // 8 not in silent_bytes:
            leaves = tuple(Revision(damaged.address, s.hash) for s in damaged.revision_summaries)
            if verify_block(Block(damaged, leaves)).ok:
                missed.append(bit)
    assert [] == missed


# --- whole parts ----------------------------------------------------------------------------

# Without leaves that only the system knows and blocks without transactionInfo, all is checkable.
WHOLE = tuple(make_journal(3, blocks=60, shape=JournalShape(system=0.0, empty=0.0, redactions=0.1)))
REDACTION = next(block for block in WHOLE if block.summary.redaction_info)
ORDINARY = next(block for block in WHOLE if block.revisions and block.summary.transaction_info)


def moved(block: Block, *, transaction: str | None, redaction: str | None) -> Block:
    """Give a block whose infos are other parts of it, by name; None for none."""
    infos: dict[str | None, IonSlice] = {}
    if block.summary.transaction_info is not None:
        infos["transaction"] = block.summary.transaction_info.ion
    if block.summary.redaction_info is not None:
        infos["redaction"] = block.summary.redaction_info.ion
    summary = attrs.evolve(
        block.summary,
        transaction_info=TransactionInfo(infos[transaction]) if transaction else None,
        redaction_info=RedactionInfo(infos[redaction]) if redaction else None,
    )
    return attrs.evolve(block, summary=summary)


def verify_with(*changed: Block) -> VerifyReport:
    """Verify the journal with some blocks changed, from records."""
    by_address = {block.address: block for block in changed}
    blocks = [by_address.get(block.address, block) for block in WHOLE]
    return verify_items([read(record) for block in blocks for record in records(block)])


def test_the_whole_journal_is_verified_in_full() -> None:
    """Nothing is left open before anything is moved."""
    report = verify_with()
    assert (True, Level.FULL, 0) == (report.ok, report.level, report.redacted)


@pytest.mark.parametrize(
    ("block", "code"),
    [
        (moved(REDACTION, transaction="redaction", redaction=None), "TRANSACTION_INFO"),
        (moved(REDACTION, transaction="redaction", redaction="redaction"), "TRANSACTION_INFO"),
        (moved(REDACTION, transaction="redaction", redaction="transaction"), "REDACTION_INFO"),
        (moved(REDACTION, transaction=None, redaction="redaction"), "TRANSACTION_INFO"),
        (moved(REDACTION, transaction="transaction", redaction="transaction"), "REDACTION_INFO"),
        (moved(ORDINARY, transaction="transaction", redaction="transaction"), "REDACTION_INFO"),
        (moved(ORDINARY, transaction=None, redaction="transaction"), "TRANSACTION_INFO"),
    ],
)
def test_no_part_passes_as_another(block: Block, code: str) -> None:
    """Each hash is a member of entriesHashList, and the block is named all the same."""
    report = verify_with(block)
    numbers = {problem.sequence_no for problem in report.problems}
    assert {block.address.sequence_no} == numbers
    assert code in {problem.code.value for problem in report.problems}


def stripped(block: Block) -> Block:
    """Give a block all of whose documents are taken out, with their hashes in place."""
    return attrs.evolve(
        block,
        revisions=tuple(
            one
            if one.data_ion is None
            else attrs.evolve(one, data_ion=None, data_hash=one.data_ion.hash())
            for one in block.revisions
        ),
    )


def test_documents_do_not_vanish_without_a_request() -> None:
    """Every hash holds, so nothing fails; but the level is partial, and says why."""
    report = verify_with(*map(stripped, WHOLE))
    assert (True, Level.PARTIAL) == (report.ok, report.level)
    asked = sum(block.summary.redaction_info is not None for block in WHOLE)
    [(reason, times)] = report.not_checkable.items()
    assert reason.startswith("redacted without a request")
    assert report.redacted - asked == times


def test_redactions_that_were_asked_for_leave_the_level_full() -> None:
    """The journal accounts for what is gone, in blocks that nobody could add."""
    shape = JournalShape(system=0.0, empty=0.0, redactions=0.1)
    erased = make_journal(3, blocks=60, shape=shape).with_erased()
    report = verify_items(read_all(list(erased.iter_records())))
    asked = sum(block.summary.redaction_info is not None for block in WHOLE)
    assert (True, Level.FULL, asked) == (report.ok, report.level, report.redacted)
