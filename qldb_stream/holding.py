"""
The right to write a file, and what stood there before: for ledgers and file sinks.

Strategy: whoever writes PATH holds a lock on a small file beside it. The lock belongs to
the open lock file and ends with it, also when the process is killed. The lock file is
removed by its holder, so that nothing is left beside a file that is closed; so whoever
takes a lock looks, when it has it, whether the file that it locked still has the name. If
not, somebody removed it in between, and the lock is worth nothing: it is taken anew.
Several names of one file (symlinks) have one lock file, beside the file itself. A child that
is forked while a file is held shares the lock; it must not write, and holds it if it lives on
after its parent was killed.
"""

from __future__ import annotations

import enum
import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["Found", "HeldFile", "is_special", "maybe_hold", "sync_folder"]

# What systems answer when somebody else has the lock (fcntl(2), flock(2), _locking).
_HELD: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})


class Found(enum.Enum):
    """What stood at a path when it was taken hold of."""

    ABSENT = "absent"
    EMPTY = "empty"
    CONTENT = "content"


class HeldFile:
    """
    A path that nobody else writes until `release`; made by `maybe_hold`.

    Attributes:
        path: the file itself, where symlinks lead.
        found: what stood there when the lock was taken.
    """

    def __init__(self, path: Path, lock: BinaryIO) -> None:
        self.path: Final = path
        self.found: Final = _look_at(path)
        self._lock: Final = lock

    def put_back(self) -> None:
        """
        Leave at the path what was found there: nothing, or an empty file.

        For whoever made the file and did not use it; what was found with content stays as
        it is. The file must be closed, the lock still held. What cannot be removed stays.
        """
        assert not self._lock.closed
        with suppress(OSError):
            if self.found is Found.ABSENT:
                self.path.unlink(missing_ok=True)
            elif self.found is Found.EMPTY:
                os.truncate(self.path, 0)

    def release(self) -> None:
        """Let go, and leave no lock file; once more does nothing."""
        if self._lock.closed:
            return
        name = Path(self._lock.name)
        if _is_at(self._lock, name):  # who removed ours may have made another
            with suppress(OSError):
                name.unlink()
        self._lock.close()
        if sys.platform == "win32":  # pragma: no cover - an open file cannot be removed there
            with suppress(OSError):  # nor one that somebody else has opened since
                name.unlink()


def is_special(path: str | os.PathLike[str]) -> bool:
    """
    Say whether a path leads to something that is neither a file nor a folder.

    A device, a pipe or a socket is somebody else's: it has no length and no contents that
    could be kept, and must never be replaced by a file. Ask before `maybe_hold`.

    Raises:
        OSError: the path cannot be looked at.
        ValueError: the path is none: it has a NUL.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - any kind of path
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def maybe_hold(path: str | os.PathLike[str], suffix: str) -> HeldFile | None:
    """
    Become the only writer of a file, without waiting.

    Args:
        path: the file; it need not exist.
        suffix: what the lock file's name has more than that of the file.

    Returns:
        None when somebody else holds it, in this process or another.

    Raises:
        OSError: the lock file cannot be made or locked.
        ValueError: the path is none: it has a NUL.
    """
    real_path = Path(os.path.realpath(path))
    name = real_path.with_name(real_path.name + suffix)
    while True:
        lock = name.open("ab")
        try:
            _lock(lock)
            if _is_at(lock, name):
                return HeldFile(real_path, lock)
        except OSError as exc:
            lock.close()
            if exc.errno in _HELD:
                return None
            raise
        lock.close()


def sync_folder(folder: Path) -> None:
    """
    Make a folder's entries durable, such as a renaming, where folders can be opened.

    Raises:
        OSError: the folder cannot be opened or synced.
    """
    if os.name == "nt":  # pragma: no cover - the tests run where folders can be synced
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_at(opened: BinaryIO, path: Path) -> bool:
    """Say whether a path names an open file, rather than another one or none."""
    try:
        return os.path.samestat(os.fstat(opened.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _look_at(path: Path) -> Found:
    try:
        status = path.stat()
        # Only a file may be empty: what has no length is not ours to fill or put back.
        is_empty = stat.S_ISREG(status.st_mode) and not status.st_size
        return Found.EMPTY if is_empty else Found.CONTENT
    except FileNotFoundError:
        return Found.ABSENT


if sys.platform == "win32":  # pragma: no cover - one system's way cannot run on the other
    import msvcrt

    def _lock(opened: BinaryIO) -> None:
        msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(opened: BinaryIO) -> None:
        fcntl.flock(opened.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
