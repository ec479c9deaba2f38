"""
Local files and folders as one bounded source, sorted by block.

Two passes: the first walks every carrier and notes in the index where each record
stands; the second reads the records again in the order of their blocks. So memory
depends neither on the size of the archive nor on how its records are shuffled: what is
held is a window of one file (a megabyte; where something longer starts, up to twice the
longest item), the index's cache and what waits to be written to it (2,000 rows and one
block's), and the frames that were opened last. Gzip is undone into a temporary file.

Bytes that cannot be read as a record come first, during the first pass; they have no
place in the order of blocks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, ForeignFileError, SourceError, UnreadableFileError
from qldb_stream.events import BlockAddress, Event, Undecodable
from qldb_stream.parsers.carrier import UserRecord, iter_user_records, read_again
from qldb_stream.parsers.gunzip import is_gzip
from qldb_stream.parsers.jsonl import is_jsonl, iter_jsonl_records
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.parsers.record import parse_record
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile, FoundFiles, find_files
from qldb_stream.sources._foreign import HEAD_BYTES, ITEM_BYTES, describe_head, describe_item
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._s3 import FoundObjects, fetched, find_objects, is_s3
from qldb_stream.typing import Item, Readable

__all__ = ["Carrier", "FolderSource", "Progress", "open_source"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""
Is told how a long read goes on: `progress(done_bytes, total_bytes, stage)`.

The stages are ``index`` and ``read``, and ``fetch`` before them where objects of S3 are
fetched. It is called about every megabyte and at the end of each stage, by one thread at a
time; in the thread that reads, but for ``fetch``.
"""

_NO_NAMES: Final[Mapping[Path, str]] = {}
_PROGRESS_BYTES: Final = 2**20
_FRAME_CACHE_BYTES: Final = 32 * 2**20
"""A window of 10,000 shuffled records of a kilobyte fits three times."""


def open_source(
    paths: str | Path | Sequence[str | Path],
    *,
    progress: Progress | None = None,
    names: Mapping[Path, str] = _NO_NAMES,
) -> FolderSource:
    """
    Open files and folders of Kinesis or Firehose bytes as one bounded source.

    Folders are walked in order of name, links followed, hidden names passed over (and
    counted in `passed_over`); what a file holds is told by its bytes, not by its name.

    Args:
        paths: files and folders; one, or several. `s3://BUCKET/PREFIX` names objects, which
            are fetched into a temporary folder whenever the source is read.
        progress: is told how reading goes on.
        names: what named files are called in messages, where not by their paths.

    Raises:
        UsageError: a path does not exist, is neither file nor folder, or is a folder that may
            not be read; a bucket that may not be listed.
        SourceError: S3 cannot be reached.
    """
    given = [paths] if isinstance(paths, str | Path) else paths
    found = find_files([path for path in given if not is_s3(path)], names)
    objects = find_objects([str(path) for path in given if is_s3(path)])
    return FolderSource(found, progress, objects, given)


@attrs.frozen
class Carrier:
    """
    A file or an object of a source: its name, and its length in bytes as it is stored.

    `argument` counts the paths that were named, from 0: the one under which it was found.
    """

    name: str
    size: int
    argument: int


class FolderSource:
    """
    A bounded, sorted source over files; made by `open_source`.

    Nothing is held between two iterations, and everything is given back when one ends or
    is closed; each reads all files anew.

    Attributes:
        passed_over: how many names in folders were not read, because they are hidden or
            neither files nor folders.
    """

    def __init__(
        self,
        found: FoundFiles,
        progress: Progress | None,
        objects: FoundObjects = FoundObjects(),  # noqa: B008 - frozen, and empty
        given: Sequence[str | Path] = (),
    ) -> None:
        self.passed_over = found.passed_over + objects.passed_over
        self._files = found.files
        self._objects = objects.objects
        self._unreadable = found.unreadable
        self._progress = progress
        # What was named, by its number: paths as `find_files` counts them, and URLs.
        self._arguments = [number for number, path in enumerate(given) if not is_s3(path)]
        self._urls = {str(path): number for number, path in enumerate(given) if is_s3(path)}

    @property
    def bounded(self) -> bool:
        """Say that the source ends by itself and is sorted."""
        return True

    @property
    def carriers(self) -> tuple[Carrier, ...]:
        """Give files and objects in the order of the first pass, with where they were found."""
        return tuple(
            [Carrier(file.name, file.size, self._arguments[file.argument]) for file in self._files]
            + [Carrier(o.name, o.size or 0, self._url_of(o.name)) for o in self._objects]
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name the files in the order of the first pass."""
        return tuple([found.name for found in self._files] + [o.name for o in self._objects])

    def items(self) -> Iterator[Item]:
        """
        Iterate over everything that the files hold.

        Yields:
            What is undecodable, files that may not be read among it; then CONTROL records;
            then, strand by strand and block by block, each summary before its revisions,
            copies side by side.

        Raises:
            SourceError: a file changed or failed while it was read, or there is no room
                for the index.
        """
        return (item for _, _, item in self.located_items())

    def placed_items(self) -> Iterator[tuple[BlockAddress | None, Item]]:
        """
        Iterate like `items`, with the block under which each item belongs.

        That is the block whose summary lists the revision's hash, else the block that the
        item itself names; None for what is undecodable and for CONTROL.
        """
        return ((address, item) for _, address, item in self.located_items())

    def located_items(self) -> Iterator[tuple[str, BlockAddress | None, Item]]:
        """
        Iterate like `placed_items`, with the file that each item came from.

        That is the name of one of `carriers`, or of something else that could not be read.
        """
        with ExitStack() as stack:
            pool = stack.enter_context(closing(FilePool()))
            spool = stack.enter_context(closing(Spool()))
            index = stack.enter_context(closing(Index()))
            fetching = _Meter(self._progress, sum(o.size or 0 for o in self._objects), "fetch")
            put, unread = stack.enter_context(fetched(self._objects, fetching.add))
            if self._objects:
                fetching.end()
            files = (*self._files, *put)
            reading = _Reading(files, pool, spool, self._progress)
            for undecodable in chain(self._unreadable, unread, reading.fill(index)):
                yield undecodable.source, None, undecodable
            pool.check_unchanged(files)
            yield from reading.walk(index)
            pool.check_unchanged(files)

    def _url_of(self, name: str) -> int:
        """Say under which URL an object was listed: the longest that it begins with."""
        found = [url for url in self._urls if name.startswith(url)]
        return self._urls[max(found, key=len)]


@attrs.frozen
class _Opened:
    """A file's contents: the first bytes, where some are missing, and what is wrong with it."""

    readable: Readable
    head: bytes
    seams: Sequence[int] = ()
    problems: Sequence[Undecodable] = ()


class _Reading:
    """One iteration over the files: the index is filled, then walked."""

    def __init__(
        self,
        files: tuple[FoundFile, ...],
        pool: FilePool,
        spool: Spool,
        progress: Progress | None,
    ) -> None:
        self._files = files
        self._pool = pool
        self._spool = spool
        self._progress = progress
        self._carriers: list[Readable] = []
        self._seams: Sequence[int] = ()  # of the last carrier
        self._frames = _FrameCache()
        self._record_bytes = 0

    def fill(self, index: Index) -> Iterator[Undecodable]:
        """Note where every record stands; yield what is none."""
        meter = _Meter(self._progress, sum(file.size for file in self._files), "index")
        done = 0
        for number, file in enumerate(self._files):
            try:
                opened = self._open_carrier(file)
            except UnreadableFileError as exc:
                self._carriers.append(FileReadable(self._pool, file))
                yield Undecodable(file.name, 0, file.size, exc)
                done += file.size
                continue
            carrier = opened.readable
            self._carriers.append(carrier)
            self._seams = opened.seams
            foreign = describe_head(opened.head)
            if foreign is not None:
                yield _whole(carrier, foreign)
            else:
                # How far a compressed file has been read is not known: it counts when done.
                is_plain = carrier.size == file.size
                is_lines = is_jsonl(opened.head)
                records = self._iter_records(carrier, is_lines=is_lines)
                shown = meter if is_plain else None
                yield from self._fill_from(index, number, records, shown, done)
            yield from opened.problems
            done += file.size
        meter.end()

    def _iter_records(
        self, carrier: Readable, *, is_lines: bool
    ) -> Iterator[UserRecord | Undecodable]:
        if is_lines:
            return iter_jsonl_records(carrier)
        return iter_user_records(carrier, seams=self._seams)

    def _fill_from(
        self,
        index: Index,
        number: int,
        records: Iterator[UserRecord | Undecodable],
        meter: _Meter | None,
        done: int,
    ) -> Iterator[Undecodable]:
        """Note where one carrier's records stand; yield what is none, or that it has none."""
        carrier = self._carriers[number]
        is_first = True
        for found in records:
            if isinstance(found, Undecodable):
                undecodable: Undecodable | None = found
            else:
                if meter is not None:
                    meter.show(done + found.offset)
                undecodable = self._add(index, number, found)
            if undecodable is not None:
                foreign = _describe(carrier, undecodable) if is_first else None
                if foreign is not None:
                    yield _whole(carrier, foreign)
                    return
                yield undecodable
            is_first = False

    def walk(self, index: Index) -> Iterator[tuple[str, BlockAddress | None, Item]]:
        """Read every record again, in the order of the blocks."""
        meter = _Meter(self._progress, self._record_bytes, "read")
        done = 0
        for place in index.places():
            data = self._read(place)
            done += len(data)
            meter.show(done)
            yield self._files[place.file].name, place.address, self._parse(place, data)
        meter.end()

    def _open_carrier(self, file: FoundFile) -> _Opened:
        """Undo gzip where there is any."""
        plain = FileReadable(self._pool, file)
        head = plain.read_at(0, HEAD_BYTES)
        if not is_gzip(head):
            return _Opened(plain, head)
        found = self._spool.gunzip(plain)
        head = found.readable.read_at(0, HEAD_BYTES)
        return _Opened(found.readable, head, found.seams, found.problems)

    def _add(self, index: Index, number: int, found: UserRecord) -> Undecodable | None:
        try:
            event = parse_record(found.data)
        except DecodeError as exc:
            name = self._files[number].name
            return Undecodable(name, found.offset, found.length, exc, found.data)
        self._record_bytes += len(found.data)
        index.add(event, number, found.offset, found.length, found.index)
        return None

    def _read(self, place: Place) -> bytes:
        carrier = self._carriers[place.file]
        try:
            if place.index is None:
                return read_again(carrier, place.offset, place.length, None)
            return self._frames.read(carrier, place)[place.index]
        except (DecodeError, IndexError) as exc:
            raise SourceError(carrier.name, "changed while it was read") from exc

    def _parse(self, place: Place, data: bytes) -> Event:
        try:
            return parse_record(data)
        except DecodeError as exc:
            name = self._carriers[place.file].name
            raise SourceError(name, "changed while it was read") from exc


def _describe(carrier: Readable, first: Undecodable) -> ForeignFileError | None:
    """Say what a file is whose first item is no record; long ones are not held, but read again."""
    data = first.data
    return describe_item(carrier.read_at(first.offset, ITEM_BYTES) if data is None else data)


def _whole(carrier: Readable, error: DecodeError) -> Undecodable:
    """Give up a whole file at once: it is sound, and none of it is a record."""
    return Undecodable(carrier.name, 0, carrier.size, error)


class _FrameCache:
    """
    The KPL frames that were opened last, so that each is opened about once.

    Attributes:
        held_bytes: the records held; more than the limit only when one frame is.
    """

    def __init__(self, limit_bytes: int = _FRAME_CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._frames: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self.held_bytes = 0

    def read(self, carrier: Readable, place: Place) -> list[bytes]:
        """
        Give the records of the frame that stands at a place.

        Raises:
            DecodeError: something else stands there now.
        """
        key = (place.file, place.offset)
        frame = self._frames.get(key)
        if frame is not None:
            self._frames.move_to_end(key)
            return frame
        frame = deaggregate(read_again(carrier, place.offset, place.length, None))
        self._keep(key, frame)
        return frame

    def _keep(self, key: tuple[int, int], frame: list[bytes]) -> None:
        self._frames[key] = frame
        self.held_bytes += sum(map(len, frame))
        while self.held_bytes > self._limit_bytes and len(self._frames) > 1:
            _, dropped = self._frames.popitem(last=False)
            self.held_bytes -= sum(map(len, dropped))


class _Meter:
    """Calls a progress callback, but not for every record."""

    def __init__(self, progress: Progress | None, total: int, stage: str) -> None:
        self._progress = progress
        self._total = total
        self._stage = stage
        self._next = 0
        self._done = 0

    def add(self, count: int) -> None:
        """Tell that so much more is done, when enough is new."""
        self._done += count
        self.show(self._done)

    def show(self, done: int) -> None:
        """Tell how much is done, when enough is new."""
        if self._progress is not None and done >= self._next:
            self._next = done + _PROGRESS_BYTES
            self._progress(done, self._total, self._stage)

    def end(self) -> None:
        """Tell that the stage is done."""
        if self._progress is not None:
            self._progress(self._total, self._total, self._stage)
