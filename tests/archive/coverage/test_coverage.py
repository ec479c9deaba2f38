"""Coverage: who holds what, what is missing, and what else there is to say of an archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.archive.coverage import Survey, cover_source
from qldb_stream.archive.coverage._memory import Memory
from qldb_stream.archive.coverage._tables import Tables
from qldb_stream.errors import SourceError
from qldb_stream.events import Block, RevisionKind
from qldb_stream.ledger import Ledger
from qldb_stream.report import (
    CoverageReport,
    Overlap,
    ProblemCode,
    RedactionCoverage,
    StrandCoverage,
    TableCoverage,
)
from qldb_stream.sources import open_source
from qldb_stream.testing import (
    JournalShape,
    edit_field,
    make_delivery,
    make_journal,
    records,
    write_archive,
)

SHAPE = JournalShape(redactions=0.3, system=0.2)
JOURNAL = make_journal(5, blocks=60, shape=SHAPE)
BLOCKS = list(JOURNAL)


def write(folder: Path, numbers: Iterable[int], blocks: Sequence[Block] = BLOCKS) -> Path:
    """Put some blocks into a file of a folder of its own."""
    (path,) = write_archive((r for n in numbers for r in records(blocks[n])), folder)
    return path


def cover(*paths: Path) -> CoverageReport:
    """Tell what paths hold, each a source of its name."""
    return cover_source(open_source(paths), [path.name for path in paths])


def cover_one(*paths: Path) -> StrandCoverage:
    """Tell what paths hold of the one strand in them."""
    (strand,) = cover(*paths).strands
    return strand


def test_a_whole_archive(tmp_path: Path) -> None:
    """Of a whole journal, shuffled and repeated in many files, nothing is missing."""
    delivery = make_delivery(JOURNAL.iter_records(), seed=5, most_in_frame=4)
    write_archive(delivery, tmp_path / "in", file_bytes=20_000)
    report = cover(tmp_path / "in")
    (strand,) = report.strands

    assert (True, 60, 0) == (report.ok, report.blocks, report.missing_blocks)
    assert (JOURNAL.strand_id, 0, 59, 59) == (
        strand.strand_id,
        strand.first,
        strand.last,
        strand.expected_last,
    )
    assert ((), (), True) == (strand.missing, strand.in_part, strand.is_exact)
    assert (BLOCKS[0].summary.block_timestamp, BLOCKS[-1].summary.block_timestamp) == (
        strand.first_time,
        strand.last_time,
    )
    (source,) = report.sources
    (holding,) = source.holdings
    assert (((0, 59),), 60, 0) == (holding.ranges, holding.blocks, holding.in_part_blocks)
    assert len(report.files) == source.files > 5
    assert report.records == source.records == sum(file.records for file in report.files)


def test_each_file_tells_what_it_holds(tmp_path: Path) -> None:
    """Files and sources have their own ranges, in numbers and in time."""
    first, second = write(tmp_path / "a", range(10)), write(tmp_path / "a2", range(20, 60, 2))
    report = cover(first, second)
    held = [[h.ranges for h in file.holdings] for file in report.files]

    assert [[((0, 9),)], [tuple((n, n) for n in range(20, 60, 2))]] == held
    assert held == [[h.ranges for h in source.holdings] for source in report.sources]
    assert [0, 1] == [file.source for file in report.files]
    assert [BLOCKS[9].summary.block_timestamp, BLOCKS[58].summary.block_timestamp] == [
        file.holdings[0].last_time for file in report.files
    ]


def test_what_is_missing(tmp_path: Path) -> None:
    """Missing are holes, and what comes before the first block: a ledger begins with block 0."""
    strand = cover_one(write(tmp_path / "in", [*range(3, 20), *range(21, 40), *range(50, 55)]))

    assert (3, 54, 41) == (strand.first, strand.last, strand.blocks)
    assert (((0, 2), (20, 20), (40, 49)), 14) == (strand.missing, strand.missing_blocks)


def test_a_block_in_part_is_missing(tmp_path: Path) -> None:
    """A block that lacks a revision, or its summary, is here in part and counts as missing."""
    whole = [records(block) for block in BLOCKS[:30]]
    cut = next(n for n, found in enumerate(whole) if len(found) > 2)
    bare = next(n for n, found in enumerate(whole) if len(found) > 1 and n > cut)
    whole[cut].pop()
    whole[bare].pop(0)
    write_archive((r for found in whole for r in found), tmp_path / "in")
    report = cover(tmp_path / "in")
    (strand,) = report.strands

    assert ((cut, cut), (bare, bare)) == strand.missing == strand.in_part
    assert (2, 2, 28) == (strand.missing_blocks, strand.in_part_blocks, strand.blocks)
    assert strand.in_part == report.files[0].holdings[0].in_part
    assert {ProblemCode.INCOMPLETE} == {problem.code for problem in report.problems}
    assert not report.ok


def test_a_block_in_part_at_the_end(tmp_path: Path) -> None:
    """Where the last of which anything is here is not whole, it is missing too."""
    last = next(n for n in range(59, 0, -1) if len(records(BLOCKS[n])) > 1)
    cut = [r for block in BLOCKS[:last] for r in records(block)] + records(BLOCKS[last])[:-1]
    write_archive(cut, tmp_path / "in")
    strand = cover_one(tmp_path / "in")

    assert (last - 1, last) == (strand.last, strand.expected_last)
    assert (((last, last),), 1) == (strand.missing, strand.missing_blocks)


def test_a_block_spread_over_files(tmp_path: Path) -> None:
    """A block whose parts are in two files is whole in their source, and in part in each."""
    number = next(n for n, block in enumerate(BLOCKS) if len(records(block)) > 1)
    found = records(BLOCKS[number])
    write_archive(found[:1], tmp_path / "in" / "a")
    write_archive(found[1:], tmp_path / "in" / "b")
    report = cover(tmp_path / "in")

    assert ((number, number),) == report.sources[0].holdings[0].ranges
    assert [((number, number),)] * 2 == [file.holdings[0].in_part for file in report.files]
    assert 1 == report.strands[0].blocks
    assert () == report.strands[0].overlaps


def test_a_block_spread_over_sources(tmp_path: Path) -> None:
    """A block that only two sources have together is whole, and in neither of them."""
    number = next(n for n, block in enumerate(BLOCKS) if len(records(block)) > 1)
    found = records(BLOCKS[number])
    write_archive(found[:1], tmp_path / "a")
    write_archive(found[1:], tmp_path / "b")
    report = cover(tmp_path / "a", tmp_path / "b")

    assert [0, 0] == [source.holdings[0].blocks for source in report.sources]
    assert 1 == report.strands[0].blocks


def test_overlaps(tmp_path: Path) -> None:
    """Runs of blocks that are there more than once name the sources and files that have them."""
    paths = (
        write(tmp_path / "a", range(30)),
        write(tmp_path / "b", range(20, 50)),
        write(tmp_path / "c", range(25, 60)),
    )
    report = cover(*paths)
    (strand,) = report.strands

    assert report.ok
    assert (
        Overlap(20, 24, 2, (0, 1), (0, 1)),
        Overlap(25, 29, 3, (0, 1, 2), (0, 1, 2)),
        Overlap(30, 49, 2, (1, 2), (1, 2)),
    ) == strand.overlaps
    assert 30 == strand.overlapping_blocks


def test_overlaps_within_a_source(tmp_path: Path) -> None:
    """Files of one source that hold the same block overlap as well."""
    write(tmp_path / "in" / "a", range(30))
    write(tmp_path / "in" / "b", range(20, 60))
    strand = cover_one(tmp_path / "in")

    assert (Overlap(20, 29, 2, (0,), (0, 1)),) == strand.overlaps


def test_a_block_with_two_contents(tmp_path: Path) -> None:
    """Two sound versions of one block are a conflict that names it and the files."""
    other = list(make_journal(6, blocks=60, strand_id=JOURNAL.strand_id))
    first = write(tmp_path / "a", range(30))
    second = write(tmp_path / "b", [7], other)
    report = cover(first, second)

    assert {7} == {found.problem.sequence_no for found in report.conflicts}
    assert {(0, 1)} == {found.files for found in report.conflicts}
    assert {ProblemCode.CONFLICT} == {found.problem.code for found in report.conflicts}
    assert () == report.problems
    assert not report.ok


def test_a_worse_copy_is_a_problem(tmp_path: Path) -> None:
    """A damaged copy beside a sound one is named, and nothing is missing."""
    number = next(n for n, block in enumerate(BLOCKS) if len(records(block)) > 1)
    damaged = edit_field(records(BLOCKS[number])[0], "payload.transactionId", "x" * 22)
    first = write(tmp_path / "a", range(30))
    write_archive([damaged], tmp_path / "b")
    report = cover(first, tmp_path / "b")

    assert 0 < len(report.problems) + len(report.conflicts)
    assert (0, 30) == (report.missing_blocks, report.blocks)
    assert not report.ok


def test_no_document_is_quoted(tmp_path: Path) -> None:
    """What differs between a damaged copy and the sound one is named, and no value is shown."""
    number = next(n for n, block in enumerate(BLOCKS) if len(records(block)) > 1)
    damaged = edit_field(records(BLOCKS[number])[1], "payload.revision.data", {"a": "secret"})
    first = write(tmp_path / "a", range(30))
    write_archive([damaged], tmp_path / "b")
    report = cover(first, tmp_path / "b")

    assert report.problems
    assert [None] * len(report.problems) == [problem.diagnosis for problem in report.problems]
    assert "secret" not in str(report.as_json())


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """Bytes that are no record are a problem, counted with their file and source."""
    write(tmp_path / "in", range(60))
    (tmp_path / "in" / "noise").write_bytes(b"neither Ion nor KPL")
    report = cover(tmp_path / "in")

    assert {ProblemCode.UNDECODABLE} == {problem.code for problem in report.problems}
    assert [1, 0] == [file.undecodable for file in report.files]
    assert 1 == report.sources[0].undecodable
    assert (False, 60) == (report.ok, report.blocks)


def test_nothing_readable(tmp_path: Path) -> None:
    """A source without a record has no strands, and says that nothing was readable."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    report = cover(tmp_path / "noise")

    assert (True, (), 0) == (report.nothing_readable, report.strands, report.blocks)


def test_tables_and_documents(tmp_path: Path) -> None:
    """Tables are those of the journal, with their documents, revisions and deletes counted."""
    found = Counter[str]()
    deleted = Counter[str]()
    documents: dict[str, set[str]] = {}
    for block in BLOCKS:
        for revision in block.revisions:
            if revision.table is not None and revision.metadata is not None:
                name = revision.table.table_name
                found[name] += 1
                deleted[name] += revision.kind is RevisionKind.DELETE
                documents.setdefault(name, set()).add(revision.metadata.id)
    strand = cover_one(write(tmp_path / "in", range(60)))

    assert {name: len(ids) for name, ids in documents.items()} == {
        table.name: table.documents for table in strand.tables
    }
    assert found == {table.name: table.revisions for table in strand.tables}
    assert +deleted == {table.name: table.deleted for table in strand.tables if table.deleted}
    assert [0, 3, 6] == sorted(table.created or 0 for table in strand.tables)
    assert sum(found.values()) == strand.revisions


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger in which tables are made, dropped, undropped, and made anew."""
    ledger = Ledger.open(tmp_path / "a.ledger")
    driver = ledger.driver()

    def run(text: str) -> None:
        driver.execute_lambda(lambda txn: list(txn.execute_statement(text)))

    for text in (
        "CREATE TABLE empty",
        "CREATE TABLE cars",
        "INSERT INTO cars VALUE {'a': 1}",
        "DROP TABLE cars",
        "CREATE TABLE cars",
        "INSERT INTO cars << {'a': 2}, {'a': 3} >>",
        "CREATE TABLE back",
        "INSERT INTO back VALUE {'a': 1}",
    ):
        run(text)
    table_id = driver.execute_lambda(
        lambda txn: next(
            iter(
                txn.execute_statement(
                    "SELECT tableId FROM information_schema.user_tables WHERE name = 'back'"
                )
            )
        )["tableId"]
    )
    run("DROP TABLE back")
    run(f'UNDROP TABLE "{table_id}"')
    run("DROP TABLE empty")
    return ledger


def test_dropped_tables(ledger: Ledger, tmp_path: Path) -> None:
    """Dropped tables say in which block; a name used again is another table; UNDROP undoes."""
    write_archive(ledger.stream_records(), tmp_path / "in")
    ledger.close()
    tables = cover_one(tmp_path / "in").tables
    shown = [(t.name, t.documents, t.dropped is not None) for t in tables]

    assert [("back", 1, False), ("cars", 1, True), ("cars", 2, False), ("empty", 0, True)] == shown
    assert None is tables[-1].table_id
    dropped, anew = tables[1], tables[2]
    assert dropped.dropped is not None
    assert anew.created is not None
    assert dropped.dropped < anew.created


def test_a_drop_of_a_table_that_was_never_seen(ledger: Ledger, tmp_path: Path) -> None:
    """An archive that begins later knows a dropped table by its name alone."""
    blocks = list(ledger.blocks())
    ledger.close()
    write_archive((r for block in blocks[-1:] for r in records(block)), tmp_path / "in")
    (table,) = cover_one(tmp_path / "in").tables

    assert TableCoverage("empty", None, dropped=blocks[-1].address.sequence_no) == table


def test_redactions(tmp_path: Path) -> None:
    """Redactions that were asked for are carried out, still in full, or not here at all."""
    erased = list(JOURNAL.with_erased())
    asked = sum(
        len(block.summary.redaction_info.revisions)
        for block in BLOCKS
        if block.summary.redaction_info is not None
    )
    gone = cover_one(write(tmp_path / "erased", range(60), erased)).redactions
    full = cover_one(write(tmp_path / "full", range(60))).redactions
    late = cover_one(write(tmp_path / "late", range(50, 60))).redactions
    first = next(n for n, block in enumerate(BLOCKS) if block.summary.redaction_info is not None)
    early = cover_one(write(tmp_path / "early", range(first), erased)).redactions

    assert RedactionCoverage(asked, erased=asked) == gone
    assert RedactionCoverage(asked, in_full=asked) == full
    assert late.requested == late.in_full + late.not_held
    assert late.not_held > 0
    assert RedactionCoverage(unasked=early.unasked) == early
    assert early.unasked > 0


def test_strands_are_told_apart(tmp_path: Path) -> None:
    """Two ledgers in one archive are two strands, with their own tables and documents."""
    other = make_journal(9, blocks=20)
    write(tmp_path / "in" / "a", range(60))
    write_archive(other.iter_records(), tmp_path / "in" / "b")
    report = cover(tmp_path / "in")
    alone = cover(tmp_path / "in" / "b").strands

    assert [*sorted((JOURNAL.strand_id, other.strand_id))] == [s.strand_id for s in report.strands]
    assert alone == tuple(s for s in report.strands if s.strand_id == other.strand_id)


def test_what_is_listed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ranges are more than their share, they are widened, and counts stay exact."""
    monkeypatch.setattr("qldb_stream.archive.coverage._survey._share", lambda _holders: 4)
    path = write(tmp_path / "in", range(0, 60, 2))
    report = cover(path)
    holding = report.files[0].holdings[0]

    assert (False, 30) == (holding.is_exact, holding.blocks)
    assert len(holding.ranges) <= 4
    assert len(report.strands[0].missing) == 29


def test_tables_beyond_any_ledger_are_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal made to fill memory with tables gets one entry for those beyond the limit."""
    monkeypatch.setattr("qldb_stream.archive.coverage._tables._MOST_TABLES", 2)
    memory = Memory()
    tables = Tables(memory, 0)
    for block in make_journal(3, blocks=40, shape=JournalShape(tables=6)):
        tables.feed(block)
    found = tables.report(memory.documents())
    memory.close()

    assert 3 == len(found)
    assert 1 == sum(table.name == "(further tables)" for table in found)
    assert all(table.documents for table in found)


def test_no_room_on_disk_is_an_error_of_the_source() -> None:
    """What SQLite raises is told as an error of the source."""
    memory = Memory()
    memory.close()

    with pytest.raises(SourceError, match="temporary index"):
        memory.add_request(("s", 1, "d", 1))


def test_a_report_of_what_came_before_an_error(tmp_path: Path) -> None:
    """A survey that broke off reports what it has seen by then."""
    source = open_source(write(tmp_path / "in", range(60)))

    @attrs.frozen
    class Broken:
        """A source that fails on the way."""

        carriers = source.carriers

        def located_items(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - a test's
            for number, located in enumerate(source.located_items()):
                if number == 60:
                    raise SourceError("it", "failed")
                yield located

    survey = Survey(Broken(), ["in"])
    with pytest.raises(SourceError):
        survey.run()
    report = survey.report()
    survey.close()

    assert 0 < report.blocks < 60


def test_a_changed_block_is_held(tmp_path: Path) -> None:
    """Coverage takes what is there at its word: that it is right is for `verify` to tell."""
    block = next(b for b in BLOCKS if len(records(b)) > 1)
    summary, *details = records(block)
    changed = [edit_field(record, "payload.revision.data", {"a": 1}) for record in details]
    write_archive([summary, *changed], tmp_path / "in")

    assert 1 == cover_one(tmp_path / "in").blocks


def test_numbers_beyond_all_blocks() -> None:
    """A request may name any number; one that no database holds is of a block not held."""
    memory = Memory()
    memory.add_request(("s", 2**70, "d", 2**70))
    memory.add_request(("s", -(2**70), "d", 0))
    left = list(memory.iter_left_over())
    memory.close()

    assert [("s", -1), ("s", 2**63 - 1)] == left
