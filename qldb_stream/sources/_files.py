"""
Find the files that paths name, and read them at any place.

Rules: what is named is read, whatever it is called. In folders, names that start with a
dot are passed over and counted (`.DS_Store`, `.git`: no service ever wrote one), and so
is what is neither file nor folder. Links are followed; a folder that is met again,
through a link that leads back up, is not entered twice, and a file that is met again is
not read twice. Order is that of names, folder by folder. One file or folder within another
that may not be read, or a link to nothing, is a problem of its own and costs the rest nothing.

A file must not change between the first look at it and the last: size, time of change
and identity are compared whenever it is opened and after each pass.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from qldb_stream.errors import SourceError, UnreadableFileError, UsageError
from qldb_stream.events import Undecodable

__all__ = ["INDEX_NAME", "FilePool", "FileReadable", "FoundFile", "FoundFiles", "find_files"]

INDEX_NAME: Final = ".qldb-stream-index"
"""What our own index is called in the folder of an archive; what it is drafted as begins so."""

_OPEN_FILES: Final = 64
"""How many files are held open at once; far below every system's limit (often 256)."""

_STREAM: Final = "kinesis://"


@attrs.frozen
class FoundFile:
    """
    A file, and what it was when it was found.

    `argument` counts the paths that were named, from 0: the one under which it was found.
    """

    path: Path
    name: str
    size: int
    stamp: tuple[int, int, int, int]
    argument: int = 0


@attrs.frozen
class FoundFiles:
    """
    Files in the order of reading, and what folders held besides.

    `passed_over` counts what is not looked at; `unreadable` are names that could not be.
    """

    files: tuple[FoundFile, ...]
    passed_over: int
    unreadable: tuple[Undecodable, ...] = ()


def find_files(paths: Sequence[str | Path], names: Mapping[Path, str] | None = None) -> FoundFiles:
    """
    Find the files that paths name, those in folders in order of name.

    Args:
        paths: files and folders.
        names: what files are called, by path; the others are called by their paths.

    Raises:
        UsageError: one of `paths` does not exist, may not be read, or is neither file nor
            folder; the message names it. What folders hold is no mistake of the call.
    """
    walk = _Walk(names or {})
    unreadable: list[Undecodable] = []
    # Folders may nest more deeply than Python likes to recurse: a stack, last name first.
    waiting = [(Path(path), number, True) for number, path in reversed([*enumerate(paths)])]
    while waiting:
        path, number, is_named = waiting.pop()
        try:
            below = walk.visit(path, number, is_named=is_named)
        except OSError as exc:
            if is_named:
                raise UsageError(_cannot_read(paths[number], path, exc)) from exc
            error = UnreadableFileError(str(exc.strerror))
            unreadable.append(Undecodable(show_path(path), 0, 0, error))
            continue
        waiting += [(path / name, number, False) for name in reversed(below)]
    return FoundFiles(tuple(walk.files), walk.passed_over, tuple(unreadable))


def _cannot_read(named: str | Path, path: Path, error: OSError) -> str:
    if str(named).startswith(_STREAM):  # and no folder of that name is here
        return f"{named} is a data stream, which has no end: `tap` and `replay` read one, alone"
    return f"cannot read {show_path(path)}: {error.strerror}"


def show_path(path: Path) -> str:
    """Give a path as text that can be printed, whatever bytes its name has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Walk:
    """What a walk through folders has found, and where it has been."""

    def __init__(self, names: Mapping[Path, str]) -> None:
        self.files: list[FoundFile] = []
        self._names = names
        self.passed_over = 0
        self._seen: set[tuple[int, int]] = set()

    def visit(self, path: Path, argument: int, *, is_named: bool) -> list[str]:
        """Take a file in, found under an argument; answer the names in a folder, in order."""
        status = path.stat()
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not stat.S_ISREG(status.st_mode):
            if is_named:
                raise UsageError(f"cannot read {show_path(path)}: neither a file nor a folder")
            self.passed_over += 1
            return []
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return []
        self._seen.add(identity)
        if is_folder:
            return self._list(path)
        name = self._names.get(path) or show_path(path)
        self.files.append(FoundFile(path, name, status.st_size, _stamp(status), argument))
        return []

    def _list(self, path: Path) -> list[str]:
        names = sorted(os.listdir(path))  # noqa: PTH208 - by name: paths sort in another way
        visible = [name for name in names if not name.startswith(".")]
        ours = sum(name.startswith(INDEX_NAME) for name in names)
        self.passed_over += len(names) - len(visible) - ours
        return visible


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class FilePool:
    """Read any of many files at any place, with few of them open at once."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, BinaryIO] = OrderedDict()

    def read_at(self, file: FoundFile, offset: int, size: int) -> bytes:
        """
        Read `size` bytes at `offset`; fewer only at the end of the file.

        Raises:
            UnreadableFileError: the file may not be read.
            SourceError: it changed since it was found, or the system cannot read it.
        """
        size = max(0, min(size, file.size - offset))
        try:
            data = _read_whole(self._opened(file), offset, size)
        except OSError as exc:
            raise SourceError(file.name, f"cannot be read: {exc.strerror}") from exc
        if len(data) != size:
            raise SourceError(file.name, "became shorter while it was read")
        return data

    def check_unchanged(self, files: Sequence[FoundFile]) -> None:
        """
        Compare all files with what they were when they were found.

        Raises:
            SourceError: one of them is another now.
        """
        for file in files:
            try:
                status = file.path.stat()
            except OSError as exc:
                raise SourceError(file.name, f"cannot be read: {exc.strerror}") from exc
            _check_stamp(file, status)

    def close(self) -> None:
        """Close every file."""
        while self._open:
            self._open.popitem()[1].close()

    def _opened(self, file: FoundFile) -> BinaryIO:
        found = self._open.get(file.path)
        if found is not None:
            self._open.move_to_end(file.path)
            return found
        if len(self._open) >= _OPEN_FILES:
            self._open.popitem(last=False)[1].close()
        try:
            opened = file.path.open("rb", buffering=0)
        except PermissionError as exc:
            raise UnreadableFileError(str(exc.strerror)) from exc
        self._open[file.path] = opened
        _check_stamp(file, os.fstat(opened.fileno()))
        return opened


def _read_whole(opened: BinaryIO, offset: int, size: int) -> bytes:
    """Read until `size` bytes are there or the file ends; one read may give fewer."""
    opened.seek(offset)
    data = opened.read(size)
    while 0 < len(data) < size:
        more = opened.read(size - len(data))
        if not more:
            break
        data += more
    return data


def _check_stamp(file: FoundFile, status: os.stat_result) -> None:
    if _stamp(status) != file.stamp:
        raise SourceError(file.name, "changed while it was read")


@attrs.frozen
class FileReadable:
    """A found file as `qldb_stream.typing.Readable`."""

    pool: FilePool = attrs.field(repr=False)
    file: FoundFile

    @property
    def name(self) -> str:
        """Name the file as it was found."""
        return self.file.name

    @property
    def size(self) -> int:
        """Give the file's length."""
        return self.file.size

    def read_at(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; fewer only at the end."""
        return self.pool.read_at(self.file, offset, size)
