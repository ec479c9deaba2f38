"""One iteration over files: the first pass fills the index, the second reads in its order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from qldb_stream.errors import DecodeError, SourceError, UnreadableFileError
from qldb_stream.events import Block, Event, Undecodable
from qldb_stream.ion import SYSTEM_TABLE
from qldb_stream.parsers.carrier import read_again
from qldb_stream.parsers.export_places import OWN_TABLES, FoundBlock, FoundTables
from qldb_stream.parsers.gunzip import is_gzip
from qldb_stream.parsers.items import shifted
from qldb_stream.parsers.kinds import SNIFF_BYTES
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._caches import FrameCache, SymbolPlaces, TableCache
from qldb_stream.sources._contents import (
    FoundEvent,
    Opened,
    events_of,
    iter_found,
    read_events,
    read_whole,
)
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._meter import Meter, Progress
from qldb_stream.sources._settle import Look, Said, maybe_said
from qldb_stream.typing import Item, Readable

__all__ = ["EventReader", "FirstPass", "Reading", "read_items"]

_MAX_KEPT_BYTES: Final = 1 << 16  # of undecodable bytes; more are named, not held


class RowTaker(Protocol):
    """Takes down where records, blocks and symbol tables stand; `Index` and `Rows` do."""

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """Note where an event stands."""

    def add_block(self, found: FoundBlock, file: int, said: Said | None = None) -> None:
        """Note where a whole block of an export stands, and what is said of it."""

    def add_tables(self, file: int, number: int, parent: int, offset: int, length: int) -> None:
        """Note where symbol tables stand that blocks of a file need."""


class FirstPass:
    """
    Looks through files, and has what they hold taken down.

    Args:
        files: in the order of the pass.
        pool: opens them.
        spool: takes what is decompressed.
        rows: take down where things stand.
        progress: is told how the pass goes on.
        number: of the first file, among all of a source.
        look: is asked what becomes of a whole block that is found.

    Attributes:
        carriers: the files' contents, decompressed.
        manifests: what exports promise, in the order of the files; complete after `fill`.
        found_bytes: how long what was found is, together.
    """

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        pool: FilePool,
        spool: Spool,
        rows: RowTaker,
        progress: Progress | None,
        *,
        number: int = 0,
        look: Look | None = None,
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._rows = rows
        self._progress = progress
        self._number = number
        self._look = look
        self.carriers: list[Readable] = []
        self.manifests: list[FoundManifest] = []
        self.found_bytes = 0

    def fill(self) -> Iterator[Undecodable]:
        """Note where every record and block stands; yield what is none."""
        meter = Meter(self._progress, sum(file.size for file in self._files), "index")
        done = 0
        for number, file in enumerate(self._files, self._number):
            try:
                opened = self._open(file)
            except UnreadableFileError as exc:
                self.carriers.append(FileReadable(self._pool, file))
                yield Undecodable(file.name, 0, file.size, exc)
                done += file.size
                continue
            self.carriers.append(opened.readable)
            # How far a compressed file has been read is not known: it counts when done.
            is_plain = opened.readable.size == file.size
            sight = None if self._look is None else self._look.sight
            for found in iter_found(opened, sight=sight):
                if isinstance(found, Undecodable):
                    yield found
                    continue
                if isinstance(found, FoundManifest):
                    self.manifests.append(found)
                    continue
                if is_plain:
                    meter.show(done + found.offset)
                self._add(number, found, opened.readable)
            yield from opened.problems
            done += file.size
        meter.end()

    def _open(self, file: FoundFile) -> Opened:
        """Undo gzip where there is any."""
        plain = FileReadable(self._pool, file)
        head = plain.read_at(0, SNIFF_BYTES)
        if not is_gzip(head):
            return Opened(plain, head)
        found = self._spool.gunzip(plain)
        head = found.readable.read_at(0, SNIFF_BYTES)
        return Opened(found.readable, head, found.seams, found.problems)

    def _add(
        self, file: int, found: FoundEvent | FoundBlock | FoundTables, carrier: Readable
    ) -> None:
        if isinstance(found, FoundTables):
            self._rows.add_tables(file, found.number, found.parent, found.offset, found.length)
            return
        self.found_bytes += found.length
        if isinstance(found, FoundBlock):
            said = None if self._look is None else maybe_said(self._look, found, carrier)
            self._rows.add_block(found, file, said)
        else:
            self._rows.add(found.event, file, found.offset, found.length, found.index)


class Reading:
    """
    Files that are looked through, then read again; made for one iteration.

    Attributes:
        manifests: what exports promise, in the order of the files; complete after `fill`.
    """

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        pool: FilePool,
        spool: Spool,
        index: Index,
        progress: Progress | None,
    ) -> None:
        self._files = files
        self._index = index
        self._progress = progress
        self._first = FirstPass(files, pool, spool, index, progress)
        self._carriers = self._first.carriers
        self._events = EventReader(index)
        self.manifests = self._first.manifests

    def fill(self) -> Iterator[Undecodable]:
        """Note where every record and block stands; yield what is none."""
        return self._first.fill()

    def walk_places(self) -> Iterator[tuple[Place, list[Item]]]:
        """Read every record and block again, in the order of the blocks, with its place."""
        meter = Meter(self._progress, self._first.found_bytes, "read")
        done = 0
        for place in self._index.places():
            done += place.length
            meter.show(done)
            yield place, read_items(self._events, self._carriers[place.file], place)
        meter.end()


class EventReader:
    """Reads again what stands at a place, and keeps what was needed last for it."""

    def __init__(self, tables: SymbolPlaces) -> None:
        self._frames = FrameCache()
        self._tables = TableCache(tables)

    def read(self, carrier: Readable, place: Place) -> list[Event]:
        """
        Read a record, or a whole block.

        Raises:
            DecodeError: something else stands there now.
            IndexError: the frame there has fewer records.
        """
        if place.tables is not None:
            return list(events_of(self.read_whole(carrier, place, place.tables)))
        if place.index is None:
            data = read_again(carrier, place.offset, place.length, None)
        else:
            data = self._frames.read(carrier, place)[place.index]
        return read_events(data, None)

    def read_whole(self, carrier: Readable, place: Place, tables: int) -> Block:
        """
        Read a whole block, which needs symbol tables of a number.

        Raises:
            DecodeError: something else stands there now.
        """
        table = SYSTEM_TABLE
        if tables != OWN_TABLES:
            table = self._tables.read(carrier, place.file, tables)
        data = carrier.read_at(place.offset, place.length)
        return read_whole(data, table, place.address)


def read_items(events: EventReader, carrier: Readable, place: Place) -> list[Item]:
    """
    Read what the first pass found; a block of text may be damaged, which shows only here.

    Raises:
        SourceError: something else stands there now.
    """
    try:
        return [*events.read(carrier, place)]
    except (DecodeError, IndexError) as exc:
        if place.tables is None or isinstance(exc, IndexError):
            raise SourceError(carrier.name, "changed while it was read") from exc
        is_short = place.length <= _MAX_KEPT_BYTES
        kept = carrier.read_at(place.offset, place.length) if is_short else None
        error = shifted(exc, place.offset)
        return [Undecodable(carrier.name, place.offset, place.length, error, kept)]
