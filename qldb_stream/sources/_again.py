"""
A source that is held open: read once in order, and then again place by place.

Whoever keeps an index of places beyond one iteration reads with it what stands there now. The
places may come from anyone's file: whatever they say, nothing outside the source's files is
read, and what is no record or block there is an error that names the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final, Protocol

from qldb_stream.errors import DecodeError, SourceError, UsageError
from qldb_stream.events import Block, BlockAddress, Event, Undecodable
from qldb_stream.ion import MAX_VALUE_BYTES
from qldb_stream.parsers.gunzip import is_gzip
from qldb_stream.parsers.kinds import SNIFF_BYTES
from qldb_stream.sources._caches import SymbolPlaces
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._meter import Progress
from qldb_stream.sources._reading import EventReader, Reading, read_items
from qldb_stream.sources._rows import SymbolRow
from qldb_stream.typing import Item, Readable

if TYPE_CHECKING:
    from qldb_stream.sources._s3 import ObjectFiles

__all__ = ["OpenSource", "PlaceReader"]

_RECALLED: Final = 1000  # places of a block; few have more than some

# Looks through files, some of which could not be fetched, and gives what is undecodable.
LookThrough = Callable[
    [Reading, Sequence[FoundFile], FilePool, Index, Sequence[Undecodable]], Iterator[Undecodable]
]


class Files(Protocol):
    """Files by their number."""

    def __len__(self) -> int:
        """Count them."""

    def __getitem__(self, number: int, /) -> FoundFile:
        """Give one."""


class _OnDemand:
    """Local files, then objects of S3, which are fetched when they are asked for."""

    def __init__(self, files: tuple[FoundFile, ...], objects: ObjectFiles) -> None:
        self._files = files
        self._objects = objects

    def __len__(self) -> int:
        return len(self._files) + len(self._objects.objects)

    def __getitem__(self, number: int, /) -> FoundFile:
        local = len(self._files)
        return self._files[number] if number < local else self._objects.file(number - local)

    def fetch(self, numbers: Iterable[int]) -> None:
        """Fetch some at once."""
        self._objects.fetch([number - len(self._files) for number in numbers])


class OpenSource:
    """
    Files that stay open; made by `FolderSource.opened`.

    Attributes:
        files: in the order of the first pass; `Place.file` counts them. Until all objects of
            S3 are fetched, those that may not be read are counted as well.
        is_fetched: whether they all are.
        is_complete: whether then each of them could be read.
    """

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        objects: ObjectFiles,
        look_through: LookThrough,
        progress: Progress | None,
    ) -> None:
        self.files: Files = _OnDemand(files, objects) if objects.objects else files
        self.is_fetched = False
        self.is_complete = True
        self._all: tuple[FoundFile, ...] = ()
        self._local = files
        self._objects = objects
        self._unread: Sequence[Undecodable] = ()
        self._look_through = look_through
        self._progress = progress
        self._pool = FilePool()
        self._spool = Spool()

    def read(
        self, keep_tables: Callable[[SymbolRow], object] | None = None
    ) -> Iterator[tuple[Place | None, Item]]:
        """
        Iterate like `FolderSource.items`, with the place of each item; None where it has none.

        Args:
            keep_tables: is told, before the first place, where symbol tables stand that
                reading a place again may need; None where none is read again.

        Raises:
            SourceError: a file changed or failed while it was read, or there is no room
                for the index.
        """
        self.fetch_all()
        with closing(Index()) as index:
            reading = Reading(self._all, self._pool, self._spool, index, self._progress)
            found = self._look_through(reading, self._all, self._pool, index, self._unread)
            for undecodable in found:
                yield None, undecodable
            if keep_tables is not None:
                for row in index.all_tables():
                    keep_tables(row)
            for place, items in reading.walk_places():
                for item in items:
                    yield place, item
            self._pool.check_unchanged(self._all)

    def fetch_all(self) -> None:
        """
        Fetch all objects of S3.

        Raises:
            SourceError: an object is gone or another one, S3 cannot be reached, or there is no
                room in the temporary folder.
        """
        if self.is_fetched:
            return
        put, self._unread = self._objects.all()
        self.files = self._all = (*self._local, *put)
        self.is_fetched, self.is_complete = True, not self._unread

    def reader(self, tables: SymbolPlaces) -> PlaceReader:
        """Give what reads places again; `tables` knows where symbol tables stand."""
        return PlaceReader(self.files, self._pool, self._spool, tables)

    def close(self) -> None:
        """Close all files; nothing can be read any more."""
        self._spool.close()
        self._pool.close()


class PlaceReader:
    """
    Reads again what stands at a place.

    Files in gzip are undone when they are first needed, but for those that are in `carriers`.
    """

    def __init__(
        self,
        files: Files,
        pool: FilePool,
        spool: Spool,
        tables: SymbolPlaces,
        carriers: Sequence[Readable] = (),
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._carriers = dict(enumerate(carriers))
        self._events = EventReader(tables)
        # Of the block that is read, and of the one before it: what is asked for when it is done.
        self._recent: deque[tuple[BlockAddress | None, list[Place]]] = deque(maxlen=2)

    @property
    def is_lazy(self) -> bool:
        """Say whether there are objects of S3 that may not be here yet."""
        return isinstance(self._files, _OnDemand)

    def fetch(self, numbers: Iterable[int]) -> None:
        """
        Fetch the objects of S3 among some files, some at once, where they are not here yet.

        Raises:
            SourceError: an object is gone or another one, may not be read, or S3 cannot be
                reached.
        """
        if isinstance(self._files, _OnDemand):
            self._files.fetch(numbers)

    def read(self, place: Place) -> list[Event]:
        """
        Read the record, or the whole block, that stands at a place.

        Raises:
            SourceError: something else stands there, or the file changed or fails.
        """
        if not 0 <= place.file < len(self._files):
            raise SourceError(f"file {place.file}", "is not there")
        carrier = self._carrier(place.file)
        end = place.offset + place.length
        if not 0 <= place.offset <= end <= carrier.size or place.length > MAX_VALUE_BYTES:
            raise SourceError(carrier.name, f"ends before byte {end}, or has nothing so long")
        try:
            return self._events.read(carrier, place)
        except (DecodeError, UsageError, IndexError) as exc:
            wrong = f"has nothing that can be read at byte {place.offset}"
            raise SourceError(carrier.name, wrong) from exc

    def items(self, place: Place) -> list[Item]:
        """
        Read like `found`, and remember it for `recall`.

        Raises:
            SourceError: as `found`.
        """
        if not self._recent or self._recent[-1][0] != place.address:
            self._recent.append((place.address, []))
        self._recent[-1][1].append(place)
        return self.found(place)

    def found(self, place: Place) -> list[Item]:
        """
        Read what stands at a place that the first pass has just found; see `read_items`.

        Raises:
            SourceError: something else stands there now, or the file fails.
        """
        return read_items(self._events, self._carrier(place.file), place)

    def recall(self, address: BlockAddress) -> list[tuple[str, int, Item]]:
        """
        Read again what `items` gave of a block, the last one or the one before it.

        Returns:
            Each item with its file and its first byte; none of any other block.

        Raises:
            SourceError: as `items`.
        """
        return [
            (self._files[place.file].name, place.offset, item)
            for at, places in self._recent
            if at == address
            for place in places[:_RECALLED]
            for item in read_items(self._events, self._carrier(place.file), place)
        ]

    def recall_all(self) -> dict[BlockAddress, list[tuple[str, int, Item]]]:
        """Do the same for both, before the files are closed."""
        return {at: self.recall(at) for at, _ in self._recent if at is not None}

    def maybe_block(self, place: Place) -> Block | None:
        """
        Read the whole block at a place that the first pass has just found.

        Returns:
            None where a record stands, or something damaged, of which `items` tells.

        Raises:
            SourceError: the file changed or fails.
        """
        if place.tables is None:
            return None
        try:
            return self._events.read_whole(self._carrier(place.file), place, place.tables)
        except DecodeError:
            return None

    def _carrier(self, number: int) -> Readable:
        found = self._carriers.get(number)
        if found is None:
            plain = FileReadable(self._pool, self._files[number])
            found = plain
            if is_gzip(plain.read_at(0, SNIFF_BYTES)):
                found = self._spool.gunzip(plain).readable
            self._carriers[number] = found
        return found
