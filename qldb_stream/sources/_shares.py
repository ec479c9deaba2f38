"""
Files of whose blocks something is said as they are read, by one process or several, in two passes.

In the first pass each process looks through files, gives back what the index is to hold, and says
of each whole block what the caller asks. In the second each reads a run of those blocks of which
nothing could be said yet, in the order of the index: blocks in parts, copies, and blocks of files
so long that the others would wait for one. What no process says anything of, the caller's own reads
and judges as ever; so the outcome does not depend on how many processes there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Self

from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._elsewhere import Group
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._meter import Meter, Progress
from qldb_stream.sources._reading import FirstPass
from qldb_stream.sources._settle import RUN_BLOCKS, Look, Run, Said, run_of
from qldb_stream.sources._team import Answered, Found, Team, jobs_for
from qldb_stream.typing import Item, Readable

__all__ = ["SharedReading"]

_SHARE_BYTES: Final = 1 << 19
_SHARE_PLACES: Final = 2000


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
        self._look = look
        self._bytes = 0
        self._carriers: Sequence[Readable] = ()  # where one process alone has opened them
        jobs = jobs_for(files, jobs)
        self._team = Team(files, look, jobs) if jobs > 1 else None
        self.manifests: list[FoundManifest] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, exc: BaseException | None, _trace: object) -> None:
        if self._team is not None:
            self._team.end(exc)

    def fill(self) -> Iterator[Undecodable]:
        """
        Note where every record and block stands; yield what is none.

        Raises:
            SourceError: a file changed or failed, or there is no room for the index.
            WorkerDiedError: a process was ended from outside.
        """
        return self._fill_alone() if self._team is None else self._fill_together(self._team)

    def _fill_alone(self) -> Iterator[Undecodable]:
        first = FirstPass(
            self._files, self._pool, self._spool, self._index, self._progress, look=self._look
        )
        self.manifests, self._carriers = first.manifests, first.carriers
        yield from first.fill()
        self._bytes = first.found_bytes

    def _fill_together(self, team: Team) -> Iterator[Undecodable]:
        meter = Meter(self._progress, sum(file.size for file in self._files), "index")
        for numbers, portion in team.iter_looked_through(self._pool, self._index):
            self._index.add_rows(portion.rows)
            self.manifests += portion.manifests
            self._bytes += portion.found_bytes
            yield from portion.undecodable
            if portion.is_last:
                meter.add(sum([self._files[number].size for number in numbers]))
        meter.end()

    def walk(self) -> Iterator[Run | tuple[BlockAddress | None, Item]]:
        """
        Iterate over all blocks in their order: what was said of some, or the items of one.

        Raises:
            SourceError, WorkerDiedError: as `fill`.
        """
        meter = Meter(self._progress, self._bytes, "read")
        reader = PlaceReader(self._files, self._pool, self._spool, self._index, self._carriers)
        self.reader = reader
        said: list[Said] = []
        for found, answer in self._iter_answered(reader):
            if answer is not None:
                said.append(answer)
            if said and (answer is None or len(said) >= RUN_BLOCKS):
                yield _told(run_of(said), meter)
                said = []
            if isinstance(found, Run):
                yield _told(found, meter)
                continue
            for place in found.places if answer is None else ():
                meter.add(place.length)
                for item in reader.items(place):
                    yield place.address, item
        if said:
            yield _told(run_of(said), meter)
        meter.end()

    def _iter_answered(self, reader: PlaceReader) -> Iterator[Answered]:
        """Iterate over all blocks, and have a team asked what it says of those still open."""
        found = _iter_found(self._index.runs_and_places())
        if self._team is None:
            return ((one, None) for one in found)
        return self._team.iter_answered(_iter_shares(found), reader, self._index)


def _told(run: Run, meter: Meter) -> Run:
    meter.add(run.length)
    return run


def _iter_found(found: Iterator[Run | Place]) -> Iterator[Found]:
    """Join the places of each block."""
    for key, several in groupby(found, _key):
        if isinstance(key, Run):
            yield key
        else:
            yield Group(key, tuple([place for place in several if isinstance(place, Place)]))


def _key(found: Run | Place) -> Run | BlockAddress | None:
    return found if isinstance(found, Run) else found.address


def _iter_shares(found: Iterator[Found]) -> Iterator[list[Found]]:
    """Cut all blocks into shares of about a megabyte that has to be read."""
    share: list[Found] = []
    size = count = 0
    for one in found:
        share.append(one)
        if isinstance(one, Run):
            count += one.blocks
        else:
            count += len(one.places)
            size += sum([place.length for place in one.places]) if one.is_open else 0
        if size >= _SHARE_BYTES or count >= _SHARE_PLACES:
            yield share
            share, size, count = [], 0, 0
    if share:
        yield share
