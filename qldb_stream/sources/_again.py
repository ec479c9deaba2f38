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
from qldb_stream.ion import MAX_VALUE_BYTES, SYSTEM_TABLE
from qldb_stream.parsers.carrier import read_again
from qldb_stream.parsers.export_walk import OWN_TABLES
from qldb_stream.parsers.gunzip import is_gzip
from qldb_stream.parsers.kinds import SNIFF_BYTES
from qldb_stream.sources._caches import FrameCache, SymbolPlaces, TableCache
from qldb_stream.sources._contents import read_events
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place, SymbolRow
from qldb_stream.sources._meter import Progress
from qldb_stream.sources._reading import Reading
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
        self, keep_tables: Callable[[SymbolRow], object]
    ) -> Iterator[tuple[Place | None, Item]]:
        """
        Iterate like `FolderSource.items`, with the place of each item; None where it has none.

        Args:
            keep_tables: is told, before the first place, where symbol tables stand that
                reading a place again may need.

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
            for row in index.all_tables():
                keep_tables(row)
            for place, events in reading.walk_places():
                for event in events:
                    yield place, event
            self._pool.check_unchanged(self.files)

    def reader(self, tables: SymbolPlaces) -> PlaceReader:
        """Give what reads places again; `tables` knows where symbol tables stand."""
        return PlaceReader(self.files, self._pool, self._spool, tables)

    def close(self) -> None:
        """Close all files; nothing can be read any more."""
        self._spool.close()
        self._pool.close()


class PlaceReader:
    """Reads again what stands at a place; files in gzip are undone when they are first needed."""

    def __init__(
        self,
        files: Sequence[FoundFile],
        pool: FilePool,
        spool: Spool,
        tables: SymbolPlaces,
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._carriers: dict[int, Readable] = {}
        self._frames = FrameCache()
        self._tables = TableCache(tables)

    def read(self, place: Place) -> list[Event]:
        """
        Read the record, or the whole block, that stands at a place.

        Raises:
            SourceError: something else stands there, or the file changed or fails.
        """
        if not 0 <= place.file < len(self._files):
            raise SourceError(f"file {place.file}", "is not there")
        carrier = self._carrier(place.file)
        if not 0 <= place.offset <= place.offset + place.length <= carrier.size:
            raise SourceError(carrier.name, f"ends before byte {place.offset + place.length}")
        try:
            return self._read(carrier, place)
        except (DecodeError, UsageError, IndexError) as exc:
            wrong = f"has nothing that can be read at byte {place.offset}"
            raise SourceError(carrier.name, wrong) from exc

    def _read(self, carrier: Readable, place: Place) -> list[Event]:
        if place.length > MAX_VALUE_BYTES:
            raise IndexError
        if place.tables is not None:
            table = SYSTEM_TABLE
            if place.tables != OWN_TABLES:
                table = self._tables.read(carrier, place.file, place.tables)
            return list(read_events(carrier.read_at(place.offset, place.length), table))
        if place.index is None:
            data = read_again(carrier, place.offset, place.length, None)
        else:
            data = self._frames.read(carrier, place)[place.index]
        return list(read_events(data, None))

    def _carrier(self, number: int) -> Readable:
        found = self._carriers.get(number)
        if found is None:
            plain = FileReadable(self._pool, self._files[number])
            found = plain
            if is_gzip(plain.read_at(0, SNIFF_BYTES)):
                found = self._spool.gunzip(plain).readable
            self._carriers[number] = found
        return found
