"""`verify_source`: everything is proven or named, and nothing stops it."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.events import BlockSummary, RevisionDetails
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import verify_source
from qldb_stream.report import Level, ProblemCode, StrandReport
from qldb_stream.sources import open_source
from qldb_stream.testing.deliveries import firehose_object, make_delivery
from qldb_stream.testing.journals import Journal, JournalShape, make_journal, records
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

REVISIONS = sum(revision.metadata is not None for block in BLOCKS for revision in block.revisions)
WHOLE = StrandReport(STRAND, 0, 39, (), JOURNAL.digest())


def test_a_sound_journal_is_proven_whole(tmp_path: Path) -> None:
    """Counts, range and digest are those of the journal."""
    report = verify_source(write_source(tmp_path, RECORDS))
    assert (True, 40, REVISIONS, (WHOLE,), len(RECORDS)) == (
        report.ok,
        report.blocks,
        report.revisions,
        report.strands,
        report.records,
    )


def test_the_real_block_14_verifies(vectors: Path) -> None:
    """What the service wrote is one block with one revision, and it is sound."""
    report = verify_source(open_source([vectors / "kpl-14" / "aggregated.kpl"]))
    assert (True, 1, 1) == (report.ok, report.blocks, report.revisions)
    assert [(14, 14, None)] == [(s.first, s.last, s.digest) for s in report.strands]


def test_the_real_block_3_verifies_from_text(vectors: Path) -> None:
    """Ion text is as good as binary; the edited revision is the one that fails."""
    summary = vectors / "block-3" / "block_summary.ion"
    genuine = verify_source(open_source([summary, vectors / "block-3" / "revision_details.ion"]))
    assert (True, 1, 1) == (genuine.ok, genuine.blocks, genuine.revisions)
    edited = verify_source(
        open_source([summary, vectors / "block-3" / "revision_details.edited.ion"])
    )
    beside = verify_source(open_source([vectors / "block-3"]))
    assert [(ProblemCode.REVISION_HASH, 3)] == codes(beside.problems)
    assert (ProblemCode.REVISION_HASH, 3) in codes(edited.problems)
    assert all(problem.document_id for problem in edited.problems)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 60), st.none() | st.just(9))
def test_order_and_repetition_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, window: int, most: int | None
) -> None:
    """Law 1: however a journal is delivered, the report is the same, from files and events."""
    delivery = list(make_delivery(RECORDS, seed=seed, window=window, repeats=0.3))
    packed = make_delivery(RECORDS, seed=seed, window=window, repeats=0.3, most_in_frame=most)
    folder = tmp_path_factory.mktemp("law")
    expected = attrs.evolve(verify_source(write_source(folder, RECORDS)), records=len(delivery))
    assert expected == verify_source(map(parse_record, delivery))
    (folder / "records").write_bytes(firehose_object(packed))
    assert expected == verify_source(open_source([folder]))


@pytest.mark.parametrize("as_events", [False, True])
def test_a_missing_block_is_a_hole_and_the_chain_goes_on(
    tmp_path: Path, *, as_events: bool
) -> None:
    """The hole is named once, everything after it is verified, and there is no digest."""
    left = records_without(7, 8, 20)
    source = map(parse_record, left) if as_events else write_source(tmp_path, left)
    report = verify_source(source)
    assert [(ProblemCode.GAP, 7), (ProblemCode.GAP, 20)] == codes(report.problems)
    assert "blocks from 7 to 8 are missing" in report.problems[0].message
    assert 37 == report.blocks
    assert (StrandReport(STRAND, 0, 39, ((7, 8), (20, 20)), None),) == report.strands
    assert 2 == report.not_checkable["the block before it is not at hand"]


@pytest.mark.parametrize("as_events", [False, True])
def test_a_missing_revision_makes_its_block_incomplete(tmp_path: Path, *, as_events: bool) -> None:
    """The block and the document are named, and the block is no hole besides."""
    number = block_with_revisions()
    details = next(
        record
        for record in RECORDS
        if isinstance(event := parse_record(record), RevisionDetails) and number_of(event) == number
    )
    left = [record for record in RECORDS if record != details]
    source = map(parse_record, left) if as_events else write_source(tmp_path, left)
    report = verify_source(source)
    event = parse_record(details)
    assert isinstance(event, RevisionDetails)
    assert [(ProblemCode.INCOMPLETE, number)] == codes(report.problems)
    assert str(event.revision.document_id) in report.problems[0].message
    assert (39, ((number, number),)) == (report.blocks, report.strands[0].missing)


def test_a_missing_summary_makes_its_block_incomplete(tmp_path: Path) -> None:
    """Revisions without a summary name the block that they claim."""
    number = block_with_revisions()
    left = records_without(number, only=BlockSummary)
    report = verify_source(write_source(tmp_path, left))
    assert [(ProblemCode.INCOMPLETE, number)] == codes(report.problems)


def test_incomplete_blocks_within_a_hole_split_it(tmp_path: Path) -> None:
    """What has a problem of its own is not told a second time as missing."""
    number = block_with_revisions()
    left = [
        record
        for record in RECORDS
        if abs(number_of(parse_record(record)) - number) > 2
        or (
            number_of(parse_record(record)) == number
            and isinstance(parse_record(record), BlockSummary)
        )
    ]
    report = verify_source(write_source(tmp_path, left))
    expected = [
        (ProblemCode.INCOMPLETE, number),
        (ProblemCode.GAP, number - 2),
        (ProblemCode.GAP, number + 1),
    ]
    assert expected == codes(report.problems)
    assert ((number - 2, number + 2),) == report.strands[0].missing


def test_a_hole_before_a_last_incomplete_block_is_named(tmp_path: Path) -> None:
    """A block that cannot be used still shows that others must have been there."""
    number = block_with_revisions(20)
    gone = [n for n in range(number - 2, 40) if n != number]
    left = records_without(*gone, records=records_without(number, only=RevisionDetails))
    report = verify_source(write_source(tmp_path, left))
    expected = [(ProblemCode.INCOMPLETE, number), (ProblemCode.GAP, number - 2)]
    assert expected == codes(report.problems)
    assert str(number - 1) in report.problems[1].message


def test_a_flipped_bit_names_block_and_document(tmp_path: Path) -> None:
    """Law 3, once through the whole way; all other blocks verify."""
    number = block_with_revisions()
    damaged, document_id = flip_data(RECORDS, number)
    report = verify_source(write_source(tmp_path, damaged))
    assert (ProblemCode.REVISION_HASH, number) in codes(report.problems)
    assert {(number, document_id)} == {(p.sequence_no, p.document_id) for p in report.problems}
    assert (40, (WHOLE,)) == (report.blocks, report.strands)


def test_two_versions_of_a_block_are_a_conflict(tmp_path: Path) -> None:
    """Law 2: neither version is chosen, and the address is named."""
    other = Journal(52, 40, JOURNAL.shape, STRAND, JOURNAL.stream_arn)
    rival = [r for r in other.iter_records() if number_of(parse_record(r)) == 9]
    report = verify_source(write_source(tmp_path, [*RECORDS, *rival]))
    assert (ProblemCode.CONFLICT, 9) in codes(report.problems)


def test_undecodable_bytes_are_named_and_cost_nothing_else(tmp_path: Path) -> None:
    """File, offset and reason are in the message; the journal around them is sound."""
    source = write_source(tmp_path, [*RECORDS[:9], b"garbage", *RECORDS[9:]])
    report = verify_source(source)
    (problem,) = report.problems
    offset = sum(map(len, RECORDS[:9]))
    assert ProblemCode.UNDECODABLE is problem.code
    assert f"{tmp_path / 'records'} at byte {offset}, 7 bytes" in problem.message
    assert (40, (WHOLE,)) == (report.blocks, report.strands)


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_nothing_readable_is_told(tmp_path: Path, content: bytes) -> None:
    """An empty archive proves nothing, and garbage is named besides."""
    report = verify_source(write_source(tmp_path, [content]))
    assert (True, 0, bool(content)) == (
        report.nothing_readable,
        report.blocks,
        bool(report.problems),
    )


def test_a_control_record_alone_is_a_sound_source(tmp_path: Path) -> None:
    """A stream that has just begun has no blocks yet."""
    report = verify_source(write_source(tmp_path, RECORDS[:1]))
    assert (True, False, 0, ()) == (
        report.ok,
        report.nothing_readable,
        report.blocks,
        report.strands,
    )


def test_a_strand_that_starts_late_is_partly_checkable(tmp_path: Path) -> None:
    """Its first block cannot be linked and there is no digest, which is no problem."""
    late = records_without(*range(5))
    report = verify_source(write_source(tmp_path, late))
    assert (True, Level.PARTIAL) == (report.ok, report.level)
    assert (StrandReport(STRAND, 5, 39, (), None),) == report.strands


def test_strands_are_reported_side_by_side(tmp_path: Path) -> None:
    """What is wrong in one strand is not wrong in another."""
    other = make_journal(53, blocks=10)
    mixed = [*records_without(3), *other.iter_records()]
    report = verify_source(write_source(tmp_path, mixed))
    assert [(ProblemCode.GAP, 3)] == codes(report.problems)
    expected = sorted(
        [
            StrandReport(STRAND, 0, 39, ((3, 3),), None),
            StrandReport(other.strand_id, 0, 9, (), other.digest()),
        ],
        key=lambda strand: strand.strand_id,
    )
    assert expected == list(report.strands)


def test_redacted_and_full_copies_are_one_journal(tmp_path: Path) -> None:
    """An archive from before a redaction and one from after it agree."""
    shape = JournalShape(redactions=0.5, most_revisions=2)
    journal = make_journal(8, blocks=60, shape=shape)
    erased = [record for block in journal.with_erased() for record in records(block)]
    report = verify_source(write_source(tmp_path, [*journal.iter_records(), *erased]))
    assert () == report.problems
    assert (60, journal.digest()) == (report.blocks, report.strands[0].digest)


def test_no_events_at_all_are_nothing_readable() -> None:
    """An empty iterable is no journal."""
    report = verify_source(())
    assert (True, True, ()) == (report.ok, report.nothing_readable, report.problems)
