"""
A source that is held open: read once in order, and then again place by place.

Whoever keeps an index of places beyond one iteration reads with it what stands there now. The
places may come from anyone's file: whatever they say, nothing outside the source's files is
read, and what is no record or block there is an error that names the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import chain

from qldb_stream.errors import DecodeError, SourceError, UsageError
from qldb_stream.events import Event, Undecodable
from qldb_stream.ion import MAX_VALUE_BYTES
from qldb_stream.parsers.gunzip import is_gzip
from qldb_stream.parsers.kinds import SNIFF_BYTES
from qldb_stream.sources._caches import SymbolPlaces
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place, SymbolRow
from qldb_stream.sources._meter import Progress
from qldb_stream.sources._reading import EventReader, Reading, read_items
from qldb_stream.typing import Item, Readable

__all__ = ["OpenSource", "PlaceReader"]

Broken = Callable[[Reading, Sequence[FoundFile], Index], Iterator[Undecodable]]


class OpenSource:
    """
    Files that stay open; made by `FolderSource.opened`.

    Attributes:
        files: in the order of the first pass; `Place.file` counts them.
    """

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        unreadable: Sequence[Undecodable],
        broken: Broken,
        progress: Progress | None,
    ) -> None:
        self.files = files
        self._unreadable = unreadable
        self._broken = broken
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
        with closing(Index()) as index:
            reading = Reading(self.files, self._pool, self._spool, index, self._progress)
            broken = self._broken(reading, self.files, index)
            for undecodable in chain(self._unreadable, reading.fill(), broken):
                yield None, undecodable
            self._pool.check_unchanged(self.files)
            if keep_tables is not None:
                for row in index.all_tables():
                    keep_tables(row)
            for place, items in reading.walk_places():
                for item in items:
                    yield place, item
            self._pool.check_unchanged(self.files)

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
        files: Sequence[FoundFile],
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
        Read what stands at a place that the first pass has just found; see `read_items`.

        Raises:
            SourceError: something else stands there now, or the file fails.
        """
        return read_items(self._events, self._carrier(place.file), place)

    def _carrier(self, number: int) -> Readable:
        found = self._carriers.get(number)
        if found is None:
            plain = FileReadable(self._pool, self._files[number])
            found = plain
            if is_gzip(plain.read_at(0, SNIFF_BYTES)):
                found = self._spool.gunzip(plain).readable
            self._carriers[number] = found
        return found
