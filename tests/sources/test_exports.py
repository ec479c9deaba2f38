"""Exports as sources: blocks of every form, mixed with records, and what they promised."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import ExportIncompleteError, SourceError
from qldb_stream.events import Block, BlockAddress, Event, RevisionDetails, Undecodable
from qldb_stream.ion import to_slice
from qldb_stream.parsers.export_places import FoundBlock, FoundTables, read_block
from qldb_stream.parsers.export_walk import iter_export_object
from qldb_stream.parsers.manifest import CompletedManifest, StartedManifest
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.pipeline import verify_source
from qldb_stream.sources import FolderSource, open_source
from qldb_stream.sources._caches import TableCache
from qldb_stream.sources._index import Index
from qldb_stream.testing import (
    exported_block,
    firehose_object,
    make_delivery,
    make_export,
    make_journal,
    write_archive,
)
from qldb_stream.testing.exports import ExportFormat, SymbolTables
from qldb_stream.typing import Item
from tests.parsers.text_tables import Tables, write_text

JOURNAL = make_journal(21, blocks=60)
BLOCKS = list(JOURNAL)
FORMS: Sequence[tuple[ExportFormat, SymbolTables]] = [
    ("ion-text", "own"),
    ("ion-binary", "own"),
    ("ion-binary", "shared"),
    ("ion-binary", "appending"),
]


def events_of(blocks: Iterable[Block]) -> list[Event]:
    """Give the events that whole blocks become."""
    found: list[Event] = []
    for block in blocks:
        found.append(attrs.evolve(block.summary, stream_arn=None))
        found += [RevisionDetails(None, one) for one in block.revisions if one.metadata]
    return found


def problems_of(source: FolderSource) -> list[tuple[str, str]]:
    """Give what cannot be read, by file name."""
    found = [item for item in source.items() if isinstance(item, Undecodable)]
    return [(Path(item.source).name, str(item.error)) for item in found]


def read(*paths: Path) -> list[Item]:
    """Read everything that some paths hold."""
    return list(open_source(paths).items())


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize(("output_format", "tables"), FORMS)
def test_an_export_becomes_events(
    tmp_path: Path, output_format: ExportFormat, tables: SymbolTables, *, gzipped: bool
) -> None:
    """Each block is its summary, then its revisions, in the order of the strand."""
    made = make_export(BLOCKS, output_format, tables=tables, gzipped=gzipped, object_blocks=25)
    made.write(tmp_path)
    assert events_of(BLOCKS) == read(tmp_path)


@pytest.mark.parametrize("cached", [1, 32])
def test_exports_that_overlap_give_each_block_once_for_each_copy(
    tmp_path: Path, cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies stand side by side, and need the symbols of their own files each."""
    monkeypatch.setattr("qldb_stream.sources._caches._CACHED_TABLES", cached)
    for number, (output_format, tables) in enumerate(FORMS):
        part = BLOCKS[number * 7 : 40 + number * 5]
        made = make_export(part, output_format, tables=tables, prefix=f"{number}/")
        made.write(tmp_path)
    places = [place for place, _ in open_source(tmp_path).placed_items() if place is not None]
    assert sorted(places) == places
    report = verify_source(open_source(tmp_path))
    assert ((), 55) == (report.problems, report.blocks)


def test_exports_and_records_are_merged(tmp_path: Path) -> None:
    """Whichever way a block came, it is verified once, and the journal is whole."""
    whole = verify_source(BLOCKS)
    make_export(BLOCKS[:30], "ion-binary", prefix="a/").write(tmp_path)
    make_export(BLOCKS[20:45], "ion-text", prefix="b/").write(tmp_path)
    write_archive(make_delivery(JOURNAL.iter_records(), seed=3, window=60), tmp_path / "firehose")
    report = verify_source(open_source(tmp_path))
    assert () == report.problems
    assert whole.strands == report.strands
    assert whole.revisions == report.revisions


def test_a_revision_by_itself_finds_the_block_of_an_export(tmp_path: Path) -> None:
    """One whose address is damaged stands under the block that lists its hash."""
    block = next(block for block in BLOCKS if block.revisions and block.revisions[0].metadata)
    number = block.address.sequence_no
    make_export(BLOCKS).write(tmp_path)
    moved = attrs.evolve(block.revisions[0], address=BlockAddress(JOURNAL.strand_id, number + 1000))
    index = Index()
    for one in BLOCKS:
        leaves = b"".join([leaf.hash for leaf in one.revisions])
        index.add_block(FoundBlock(one.address, one.block_hash, leaves, 0, 1), 0)
    index.add(RevisionDetails(None, moved), 1, 0, 1, None)
    found = [place.address for place in index.places() if place.file == 1]
    index.close()
    assert [block.address] == found


def test_a_lone_block_needs_no_manifest(tmp_path: Path, vectors: Path) -> None:
    """The block that AWS's documentation shows is read as it is, in text."""
    report = verify_source(open_source(vectors / "block-100" / "block.ion"))
    assert (1, 1, ()) == (report.blocks, report.revisions, report.problems)


def test_a_file_that_changes_between_the_passes_is_refused(tmp_path: Path) -> None:
    """The second pass reads blocks where the first one saw them, or says so."""
    path = tmp_path / "blocks.ion"
    data = b"".join(made for made in make_export(BLOCKS, "ion-binary").objects.values())
    path.write_bytes(data)
    items = open_source(path).items()
    next(items)
    path.write_bytes(data[::-1])
    with pytest.raises(SourceError, match="changed"):
        list(items)


def test_a_block_is_read_again_where_it_stands(tmp_path: Path) -> None:
    """Bytes that are no block any more are a change of the file, in whatever form."""
    for output_format in ("ion-text", "ion-binary"):
        made = make_export(BLOCKS, output_format, tables="shared", object_blocks=100)
        path = tmp_path / output_format
        path.write_bytes(made.objects[made.keys[0]])
        items = open_source(path).items()
        next(items)
        with path.open("r+b") as file:
            file.seek(5000)
            file.write(b"\0" * 4000)
        with pytest.raises(SourceError, match="changed"):
            list(items)


def test_tables_are_read_in_any_order() -> None:
    """A block far back needs the tables before it and none after it."""
    made = make_export(BLOCKS, "ion-binary", tables="appending", object_blocks=60)
    object_ = BytesReadable(made.objects[made.keys[0]], "x")
    index = Index()
    blocks: list[FoundBlock] = []
    for found in iter_export_object(object_):
        if isinstance(found, FoundTables):
            index.add_tables(0, found.number, found.parent, found.offset, found.length)
        else:
            assert isinstance(found, FoundBlock)
            blocks.append(found)
    cache = TableCache(index)
    assert blocks[-1].tables > 30
    for place in (blocks[-1], blocks[5], blocks[4], blocks[30], blocks[30]):
        table = cache.read(object_, 0, place.tables)
        data = object_.read_at(place.offset, place.length)
        assert BLOCKS[place.address.sequence_no].revisions == read_block(data, table).revisions
    index.close()


@pytest.mark.parametrize("length", [0, 1 << 17])
def test_a_damaged_block_of_text_is_told_where_it_belongs(tmp_path: Path, length: int) -> None:
    """It is found when it is read, costs itself, and hides no copy of it."""
    made = make_export(BLOCKS, "ion-text", object_blocks=60)
    lines = made.objects[made.keys[0]].splitlines(keepends=True)
    start = sum(map(len, lines[:30]))
    lines[30] = lines[30].replace(b"}}", b"}} ", 1)[:-2] + b",x:1 2" + b" " * length + b"}\n"
    (tmp_path / "damaged").write_bytes(b"".join(lines))
    (place, damage), *_ = [
        (place, item)
        for place, item in open_source(tmp_path).placed_items()
        if isinstance(item, Undecodable)
    ]
    assert place == BLOCKS[30].address
    assert (start, len(lines[30]) - 1) == (damage.offset, damage.length)
    assert (damage.data is None) == bool(length)
    report = verify_source(open_source(tmp_path))
    assert 59 == report.blocks
    (tmp_path / "sound").write_bytes(firehose_object(JOURNAL.iter_records()))
    report = verify_source(open_source(tmp_path))
    assert (60, 1) == (report.blocks, len(report.problems))


def test_a_block_that_says_two_addresses_is_told(tmp_path: Path) -> None:
    """The first pass saw the first of them; a name may not be given twice."""
    block = make_export(BLOCKS[30:31], "ion-text")
    data = block.objects[block.keys[0]].strip()
    again = data[:-1] + b',blockAddress:{strandId:"x",sequenceNo:1}}'
    (tmp_path / "twice").write_bytes(again)
    (damage,) = problems_of(open_source(tmp_path))
    assert "blockAddress" in damage[1]


# --- manifests -----------------------------------------------------------------------------


@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary", "json"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_manifests_are_values(
    tmp_path: Path, output_format: ExportFormat, *, gzipped: bool
) -> None:
    """What an export promised is told, in each format, and is no problem when it is kept."""
    made = make_export(BLOCKS, output_format, prefix="cars/", object_blocks=25)
    made.write(tmp_path)
    if gzipped:
        for path in list(tmp_path.rglob("*.manifest")):
            path.with_suffix(".manifest.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    completed, started = open_source(tmp_path).manifests()
    assert CompletedManifest(made.keys) == completed.manifest
    assert (made.export_id, JOURNAL.strand_id) == (completed.export_id, completed.strand_id)
    assert isinstance(started.manifest, StartedManifest)
    assert ("synthetic", made.export_id, "cars/", "archive") == (
        started.manifest.ledger_name,
        started.export_id,
        started.manifest.prefix,
        started.manifest.bucket,
    )
    assert BLOCKS[0].summary.block_timestamp.replace(microsecond=0) == started.manifest.start
    assert started.strand_id is None


def test_an_object_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A manifest that promises more than there is names each object, and what is missing."""
    made = make_export(BLOCKS, object_blocks=20)
    made.write(tmp_path, without=[made.keys[1]])
    (problem,) = problems_of(open_source(tmp_path))
    lost = "20 of its 20 blocks are missing: 20-39"
    expected = f"the export promises {made.keys[1]}: it is not here; {lost}"
    assert (made.manifest_key, expected) == problem


def test_an_object_whose_blocks_came_another_way_is_named_too(tmp_path: Path) -> None:
    """What is missing of one export may be in another source; it is said."""
    made = make_export(BLOCKS, object_blocks=20)
    made.write(tmp_path, without=[made.keys[1]])
    (tmp_path / "all").write_bytes(firehose_object(JOURNAL.iter_records()))
    (problem,) = problems_of(open_source(tmp_path))
    assert problem[1].endswith("it is not here; other files have its blocks")


def test_an_object_is_not_excused_by_one_of_another_export(tmp_path: Path) -> None:
    """Another export has an object of its name, or a longer one with its blocks: it is named."""
    made = make_export(BLOCKS, object_blocks=20)
    made.write(tmp_path / "a", without=[made.keys[1]])
    same = make_export(BLOCKS, "ion-binary", object_blocks=20)
    assert made.keys == same.keys
    same.write(tmp_path / "b")
    make_export(BLOCKS, "ion-binary", object_blocks=60).write(tmp_path / "c")
    ((name, problem),) = problems_of(open_source(tmp_path))
    assert made.manifest_key == name
    assert problem.endswith(f"{made.keys[1]}: it is not here; other files have its blocks")


@pytest.mark.parametrize("key", ["2019/04/15/22/abc.1-4.ion", "plain"])
def test_any_key_may_be_missed(tmp_path: Path, key: str) -> None:
    """A promise is one whatever the key looks like."""
    (tmp_path / "m").write_text(f'{{keys:["{key}"]}}')
    ((_, problem),) = problems_of(open_source(tmp_path))
    assert problem.startswith(f"the export promises {key}: it is not here")


def test_an_object_that_was_renamed_is_found_by_its_blocks(tmp_path: Path) -> None:
    """Owners rename, and join what was apart."""
    made = make_export(BLOCKS, "ion-binary", object_blocks=20)
    made.write(tmp_path, without=made.keys)
    (tmp_path / "joined").write_bytes(b"".join([made.objects[key] for key in made.keys]))
    assert [] == problems_of(open_source(tmp_path))


def test_an_object_with_fewer_blocks_than_its_name_says(tmp_path: Path) -> None:
    """It is told with or without a manifest."""
    made = make_export(BLOCKS, object_blocks=20)
    lines = made.objects[made.keys[2]].splitlines(keepends=True)
    path = tmp_path / Path(made.keys[2]).name
    path.write_bytes(b"".join(lines[:3] + lines[4:-2]))
    (problem,) = problems_of(open_source(tmp_path))
    lost = "3 of its 20 blocks are missing: 43, 58-59"
    expected = f"an export's object holds fewer blocks than its name says: {lost}"
    assert (path.name, expected) == problem


def test_many_missing_ranges_are_counted(tmp_path: Path) -> None:
    """A few are shown, the sum is exact."""
    made = make_export(BLOCKS, object_blocks=60)
    lines = made.objects[made.keys[0]].splitlines(keepends=True)
    (tmp_path / Path(made.keys[0]).name).write_bytes(b"".join(lines[::2]))
    ((_, problem),) = problems_of(open_source(tmp_path))
    assert problem.endswith("30 of its 60 blocks are missing: 1, 3, 5 and more")


def test_an_export_without_its_final_manifest(tmp_path: Path) -> None:
    """It did not end, or was not copied whole; a renamed final manifest is given the doubt."""
    made = make_export(BLOCKS)
    made.write(tmp_path, without=[made.manifest_key])
    ((name, problem),) = problems_of(open_source(tmp_path))
    assert f"{made.export_id}.started.manifest" == name
    assert problem.endswith("the export did not end, or was not copied whole")
    (tmp_path / "renamed").write_bytes(made.objects[made.manifest_key])
    assert [] == problems_of(open_source(tmp_path))


def test_a_manifest_alone_need_not_be_kept(tmp_path: Path) -> None:
    """Whoever reads an export object by object does not want to hear of the others."""
    made = make_export(BLOCKS, object_blocks=60)
    made.write(tmp_path, without=made.keys)
    assert [] == problems_of(open_source(tmp_path, check_manifests=False))
    assert 1 == len(problems_of(open_source(tmp_path)))


def test_an_empty_export_promises_nothing(tmp_path: Path) -> None:
    """A range without blocks has a final manifest without keys (facts 3.2)."""
    (tmp_path / "m").write_text("{keys:[]}")
    assert [] == read(tmp_path)


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    """It is one problem, the whole file."""
    (tmp_path / "m").write_text('{keys:["a", 1]}')
    (item,) = read(tmp_path)
    assert isinstance(item, Undecodable)
    assert (0, 15) == (item.offset, item.length)
    assert "manifest.keys: expected a list of strings" in str(item.error)
    assert () == open_source(tmp_path).manifests()


def test_thousands_of_lost_objects_are_counted(tmp_path: Path) -> None:
    """A hostile manifest costs no more than its bytes."""
    keys = [f"{number}" for number in range(1500)]
    (tmp_path / "m").write_bytes(to_slice({"keys": keys}).to_bytes())
    found = problems_of(open_source(tmp_path))
    assert 1001 == len(found)
    assert "the export promises 500 more objects: these are not here" == found[-1][1]


def test_a_range_without_end_costs_nothing(tmp_path: Path) -> None:
    """Numbers of a name are not counted one by one."""
    path = tmp_path / f"{JOURNAL.strand_id}.0-9223372036854775806.ion"
    path.write_bytes(exported_block(BLOCKS[0]).to_bytes())
    ((_, problem),) = problems_of(open_source(tmp_path))
    assert "9223372036854775806 of its 9223372036854775807 blocks are missing" in problem


def test_an_error_says_what_was_promised() -> None:
    """Its text has both."""
    assert "a: b" == str(ExportIncompleteError("a", "b"))


@pytest.mark.parametrize("tables", ["each", "shared", "appending"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_text_with_symbol_tables_verifies(tmp_path: Path, tables: Tables, jobs: int) -> None:
    """An export that another tool rewrote is the journal still, also where two processes share."""
    made = make_export(BLOCKS, "ion-text", object_blocks=20)
    made.write(tmp_path)
    for n, key in enumerate(made.keys):
        text = write_text(BLOCKS[20 * n : 20 * n + 20], tables)
        (tmp_path / key).write_bytes(text if n else gzip.compress(text))
    assert set(map(repr, events_of(BLOCKS))) == set(map(repr, read(tmp_path)))
    report = verify_source(open_source(tmp_path), jobs=jobs)
    assert (60, (), JOURNAL.digest()) == (
        report.blocks,
        report.problems,
        report.strands[0].digest,
    )
