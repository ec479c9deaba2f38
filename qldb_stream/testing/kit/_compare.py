"""Where two contents differ, and whether something is in one: for whatever `read_back` gives."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Set as AbstractSet
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs

from qldb_stream.ion import IonSlice

__all__ = ["Difference", "Needle", "maybe_difference", "shown"]

_SHOWN: Final = 300
_MAX_DEPTH: Final = 40
_CHUNK_BYTES: Final = 1 << 20
_WORDS: Final = 3  # a text in base64 begins at one of three places of a group


class Difference(NamedTuple):
    """The first place at which two contents differ, and what is there."""

    where: str
    expected: str
    found: str


def shown(value: Any) -> str:
    """Write a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text):,} characters)"


def maybe_difference(expected: Any, found: Any, where: str = "content") -> Difference | None:
    """Find the first difference, None for equal contents; a NaN is equal to a NaN."""
    if _is_equal(expected, found):
        return None
    ours, theirs = _parts(expected), _parts(found)
    if ours is None or theirs is None or where.count("[") > _MAX_DEPTH:
        return Difference(where, shown(expected), shown(found))
    for name in [*ours, *(name for name in theirs if name not in ours)]:
        at = f"{where}[{name!r}]"
        if name not in theirs:
            return Difference(at, shown(ours[name]), f"nothing, there are {len(theirs)}")
        if name not in ours:
            return Difference(at, f"nothing, there are {len(ours)}", shown(theirs[name]))
        inner = maybe_difference(ours[name], theirs[name], at)
        if inner is not None:
            return inner
    return None if type(expected) is type(found) else Difference(where, *_types(expected, found))


def _is_equal(one: Any, other: Any) -> bool:
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124 - NaN


def _types(*values: Any) -> tuple[str, ...]:
    return tuple(type(value).__name__ for value in values)


def _parts(value: Any) -> dict[Any, Any] | None:
    """Take a value apart, None for one that has no parts."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if attrs.has(type(value)) and not isinstance(value, IonSlice):
        return {a.name: getattr(value, a.name) for a in attrs.fields(type(value)) if a.eq}
    return None


class Needle:
    """Bytes to search for, in every spelling that a sink may give them."""

    def __init__(self, sought: bytes | str) -> None:
        raw = sought.encode() if isinstance(sought, str) else sought
        self._forms = [raw, raw.hex().encode(), raw.hex().upper().encode()]
        if isinstance(sought, str):
            self._forms.append(sought.encode("utf-16-le"))
        self._forms += [_inner_base64(raw, shift) for shift in range(_WORDS)]
        self._longest = max(map(len, self._forms))

    def is_in(self, value: Any) -> bool:
        """Say whether it is anywhere in a value."""
        return any(form in leaf for leaf in _iter_leaves(value) for form in self._forms)

    def file_in(self, folder: Path) -> Path | None:
        """Give a file of a folder that has it; None when none has."""
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return next((path for path in files if self._is_in_file(path)), None)

    def _is_in_file(self, path: Path) -> bool:
        with path.open("rb") as opened:
            tail = b""
            while chunk := opened.read(_CHUNK_BYTES):
                if any(form in tail + chunk for form in self._forms):
                    return True
                tail = (tail + chunk)[-self._longest :]
        return False


def _inner_base64(raw: bytes, shift: int) -> bytes:
    """Give the part of its base64 that does not depend on what stands around it."""
    text = base64.b64encode(bytes(shift) + raw).rstrip(b"=")
    skipped = (8 * shift + 5) // 6
    whole = (8 * (shift + len(raw))) // 6
    return text[skipped:whole]


def _iter_leaves(value: Any) -> Iterator[bytes]:
    """Iterate over all bytes and texts in a value; whatever it is, it has at least a text."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, bytes | bytearray | memoryview):
            yield bytes(one)
        elif isinstance(one, str):
            yield one.encode("utf-8", "surrogatepass")
        elif isinstance(one, IonSlice):
            yield one.to_bytes()
        elif isinstance(one, AbstractSet):
            waiting += one
        elif (parts := _parts(one)) is not None:
            waiting += parts.values()
            waiting += [name for name in parts if not isinstance(name, int)]
        else:
            yield str(one).encode("utf-8", "surrogatepass")
