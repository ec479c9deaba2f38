"""The lock file that keeps two processes from writing one file sink."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from qldb_stream.errors import SinkUnavailableError

__all__ = ["lock_path", "take_lock"]


def lock_path(path: Path) -> Path:
    """Name the lock file of a file: one, through whatever symlinks it is reached."""
    return Path(os.path.realpath(path) + ".lock")


def take_lock(sink: str, path: Path) -> BinaryIO:
    """
    Take the lock of a file, without waiting.

    The lock belongs to the open file that is returned and ends with it, also when the
    process is killed. The file itself stays: removing it would let two processes hold
    "the" lock.

    Raises:
        SinkUnavailableError: somebody else holds it.
        OSError: the lock file cannot be made.
    """
    opened = lock_path(path).open("ab")
    try:
        _lock(opened)
    except OSError as exc:
        opened.close()
        raise SinkUnavailableError(sink, "another process or sink is writing it") from exc
    return opened


if sys.platform == "win32":  # pragma: no cover - one system's way cannot run on the other
    import msvcrt

    def _lock(opened: BinaryIO) -> None:
        msvcrt.locking(opened.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(opened: BinaryIO) -> None:
        fcntl.flock(opened.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
