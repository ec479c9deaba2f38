"""Several processes that verify together say what one says."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import parent_process
from pathlib import Path

import pytest

from qldb_stream.errors import UsageError, WorkerDiedError
from qldb_stream.events import Block, BlockAddress, Event
from qldb_stream.pipeline import Checks, Pipeline, verify_source
from qldb_stream.sources import open_source
from qldb_stream.testing import flip_bit, make_delivery, make_journal, records, write_archive
from qldb_stream.testing.exports import make_export
from qldb_stream.typing import Item

JOURNAL = make_journal(11, blocks=60)
BLOCKS = list(JOURNAL)
RECORDS = list(JOURNAL.iter_records())


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file, and some blocks, be a share of its own, and worth another process."""
    monkeypatch.setattr("qldb_stream.sources._team._SHARE_BYTES", 1)
    monkeypatch.setattr("qldb_stream.sources._shares._SHARE_BYTES", 5000)


def write_records(folder: Path, damage: Callable[[list[bytes]], None] = lambda _: None) -> Path:
    """Put a journal's records into files, shuffled and with repeats."""
    found = list(RECORDS)
    damage(found)
    write_archive(make_delivery(found, seed=3), folder, file_bytes=20_000)
    return folder


def with_everything(folder: Path) -> Path:
    """An archive of every form, with damage, a hole, a redacted copy's like and foreign bytes."""

    def damage(found: list[bytes]) -> None:
        found[7] = flip_bit(found[7], 8 * (len(found[7]) // 2))
        found[20] = flip_bit(found[20], 8 * 300)
        found[33] = b"no record"
        del found[41:44]

    write_records(folder / "records", damage)
    make_export(BLOCKS[10:30], "ion-binary", object_blocks=7, tables="appending").write(
        folder / "a"
    )
    make_export(BLOCKS[25:50], "ion-text", object_blocks=9, gzipped=True).write(folder / "b")
    make_export(BLOCKS[40:58], "json", object_blocks=5).write(folder / "c")
    (folder / "zipped.gz").write_bytes(gzip.compress(b"".join(RECORDS[60:90]))[:-20])
    (folder / "notes.txt").write_text("no journal", encoding="utf-8")
    return folder


class Unsettled:
    """A source of which every block is judged where the chain is held."""

    bounded = True

    def __init__(self, folder: Path) -> None:
        self._source = open_source(folder)

    def items(self) -> Iterator[Item]:
        """Give what the files hold."""
        return self._source.items()

    def placed_items(self) -> Iterator[tuple[BlockAddress | None, Item]]:
        """Give it with the block of each."""
        return self._source.placed_items()


@pytest.mark.parametrize("make", [write_records, with_everything])
def test_the_report_is_the_same_for_every_number_of_processes(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Blocks, problems in their order, what is not checkable, digests: nothing depends on jobs."""
    folder = make(tmp_path)
    checks = Checks(diagnose=True)
    alone = verify_source(open_source(folder), checks=checks)
    assert alone.blocks > 50
    assert alone == verify_source(Unsettled(folder), checks=checks)
    for jobs in (2, 3):
        assert alone == verify_source(open_source(folder), checks=checks, jobs=jobs)


def test_progress_comes_to_its_end(tmp_path: Path) -> None:
    """Both stages are told to their end, as by one process."""
    told: list[tuple[int, int, str]] = []
    write_records(tmp_path)
    source = open_source(tmp_path, progress=lambda *args: told.append(args))
    assert verify_source(source, jobs=2).ok
    ends = {stage: (done, total) for done, total, stage in told}

    assert {"index", "read"} == ends.keys()
    assert all(done == total > 0 for done, total in ends.values())


def die(_address: BlockAddress, _found: Block | Sequence[Event]) -> None:
    """End the process that looks, unless it is ours."""
    if parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)


def fail(_address: BlockAddress, _found: Block | Sequence[Event]) -> None:
    """Raise what a file that changes raises."""
    raise UsageError("from another process")


def test_a_process_that_is_killed_is_an_error(tmp_path: Path) -> None:
    """Nothing is said of blocks that a process took with it: it is an error, not a hole."""
    source = open_source(write_records(tmp_path))
    with pytest.raises(WorkerDiedError, match="fewer jobs"):
        list(source.shared_items(2, die))


def test_an_error_of_a_process_is_raised(tmp_path: Path) -> None:
    """What another process raises is raised here."""
    source = open_source(write_records(tmp_path))
    with pytest.raises(UsageError, match="from another process"):
        list(source.shared_items(2, fail))


def test_reading_that_is_given_up_ends_the_processes(tmp_path: Path) -> None:
    """An iteration that is closed leaves no process behind."""
    items = open_source(write_records(tmp_path)).shared_items(2, fail)
    items.close()  # type: ignore[attr-defined]  # it is a generator


def test_what_cannot_be_shared(tmp_path: Path) -> None:
    """An iterable, and a delivery, are the work of one process."""
    with pytest.raises(UsageError, match="cannot share list"):
        verify_source(list(map(records, BLOCKS)), jobs=2)  # type: ignore[arg-type]  # the point
    with pytest.raises(UsageError, match="one delivers"):
        Pipeline("memory:", start=0).run(open_source(write_records(tmp_path)), jobs=2)
