"""
What is done in another process: files are looked through, and what is said of blocks.

What a file holds is written down in portions, for the one who asked to read: a file may be as long
as an archive, and no process holds all of its rows.
"""

from __future__ import annotations

import gc
import pickle
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from qldb_stream.errors import SourceError
from qldb_stream.events import BlockAddress, Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._again import PlaceReader
from qldb_stream.sources._files import FilePool, FoundFile
from qldb_stream.sources._gzip import Spool
from qldb_stream.sources._index import Place
from qldb_stream.sources._reading import FirstPass
from qldb_stream.sources._rows import RowKeeper, Rows, SymbolRow
from qldb_stream.sources._settle import Look, Said, said_of

__all__ = ["Group", "Portion", "begin", "look_through", "read_portions", "say", "write_tables"]

_HELD_UNDECODABLE: Final = 100  # of up to 64 KB each

_TABLES: Final = "tables"

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
class Portion:
    """Some of what a file holds; the last portion has its manifests and its length."""

    rows: Rows
    undecodable: tuple[Undecodable, ...]
    manifests: tuple[FoundManifest, ...] = ()
    found_bytes: int = 0


def read_portions(path: Path) -> Iterator[Portion]:
    """
    Read what a process wrote about a file, and remove it.

    Raises:
        SourceError: it cannot be read, or is something else.
    """
    is_last = False
    try:
        with path.open("rb") as written:
            while not is_last:
                is_last, portion = pickle.load(written)  # noqa: S301 - written by this program
                yield portion
        path.unlink()
    except OSError as exc:
        raise SourceError("the temporary folder", f"cannot be read: {exc.strerror}") from exc
    except (EOFError, pickle.UnpicklingError) as exc:
        raise SourceError("the temporary folder", "has something else than was written") from exc


# --- in another process --------------------------------------------------------------------


@attrs.define
class _Here:
    """What a process works with."""

    files: tuple[FoundFile, ...]
    folder: Path
    look: Look
    pool: FilePool
    reader: PlaceReader
    ending: ExitStack


_here: list[_Here] = []


def begin(files: tuple[FoundFile, ...], folder: Path, look: Look) -> None:
    """Make a process ready, for one reading at a time; Ctrl-C is for the one who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(_COLLECTED_AT)
    while _here:
        _here.pop().ending.close()
    ending = ExitStack()
    pool = ending.enter_context(closing(FilePool()))
    spool = ending.enter_context(closing(Spool()))
    tables = ending.enter_context(closing(_WrittenTables(folder / _TABLES)))
    reader = PlaceReader(files, pool, spool, tables)
    _here.append(_Here(files, folder, look, pool, reader, ending))


def look_through(number: int, *, asks: bool) -> Path:
    """
    Write down what a file holds.

    Args:
        number: of the file.
        asks: whether something is said of its blocks at once.

    Raises:
        SourceError: the file changed or failed, or there is no room in the temporary folder.
    """
    (here,) = _here
    path = here.folder / str(number)
    look = here.look if asks else None
    try:
        with path.open("wb") as out, closing(Spool()) as spool:
            keeper = _Writer(out)
            first = FirstPass(
                (here.files[number],), here.pool, spool, keeper, None, number=number, look=look
            )
            for undecodable in first.fill():
                keeper.add_undecodable(undecodable)
            keeper.end(tuple(first.manifests), first.found_bytes)
    except OSError as exc:
        raise SourceError("the temporary folder", f"cannot be written: {exc.strerror}") from exc
    return path


class _Writer(RowKeeper):
    """Writes down what a file holds."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__()
        self._out = out
        self._undecodable: list[Undecodable] = []

    def add_undecodable(self, found: Undecodable) -> None:
        """Note what cannot be read."""
        self._undecodable.append(found)
        if len(self._undecodable) >= _HELD_UNDECODABLE:
            self._take(Rows())

    def end(self, manifests: tuple[FoundManifest, ...], found_bytes: int) -> None:
        """Write the last portion."""
        self.hand_on()
        self._write(Portion(Rows(), tuple(self._undecodable), manifests, found_bytes), is_last=True)

    def _take(self, rows: Rows) -> None:
        undecodable, self._undecodable = tuple(self._undecodable), []
        self._write(Portion(rows, undecodable), is_last=False)

    def _write(self, portion: Portion, *, is_last: bool) -> None:
        pickle.dump((is_last, portion), self._out, pickle.HIGHEST_PROTOCOL)


def say(groups: Sequence[Group]) -> list[Said | None]:
    """Say of each block what the caller asks; None where there is nothing to say."""
    (here,) = _here
    return [_say(here, group) for group in groups]


def _say(here: _Here, group: Group) -> Said | None:
    assert group.address is not None, "CONTROL is not shared"
    block = here.reader.maybe_block(group.places[0]) if len(group.places) == 1 else None
    if block is not None:
        found = said_of(here.look, group.address, block, group.places[0].length)
        return None if found.answer is None else found
    items = [item for place in group.places for item in here.reader.items(place)]
    events = [item for item in items if not isinstance(item, Undecodable)]
    answer = here.look.judge(group.address, events) if len(events) == len(items) else None
    length = sum([place.length for place in group.places])
    return None if answer is None else Said(answer, len(events), length)


# --- where symbol tables stand -------------------------------------------------------------


def write_tables(folder: Path, rows: Iterator[SymbolRow]) -> None:
    """Write down where symbol tables stand, for processes to look up."""
    with closing(sqlite3.connect(folder / _TABLES)) as database, database:
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
        """Give the number of the tables before some tables, and their own offset and length."""
        if self._database is None:
            self._database = sqlite3.connect(self._path)
        found: tuple[int, int, int] = self._database.execute(
            "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?",
            (file, number),
        ).fetchone()
        return found
