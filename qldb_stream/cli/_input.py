"""
What FILE... stands for: files, folders, and `-` for standard input.

Sources are read twice, and standard input can be read once; so it is copied into a
temporary file first, piece by piece, which is removed when the command ends.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from qldb_stream.errors import SourceError, UsageError
from qldb_stream.sources import FolderSource, Progress, open_source

__all__ = ["open_files", "shown_names"]

_DASH: Final = "-"
_NAME: Final = "standard input"
_PIECE_BYTES: Final = 1 << 20


@contextmanager
def open_files(files: Sequence[str], progress: Progress) -> Iterator[FolderSource]:
    """
    Open what a command line names as one source, while the body runs.

    Raises:
        UsageError: a file cannot be read; standard input is a terminal or closed.
        SourceError: there is no room for a copy of standard input.
    """
    if _DASH not in files:
        yield open_source(files, progress=progress)
        return
    open_source([file for file in files if file != _DASH])  # before anything is waited for
    stream = _standard_input()
    with tempfile.TemporaryDirectory(prefix="qldb-stream-") as folder:
        copy = Path(folder) / "input"
        _copy(stream, copy)
        paths = [copy if file == _DASH else file for file in files]
        yield open_source(paths, progress=progress, names={copy: _NAME})


def shown_names(files: Sequence[str]) -> list[str]:
    """Give files as messages name them."""
    return [_NAME if file == _DASH else file for file in files]


def _standard_input() -> BinaryIO:
    stream = sys.stdin
    if stream is None or stream.closed:
        raise UsageError("cannot read standard input: it is closed")
    if stream.isatty():
        raise UsageError(
            "expected records on standard input, found a terminal: pipe or redirect a file "
            "into it, or name files"
        )
    return stream.buffer


def _copy(stream: BinaryIO, path: Path) -> None:
    """Copy a stream to its end, never holding more than a piece of it."""
    try:
        with path.open("wb") as copy:
            while piece := _read(stream):
                copy.write(piece)
    except OSError as exc:
        raise SourceError(_NAME, f"has no room in {tempfile.gettempdir()}: {exc.strerror}") from exc


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_PIECE_BYTES)
    except OSError as exc:
        raise UsageError(f"cannot read standard input: {exc.strerror}") from exc
