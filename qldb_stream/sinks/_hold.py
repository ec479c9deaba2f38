"""The right to write a file or folder, asked for by a sink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.holding import HeldFile, maybe_hold

__all__ = ["hold"]


def hold(sink: str, path: str | Path, unfit: Callable[[Path], str | None]) -> HeldFile:
    """
    Become the only writer of what all names of a path lead to.

    Args:
        sink: its name, for messages.
        path: what is to be written; its lock stands beside it.
        unfit: says why what stands there cannot be used; None when it can.

    Raises:
        UsageError: it cannot be used, is no path at all, or its folder may not be written.
        SinkUnavailableError: somebody else is writing it.
    """
    try:
        problem = unfit(Path(path))
        if problem is not None:
            raise UsageError(f"cannot write {path}: {problem}")
        held = maybe_hold(path, ".lock")
    except ValueError as exc:  # a NUL in it
        raise UsageError(f"cannot write {str(path)!r}: it is no path") from exc
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}") from exc
    if held is None:
        raise SinkUnavailableError(sink, "another process or sink is writing it")
    return held
