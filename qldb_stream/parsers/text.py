"""
Where a struct or list of Ion text or JSON ends, without reading what it says.

Strategy: one regular expression knows the tokens in which a bracket means nothing
(strings of all three kinds, quoted symbols, blobs, comments); what remains of brackets
is counted. JSON's tokens are a part of Ion's. The quantifiers are possessive and what is
not closed ends the search, so a hostile text costs one pass. What nests no deeper than
nearly all blocks do, and has no comments, another expression matches at once, four times
as fast; where it does not match, that was a second pass. Text that comes in pieces is
looked at again when there is half as much again of it, so that small pieces cost no more
than twice the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final, TypeVar

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import MAX_VALUE_BYTES, SYSTEM_TABLE, IonSlice, read_text

__all__ = ["MAX_DEPTH", "find_end", "is_start", "iter_chunked_text", "iter_pieces", "look_for_end"]

T = TypeVar("T")

MAX_DEPTH: Final = 1000
"""More than Ion's own bound here; deeper text would be refused by whoever reads it."""

_MARKERS: Final = (b"{", b"[", b"$ion_1_0", b"//", b"/*")

_TOKEN: Final = re.compile(
    rb"""
      "[^"\\]*+(?:\\.[^"\\]*+)*+"
    | '''(?:[^'\\]|\\.|'(?!''))*+'''
    | '''
    | '[^'\\]*+(?:\\.[^'\\]*+)*+'
    | \{\{[A-Za-z0-9+/=\s]*+\}\}
    | //[^\n]*+(?:\n|\Z)
    | /\*(?:[^*]|\*(?!/))*+\*/
    | [{\[]
    | [}\]]
    | ["'] | /\*
    """,
    re.VERBOSE | re.DOTALL,
)
# What has no bracket that counts; and containers in containers, as deep as blocks mostly are.
_BLOB: Final = rb"\{\{[A-Za-z0-9+/=\s]*+\}\}"
_ATOM: Final = (
    rb"""
      [^{}\[\]"'/]++
    | "[^"\\]*+(?:\\.[^"\\]*+)*+"
    | '(?!'')[^'\\]*+(?:\\.[^'\\]*+)*+'
    | """
    + _BLOB
)
_SHALLOW_LEVELS: Final = 8


@cache
def _shallow() -> re.Pattern[bytes]:
    inner = rb"(?!)"
    for _ in range(_SHALLOW_LEVELS):
        inner = rb"[{\[](?:" + _ATOM + rb"|" + inner + rb")*+[}\]]"
    # A blob, which is tried first within, is no container at the start either.
    return re.compile(rb"(?!" + _BLOB + rb")" + inner, re.VERBOSE | re.DOTALL)


_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")
_UNENDED: Final = (b'"', b"'", b"'''", b"/*")


def is_start(data: bytes, pos: int) -> bool:
    """Say whether text that `find_end` could take starts at a position."""
    return data.startswith(_MARKERS, pos)


def find_end(data: bytes | bytearray, pos: int) -> int | None:
    """
    Find where the first struct or list at or after a position ends.

    Returns:
        The position after its closing bracket; None when the data ends before that, or
        nests more deeply than MAX_DEPTH.
    """
    is_closed, place, _ = look_for_end(data, pos, len(data))
    return place if is_closed else None


def look_for_end(data: bytes | bytearray, pos: int, limit: int) -> tuple[bool, int, int]:
    """
    Find what `find_end` does, in the bytes before a limit, and say what it took.

    Returns:
        Whether there is an end; where it is, or how far was looked; and how many tokens
        were passed one by one.
    """
    shallow = _shallow().match(data, pos, limit)
    if shallow is not None:
        return True, shallow.end(), 0
    depth = 0
    count = 0
    for count, match in enumerate(_TOKEN.finditer(data, pos, limit), 1):
        token = match.group()
        if token in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return False, match.end(), count
        elif token in _CLOSING:
            depth -= 1
            if depth <= 0:
                return True, match.end(), count
        elif token in _UNENDED:
            break
    return False, limit, count


def iter_chunked_text(chunks: Iterable[bytes]) -> Iterator[IonSlice]:
    """
    Iterate over the top-level structs and lists of Ion text, lazily.

    Args:
        chunks: as `iter_pieces` takes them. Symbol tables are carried on.

    Raises:
        IonDecodeError: not Ion text, or too long a value; the values before it have been
            yielded. The offset is about where the broken value is.
    """
    table = SYSTEM_TABLE

    def read(piece: bytes) -> list[IonSlice]:
        nonlocal table
        values, table = read_text(piece, table)
        return values

    return iter_pieces(chunks, read)


def iter_pieces(chunks: Iterable[bytes], read: Callable[[bytes], list[T]]) -> Iterator[T]:
    """
    Read text piece by piece, each up to the end of a top-level struct or list, lazily.

    Args:
        chunks: the text in UTF-8, in order, cut anywhere. Held are one value, MAX_VALUE_BYTES
            at most, and one chunk.
        read: what reads a piece; nothing but space may be in the last one.

    Raises:
        IonDecodeError: not Ion text, or too long a value; the values before it have been
            yielded. The offset is about where the broken value is.
    """
    held = bytearray()
    base = looked_at = 0
    for chunk in chunks:
        held += chunk
        if len(held) < looked_at + looked_at // 2:
            continue
        pos = 0
        while (found := _maybe_piece(held, pos, base, read)) is not None:
            values, pos = found
            yield from values
        base += pos
        del held[:pos]
        looked_at = len(held)
        if looked_at > MAX_VALUE_BYTES:
            raise IonDecodeError(base, f"a value is longer than {MAX_VALUE_BYTES} bytes")
    pos = 0
    while (found := _maybe_piece(held, pos, base, read)) is not None:
        values, pos = found
        yield from values
    yield from _read(bytes(held[pos:]), base + pos, read)


def _maybe_piece(
    held: bytearray, pos: int, base: int, read: Callable[[bytes], list[T]]
) -> tuple[list[T], int] | None:
    """Read up to the end of the next struct or list; None when it is not all there."""
    end = find_end(held, pos)
    if end is None:
        return None
    return _read(bytes(held[pos:end]), base + pos, read), end


def _read(piece: bytes, base: int, read: Callable[[bytes], list[T]]) -> list[T]:
    try:
        return read(piece)
    except IonDecodeError as exc:
        raise IonDecodeError(base + exc.offset, exc.problem) from exc
