"""
How far a stream has come, in a small file that is replaced as a whole.

A file of JSON with a version. It is written beside its place, synced and renamed over it, so
that whatever crashes, the old or the new one is there. What it says has been acknowledged;
what came after it may have been sent as well, and is sent again: at least once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.holding import sync_folder

__all__ = ["StreamPlan", "StreamState", "load_state"]

_FORMAT: Final = "qldb-stream journal stream"
_VERSION: Final = 1
_MAX_BYTES: Final = 1 << 16


@attrs.frozen
class StreamPlan:
    """
    What a stream carries, and where; a state is of one plan only.

    Attributes:
        strand_id: the ledger's.
        stream: the Kinesis data stream's name.
        start_time: the earliest blockTimestamp, ISO 8601; None for the ledger's beginning.
        end_time: what blockTimestamp stays below, ISO 8601; None for ever.
        aggregated: whether a block's records are joined into KPL frames.
    """

    strand_id: str
    stream: str
    start_time: str | None = None
    end_time: str | None = None
    aggregated: bool = True


@attrs.frozen
class StreamState:
    """
    How far a stream has come.

    Attributes:
        plan: which stream it is.
        stream_id: its id in the records' ARN, 22 characters.
        created: whether the control record CREATED was acknowledged.
        next_block: every block of the stream below this number was acknowledged.
        completed: whether the control record COMPLETED was acknowledged.
    """

    plan: StreamPlan
    stream_id: str
    created: bool = False
    next_block: int = 0
    completed: bool = False

    def save(self, path: str | os.PathLike[str]) -> None:
        """
        Write the state durably.

        Raises:
            UsageError: the file cannot be written; what was there before still is.
        """
        said = {"format": _FORMAT, "version": _VERSION, **attrs.asdict(self)}
        target = Path(path)
        draft = target.with_name(f"{target.name}.new")
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(said, indent=2).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
            sync_folder(target.parent)
        except OSError as exc:
            raise UsageError(f"{path} cannot be written: {exc.strerror}") from exc


def load_state(path: str | os.PathLike[str], plan: StreamPlan) -> StreamState | None:
    """
    Read a state; None when there is no file.

    Raises:
        UsageError: the file cannot be read, is none of ours or of a newer version, or
            is the state of another stream.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}") from exc
    state = _parse(path, text)
    if state.plan != plan:
        raise UsageError(
            f"{path} is the state of another stream: {_difference(state.plan, plan)}; "
            "name another file with --state"
        )
    return state


def _parse(path: str | os.PathLike[str], text: bytes) -> StreamState:
    strange = f"{path} is not the state of a stream; name another file with --state"
    try:
        said = json.loads(text)
        if said["format"] != _FORMAT or len(text) > _MAX_BYTES:
            raise UsageError(strange)
        if said["version"] > _VERSION:
            raise UsageError(
                f"{path} is of version {said['version']}, this package reads up to "
                f"{_VERSION}; install a newer qldb-stream"
            )
        return StreamState(
            StreamPlan(**said["plan"]),
            _typed(said, "stream_id", str),
            _typed(said, "created", bool),
            _typed(said, "next_block", int),
            _typed(said, "completed", bool),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise UsageError(strange) from exc


def _typed(said: Mapping[str, Any], name: str, kind: type) -> Any:
    value = said[name]
    if type(value) is not kind:
        raise TypeError(name)
    return value


def _difference(stored: StreamPlan, given: StreamPlan) -> str:
    here, there = attrs.asdict(stored), attrs.asdict(given)
    name = next(name for name in here if here[name] != there[name])
    return f"its {name} is {here[name]}, not {there[name]}"
