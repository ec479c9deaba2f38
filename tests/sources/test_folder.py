"""Archives as sources: sorted by block, whole, and honest about what cannot be read."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import SourceError, UsageError
from qldb_stream.events import BlockAddress, BlockSummary, ControlRecord, Event, Undecodable
from qldb_stream.parsers.carrier import UserRecord, iter_user_records
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline._inputs import PlacedSource
from qldb_stream.sources import FolderSource, open_source
from qldb_stream.sources._caches import FrameCache
from qldb_stream.sources._files import FilePool, FileReadable, find_files
from qldb_stream.sources._index import Index, Place
from qldb_stream.testing.deliveries import (
    aggregate,
    cut,
    firehose_object,
    lambda_event,
    make_delivery,
    write_archive,
)
from qldb_stream.testing.journals import make_journal
from qldb_stream.typing import Item, Source

JOURNAL = make_journal(21, blocks=60)
RECORDS = list(JOURNAL.iter_records())
EVENTS = [parse_record(record) for record in RECORDS]


def read(*paths: Path) -> list[Item]:
    """Read everything that some paths hold."""
    return list(open_source(paths).items())


def place_of(event: Event) -> tuple[str, int, int]:
    """Say where an event belongs in the order of blocks, in a journal that is sound."""
    if isinstance(event, ControlRecord):
        return ("", -1, 0)
    if isinstance(event, BlockSummary):
        return (event.address.strand_id, event.address.sequence_no, 0)
    return (event.revision.address.strand_id, event.revision.address.sequence_no, 1)


def assert_sorted(items: Sequence[Item], expected: Iterable[Event]) -> None:
    """Check that items are exactly the expected events, sorted by block."""
    events = [item for item in items if not isinstance(item, Undecodable)]
    assert events == items
    places = [place_of(event) for event in events]
    assert sorted(places) == places
    assert Counter(map(repr, expected)) == Counter(map(repr, events))


def test_a_journal_in_order_comes_out_in_order(tmp_path: Path) -> None:
    """CONTROL first, then block by block, each summary before its revisions."""
    (tmp_path / "all").write_bytes(firehose_object(RECORDS))
    assert_sorted(read(tmp_path), EVENTS)


def lambda_file(datas: Iterable[bytes]) -> bytes:
    """Write records as a saved Lambda event."""
    return json.dumps(lambda_event(datas)).encode()


@pytest.mark.parametrize("gzipped", [False, True])
@pytest.mark.parametrize(
    "pack", [firehose_object, lambda d: firehose_object(d, newlines=True), lambda_file]
)
def test_every_carrier_gives_the_same_events(
    tmp_path: Path, pack: object, *, gzipped: bool
) -> None:
    """Back to back, with newlines, in base64, aggregated or not, gzipped or not."""
    assert callable(pack)
    delivery = list(make_delivery(RECORDS, seed=5, window=50, most_in_frame=7))
    repeats = Counter(record for record in make_delivery(RECORDS, seed=5, window=50))
    for number, batch in enumerate(cut(delivery, 5, most=40)):
        data = pack(batch)
        (tmp_path / f"{number:03}").write_bytes(gzip.compress(data) if gzipped else data)
    expected = [parse_record(record) for record in repeats.elements()]
    assert_sorted(read(tmp_path), expected)


def test_copies_stand_side_by_side(tmp_path: Path) -> None:
    """Whoever drops duplicates has to look one item back."""
    write_archive(make_delivery(RECORDS, seed=3, window=60, repeats=0.6), tmp_path / "a")
    items = read(tmp_path)
    assert len(items) > len(EVENTS)
    assert len(EVENTS) == len([key for key, _ in groupby(map(repr, items))])


def test_strands_come_one_after_the_other(tmp_path: Path) -> None:
    """A folder may hold several ledgers."""
    other = list(make_journal(22, blocks=20).iter_records())
    mixed = list(make_delivery([*RECORDS, *other], seed=1, window=500, repeats=0))
    (tmp_path / "all").write_bytes(firehose_object(mixed))
    assert_sorted(read(tmp_path), [parse_record(record) for record in mixed])


def test_a_source_may_be_read_twice(tmp_path: Path) -> None:
    """Each iteration reads the files anew, and one that is left early holds nothing."""
    (tmp_path / "all").write_bytes(firehose_object(RECORDS))
    source = open_source([tmp_path])
    first = next(source.items())
    assert first == next(iter(source.items()))
    assert list(source.items()) == list(source.items())


def test_it_is_a_bounded_source_that_knows_places(tmp_path: Path) -> None:
    """The pipeline may rely on order and on the places told."""
    (tmp_path / "all").write_bytes(firehose_object(RECORDS))
    source = open_source([tmp_path])
    assert isinstance(source, Source)
    assert isinstance(source, PlacedSource)
    assert source.bounded
    assert (str(tmp_path / "all"),) == source.names
    assert list(source.items()) == [item for _, item in source.placed_items()]


def test_every_item_tells_its_file_and_every_file_its_argument(tmp_path: Path) -> None:
    """Located items are the placed ones, each with the carrier whose bytes hold it."""
    (first,) = write_archive(RECORDS[:40], tmp_path / "a")
    (second,) = write_archive(RECORDS[30:], tmp_path / "b")
    (tmp_path / "b" / "noise").write_bytes(b"neither Ion nor KPL")
    source = open_source([tmp_path / "b", first])
    located = list(source.located_items())

    assert [
        (str(tmp_path / "b" / "noise"), 19, 0),
        (str(second), second.stat().st_size, 0),
        (str(first), first.stat().st_size, 1),
    ] == [(found.name, found.size, found.argument) for found in source.carriers]
    assert list(source.placed_items()) == [(place, item) for _, place, item in located]
    assert Counter(
        {str(tmp_path / "b" / "noise"): 1, str(second): len(RECORDS) - 30, str(first): 40}
    ) == Counter(name for name, _, _ in located)


def test_one_path_needs_no_list(tmp_path: Path) -> None:
    """A text is a path, not a sequence of paths of one letter."""
    (tmp_path / "all").write_bytes(firehose_object(RECORDS))
    names = open_source([tmp_path]).names
    assert names == open_source(tmp_path).names == open_source(str(tmp_path)).names


def moved(record: bytes, sequence_no: int) -> bytes:
    """Change the number in a record's own block address."""
    at = record.index(b"\x8e\x96" + JOURNAL.strand_id.encode()) + 24
    assert 0x21 == record[at + 1]
    return record[: at + 2] + bytes([sequence_no]) + record[at + 3 :]


def test_a_revision_stands_under_the_block_that_lists_it(tmp_path: Path) -> None:
    """A damaged address does not take a revision away from its block."""
    at, event = next(
        (i, e) for i, e in enumerate(EVENTS) if place_of(e)[2] == 1 and place_of(e)[1] > 20
    )
    number = place_of(event)[1]
    damaged = [*RECORDS[:at], moved(RECORDS[at], 3), *RECORDS[at + 1 :]]
    (tmp_path / "all").write_bytes(firehose_object(damaged))
    source = open_source([tmp_path])
    places = [place for place, item in source.placed_items() if item == parse_record(damaged[at])]
    assert [BlockAddress(JOURNAL.strand_id, number)] == places


def test_a_revision_that_no_summary_lists_stands_under_its_own_address(tmp_path: Path) -> None:
    """Without its summary a revision is still told where it says it belongs."""
    orphans = [r for r, e in zip(RECORDS, EVENTS, strict=True) if place_of(e)[2] == 1]
    (tmp_path / "all").write_bytes(firehose_object(orphans))
    for place, item in open_source([tmp_path]).placed_items():
        assert place is not None
        assert (place.strand_id, place.sequence_no, 1) == place_of(item)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    """Garbage between records, and a record that is none, cost nothing but themselves."""
    (tmp_path / "a").write_bytes(RECORDS[0] + b"garbage" + RECORDS[1])
    not_ours = b"\xe0\x01\x00\xea\xd0"
    (tmp_path / "b").write_bytes(RECORDS[2] + aggregate([RECORDS[3], not_ours]))
    items = read(tmp_path)
    bad = [item for item in items if isinstance(item, Undecodable)]
    assert [str(tmp_path / "a"), str(tmp_path / "b")] == [item.source for item in bad]
    assert [len(RECORDS[0]), len(RECORDS[2])] == [item.offset for item in bad]
    assert [b"garbage", not_ours] == [item.data for item in bad]
    assert Counter(map(repr, EVENTS[:4])) == Counter(map(repr, items[2:]))


def test_damaged_gzip_costs_what_comes_after_it(tmp_path: Path) -> None:
    """What was decompressed before the damage is read, the rest is told."""
    (tmp_path / "a.gz").write_bytes(gzip.compress(firehose_object(RECORDS))[:-2000])
    items = read(tmp_path)
    bad = [item for item in items if isinstance(item, Undecodable)]
    assert "gzip" in str(bad[-1].error)
    assert 50 < len(items) - len(bad) < len(EVENTS)


@pytest.mark.parametrize("bit", [0, 31, 32, 63])
def test_a_wrong_gzip_checksum_costs_nothing(tmp_path: Path, bit: int) -> None:
    """One flipped bit in a trailer is told with the file and the place; every record is read."""
    content = firehose_object(RECORDS)
    packed = bytearray(gzip.compress(content))
    packed[-1 - bit // 8] ^= 1 << bit % 8
    (tmp_path / "a.gz").write_bytes(packed)
    items = read(tmp_path)
    (bad,) = [item for item in items if isinstance(item, Undecodable)]
    assert (str(tmp_path / "a.gz"), len(content), 0) == (bad.source, bad.offset, bad.length)
    assert "does not fit" in str(bad.error)
    assert Counter(map(repr, EVENTS)) == Counter(map(repr, items[1:]))


def test_a_member_behind_a_damaged_one_is_read(tmp_path: Path) -> None:
    """A record that was cut by damage does not swallow the first one of the next member."""
    first, second = gzip.compress(b"".join(RECORDS[:20])), gzip.compress(b"".join(RECORDS[20:]))
    (tmp_path / "a.gz").write_bytes(first[:-300] + second)
    items = [item for item in read(tmp_path) if not isinstance(item, Undecodable)]
    assert Counter(map(repr, EVENTS[20:])) <= Counter(map(repr, items))
    assert 10 < len(items) - len(EVENTS[20:]) < 20


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_holds_nothing(tmp_path: Path, content: bytes) -> None:
    """Nothing is not damage."""
    (tmp_path / "empty").write_bytes(content)
    assert [] == read(tmp_path)
    assert [] == list(open_source([]).items())


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_random_bytes_are_undecodable_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Law 4: no bytes make a source fail, and none are dropped in silence."""
    path = tmp_path_factory.mktemp("random") / "x"
    path.write_bytes(data)
    items = read(path)
    assert all(isinstance(item, Undecodable) for item in items)
    assert bool(data.strip(b" \t\r\n")) == bool(items) or data.startswith(b"\x1f\x8b\x08")


def test_a_missing_path_is_told_when_the_source_is_opened(tmp_path: Path) -> None:
    """Nothing has to be read to see that there is nothing to read."""
    with pytest.raises(UsageError, match=r"nowhere: No such file"):
        open_source([tmp_path / "nowhere"])


def test_names_that_were_passed_over_are_counted(tmp_path: Path) -> None:
    """Hidden files are not read in silence."""
    (tmp_path / ".hidden").write_bytes(b"x")
    assert 1 == open_source([tmp_path]).passed_over


@pytest.mark.parametrize("aggregated", [False, True])
@pytest.mark.parametrize("start", [b"", b"\xe0\x01\x00\xea"])
def test_a_file_that_changes_between_the_passes_is_an_error(
    tmp_path: Path, start: bytes, *, aggregated: bool
) -> None:
    """The second pass never hands over something that the first has not seen."""
    path = tmp_path / "a"
    data = aggregate(RECORDS[:9]) if aggregated else firehose_object(RECORDS[:9])
    path.write_bytes(data)
    items = open_source([path]).items()
    next(items)
    lengths = [len(data)] if aggregated else [len(record) for record in RECORDS[:9]]
    path.write_bytes(b"".join((start + bytes(length))[:length] for length in lengths))
    with pytest.raises(SourceError, match=r"a changed while it was read"):
        list(items)


def test_a_file_that_grows_is_an_error(tmp_path: Path) -> None:
    """Who appends while it is read would lose what is appended."""
    path = tmp_path / "a"
    path.write_bytes(firehose_object(RECORDS[:9]))
    source = open_source([path])
    with path.open("ab") as appending:
        appending.write(RECORDS[9])
    with pytest.raises(SourceError, match=r"a changed while it was read"):
        list(source.items())


def test_progress_is_told_by_stages(tmp_path: Path) -> None:
    """Each stage ends with everything done, and never goes back."""
    told: list[tuple[int, int, str]] = []

    def progress(done_bytes: int, total_bytes: int, stage: str) -> None:
        told.append((done_bytes, total_bytes, stage))

    size = 0
    for number in range(3):
        data = firehose_object(RECORDS * 20)
        size += len(data)
        (tmp_path / f"{number}").write_bytes(data)
    (tmp_path / "3").write_bytes(gzip.compress(data))
    size += (tmp_path / "3").stat().st_size
    list(open_source([tmp_path], progress=progress).items())
    assert ["index", "read"] == [stage for stage, _ in groupby(stage for _, _, stage in told)]
    for stage, total in (("index", size), ("read", 4 * len(data))):
        steps = [done for done, _, name in told if name == stage]
        assert {total} == {of for _, of, name in told if name == stage}
        assert sorted(steps) == steps
        assert (total, True) == (steps[-1], len(steps) > 3)


def test_what_the_index_holds_before_it_is_written_is_bounded() -> None:
    """Summaries of thousands of revisions each do not pile up in memory."""
    index = Index()
    one = make_journal(1, blocks=30).iter_records()
    summaries = [e for e in map(parse_record, one) if isinstance(e, BlockSummary)]
    summary = next(e for e in summaries if e.revision_summaries)
    large = attrs.evolve(summary, revision_summaries=summary.revision_summaries[:1] * 700)
    most = 0
    for number in range(20):
        index.add(large, 0, number, 1, None)
        most = max(most, len(index._rows.leaves))  # noqa: SLF001 - what is held is the point
    index.close()
    assert 1400 == most


def test_no_room_for_the_index_is_an_error_of_the_source(tmp_path: Path) -> None:
    """A full disk is told as such, not as a failure of SQLite."""
    index = Index()
    index.close()
    index.add(EVENTS[1], 0, 0, 1, None)
    with pytest.raises(SourceError, match=r"the temporary index cannot be written"):
        list(index.places())


def test_frames_are_kept_within_a_bound(tmp_path: Path) -> None:
    """The frame that was used longest ago makes room, and can be opened again."""
    frames = [RECORDS[n : n + 3] for n in range(0, 12, 3)]
    (tmp_path / "a").write_bytes(b"".join(map(aggregate, frames)))
    pool = FilePool()
    carrier = FileReadable(pool, find_files([tmp_path / "a"]).files[0])
    places = [
        Place(0, found.offset, found.length, found.index, None)
        for found in iter_user_records(carrier)
        if isinstance(found, UserRecord)
    ]
    cache = FrameCache(limit_bytes=sum(map(len, RECORDS[:4])))
    for _ in range(2):
        assert RECORDS[:12] == [cache.read(carrier, p)[p.index or 0] for p in places]
    assert cache.held_bytes <= max(sum(map(len, frame)) for frame in frames) * 2
    pool.close()


def iter_many(count: int) -> Iterator[bytes]:
    """Make more records than the index keeps before it writes."""
    return make_journal(9, blocks=count).iter_records()


def test_more_records_than_one_insert_takes_are_all_there(tmp_path: Path) -> None:
    """The index is written in portions, and none is lost."""
    records = list(iter_many(1500))
    write_archive(make_delivery(records, seed=2, window=900, repeats=0), tmp_path / "a")
    source: FolderSource = open_source([tmp_path])
    assert_sorted(list(source.items()), [parse_record(record) for record in records])
