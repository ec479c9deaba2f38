"""
An archive that answers questions: what was when, who changed it, where it stands.

The first question builds an index, in a pass that verifies everything; later ones look up in it
where to read. What is answered is read from the archive's own bytes each time and recomputed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import Final, TypeVar

from qldb_stream.archive.history._blame import blame_of
from qldb_stream.archive.history._blocks import BlockReader, ReadBlock
from qldb_stream.archive.history._fingerprint import Fingerprint, fingerprint_of
from qldb_stream.archive.history._index import BuiltState, IndexFile, Spot, Table, numbers_of
from qldb_stream.archive.history._lives import TableLife, lives_of
from qldb_stream.archive.history._moments import Moment, is_gone, is_until, ms_of
from qldb_stream.archive.history._place import (
    build_index,
    check_place,
    default_place,
    why_not_used,
)
from qldb_stream.archive.history._proof import DocumentProof, prove
from qldb_stream.archive.history._values import Blame, HistoryEntry
from qldb_stream.errors import ArchiveIndexError, SourceError, UsageError
from qldb_stream.events import BlockAddress, TableInfo
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.report import ProblemCode
from qldb_stream.sources import FolderSource, OpenSource, Progress, open_source

__all__ = ["Archive", "archive_over", "open_archive"]

T = TypeVar("T")

_NAMED: Final = 20
_NO_TABLE: Final = TableInfo("", "")
_HIDING: Final = (
    ProblemCode.INCOMPLETE.value,
    ProblemCode.UNDECODABLE.value,
    ProblemCode.EXPORT_INCOMPLETE.value,
)


@contextmanager
def open_archive(
    paths: str | Path | Sequence[str | Path],
    *,
    index: str | Path | None = None,
    keep_index: bool = True,
    progress: Progress | None = None,
    names: Mapping[Path, str] | None = None,
) -> Iterator[Archive]:
    """
    Open files, folders or objects of a journal to ask them, while the body runs.

    Args:
        paths: as `sources.open_source` takes them.
        index: the file that keeps the index; None for `.qldb-stream-index` in the folder where
            one folder is all, and for none elsewhere.
        keep_index: False uses no index of earlier and leaves none: each question that is asked
            in this body rests on a pass over the archive that was made in it.
        progress: is told how reading goes on.
        names: what named files are called in messages.

    Raises:
        UsageError: as `open_source`; or `index` is a file that is something else.
        SourceError: the archive cannot be read.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    place = default_place(given) if index is None else Path(index)
    source = open_source(given, progress=progress, names=names or {})
    with archive_over(source, place if keep_index else None) as archive:
        yield archive


@contextmanager
def archive_over(source: FolderSource, index: Path | None) -> Iterator[Archive]:
    """
    Do the same over a source that is open already.

    Args:
        source: made by `sources.open_source`.
        index: the file that keeps the index; None for none.

    Raises:
        UsageError: `index` is a file that is something else.
        SourceError: the archive cannot be read.
    """
    if index is not None:
        check_place(index)
    fingerprint = fingerprint_of(source)
    with (
        source.opened() as opened,
        closing(Archive(source, opened, fingerprint, index)) as archive,
    ):
        yield archive


class Archive:
    """
    An open archive; made by `open_archive`.

    Attributes:
        notes: what is to be said of the index, in sentences; grows.
        is_fresh: whether the index was built for this, so that the whole archive was verified
            just now; else how that ended (`built`) rests on the index alone.
    """

    def __init__(
        self,
        source: FolderSource,
        opened: OpenSource,
        fingerprint: Fingerprint,
        place: Path | None,
    ) -> None:
        self.notes: list[str] = []
        self.is_fresh = False
        self.passed_over = source.passed_over
        self._opened = opened
        self._fingerprint = fingerprint
        self._place = place
        self._index = self._maybe_open() or self._build()
        self._blocks = self._reader()

    @property
    def built(self) -> BuiltState:
        """Say how verification of the whole archive ended when the index was built."""
        return self._index.built

    def close(self) -> None:
        """Close the index; the archive answers no more."""
        self._index.close()

    def tables(self, table: str | None = None) -> list[TableLife]:
        """
        Tell which tables there are, or those of a name or an id, and what became of them.

        This rests on the index.
        """

        def ask() -> list[TableLife]:
            found = self._index.all_tables() if table is None else self._named(table)
            lives = lives_of(self._index, self._siblings(found))
            return [life for each in found for life in lives[each.no]]

        return self._asking(ask)

    def history(
        self,
        table: str | None = None,
        *,
        document_id: str | None = None,
        as_of: Moment | None = None,
        limit: int | None = None,
    ) -> Iterator[HistoryEntry]:
        """
        Iterate over the revisions of a table or a document, as they were.

        Args:
            table: a table's name, or its id; tables of one name, one dropped and the other made
                later, are all meant by the name. None for every table.
            document_id: of this document alone.
            as_of: the state as of then instead: of each document the revision that it had, of
                those that were not deleted, in tables that were not dropped. A delete that failed
                verification may be a document that was taken out, and is told.
            limit: at most so many.

        Yields:
            By strand and block, in the block's order, in memory that does not grow.

        Raises:
            UsageError: no such table or document, or no such strand in `as_of`.
            ArchiveIndexError: the index was found damaged after something had been yielded;
                another one was built: ask again.
            SourceError: the archive cannot be read.
        """
        count = 0
        try:
            for entry in self._history(table, document_id, as_of, limit):
                count += 1
                yield entry
        except ArchiveIndexError as exc:
            self._mend(exc)
            if count:
                raise
            yield from self._history(table, document_id, as_of, limit)

    def document(
        self, document_id: str, *, version: int | None = None, as_of: Moment | None = None
    ) -> HistoryEntry:
        """
        Give one revision of a document: a version, or the last one (a delete, maybe).

        Raises:
            UsageError: there is no such document or version.
            SourceError: the archive cannot be read.
        """
        return self._asking(lambda: self._document(document_id, version, as_of)[0])

    def blame(
        self, document_id: str, *, table: str | None = None, as_of: Moment | None = None
    ) -> Blame:
        """
        Name for each field of a document what last changed it.

        Args:
            document_id: the document.
            table: where it must be; None for anywhere.
            as_of: as it was then; None for its last revision.

        Raises:
            UsageError: there is no such document (then), or it is in two strands: two ledgers.
            SourceError: the archive cannot be read.
        """
        return self._asking(lambda: self._blame(document_id, table, as_of))

    def block(self, address: BlockAddress) -> ReadBlock:
        """
        Read and check one block, and its link to the one before it.

        Raises:
            UsageError: the archive has no such block, or only a part of it.
            SourceError: the archive cannot be read.
        """
        return self._asking(lambda: self._block(address))

    def proof(self, document_id: str, version: int | None, digest: SavedDigest) -> DocumentProof:
        """
        Lead from a revision to a digest, in O(log n) of the archive's blocks.

        Args:
            document_id: the document.
            version: which of its versions; None for the last that the digest covers.
            digest: with its tip; without one the last block is taken for it.

        Returns:
            The revision, its block, and the path. Whether it leads to the digest is in `holds`,
            computed from the archive's bytes; the index only gave hashes of other blocks on the
            way, and a wrong one cannot lead there.

        Raises:
            UsageError: no such document or version up to the tip, or no path: the digest is of
                another strand, its tip is beyond the archive, or the archive has holes before it.
            SourceError: the archive cannot be read.
        """

        def ask() -> DocumentProof:
            entry, block, leaf = self._provable(document_id, version, digest.tip)
            return prove(entry, block, leaf, digest, self._index)

        return self._asking(ask)

    # --- answers, from an index that may turn out to be damaged ---------------------------------

    def _history(
        self,
        table: str | None,
        document_id: str | None,
        as_of: Moment | None,
        limit: int | None,
    ) -> Iterator[HistoryEntry]:
        found = None if table is None else self._named(table)
        if document_id is not None:
            self._check_document(document_id, found)
        entries = self._as_asked(
            self._entries(self._spots(found, document_id, as_of)), found, as_of
        )
        if as_of is not None:
            entries = (entry for entry in entries if not is_gone(entry))
        yield from islice(entries, limit)

    def _as_asked(
        self,
        read: Iterable[tuple[HistoryEntry, ReadBlock, int]],
        tables: list[Table] | None,
        as_of: Moment | None,
    ) -> Iterator[HistoryEntry]:
        """Let pass what was read; one of another table, or later, is a wrong index's."""
        until = None if as_of is None else self._until(as_of)
        infos = None if tables is None else {table.info for table in tables}
        for entry, _, _ in read:
            is_astray = infos is not None and (entry.table or _NO_TABLE) not in infos
            if is_astray or not is_until(entry, until):
                raise self._astray(entry.address)
            yield entry

    def _spots(
        self, tables: list[Table] | None, document_id: str | None, as_of: Moment | None
    ) -> Iterator[Spot]:
        if as_of is None:
            return self._index.spots(numbers_of(tables), document_id)
        until = self._until(as_of)
        found = self._index.all_tables() if tables is None else tables
        lives = lives_of(self._index, self._siblings(found), until)
        there = [
            table.no for table in found if any(life.dropped is None for life in lives[table.no])
        ]
        return self._index.spots_as_of(there, document_id, until)

    def _entries(self, spots: Iterable[Spot]) -> Iterator[tuple[HistoryEntry, ReadBlock, int]]:
        """Read what stands at spots; a spot that something else stands at is a wrong index's."""
        waiting: deque[tuple[BlockAddress, list[Spot]]] = deque()

        def addresses() -> Iterator[BlockAddress]:
            for address, group in groupby(spots, attrgetter("address")):
                waiting.append((address, list(group)))
                yield address

        for block in self._blocks.read(addresses()):
            address, wanted = waiting.popleft()
            if address != block.address:
                raise self._astray(address)
            entries = {
                (each.document_id, each.version): each for each in self._blocks.entries(block)
            }
            for spot in wanted:
                entry = entries.get((spot.document_id, spot.version))
                if entry is None:
                    raise self._astray(address)
                yield entry, block, spot.leaf
        if waiting:
            raise self._astray(waiting[0][0])

    def _document(
        self, document_id: str, version: int | None, as_of: Moment | None
    ) -> tuple[HistoryEntry, ReadBlock, int]:
        spots = list(self._last_spots(document_id, version, as_of))
        if not spots:
            self._check_document(document_id, None)
            what = "no revision then" if version is None else f"no version {version}"
            raise UsageError(f"the archive has {what} of document {document_id}")
        found = next(self._entries(spots[-1:]))
        until = None if version is not None or as_of is None else self._until(as_of)
        if not is_until(found[0], until):
            raise self._astray(found[0].address)
        return found

    def _last_spots(
        self, document_id: str, version: int | None, as_of: Moment | None
    ) -> Iterator[Spot]:
        if version is None and as_of is not None:
            return self._index.spots_as_of(None, document_id, self._until(as_of))
        spots = self._index.spots(None, document_id)
        if version is None:
            return iter(deque(spots, 1))
        return (spot for spot in spots if spot.version == version)

    def _provable(
        self, document_id: str, version: int | None, tip: BlockAddress | None
    ) -> tuple[HistoryEntry, ReadBlock, int]:
        if tip is not None and tip.strand_id not in self._index.strand_ids:
            raise UsageError(
                f"the digest is of strand {tip.strand_id}, which is not in the archive"
            )
        return self._document(document_id, version, tip)

    def _blame(self, document_id: str, table: str | None, as_of: Moment | None) -> Blame:
        self._check_document(document_id, None if table is None else self._named(table))
        until = None if as_of is None else self._until(as_of)
        spots = self._index.spots(None, document_id)
        found = blame_of(document_id, self._until_then(spots, until))
        if found is None:
            raise UsageError(f"the archive has no revision of document {document_id} as of then")
        return found

    def _until_then(
        self, spots: Iterable[Spot], until: BlockAddress | int | None
    ) -> Iterator[HistoryEntry]:
        """Give revisions up to a moment; they are all of one strand."""
        strand_id: str | None = None
        for entry, _, _ in self._entries(spots):
            if not is_until(entry, until):
                continue
            if strand_id not in (None, entry.address.strand_id):
                raise UsageError(
                    f"document {entry.document_id} is in two strands, {strand_id} and "
                    f"{entry.address.strand_id}: name the last block of one (as of STRAND:N)"
                )
            strand_id = entry.address.strand_id
            yield entry

    def _block(self, address: BlockAddress) -> ReadBlock:
        if self._index.has_block(address):
            for block in self._blocks.read((address,)):
                return block
            raise self._astray(address)
        raise UsageError(
            f"the archive does not have block {address.strand_id}/{address.sequence_no} whole"
        )

    # --- names ----------------------------------------------------------------------------------

    def _named(self, table: str) -> list[Table]:
        """Find the tables of an id, or else of a name."""
        known = self._index.all_tables()
        found = [each for each in known if each.info.table_id == table] or [
            each for each in known if each.info.table_name == table
        ]
        if not found:
            names = sorted({each.info.table_name for each in known})
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            listed = ", ".join(names[:_NAMED]) + more or "none"
            raise UsageError(f"no document of table {table!r}, but of {listed}{self._caveat()}")
        return found

    def _siblings(self, tables: Iterable[Table]) -> list[Table]:
        """Give the tables that have the names of some tables."""
        names = {table.info.table_name for table in tables}
        return [each for each in self._index.all_tables() if each.info.table_name in names]

    def _check_document(self, document_id: str, tables: list[Table] | None) -> None:
        """
        Make sure that a document is there.

        Raises:
            UsageError: it is not.
        """
        for _ in self._index.spots(numbers_of(tables), document_id):
            return
        where = "" if tables is None else f" in table {tables[0].info.table_name}"
        raise UsageError(f"the archive has no document {document_id!r}{where}{self._caveat()}")

    def _caveat(self) -> str:
        """Say what an absence rests on, where that is not the whole archive."""
        found = [code for code in _HIDING if code in self.built.problems]
        lost = f"; {' and '.join(found)} blocks or bytes are not told: verify it" if found else ""
        return ("" if self.is_fresh else ", as its index says") + lost

    def _until(self, as_of: Moment) -> BlockAddress | int:
        if isinstance(as_of, BlockAddress):
            last = self._index.last_block(as_of.strand_id)
            if last < 0:
                raise UsageError(f"the archive has no strand {as_of.strand_id}")
            if as_of.sequence_no > last:
                raise UsageError(
                    f"the archive ends with block {as_of.strand_id}/{last}: what was as of block "
                    f"{as_of.sequence_no} is not known"
                )
            return as_of
        return ms_of(as_of)

    # --- the index ------------------------------------------------------------------------------

    def _asking(self, ask: Callable[[], T]) -> T:
        """Ask, and once more with another index where this one is found damaged."""
        try:
            return ask()
        except ArchiveIndexError as exc:
            self._mend(exc)
            return ask()

    def _maybe_open(self) -> IndexFile | None:
        if self._place is None or not self._place.exists():
            return None
        try:
            found = IndexFile.open(self._place, self._fingerprint)
        except ArchiveIndexError as exc:
            self.notes.append(why_not_used(exc))
            return None
        if not found.is_complete:
            with ExitStack() as undo:
                undo.callback(found.close)
                self._opened.fetch_all()
                undo.pop_all()
        return found

    def _build(self) -> IndexFile:
        built = build_index(self._opened, self._fingerprint, self._place)
        self.is_fresh = True
        if built.note is not None:
            self.notes.append(built.note)
        return built.index

    def _mend(self, error: ArchiveIndexError) -> None:
        """Build another index in the place of a damaged one."""
        if self.is_fresh:  # what it was built from has changed since
            raise SourceError("the archive", "changed while it was read") from error
        self.notes.append(why_not_used(error))
        self._index.close()
        self._index = self._build()
        self._blocks = self._reader()

    def _reader(self) -> BlockReader:
        return BlockReader(self._index, self._opened.reader(self._index))

    def _astray(self, address: BlockAddress) -> ArchiveIndexError:
        name = f"{address.strand_id}/{address.sequence_no}"
        problem = f"it leads astray: block {name} holds something else"
        return ArchiveIndexError(self._index.name, problem)
