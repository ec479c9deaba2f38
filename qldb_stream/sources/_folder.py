"""
Local files and folders as one bounded source, sorted by block.

Two passes: the first walks every file and notes in the index where each record, or whole
block of an export, stands; the second reads them again in the order of their blocks. So memory
depends neither on the size of the archive nor on how its records are shuffled: what is
held is a window of one file (a megabyte; where something longer starts, up to twice the
longest item), the index's cache and what waits to be written to it (2,000 rows and one
block's), and the frames that were opened last. Gzip is undone into a temporary file.

Bytes that cannot be read as a record come first, during the first pass; they have no
place in the order of blocks. A damaged block in the text of an export may come in its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.parsers.export_places import Sight
from qldb_stream.parsers.gunzip import is_gzip, iter_gunzipped
from qldb_stream.parsers.kinds import SNIFF_BYTES, Kind, kind_of
from qldb_stream.parsers.manifest import MAX_MANIFEST_BYTES, FoundManifest
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.sources._again import OpenSource
from qldb_stream.sources._contents import read_manifest
from qldb_stream.sources._files import FilePool, FileReadable, FoundFile, FoundFiles, find_files
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index
from qldb_stream.sources._meter import Progress
from qldb_stream.sources._promises import (
    JudgedManifest,
    broken_names,
    broken_promises,
    judged_manifests,
)
from qldb_stream.sources._reading import Reading
from qldb_stream.sources._s3 import FoundObjects, ObjectFiles, find_objects, is_s3
from qldb_stream.sources._settle import Judge, Look, Run, SumUp
from qldb_stream.sources._shares import SharedReading
from qldb_stream.typing import Item, Readable

__all__ = ["Carrier", "FolderSource", "Progress", "open_source"]

_NO_NAMES: Final[Mapping[Path, str]] = {}
_HOLDERS_NAMED: Final = 20


def open_source(
    paths: str | Path | Sequence[str | Path],
    *,
    progress: Progress | None = None,
    names: Mapping[Path, str] = _NO_NAMES,
    check_manifests: bool = True,
) -> FolderSource:
    """
    Open files and folders of a journal as one bounded source.

    They may hold Kinesis and Firehose bytes, the objects of exports (Ion text, binary Ion, JSON
    lines) and their manifests, plain or in gzip, in any mixture and of any number of ledgers.

    Folders are walked in order of name, links followed, hidden names passed over (and
    counted in `passed_over`); what a file holds is told by its bytes, not by its name.

    Args:
        paths: files and folders; one, or several. `s3://BUCKET/PREFIX` names objects, which
            are fetched into a temporary folder whenever the source is read.
        progress: is told how reading goes on.
        names: what named files are called in messages, where not by their paths.
        check_manifests: whether what manifests promise must be here; not where the files are
            only some of an export's.

    Raises:
        UsageError: a path does not exist, is neither file nor folder, or is a folder that may
            not be read; a bucket that may not be listed.
        SourceError: S3 cannot be reached.
    """
    given = [paths] if isinstance(paths, str | Path) else paths
    found = find_files([path for path in given if not is_s3(path)], names)
    objects = find_objects([str(path) for path in given if is_s3(path)])
    return FolderSource(found, progress, objects, given, check_manifests=check_manifests)


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
        *,
        check_manifests: bool = True,
    ) -> None:
        self.passed_over = found.passed_over + objects.passed_over
        self._files = found.files
        self._objects = objects.objects
        self._unreadable = found.unreadable
        self._progress = progress
        self._check_manifests = check_manifests
        self._manifests: tuple[FoundManifest, ...] | None = None  # of the last reading
        self._kept: _Kept | None = None
        self._judged: tuple[JudgedManifest, ...] = ()
        self._given = tuple(given)
        self._recall: Callable[[BlockAddress], list[tuple[str, int, Item]]] = lambda _: []
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

    def marks(self) -> Iterator[tuple[int, str, int, str]]:
        """
        Say by what each file or object would be known to be the same again later.

        Yields:
            Which argument it was found under, its name below that, its size, and the time of its
            last change or, in S3, its entity tag; no inode, so copies with their times count.
        """
        for file in self._files:
            argument = self._arguments[file.argument]
            name = os.fsencode(os.path.relpath(file.path, self._given[argument]))
            shown = name.decode("utf-8", "backslashreplace")
            yield argument, shown, file.size, str(file.stamp[-1])
        for found in self._objects:
            yield self._url_of(found.name), found.name, found.size or 0, found.etag or ""

    @property
    def names(self) -> tuple[str, ...]:
        """Name the files in the order of the first pass."""
        return tuple([found.name for found in self._files] + [o.name for o in self._objects])

    def items(self) -> Iterator[Item]:
        """
        Iterate over everything that the files hold.

        Yields:
            What is undecodable, files that may not be read among it (but a damaged block of an
            export's text may come in its block's place); then CONTROL records;
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
        with self.opened() as source:
            for place, item in source.read():
                if place is None:
                    assert isinstance(item, Undecodable)
                    yield item.source, None, item
                else:
                    yield source.files[place.file].name, place.address, item

    def shared_items(
        self,
        jobs: int,
        judge: Judge,
        sight: Sight | None = None,
        sum_up: SumUp | None = None,
    ) -> Iterator[Run | tuple[BlockAddress | None, Item]]:
        """
        Iterate like `placed_items`, over blocks of which something is said where they are found.

        Args:
            jobs: how many processes; with one it is the caller's own.
            judge: is called with each block's address, and the block or its events. None leaves
                them to the caller. A function of a module, whose answers can be pickled.
            sight: says the same at the sight of a block's bytes, where it can; so it need not be
                read. Such a function, too.
            sum_up: sums up what was said of consecutive blocks, where it can. Such a function, too.

        Yields:
            In place of the items of blocks of which something was said, that: for some hundreds
            of blocks together, in their order.

        Raises:
            SourceError: as `items`.
            WorkerDiedError: a process was ended from outside.
        """
        look = Look(judge, sight, sum_up)
        with ExitStack() as stack:
            pool = stack.enter_context(closing(FilePool()))
            spool = stack.enter_context(closing(Spool()))
            index = Index(sum_up) if self._kept is None else self._kept.begin(sum_up)
            if self._kept is None:
                stack.enter_context(closing(index))
            files, unread = stack.enter_context(self._fetched())
            if self._kept is not None:
                self._kept.names = [file.name for file in files]
            reading = stack.enter_context(
                SharedReading(files, pool, spool, index, self._progress, jobs, look)
            )
            for undecodable in self._look_through(reading, files, pool, index, unread):
                yield None, undecodable
            self._recall = lambda at: [] if reading.reader is None else reading.reader.recall(at)
            yield from reading.walk()
            if reading.reader is not None:  # who asks for the last block asks after this
                kept = reading.reader.recall_all()
                self._recall = lambda at: kept.get(at, [])
            pool.check_unchanged(files)

    def recall(self, address: BlockAddress) -> list[tuple[str, int, Item]]:
        """
        Read again what `shared_items` gave of a block, the last one or the one before it.

        Returns:
            Each item with its file and its first byte, gzip undone; none of any other block.

        Raises:
            SourceError: as `items`.
        """
        return self._recall(address)

    @contextmanager
    def searchable(self) -> Iterator[Callable[[str, int], tuple[str, ...]]]:
        """
        Keep the index of `shared_items` while the body runs, to find files in it by blocks.

        Yields:
            What names the files that hold anything of a block, by strand and number: the
            first 20 of them, by what the last `shared_items` has read so far.

        Raises:
            SourceError: there is no room for the temporary index.
        """
        self._kept = kept = _Kept()
        try:
            with closing(kept):
                yield kept.holders
        finally:
            self._kept = None

    @contextmanager
    def _fetched(self) -> Iterator[tuple[tuple[FoundFile, ...], list[Undecodable]]]:
        """Give all files, objects of S3 among them, and those that may not be read."""
        with closing(ObjectFiles(self._objects, self._progress)) as objects:
            put, unread = objects.all()
            yield (*self._files, *put), unread

    @contextmanager
    def opened(self) -> Iterator[OpenSource]:
        """
        Hold the files open while the body runs, to read single places of them again.

        Objects of S3 are fetched when something in them is needed, and kept until then.
        """
        with (
            closing(ObjectFiles(self._objects, self._progress)) as objects,
            closing(OpenSource(self._files, objects, self._look_through, self._progress)) as source,
        ):
            yield source

    def _url_of(self, name: str) -> int:
        """Say under which URL an object was listed: the longest that it begins with."""
        found = [url for url in self._urls if name.startswith(url)]
        return self._urls[max(found, key=len)]

    def manifests(self) -> tuple[FoundManifest, ...]:
        """
        Give the manifests of exports among the files.

        Returns:
            What they say, in the order of the files: those that the last iteration found, or
            where there was none those among local files. One that cannot be read is among the
            items, as `Undecodable`.

        Raises:
            SourceError: a file changed or failed while it was read.
        """
        if self._manifests is not None:
            return self._manifests
        with closing(FilePool()) as pool:
            found = [_maybe_manifest(FileReadable(pool, file)) for file in self._files]
        return tuple([manifest for manifest in found if manifest is not None])

    @property
    def judged_manifests(self) -> tuple[JudgedManifest, ...]:
        """
        Give the manifests that the last iteration found, compared with the files.

        An initial one is among them where its final one is not; none before an iteration has
        looked through all files.
        """
        return self._judged

    def _look_through(
        self,
        reading: Reading | SharedReading,
        files: Sequence[FoundFile],
        pool: FilePool,
        index: Index,
        unread: Sequence[Undecodable],
    ) -> Iterator[Undecodable]:
        """
        Look through all files, and see that none has changed meanwhile.

        Yields:
            What cannot be read; then what exports promise and the files do not keep.
        """
        yield from chain(self._unreadable, unread, reading.fill())
        self._manifests = tuple(reading.manifests)
        names = [file.name for file in files]
        yield from broken_names(names, index)
        self._judged = judged_manifests(self._manifests, names, index)
        if self._check_manifests:
            yield from broken_promises(self._judged, index)
        pool.check_unchanged(files)


class _Kept:
    """The index of a reading that is over, and the names of its files."""

    def __init__(self) -> None:
        self._index: Index | None = None
        self.names: Sequence[str] = ()

    def begin(self, sum_up: SumUp | None) -> Index:
        """Give an index for a reading, and forget the one before."""
        self.close()
        self._index = Index(sum_up)
        return self._index

    def holders(self, strand_id: str, sequence_no: int) -> tuple[str, ...]:
        """Name the files that hold anything of a block."""
        if self._index is None:
            return ()
        found = self._index.holders(strand_id, sequence_no, _HOLDERS_NAMED)
        return tuple([self.names[file] for file in found])

    def close(self) -> None:
        """Give memory and disk space back."""
        if self._index is not None:
            self._index.close()


def _maybe_manifest(file: FileReadable) -> FoundManifest | None:
    """Read a file if it is a manifest, gzip undone."""
    try:
        head = file.read_at(0, SNIFF_BYTES)
        readable: Readable = file
        if is_gzip(head):
            if file.size > MAX_MANIFEST_BYTES:
                return None
            pieces = iter_gunzipped(file, MAX_MANIFEST_BYTES)
            data = b"".join([piece for piece in pieces if isinstance(piece, bytes)])
            head, readable = data[:SNIFF_BYTES], BytesReadable(data, file.name)
    except DecodeError:  # it may not be read, or is no manifest: too long a one
        return None
    if kind_of(head) is not Kind.MANIFEST:
        return None
    found = read_manifest(readable)
    return found if isinstance(found, FoundManifest) else None
