"""
In which order different copies of one thing stand: by what they are, not by which came first.

Cheap things first. The bytes of a part say all that is in it, but for the names that they refer
to. Those stand in a symbol table, which thousands of parts share; so they are looked at only
where all else is the same, and of a table only those to which these bytes can refer. What
does not decode has an order too, so bytes are taken for a name wherever they can be one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

from qldb_stream.ion import IonSlice

__all__ = ["in_order", "written"]

_Copy = TypeVar("_Copy")
_Part: TypeAlias = IonSlice | None


def in_order(
    copies: Iterable[_Copy],
    key: Callable[[_Copy], tuple[Any, ...]],
    parts: Callable[[_Copy], Sequence[_Part]],
) -> list[_Copy]:
    """
    Order copies that differ; no two of them are in one place by chance.

    Args:
        copies: at least one.
        key: what tells them apart, but for names; the lowest is first.
        parts: what refers to names; its bytes are in the key.
    """
    ordered: list[_Copy] = []
    keyed = sorted([(key(copy), copy) for copy in copies], key=itemgetter(0))
    for _, tied in groupby(keyed, key=itemgetter(0)):
        group = [copy for _, copy in tied]
        if len(group) > 1:
            group.sort(key=lambda copy: [_names(part) for part in parts(copy)])
        ordered += group
    return ordered


def written(part: _Part) -> bytes:
    """Give the bytes of a part, without the names that they refer to; nothing for none."""
    return b"" if part is None else part.buf[part.start : part.end]


def _names(part: _Part) -> tuple[int, list[tuple[int, bool, str]]]:
    """Give how many symbols a part has, and those that its bytes can refer to."""
    if part is None:
        return 0, []
    texts = part.symbols.texts
    found: list[tuple[int, bool, str]] = []
    for sid in sorted(_sids(written(part), len(texts))):
        text = texts[sid]
        found.append((sid, text is not None, text or ""))
    return len(texts), found


def _sids(data: bytes, count: int) -> set[int]:
    """
    Give the symbol ids below a count for which some bytes can stand.

    That is a VarUInt before a field or among annotations, or a symbol's UInt (Ion 1.0 binary
    encoding); leading zeros apart, neither is longer than the count's own VarUInt.
    """
    found: set[int] = set()
    width = 1
    while 128 ** (width - 1) < count:
        for window in set(zip(*[data[start:] for start in range(width)], strict=False)):
            found.add(_number(window, 8))
            found.add(_number([byte & 127 for byte in window], 7))
        width += 1
    return {sid for sid in found if sid < count}


def _number(digits: Iterable[int], bits: int) -> int:
    number = 0
    for digit in digits:
        number = number << bits | digit
    return number
