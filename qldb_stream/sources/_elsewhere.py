"""
What each of several processes does: it looks through files, and says of blocks what is asked.

The caller's own process is one of them. Files are looked through in shares. Whoever comes first
begins a share, by making the file that takes what it holds; so nobody hands out work, and none
waits for another's word.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from threading import Thread
from typing import BinaryIO, Final

import attrs

from qldb_stream.errors import QldbStreamError, SourceError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Index, Place
from qldb_stream.sources._portions import FOLDER, PortionWriter
from qldb_stream.sources._reading import FirstPass
from qldb_stream.sources._rows import SymbolRow
from qldb_stream.sources._settle import Look, Said, said_of

__all__ = [
    "Group",
    "Looker",
    "Work",
    "begin",
    "give_up",
    "keep_work",
    "leave_off",
    "look_through_next",
    "make_folder",
    "say",
    "say_of",
    "write_tables",
]

_TABLES: Final = "tables"
_OVER: Final = "over"

_COLLECTED_AT: Final = 20_000
"""Objects between collections: blocks have no cycles, and to look for them is 4 % of the time."""


@attrs.frozen
class Group:
    """A block, and where all that belongs to it stands; CONTROL records have no block."""

    address: BlockAddress | None
    places: tuple[Place, ...]

    @property
    def is_open(self) -> bool:
        """Say whether something is still to be said of it."""
        is_asked = len(self.places) == 1 and self.places[0].is_asked
        return self.address is not None and not is_asked


@attrs.frozen
class Work:
    """
    What several processes do together.

    `shares` are runs of files by their numbers. Of one that is not longer than `longest` bytes,
    something is said of its blocks as soon as they are found. `folder` takes what is found.
    """

    files: tuple[FoundFile, ...]
    shares: tuple[range, ...]
    longest: int
    look: Look
    folder: Path

    @property
    def path(self) -> Path:
        """Say where it is written down."""
        return self.folder / "work"

    def path_of(self, share: int) -> Path:
        """Say where the portions of a share are."""
        return self.folder / str(share)

    def files_of(self, share: int) -> tuple[FoundFile, ...]:
        """Give the files of a share."""
        numbers = self.shares[share]
        return self.files[numbers.start : numbers.stop]


def keep_work(work: Work) -> None:
    """
    Write down what is to be done, for other processes to read: it may be longer than a pipe.

    Raises:
        SourceError: there is no room in the temporary folder.
    """
    with _translated():
        work.path.write_bytes(pickle.dumps(work))


@contextmanager
def _translated() -> Iterator[None]:
    """Tell that there is no room, or no disk."""
    try:
        yield
    except OSError as exc:
        raise SourceError(FOLDER, f"cannot be written: {exc.strerror}") from exc
    except sqlite3.Error as exc:
        raise SourceError(FOLDER, f"cannot be written: {exc}") from exc


def make_folder() -> TemporaryDirectory[str]:
    """
    Make the folder that takes what is found.

    Raises:
        SourceError: there is no room for temporary files, or no folder.
    """
    with _translated():
        return TemporaryDirectory(prefix="qldb-stream-")


class Looker:
    """
    Looks through shares that no process has begun.

    Args:
        work: all shares.
        pool: opens files.
        index: takes what is found, where it is in this process.
    """

    def __init__(self, work: Work, pool: FilePool, index: Index | None = None) -> None:
        self._work = work
        self._pool = pool
        self._index = index
        self._at = 0  # all before it are begun

    def look_through_next(self) -> int | None:
        """
        Write down what the first share holds that was not begun.

        Returns:
            Its number; None when all are begun.

        Raises:
            SourceError: there is no room in the temporary folder. Any other error is told by the
                one who reads what was written, when it is this share's turn.
        """
        while self._at < len(self._work.shares):
            share = self._at
            self._at += 1
            path = self._work.path_of(share)
            with _translated(), suppress(FileExistsError), path.open("xb") as out:
                self._look_through(share, out)
                return share
        return None

    def _look_through(self, share: int, out: BinaryIO) -> None:
        files = self._work.files_of(share)
        is_short = sum(file.size for file in files) <= self._work.longest
        with closing(Spool()) as spool:
            writer = PortionWriter(out, self._work.look.sum_up, self._index)
            first = FirstPass(
                files,
                self._pool,
                spool,
                writer,
                None,
                number=self._work.shares[share].start,
                look=self._work.look if is_short else None,
            )
            error = None
            try:
                for undecodable in first.fill():
                    writer.add_undecodable(undecodable)
            except QldbStreamError as exc:
                error = exc
            writer.end(tuple(first.manifests), first.found_bytes, error)


def say_of(look: Look, reader: PlaceReader, groups: Sequence[Group]) -> list[Said | None]:
    """Say of each block what is asked; None where there is nothing to say."""
    return [_say(look, reader, group) for group in groups]


def _say(look: Look, reader: PlaceReader, group: Group) -> Said | None:
    assert group.address is not None, "CONTROL is not shared"
    block = reader.maybe_block(group.places[0]) if len(group.places) == 1 else None
    if block is not None:
        found = said_of(look, group.address, block, group.places[0].length)
        return None if found.answer is None else found
    items = [item for place in group.places for item in reader.found(place)]
    events = [item for item in items if not isinstance(item, Undecodable)]
    answer = look.judge(group.address, events) if len(events) == len(items) else None
    length = sum([place.length for place in group.places])
    return None if answer is None else Said(answer, len(events), length)


# --- in another process --------------------------------------------------------------------


@attrs.frozen
class _Here:
    """What a process works with."""

    work: Work
    looker: Looker
    reader: PlaceReader
    ending: ExitStack

    @property
    def is_over(self) -> bool:
        """Say whether the caller has given up."""
        return (self.work.folder / _OVER).exists()


_here: list[_Here] = []


def begin(path: Path) -> None:
    """
    Make a process ready for the work in a file.

    Ctrl-C is for the one who started it; where that one is ended from outside, it ends, too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:  # pragma: no cover - so in another process
        Thread(target=_end_with, args=(parent, path.parent), daemon=True).start()
    gc.set_threshold(_COLLECTED_AT)
    leave_off()
    work: Work = pickle.loads(path.read_bytes())  # noqa: S301 - written by this program
    ending = ExitStack()
    pool = ending.enter_context(closing(FilePool()))
    spool = ending.enter_context(closing(Spool()))
    tables = ending.enter_context(closing(_WrittenTables(work.folder / _TABLES)))
    reader = PlaceReader(work.files, pool, spool, tables)
    _here.append(_Here(work, Looker(work, pool), reader, ending))
    gc.freeze()  # no collection looks through what was imported: the last one is waited for


def leave_off() -> None:
    """Close what this process worked with."""
    while _here:
        _here.pop().ending.close()


def _end_with(parent: BaseProcess, folder: Path) -> None:  # pragma: no cover - it ends a process
    """Leave nothing behind when the caller's own process could not: it would be waited for."""
    parent.join()
    rmtree(folder, ignore_errors=True)
    os._exit(1)


def give_up(work: Work) -> None:
    """Let processes end what they are at, and begin nothing more."""
    with suppress(OSError):  # without room for this they end some shares later
        (work.folder / _OVER).touch()


def look_through_next() -> int | None:
    """Look through a share, as `Looker` does."""
    (here,) = _here
    return None if here.is_over else here.looker.look_through_next()


def say(groups: Sequence[Group]) -> list[Said | None]:
    """Say of each block what is asked, as `say_of` does."""
    (here,) = _here
    return [] if here.is_over else say_of(here.work.look, here.reader, groups)


# --- where symbol tables stand -------------------------------------------------------------


def write_tables(work: Work, rows: Iterator[SymbolRow]) -> None:
    """
    Write down where symbol tables stand, for processes to look up.

    Raises:
        SourceError: there is no room in the temporary folder.
    """
    path = work.folder / _TABLES
    with _translated(), closing(sqlite3.connect(path)) as database, database:
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

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """
        Give the number of the tables before some tables, and their own offset and length.

        Raises:
            SourceError: the temporary folder is gone, or cannot be read.
        """
        try:
            if self._database is None:
                self._database = sqlite3.connect(self._path)
            found: tuple[int, int, int] = self._database.execute(
                "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?",
                (file, number),
            ).fetchone()
        except sqlite3.Error as exc:
            raise SourceError(FOLDER, f"cannot be read: {exc}") from exc
        return found
