"""
Files that several processes read together, in two passes as one process does.

In the first pass each looks through files and gives back what its index would hold; in the second
each reads a run of blocks, as the index has them in order, and says of each block what the caller
asks. What a process does not settle, the caller's own reads and judges as ever; so the outcome
does not depend on how many processes there are.

Processes are started anew (`spawn`), on every system alike, and leave Ctrl-C to the one who asked
for them. What waits is bounded: a few tasks for each process, each of a few files or a megabyte.
"""

from __future__ import annotations

import signal
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from itertools import groupby
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import attrs

from qldb_stream.errors import WorkerDiedError
from qldb_stream.events import BlockAddress, Event, Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place, Rows, SymbolRow
from qldb_stream.sources._meter import Meter, Progress
from qldb_stream.sources._reading import FirstPass
from qldb_stream.typing import Item

__all__ = ["Look", "Settled", "SharedReading"]

Look: TypeAlias = Callable[[BlockAddress, Sequence[Event]], Any]
"""
Says what becomes of a block whose events are these, in another process.

A function of a module, whose answer can be pickled; None leaves the block to the caller.
"""

_FILE_BYTES: Final = 1 << 24  # longer ones are looked through by the caller: their rows are many
_SHARE_BYTES: Final = 1 << 20
_SHARE_PLACES: Final = 2000
_WAITING: Final = 3  # tasks for each process: one under way, one to go on with, one that is done

_Group: TypeAlias = tuple[BlockAddress | None, tuple[Place, ...]]


@attrs.frozen
class Settled:
    """What was said of a block in another process, and how many events it is made of."""

    address: BlockAddress
    answer: Any
    events: int


@attrs.frozen
class _Looked:
    """What one file holds."""

    rows: Rows
    undecodable: tuple[Undecodable, ...]
    manifests: tuple[FoundManifest, ...]
    found_bytes: int


class SharedReading:
    """
    One iteration over files by several processes; a context manager, whose processes end with it.

    Attributes:
        manifests: what exports promise; complete after `fill`.
    """

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        pool: FilePool,
        spool: Spool,
        index: Index,
        progress: Progress | None,
        jobs: int,
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._index = index
        self._progress = progress
        self._jobs = jobs
        self._bytes = 0
        self._folder = tempfile.TemporaryDirectory(prefix="qldb-stream-")
        self._tables = Path(self._folder.name) / "tables"
        self._processes = ProcessPoolExecutor(
            jobs,
            get_context("spawn"),
            initializer=_begin,
            initargs=(files, self._tables),
        )
        self.manifests: list[FoundManifest] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        self._processes.shutdown(cancel_futures=True)
        self._folder.cleanup()
        if isinstance(exc, BrokenProcessPool):
            raise WorkerDiedError(self._jobs) from exc

    def fill(self) -> Iterator[Undecodable]:
        """
        Note where every record and block stands; yield what is none.

        Raises:
            SourceError: a file changed or failed, or there is no room for the index.
            WorkerDiedError: a process was ended from outside.
        """
        meter = Meter(self._progress, sum(file.size for file in self._files), "index")
        waiting: deque[tuple[int, Future[_Looked] | None]] = deque()
        for number, file in enumerate(self._files):
            is_long = file.size > _FILE_BYTES
            future = None if is_long else self._processes.submit(_look_through, number)
            waiting.append((number, future))
            if len(waiting) >= _WAITING * self._jobs:
                yield from self._take(*waiting.popleft(), meter)
        for number, future in waiting:
            yield from self._take(number, future, meter)
        meter.end()

    def walk(self, look: Look) -> Iterator[Settled | tuple[BlockAddress | None, Item]]:
        """
        Iterate over all blocks in their order: what was said of each, or its items.

        Raises:
            SourceError, WorkerDiedError: as `fill`.
        """
        meter = Meter(self._progress, self._bytes, "read")
        places = self._index.places()
        _write_tables(self._tables, self._index.all_tables())
        reader = PlaceReader(self._files, self._pool, self._spool, self._index)
        for groups, answers in self._iter_answers(places, look):
            for (address, found), answer in zip(groups, answers, strict=True):
                meter.add(sum(place.length for place in found))
                if answer is not None:
                    assert address is not None
                    yield Settled(address, *answer)
                    continue
                for place in found:
                    for item in reader.items(place):
                        yield place.address, item
        meter.end()

    def _iter_answers(
        self, places: Iterator[Place], look: Look
    ) -> Iterator[tuple[list[_Group], Sequence[Any]]]:
        """Have shares looked at, a few ahead, and give them in order with the answers."""
        waiting: deque[tuple[list[_Group], Future[list[Any]] | None]] = deque()
        for groups in _iter_shares(places):
            is_control = groups[0][1][0].address is None
            future = None if is_control else self._processes.submit(_settle, groups, look)
            waiting.append((groups, future))
            if len(waiting) >= _WAITING * self._jobs:
                yield _answered(*waiting.popleft())
        for groups, future in waiting:
            yield _answered(groups, future)

    def _take(
        self, number: int, future: Future[_Looked] | None, meter: Meter
    ) -> Iterator[Undecodable]:
        """Note what one file holds; yield what is none."""
        looked = _look(self._files, number, self._pool) if future is None else future.result()
        self.manifests += looked.manifests
        self._bytes += looked.found_bytes
        self._index.add_rows(looked.rows)
        meter.add(self._files[number].size)
        yield from looked.undecodable


def _answered(
    groups: list[_Group], future: Future[list[Any]] | None
) -> tuple[list[_Group], Sequence[Any]]:
    return groups, [None] * len(groups) if future is None else future.result()


def _iter_shares(places: Iterator[Place]) -> Iterator[list[_Group]]:
    """Cut the places of all blocks into runs of about a megabyte; CONTROL stands alone."""
    share: list[_Group] = []
    size = count = 0
    for address, found in groupby(places, attrgetter("address")):
        group = tuple(found)
        if address is None:
            yield [(address, group)]
            continue
        share.append((address, group))
        size += sum(place.length for place in group)
        count += len(group)
        if size >= _SHARE_BYTES or count >= _SHARE_PLACES:
            yield share
            share, size, count = [], 0, 0
    if share:
        yield share


# --- in another process --------------------------------------------------------------------


@attrs.define
class _Here:
    """What a process works with."""

    files: tuple[FoundFile, ...]
    pool: FilePool
    reader: PlaceReader


_here: list[_Here] = []


def _begin(files: tuple[FoundFile, ...], tables: Path) -> None:
    """Make a process ready; Ctrl-C is for the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pool = FilePool()
    reader = PlaceReader(files, pool, Spool(), _WrittenTables(tables))
    _here[:] = [_Here(files, pool, reader)]


def _look_through(number: int) -> _Looked:
    """Say what a file holds."""
    (here,) = _here
    return _look(here.files, number, here.pool)


def _look(files: Sequence[FoundFile], number: int, pool: FilePool) -> _Looked:
    rows = Rows()
    with closing(Spool()) as spool:
        first = FirstPass((files[number],), pool, spool, rows, None, number=number)
        undecodable = tuple(first.fill())
    return _Looked(rows, undecodable, tuple(first.manifests), first.found_bytes)


def _settle(groups: Sequence[_Group], look: Look) -> list[tuple[Any, int] | None]:
    """Say of each block what the caller asks, with its number of events; None where it cannot."""
    (here,) = _here
    answers: list[tuple[Any, int] | None] = []
    for address, places in groups:
        assert address is not None, "CONTROL is not shared"
        items = [item for place in places for item in here.reader.items(place)]
        events = [item for item in items if not isinstance(item, Undecodable)]
        answer = look(address, events) if len(events) == len(items) else None
        answers.append(None if answer is None else (answer, len(events)))
    return answers


# --- where symbol tables stand -------------------------------------------------------------


def _write_tables(path: Path, rows: Iterator[SymbolRow]) -> None:
    """Write down where symbol tables stand, for processes to look up."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE symbols (file INTEGER, number INTEGER, parent INTEGER, start INTEGER, "
            "length INTEGER, PRIMARY KEY (file, number)) WITHOUT ROWID"
        )
        database.executemany("INSERT INTO symbols VALUES (?,?,?,?,?)", rows)


class _WrittenTables:
    """Where symbol tables stand, looked up in a file; opened when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """Give the number of the tables before some tables, and their own offset and length."""
        if self._database is None:
            self._database = sqlite3.connect(self._path)
        found: tuple[int, int, int] = self._database.execute(
            "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?",
            (file, number),
        ).fetchone()
        return found
