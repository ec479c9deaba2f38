"""What is said of blocks where they are found, and in which order it comes."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import SourceError
from qldb_stream.events import Block, BlockAddress, BlockSummary, Event, Undecodable
from qldb_stream.parsers.export_places import FoundBlock
from qldb_stream.pipeline._sound import maybe_sound
from qldb_stream.sources import Said, open_source
from qldb_stream.sources._elsewhere import (
    Group,
    Looker,
    Work,
    begin,
    give_up,
    keep_work,
    leave_off,
    look_through_next,
    say,
    write_tables,
)
from qldb_stream.sources._files import FilePool, find_files
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._portions import Portion, read_portions
from qldb_stream.sources._settle import RUN_BLOCKS, Judge, Look, Run, SumUp
from qldb_stream.testing import make_journal
from qldb_stream.testing.deliveries import firehose_object
from qldb_stream.testing.exports import make_export

JOURNAL = make_journal(3, blocks=90)
BLOCKS = list(JOURNAL)
RECORDS = list(JOURNAL.iter_records())
STRAND = JOURNAL.strand_id


def number_said(address: BlockAddress, found: Block | Sequence[Event]) -> int | None:
    """Say a block's number, but of every fifth nothing, and nothing of one that has copies."""
    summaries = [found] if isinstance(found, Block) else [f for f in found if is_summary(f)]
    return None if address.sequence_no % 5 == 0 or len(summaries) > 1 else address.sequence_no


def is_summary(event: Event) -> bool:
    """Tell a block's summary from its other events."""
    return isinstance(event, BlockSummary)


def come_out(folder: Path, jobs: int, judge: Judge = number_said) -> list[tuple[str, Any]]:
    """Give what comes of each block, in order: what is said, or the types of its items."""
    found: list[tuple[str, Any]] = []
    for one in open_source(folder).shared_items(jobs, judge):
        if isinstance(one, tuple):
            address, item = one
            found.append((type(item).__name__, address))
        else:
            found += [("said", (said.answer, said.events)) for said in one.settled]
    return found


def write_export(folder: Path, blocks: Sequence[Block], **how: Any) -> None:
    """Write blocks as an export in binary Ion, but for its manifests."""
    export = make_export(blocks, "ion-binary", **how)
    export.write(folder, without=[key for key in export.objects if "manifest" in key])


def write_overlapping(folder: Path) -> None:
    """Write exports that overlap, in part and wholly, with records of some blocks besides."""
    write_export(folder / "a", BLOCKS[:40], object_blocks=15)
    write_export(folder / "b", BLOCKS[30:70], object_blocks=100)
    write_export(folder / "c", BLOCKS[35:38])
    records = chain.from_iterable(islice(JOURNAL.iter_block_records(), 45, None))
    (folder / "records").write_bytes(firehose_object(records))


def test_what_is_said_comes_in_the_order_of_blocks(tmp_path: Path) -> None:
    """One process says it of blocks that stand alone, and gives the items of all others."""
    write_overlapping(tmp_path)
    alone = [*range(30), *range(40, 45)]
    found = come_out(tmp_path, 1)
    numbers = [what[0] if kind == "said" else what.sequence_no for kind, what in found if what]

    assert sorted(numbers) == numbers
    assert set(range(90)) == {*numbers}
    assert [n for n in alone if n % 5] == [what[0] for kind, what in found if kind == "said"]


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file, and every block, be a share of its own, and worth another process."""
    monkeypatch.setattr("qldb_stream.sources._team._SHARE_BYTES", 1)
    monkeypatch.setattr("qldb_stream.sources._shares._SHARE_BYTES", 1)


_meeting: list[socket.socket] = []


def meet(address: BlockAddress, found: Block | Sequence[Event]) -> int | None:
    """Say of blocks what `number_said` says, once our process and another have come to one."""
    if _meeting:
        with _meeting.pop() as server:
            server.accept()[0].close()
    elif parent_process() and (port := os.environ.pop("MEETING_AT", "")):
        socket.create_connection(("127.0.0.1", int(port)), timeout=30).close()
    return number_said(address, found)


@pytest.mark.usefixtures("small_shares")
def test_in_the_first_pass_two_processes_say_what_one_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours and another both begin files, and it is the same whoever began which."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(30)
    monkeypatch.setenv("MEETING_AT", str(server.getsockname()[1]))
    _meeting.append(server)
    write_export(tmp_path, BLOCKS, object_blocks=15)
    found = come_out(tmp_path, 2, meet)

    assert not _meeting
    assert come_out(tmp_path, 1) == found


@pytest.mark.usefixtures("small_shares")
def test_of_blocks_in_long_files_it_is_said_in_the_second_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the others always get some blocks, and what they say is what one process says."""
    monkeypatch.setattr("qldb_stream.sources._team._FILE_BYTES", 0)
    write_export(tmp_path, BLOCKS, object_blocks=40)

    assert come_out(tmp_path, 1) == come_out(tmp_path, 2)


def is_deaf(address: BlockAddress, _found: Block | Sequence[Event]) -> tuple[int, bool]:
    """Say a block's number, and whether Ctrl-C does not reach the process that looks."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return address.sequence_no, signal.SIGINT in blocked


@pytest.mark.usefixtures("small_shares")
def test_ctrl_c_is_for_the_process_that_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others never see it, not even while they start; ours does again once they have."""
    monkeypatch.setattr("qldb_stream.sources._team._FILE_BYTES", 0)
    write_export(tmp_path, BLOCKS, object_blocks=40)
    found = come_out(tmp_path, 2, is_deaf)

    assert (0, True) in [said[0] for kind, said in found if kind == "said"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def damaged_records(times: int) -> bytes:
    """Give thousands of records, and so many things that are none, each between two of them."""
    records = [[record] for record in RECORDS * 9]
    for number, one in enumerate(records[:times]):
        one.append(b"no record %d" % number)
    return firehose_object(chain.from_iterable(records))


@pytest.mark.usefixtures("small_shares")
def test_many_rows_and_much_that_is_none(tmp_path: Path) -> None:
    """A file is handed on in portions, and all of what is undecodable in it comes in order."""
    (tmp_path / "few").write_bytes(firehose_object([b"no record", *RECORDS[:5]]))
    (tmp_path / "many").write_bytes(damaged_records(250))
    source = open_source(tmp_path)

    assert list(unread(source.shared_items(1, number_said))) == list(
        unread(source.shared_items(2, number_said))
    )


def unread(items: Iterable[Run | tuple[BlockAddress | None, Any]]) -> Iterator[Undecodable]:
    """Give what is undecodable."""
    for one in items:
        if isinstance(one, tuple) and isinstance(one[1], Undecodable):
            yield one[1]


def make_index(*files: Iterable[int], sum_up: SumUp | None = None) -> Index:
    """Make an index of files that hold blocks of certain numbers, of each of which it is said."""
    index = Index(sum_up)
    for file, numbers in enumerate(files):
        for number in numbers:
            at = BlockAddress(STRAND, number)
            found = FoundBlock(at, number.to_bytes(32, "big"), b"", number, 1)
            index.add_block(found, file, Said((file, number), 1, 1))
    return index


def in_order(index: Index) -> list[Any]:
    """Give what an index has: a run as first and last, a place as file and number."""
    found: list[Any] = []
    for one in index.runs_and_places():
        if isinstance(one, Run):
            found.append((one.settled[0].answer, one.settled[-1].answer, one.blocks))
        else:
            assert one.address is not None
            found.append((one.file, one.address.sequence_no))
    return found


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([range(5)], [((0, 0), (0, 4), 5)]),
        ([range(3, 5), range(3)], [((1, 0), (1, 2), 3), ((0, 3), (0, 4), 2)]),
        ([[0, 1, 5, 6]], [((0, 0), (0, 1), 2), ((0, 5), (0, 6), 2)]),
        (
            [range(4), range(2, 6)],
            [((0, 0), (0, 1), 2), (0, 2), (1, 2), (0, 3), (1, 3), ((1, 4), (1, 5), 2)],
        ),
        ([range(5), [2]], [((0, 0), (0, 1), 2), (0, 2), (1, 2), ((0, 3), (0, 4), 2)]),
        ([[1], [1], [0, 1, 2]], [((2, 0), (2, 0), 1), (0, 1), (1, 1), (2, 1), ((2, 2), (2, 2), 1)]),
        ([[7, 7]], [(0, 7), (0, 7)]),
        ([range(3), [0, 2]], [(0, 0), (1, 0), ((0, 1), (0, 1), 1), (0, 2), (1, 2)]),
    ],
    ids=str,
)
def test_runs_are_cut_where_blocks_have_copies(
    files: Sequence[Iterable[int]], expected: list[Any]
) -> None:
    """Each block is there once, in a run where it stands alone, and else as places."""
    assert expected == in_order(make_index(*files))


def numbers_of(said: Sequence[Said]) -> list[int] | None:
    """Sum up what was said of blocks by their numbers; nothing where block 3 is among them."""
    numbers = [one.answer[1] for one in said]
    return None if 3 in numbers else numbers


def test_what_sums_up_a_run_is_kept_beside_it() -> None:
    """As long as no block of it has a copy; where nothing sums it up there is still each block."""
    index = make_index(range(2), [3, 4, 7, 8], [8], sum_up=numbers_of)
    runs = [one for one in index.runs_and_places() if isinstance(one, Run)]

    assert [[0, 1], None, None] == [run.summed for run in runs]
    assert [[0, 1], [3, 4], [7]] == [[said.answer[1] for said in run.settled] for run in runs]
    assert [2, 2, 1] == [run.length for run in runs]


def test_a_run_is_bounded() -> None:
    """What is held of an archive in one file is a run of so many blocks."""
    runs = list(make_index(range(3 * RUN_BLOCKS)).runs_and_places())

    assert all(isinstance(run, Run) and run.blocks <= RUN_BLOCKS for run in runs)
    assert list(range(3 * RUN_BLOCKS)) == [
        said.answer[1] for run in runs if isinstance(run, Run) for said in run.settled
    ]


def test_strands_and_blocks_without_a_word_are_places_between_runs() -> None:
    """What stands before, between and after runs comes in its place."""
    index = make_index(range(2))
    for strand, number in [("0", 9), (STRAND, 5), ("~", 0)]:
        index.add_block(FoundBlock(BlockAddress(strand, number), bytes(32), b"", 0, 1), 1)
    found = [
        one.blocks if isinstance(one, Run) else address_of(one) for one in index.runs_and_places()
    ]

    assert [("0", 9), 2, (STRAND, 5), ("~", 0)] == found


def address_of(place: Place) -> tuple[str, int]:
    """Give a place's address as plain values."""
    assert place.address is not None
    return place.address.strand_id, place.address.sequence_no


def test_what_a_process_wrote_and_is_gone_is_a_source_error(tmp_path: Path) -> None:
    """The temporary folder may be cleaned by others."""
    with pytest.raises(SourceError, match="the temporary folder cannot be read"):
        list(read_portions(tmp_path / "gone"))
    (tmp_path / "cut").write_bytes(b"\x80\x05")
    with pytest.raises(SourceError, match="something else than was written"):
        list(read_portions(tmp_path / "cut"))


@pytest.fixture
def in_our_process() -> Iterator[None]:
    """Let this process be one of several, and be as it was again afterwards."""
    handler, thresholds = signal.getsignal(signal.SIGINT), gc.get_threshold()
    yield
    leave_off()
    signal.signal(signal.SIGINT, handler)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def make_work(folder: Path) -> Work:
    """Make work of a folder's files, each for itself."""
    files = find_files([folder / "archive"]).files
    shares = tuple([range(n, n + 1) for n in range(len(files))])
    return Work(files, shares, 1 << 24, Look(number_said), folder)


def portions_of(work: Work) -> list[Portion]:
    """Read all that was written of all shares."""
    shares = range(len(work.shares))
    return [one for share in shares for one in read_portions(work.path_of(share))]


@pytest.mark.usefixtures("in_our_process")
def test_what_a_process_does(tmp_path: Path) -> None:
    """It writes down what files hold that nobody has begun, and says of blocks what is asked."""
    write_export(tmp_path / "archive", BLOCKS[:20], object_blocks=40, tables="appending")
    (tmp_path / "archive" / "records").write_bytes(damaged_records(150))
    work = make_work(tmp_path)
    keep_work(work)
    begin(work.path)
    assert [0, 1, None] == [look_through_next() for _ in range(3)]
    portions = portions_of(work)
    index = Index()
    for portion in portions:
        index.add_rows(portion.rows)
    write_tables(work, index.all_tables())
    place = next(one for one in index.places() if one.address and one.tables and one.tables > 0)
    assert place.address is not None
    group = Group(place.address, (place,))

    assert 150 == sum(len(portion.undecodable) for portion in portions)
    assert [place.address.sequence_no or None] == [said and said.answer for said in say([group])]
    begin(work.path)
    assert look_through_next() is None
    give_up(work)
    assert [] == say([group])


@pytest.fixture
def pool() -> Iterator[FilePool]:
    """Open files as long as a test lasts."""
    with closing(FilePool()) as pool:
        yield pool


def test_nobody_begins_a_share_twice(tmp_path: Path, pool: FilePool) -> None:
    """What one has begun others pass over, also when it has been read."""
    write_export(tmp_path / "archive", BLOCKS[:30], object_blocks=10)
    work = make_work(tmp_path)
    lookers = [Looker(work, pool, Index()), Looker(work, pool)]
    found = [looker.look_through_next() for looker in lookers]
    rows = [
        len(portion.rows.parts)
        for share in (0, 1)
        for portion in read_portions(work.path_of(share))
    ]

    assert [0, 1] == found
    assert [0, 10, 0] == rows  # what ours found is in the index, and not written
    assert [2, None] == [Looker(work, pool).look_through_next() for _ in range(2)]


def test_an_error_is_told_in_its_turn(tmp_path: Path, pool: FilePool) -> None:
    """A file that changed costs none of those before it, whoever comes to it first."""
    write_export(tmp_path / "archive", BLOCKS[:30], object_blocks=10)
    work = make_work(tmp_path)
    work.files[1].path.write_bytes(b"changed")
    looker = Looker(work, pool)
    assert [0, 1, 2] == [looker.look_through_next() for _ in range(3)]
    first = sum(len(portion.rows.parts) for portion in read_portions(work.path_of(0)))

    assert 10 == first
    with pytest.raises(SourceError, match="changed while it was read"):
        list(read_portions(work.path_of(1)))


def test_where_there_is_no_room(tmp_path: Path, pool: FilePool) -> None:
    """A temporary folder that takes nothing is an error of the source."""
    write_export(tmp_path / "archive", BLOCKS[:10])
    work = attrs.evolve(make_work(tmp_path), folder=tmp_path / "gone")
    give_up(work)
    with pytest.raises(SourceError, match="the temporary folder cannot be written"):
        keep_work(work)
    with pytest.raises(SourceError, match="the temporary folder cannot be written"):
        Looker(work, pool).look_through_next()
    with pytest.raises(SourceError, match="the temporary folder cannot be written"):
        write_tables(work, iter(()))


@pytest.mark.usefixtures("small_shares")
def test_without_a_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None that takes any is an error of the source, for several processes as for one."""
    write_export(tmp_path / "archive", BLOCKS[:10])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    items = open_source(tmp_path / "archive").shared_items(2, number_said)
    with pytest.raises(SourceError, match="the temporary folder cannot be written"):
        list(items)


@pytest.mark.usefixtures("in_our_process")
def test_symbol_tables_that_were_not_written_are_a_source_error(tmp_path: Path) -> None:
    """Or are gone: a block that needs one cannot be read."""
    write_export(tmp_path / "archive", BLOCKS[:5], tables="appending")
    work = make_work(tmp_path)
    keep_work(work)
    begin(work.path)
    address = BlockAddress(STRAND, 3)
    with pytest.raises(SourceError, match="the temporary folder cannot be read"):
        say([Group(address, (Place(0, 0, 10, None, address, tables=3),))])


_KILLED = """
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from qldb_stream.sources._elsewhere import begin

if __name__ == "__main__":
    path = Path(sys.argv[1])
    others = ProcessPoolExecutor(1, get_context("spawn"), initializer=begin, initargs=(path,))
    others.submit(os.getpid).result()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_the_one_who_started_them(tmp_path: Path) -> None:
    """Also where that one is killed; they remove the temporary folder."""
    write_export(tmp_path / "archive", BLOCKS[:5])
    (tmp_path / "temporary").mkdir()
    work = attrs.evolve(make_work(tmp_path), folder=tmp_path / "temporary", look=Look(maybe_sound))
    keep_work(work)
    script = tmp_path / "script.py"
    script.write_text(_KILLED, encoding="utf-8")
    # Its output ends when the last process that has it ends.
    run = subprocess.run(
        [sys.executable, script, work.path], capture_output=True, check=False, timeout=60
    )
    assert (-signal.SIGKILL, b"") == (run.returncode, run.stdout)
    assert not work.folder.exists()
