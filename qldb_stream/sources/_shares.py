"""
Files of whose blocks something is said as they are read, by one process or several, in two passes.

In the first pass each process looks through files, gives back what its index would hold, and says
of each whole block what the caller asks. In the second each reads a run of those blocks of which
nothing could be said yet, in the order of the index: blocks in parts, copies, and blocks of files
so long that the others would wait for one. What no process says anything of, the caller's own reads
and judges as ever; so the outcome does not depend on how many processes there are.

Processes are started anew (`spawn`), on every system alike, and leave Ctrl-C to the one who asked
for them. What waits is bounded: a few tasks for each process, each of a file or a megabyte.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Self, TypeAlias

from qldb_stream.errors import WorkerDiedError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._elsewhere import (
    Group,
    begin,
    look_through,
    read_portions,
    say,
    write_tables,
)
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._meter import Meter, Progress
from qldb_stream.sources._reading import FirstPass
from qldb_stream.sources._settle import RUN_BLOCKS, Look, Run, Said
from qldb_stream.typing import Item, Readable

__all__ = ["SharedReading"]

_FILE_BYTES: Final = 1 << 24
_FILES_EACH: Final = 4
"""Of a file that is longer, and more than one in so many for each process, the second pass says."""

_SHARE_BYTES: Final = 1 << 20
_SHARE_PLACES: Final = 2000
_WAITING: Final = 3  # tasks for each process: one under way, one to go on with, one that is done

_Found: TypeAlias = Run | Group
_Answered: TypeAlias = tuple[_Found, Said | None]


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
        self._folder = Path()
        self._processes: ProcessPoolExecutor | None = None
        if jobs > 1:
            folder = tempfile.TemporaryDirectory(prefix="qldb-stream-")
            self._folder = Path(self._ending.enter_context(folder))
            self._processes = ProcessPoolExecutor(
                jobs,
                get_context("spawn"),
                initializer=begin,
                initargs=(files, self._folder, look),
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
        total = sum(file.size for file in self._files)
        most = max(_FILE_BYTES, total // (_FILES_EACH * self._jobs))
        meter = Meter(self._progress, total, "index")
        waiting: deque[tuple[FoundFile, Future[Path]]] = deque()
        for number, file in enumerate(self._files):
            asks = file.size <= most
            waiting.append((file, processes.submit(look_through, number, asks=asks)))
            if len(waiting) >= _WAITING * self._jobs:
                yield from self._take(*waiting.popleft(), meter)
        for file, future in waiting:
            yield from self._take(file, future, meter)
        meter.end()

    def _take(self, file: FoundFile, future: Future[Path], meter: Meter) -> Iterator[Undecodable]:
        """Note what one file holds; yield what is none."""
        for portion in read_portions(future.result()):
            self._index.add_rows(portion.rows)
            self.manifests += portion.manifests
            self._bytes += portion.found_bytes
            yield from portion.undecodable
        meter.add(file.size)

    def walk(self) -> Iterator[list[Said] | tuple[BlockAddress | None, Item]]:
        """
        Iterate over all blocks in their order: what was said of some, or the items of one.

        Raises:
            SourceError, WorkerDiedError: as `fill`.
        """
        meter = Meter(self._progress, self._bytes, "read")
        reader = PlaceReader(self._files, self._pool, self._spool, self._index, self._carriers)
        self.reader = reader
        said: list[Said] = []
        for found, answer in self._iter_answered():
            if isinstance(found, Run):
                said += found.said
            elif answer is not None:
                said.append(answer)
            places = found.places if isinstance(found, Group) and answer is None else ()
            if said and (places or len(said) >= RUN_BLOCKS):
                meter.add(sum([one.length for one in said]))
                yield said
                said = []
            for place in places:
                meter.add(place.length)
                for item in reader.items(place):
                    yield place.address, item
        if said:
            yield said
        meter.end()

    def _iter_answered(self) -> Iterator[_Answered]:
        """Iterate over all blocks, and have others asked what they say of those still open."""
        found = _iter_found(self._index.runs_and_places())
        if self._processes is None:
            for one in found:
                yield one, None
            return
        write_tables(self._folder, self._index.all_tables())
        waiting: deque[tuple[list[_Found], Future[list[Said | None]] | None]] = deque()
        for share in _iter_shares(found):
            asked = [one for one in share if isinstance(one, Group) and one.is_open]
            future = self._processes.submit(say, asked) if asked else None
            waiting.append((share, future))
            if len(waiting) >= _WAITING * self._jobs:
                yield from _answered(*waiting.popleft())
        for share, future in waiting:
            yield from _answered(share, future)


def _answered(share: list[_Found], future: Future[list[Said | None]] | None) -> Iterator[_Answered]:
    answers = iter(() if future is None else future.result())
    for one in share:
        is_open = isinstance(one, Group) and one.is_open
        yield one, next(answers) if is_open else None


def _iter_found(found: Iterator[Run | Place]) -> Iterator[_Found]:
    """Join the places of each block."""
    for key, several in groupby(found, _key):
        if isinstance(key, Run):
            yield key
        else:
            yield Group(key, tuple([place for place in several if isinstance(place, Place)]))


def _key(found: Run | Place) -> Run | BlockAddress | None:
    return found if isinstance(found, Run) else found.address


def _iter_shares(found: Iterator[_Found]) -> Iterator[list[_Found]]:
    """Cut all blocks into shares of about a megabyte that has to be read."""
    share: list[_Found] = []
    size = count = 0
    for one in found:
        share.append(one)
        if isinstance(one, Run):
            count += len(one.said)
        else:
            count += len(one.places)
            size += sum([place.length for place in one.places]) if one.is_open else 0
        if size >= _SHARE_BYTES or count >= _SHARE_PLACES:
            yield share
            share, size, count = [], 0, 0
    if share:
        yield share
