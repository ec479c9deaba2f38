"""
The file that remembers what agreed: by sink and strand, for the next comparison.

JSON with a version, written whole or not at all, by one process at a time. It holds numbers
and hashes, no contents. What was compared with other rules of a filter counts for nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from qldb_stream.errors import UsageError
from qldb_stream.holding import maybe_hold, sync_folder
from qldb_stream.reconcile._diff_rules import Verified
from qldb_stream.report import Position

_FORMAT: Final = "qldb-stream diff"
_VERSION: Final = 1
_MOST_BYTES: Final = 16 << 20
"""Some 50,000 strands; a file beyond it is none of ours."""


class DiffState:
    """
    What agreed between a source and one sink; a context manager that holds the file.

    Args:
        path: the file; made by the first `store` when it is absent.
        sink: the sink's name: its URL, passwords masked.
        rules: names the filter's rules; what was stored with others is not given.

    Raises:
        UsageError: the file is something else, of another version, cannot be read, or is
            held by another comparison.
    """

    def __init__(self, path: str | Path, sink: str, *, rules: str = "") -> None:
        self._name = str(path)
        self._sink = sink
        self._rules = rules
        try:
            held = maybe_hold(path, ".lock")
        except (OSError, ValueError) as exc:
            raise UsageError(f"cannot use {self._name} as a state: {exc}") from exc
        if held is None:
            raise UsageError(f"state {self._name} is in use by another comparison")
        self._held = held
        try:
            self._content = self._load()
        except BaseException:
            held.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.release()

    def verified(self) -> Mapping[str, Verified]:
        """
        Give what agreed, by strand.

        Raises:
            UsageError: the file is damaged.
        """
        entry = self._content["sinks"].get(self._sink, {})
        if entry.get("rules") != self._rules:
            return {}
        try:
            return {strand: _verified(found) for strand, found in entry["strands"].items()}
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise self._refusal("it is damaged; remove it to compare anew") from exc

    def forget(self) -> None:
        """Compare anew: what agreed counts for nothing; the file changes with `store`."""
        self._content["sinks"].pop(self._sink, None)

    def store(self, strand_id: str, verified: Verified) -> None:
        """
        Keep what agrees now; durable on return.

        Raises:
            UsageError: the file cannot be written; it is as it was.
        """
        sinks = self._content["sinks"]
        if sinks.get(self._sink, {}).get("rules") != self._rules:
            sinks[self._sink] = {"rules": self._rules, "strands": {}}
        sinks[self._sink]["strands"][strand_id] = {
            "verifiedThrough": _entry(verified.through),
            "historyThrough": _entry(verified.history),
        }
        path = self._held.path
        new = path.with_name(path.name + ".new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(self._content, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            sync_folder(path.parent)
        except OSError as exc:
            with suppress(OSError):
                new.unlink()
            raise UsageError(f"cannot write {self._name}: {exc.strerror}") from exc

    def _load(self) -> dict[str, Any]:
        try:
            with self._held.path.open("rb") as file:
                text = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return {"format": _FORMAT, "version": _VERSION, "sinks": {}}
        except OSError as exc:
            raise self._refusal(f"it cannot be read: {exc.strerror}") from exc
        try:
            content = json.loads(text) if len(text) <= _MOST_BYTES else None
        except (ValueError, RecursionError) as exc:
            raise self._refusal("it is no state of `diff`; it is left as it is") from exc
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise self._refusal("it is no state of `diff`; it is left as it is")
        if content.get("version") != _VERSION:
            raise self._refusal(f"it is of another version than {_VERSION}; use another file")
        sinks = content.get("sinks")
        if not isinstance(sinks, dict) or not all(isinstance(x, dict) for x in sinks.values()):
            raise self._refusal("it is damaged; remove it to compare anew")
        return content

    def _refusal(self, problem: str) -> UsageError:
        return UsageError(f"state {self._name}: {problem}")


def _entry(position: Position | None) -> dict[str, Any] | None:
    return None if position is None else position.as_json()


def _verified(entry: Mapping[str, Any]) -> Verified:
    through, history = entry["verifiedThrough"], entry["historyThrough"]
    return Verified(
        None if through is None else Position.from_json(through),
        None if history is None else Position.from_json(history),
    )
