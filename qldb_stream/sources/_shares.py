"""
Files whose blocks are settled as they are read, by one process or several, in two passes.

In the first pass each process looks through files, gives back what its index would hold, and says
of each whole block what the caller asks. In the second each reads a run of those blocks that were
not settled so, in the order of the index: blocks in parts, copies, and blocks of long files. What
no process settles, the caller's own reads and judges as ever; so the outcome does not depend on
how many processes there are.

Processes are started anew (`spawn`), on every system alike, and leave Ctrl-C to the one who asked
for them. What waits is bounded: a few tasks for each process, each of a few files or a megabyte.
"""

from __future__ import annotations

import signal
import sqlite3
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from itertools import groupby
from multiprocessing import get_context
from operator import attrgetter
from pathlib import Path
from typing import Final, Self, TypeAlias

import attrs

from qldb_stream.errors import WorkerDiedError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place, Rows, SymbolRow
from qldb_stream.sources._meter import Meter, Progress
from qldb_stream.sources._reading import FirstPass
from qldb_stream.sources._settle import Look, Settled, settled
from qldb_stream.typing import Item, Readable

__all__ = ["SharedReading"]

_FILE_BYTES: Final = 1 << 24  # longer ones are looked through by the caller: their rows are many
_SHARE_BYTES: Final = 1 << 20
_SHARE_PLACES: Final = 2000
_WAITING: Final = 3  # tasks for each process: one under way, one to go on with, one that is done

_Group: TypeAlias = tuple[BlockAddress | None, tuple[Place, ...]]


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
        reader: what reads blocks that nothing was said of; None before `walk`.
    """

    reader: PlaceReader | None = None

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        pool: FilePool,
        spool: Spool,
        index: Index,
        progress: Progress | None,
        jobs: int,
        look: Look,
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._index = index
        self._progress = progress
        self._jobs = jobs
        self._look = look
        self._bytes = 0
        self._carriers: Sequence[Readable] = ()  # where the caller's own process has opened them
        self._ending = ExitStack()
        self._tables = Path()
        self._processes: ProcessPoolExecutor | None = None
        if jobs > 1:
            folder = tempfile.TemporaryDirectory(prefix="qldb-stream-")
            self._tables = Path(self._ending.enter_context(folder)) / "tables"
            self._processes = ProcessPoolExecutor(
                jobs,
                get_context("spawn"),
                initializer=_begin,
                initargs=(files, self._tables, look),
            )
        self.manifests: list[FoundManifest] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        if self._processes is not None:
            self._processes.shutdown(cancel_futures=True)
        self._ending.close()
        if isinstance(exc, BrokenProcessPool):
            raise WorkerDiedError(self._jobs) from exc

    def fill(self) -> Iterator[Undecodable]:
        """
        Note where every record and block stands; yield what is none.

        Raises:
            SourceError: a file changed or failed, or there is no room for the index.
            WorkerDiedError: a process was ended from outside.
        """
        if self._processes is None:
            return self._fill_alone()
        return self._fill_together(self._processes)

    def _fill_alone(self) -> Iterator[Undecodable]:
        first = FirstPass(
            self._files, self._pool, self._spool, self._index, self._progress, look=self._look
        )
        self.manifests, self._carriers = first.manifests, first.carriers
        yield from first.fill()
        self._bytes = first.found_bytes

    def _fill_together(self, processes: ProcessPoolExecutor) -> Iterator[Undecodable]:
        meter = Meter(self._progress, sum(file.size for file in self._files), "index")
        waiting: deque[tuple[int, Future[_Looked] | None]] = deque()
        for number, file in enumerate(self._files):
            is_long = file.size > _FILE_BYTES
            future = None if is_long else processes.submit(_look_through, number)
            waiting.append((number, future))
            if len(waiting) >= _WAITING * self._jobs:
                yield from self._take(*waiting.popleft(), meter)
        for number, future in waiting:
            yield from self._take(number, future, meter)
        meter.end()

    def walk(self) -> Iterator[Settled | tuple[BlockAddress | None, Item]]:
        """
        Iterate over all blocks in their order: what was said of each, or its items.

        Raises:
            SourceError, WorkerDiedError: as `fill`.
        """
        meter = Meter(self._progress, self._bytes, "read")
        places = self._index.places()
        if self._processes is None:
            answered = _iter_said(_iter_groups(places))
        else:
            _write_tables(self._tables, self._index.all_tables())
            answered = self._iter_answers(places, self._processes)
        reader = PlaceReader(self._files, self._pool, self._spool, self._index, self._carriers)
        self.reader = reader
        for (_, found), answer in answered:
            meter.add(sum([place.length for place in found]))
            if answer is not None:
                yield answer
                continue
            for place in found:
                for item in reader.items(place):
                    yield place.address, item
        meter.end()

    def _iter_answers(
        self, places: Iterator[Place], processes: ProcessPoolExecutor
    ) -> Iterator[tuple[_Group, Settled | None]]:
        """Have shares looked at, a few ahead, and give their blocks in order with the answers."""
        waiting: deque[tuple[list[_Group], Future[list[Settled | None]] | None]] = deque()
        for groups in _iter_shares(_iter_groups(places)):
            asked = [group for group in groups if _is_open(*group)]
            future = processes.submit(_settle, asked) if asked else None
            waiting.append((groups, future))
            if len(waiting) >= _WAITING * self._jobs:
                yield from _answered(*waiting.popleft())
        for groups, future in waiting:
            yield from _answered(groups, future)

    def _take(
        self, number: int, future: Future[_Looked] | None, meter: Meter
    ) -> Iterator[Undecodable]:
        """Note what one file holds; yield what is none."""
        # Blocks of a long file are settled in the second pass, in which processes share it.
        looked = _look(self._files, number, self._pool, None) if future is None else future.result()
        self.manifests += looked.manifests
        self._bytes += looked.found_bytes
        self._index.add_rows(looked.rows)
        meter.add(self._files[number].size)
        yield from looked.undecodable


def _maybe_said(address: BlockAddress | None, found: tuple[Place, ...]) -> Settled | None:
    """Give what the first pass has said of a block; nothing where it has copies or parts."""
    answer = found[0].answer
    if address is None or answer is None or len(found) > 1:
        return None
    return settled(address, answer)


def _iter_said(groups: Iterator[_Group]) -> Iterator[tuple[_Group, Settled | None]]:
    for group in groups:
        yield group, _maybe_said(*group)


def _is_open(address: BlockAddress | None, found: tuple[Place, ...]) -> bool:
    """Say whether a process is to be asked for a block; CONTROL is none."""
    return address is not None and (found[0].answer is None or len(found) > 1)


def _answered(
    groups: list[_Group], future: Future[list[Settled | None]] | None
) -> Iterator[tuple[_Group, Settled | None]]:
    answers = iter(() if future is None else future.result())
    for group in groups:
        yield group, next(answers) if _is_open(*group) else _maybe_said(*group)


def _iter_groups(places: Iterator[Place]) -> Iterator[_Group]:
    """Join the places of each block."""
    for address, found in groupby(places, attrgetter("address")):
        yield address, tuple(found)


def _iter_shares(groups: Iterator[_Group]) -> Iterator[list[_Group]]:
    """Cut the places of all blocks into runs of about a megabyte that has to be read."""
    share: list[_Group] = []
    size = count = 0
    for group in groups:
        share.append(group)
        if _is_open(*group):
            size += sum(place.length for place in group[1])
        count += len(group[1])
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
    look: Look


_here: list[_Here] = []


def _begin(files: tuple[FoundFile, ...], tables: Path, look: Look) -> None:
    """Make a process ready; Ctrl-C is for the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pool = FilePool()
    reader = PlaceReader(files, pool, Spool(), _WrittenTables(tables))
    _here[:] = [_Here(files, pool, reader, look)]


def _look_through(number: int) -> _Looked:
    """Say what a file holds."""
    (here,) = _here
    return _look(here.files, number, here.pool, here.look)


def _look(files: Sequence[FoundFile], number: int, pool: FilePool, look: Look | None) -> _Looked:
    rows = Rows()
    with closing(Spool()) as spool:
        first = FirstPass((files[number],), pool, spool, rows, None, number=number, look=look)
        undecodable = tuple(first.fill())
    return _Looked(rows, undecodable, tuple(first.manifests), first.found_bytes)


def _settle(groups: Sequence[_Group]) -> list[Settled | None]:
    """Say of each block what the caller asks; None where it cannot."""
    (here,) = _here
    answers: list[Settled | None] = []
    for address, places in groups:
        assert address is not None, "CONTROL is not shared"
        items = [item for place in places for item in here.reader.items(place)]
        events = [item for item in items if not isinstance(item, Undecodable)]
        answer = here.look(address, events) if len(events) == len(items) else None
        answers.append(None if answer is None else Settled(address, answer, len(events)))
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
