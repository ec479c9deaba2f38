"""
Where the index of an archive is kept, and how it gets there.

One folder has it inside, under a hidden name that sources pass over; everything else needs to be
told a file. It is built as another file beside it and renamed when it is whole: whoever reads the
old one goes on with that, and of two who build at once the later one's stays. Where nothing may be
written, it is built in a temporary file that goes with the process, and that is said.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.archive.history._build import build
from qldb_stream.archive.history._fingerprint import Fingerprint
from qldb_stream.archive.history._index import IndexFile
from qldb_stream.archive.history._schema import APPLICATION_ID
from qldb_stream.errors import ArchiveIndexError, SourceError, UsageError
from qldb_stream.sources import INDEX_NAME, OpenSource

__all__ = ["Built", "build_index", "check_place", "default_place", "why_not_used"]

_HEAD_BYTES: Final = 100
_APPLICATION: Final = slice(68, 72)  # of the header of every SQLite file


def default_place(paths: Sequence[str | Path]) -> Path | None:
    """Say where the index of an archive is by itself: in the folder, where there is one alone."""
    if len(paths) != 1 or str(paths[0]).startswith("s3://"):
        return None
    folder = Path(paths[0])
    return folder / INDEX_NAME if folder.is_dir() else None


@attrs.frozen
class Built:
    """An index that was built just now; `kept` is the file that has it, None for none."""

    index: IndexFile
    kept: Path | None
    note: str | None = None


def build_index(source: OpenSource, fingerprint: Fingerprint, place: Path | None) -> Built:
    """
    Build the index of an archive, and keep it if that is possible.

    Args:
        source: the archive.
        fingerprint: of its files, taken before they are read.
        place: the file to keep it in; None for none.

    Raises:
        SourceError: the archive cannot be read, or there is no room for the index.
    """
    if place is None:
        return Built(_build_temporary(source, fingerprint), None)
    try:
        draft = _make_draft(place)
    except OSError as exc:
        note = f"the index is not kept: {place.parent} cannot be written ({exc.strerror})"
        return Built(_build_temporary(source, fingerprint), None, note)
    try:
        _build_in(draft, source, fingerprint)
        draft.replace(place)
    except OSError as exc:
        raise SourceError(str(place), f"cannot be written: {exc.strerror}") from exc
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return Built(IndexFile.open(place, fingerprint), place)


def check_place(place: Path) -> None:
    """
    Make sure that an index may be kept in a file: nothing else is overwritten.

    Raises:
        UsageError: it is a folder, or holds something that is no index.
    """
    if place.is_dir():
        raise UsageError(f"{place} is a folder; --index names a file")
    if place.name == INDEX_NAME:  # nobody else's name
        return
    with suppress(OSError), place.open("rb") as found:
        head = found.read(_HEAD_BYTES)
        if head and head[_APPLICATION] != APPLICATION_ID.to_bytes(4, "big"):
            raise UsageError(f"{place} is no index and is not overwritten; name another file")


def _make_draft(place: Path) -> Path:
    """Make an empty file beside the place, hidden as the index is, readable as any new file."""
    name = f".{place.name.lstrip('.')}.{os.getpid()}-{os.urandom(4).hex()}"
    draft = place.with_name(name)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    return draft


def _build_in(path: Path, source: OpenSource, fingerprint: Fingerprint) -> None:
    with (
        _translated(str(path.parent)),
        closing(sqlite3.connect(path, isolation_level=None)) as database,
    ):
        build(database, source, fingerprint)


def _build_temporary(source: OpenSource, fingerprint: Fingerprint) -> IndexFile:
    """Build an index in a file without a name, which SQLite removes with the connection."""
    with _translated(tempfile.gettempdir()):
        database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        try:
            build(database, source, fingerprint)
        except BaseException:
            database.close()
            raise
    return IndexFile(database, "the temporary index")


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceError(where, f"has no room for the index: {exc}") from exc


def why_not_used(error: ArchiveIndexError) -> str:
    """Say in a sentence that an index is built anew, and why."""
    return f"{error}; it is built anew"
