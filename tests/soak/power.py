"""
What a loss of power leaves of files.

`Disk` follows a process's calls. What was synced stays; of what was not, a loss of power
keeps any part. The model is meaner than file systems are: unsynced writes survive in any
selection, each torn at any byte, with what was there before, or garbage, after it; a file
may have grown without its contents; a name given or taken is safe only when the folder
was synced. One thing it grants, as SQLite does: a torn write harms no byte beside it.
"""

from __future__ import annotations

import random
from typing import Final

from tests.soak.traced import Call

__all__ = ["Disk"]


class _File:
    def __init__(self) -> None:
        self.safe: Final = bytearray()
        self.unsynced: Final[list[Call]] = []

    def sync(self) -> None:
        for call in self.unsynced:
            _apply(self.safe, call.kind, call.offset, call.data)
        self.unsynced.clear()

    def left(self, chance: random.Random) -> bytes:
        """Give what may be left of it."""
        contents = bytearray(self.safe)
        # None, all, most, half of them; or the first so many, which is what is likeliest.
        kept = chance.choice((0.0, 1.0, 0.9, 0.5, None))
        first = chance.randint(0, len(self.unsynced))
        for number, call in enumerate(self.unsynced):
            keep = number < first if kept is None else chance.random() < kept
            tear = number == first if kept is None else kept < 1 and chance.random() < 0.1
            if tear and call.data:
                _apply(contents, call.kind, call.offset, _torn(call.data, chance))
            elif keep:
                _apply(contents, call.kind, call.offset, call.data)
        return bytes(contents)


def _apply(contents: bytearray, kind: str, offset: int, data: bytes) -> None:
    if kind == "truncate":
        del contents[offset:]
    contents.extend(bytes(max(0, offset - len(contents))))
    contents[offset : offset + len(data)] = data


def _torn(data: bytes, chance: random.Random) -> bytes:
    """Give the beginning of a write, at times with garbage in place of the rest."""
    cut = chance.randrange(len(data))
    return data[:cut] + chance.choice((b"", chance.randbytes(len(data) - cut)))


class Disk:
    """The files of one folder, beginning with none."""

    def __init__(self) -> None:
        self._files: Final[dict[str, _File]] = {}
        self._safe_names: Final[dict[str, _File]] = {}
        self._unsynced_names: Final[list[tuple[str, _File | None]]] = []

    def do(self, call: Call) -> None:
        """Do what a process asked for; an answer does nothing."""
        match call.kind:
            case "make":
                if call.name not in self._files:
                    self._name(call.name, _File())
            case "unlink":
                self._name(call.name, None)
            case "write" | "truncate":
                self._files[call.name].unsynced.append(call)
            case "sync" if call.name:
                self._files[call.name].sync()
            case "sync":
                for name, file in self._unsynced_names:
                    _rename(self._safe_names, name, file)
                self._unsynced_names.clear()

    def _name(self, name: str, file: _File | None) -> None:
        _rename(self._files, name, file)
        self._unsynced_names.append((name, file))

    def unsynced(self) -> list[str]:
        """Give the names of files whose contents or whose name a loss of power may undo."""
        names = {name for name, file in self._files.items() if file.unsynced}
        return sorted(names.union(name for name, _ in self._unsynced_names))

    def left(self, chance: random.Random) -> dict[str, bytes]:
        """Lose the power: give files by name as they may then be found."""
        names = dict(self._safe_names)
        for name, file in self._unsynced_names:
            if chance.random() < 0.5:
                _rename(names, name, file)
        return {name: file.left(chance) for name, file in names.items()}


def _rename(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
