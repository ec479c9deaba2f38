"""
Reading a database's file beside SQLite, in the same process, without taking its locks away.

POSIX gives up all of a process's locks on a file when any descriptor of it is closed, SQLite's
too (sqlite.org/howtocorrupt.html, 2.2). So the file is opened at most once in a process, and
closed when its last inbox here has been.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

__all__ = ["RawFile"]

_CHUNK_BYTES: Final = 1 << 20

_Identity = tuple[int, int]

_lock: Final = threading.Lock()
_users: Final[Counter[_Identity]] = Counter()
_descriptors: Final[dict[_Identity, int]] = {}


class RawFile:
    """
    The bytes of a file that SQLite has open; make it before, close it after the connection.

    Raises:
        OSError: the file cannot be looked at.
    """

    def __init__(self, path: str) -> None:
        self._path: Final = path
        status = os.stat(path)  # noqa: PTH116 - device and inode, nothing else
        self._identity: Final = (status.st_dev, status.st_ino)
        self._is_closed = False
        with _lock:
            _users[self._identity] += 1

    def holds_any(self, needles: Sequence[bytes]) -> bool:
        """
        Say whether some bytes stand anywhere in the file.

        Raises:
            OSError: it cannot be read.
        """
        overlap = max(map(len, needles), default=1) - 1
        descriptor, offset, before = self._descriptor(), 0, b""
        while chunk := os.pread(descriptor, _CHUNK_BYTES, offset):
            text = before + chunk
            if any(needle in text for needle in needles):
                return True
            offset += len(chunk)
            before = text[len(text) - overlap :]
        return False

    def is_in_place(self) -> bool:
        """Say whether the path still leads to the file."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - device and inode, nothing else
        except OSError:
            return False
        return self._identity == (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Let go of it; once more does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        with _lock:
            _users[self._identity] -= 1
            if not _users[self._identity]:
                del _users[self._identity]
                descriptor = _descriptors.pop(self._identity, None)
                if descriptor is not None:
                    os.close(descriptor)

    def _descriptor(self) -> int:
        with _lock:
            if self._identity not in _descriptors:
                _descriptors[self._identity] = os.open(self._path, os.O_RDONLY)
            return _descriptors[self._identity]
