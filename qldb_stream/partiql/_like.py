"""
LIKE's patterns: a regular expression for what people write, bits for what would take it minutes.

A regular expression tries a piece between two `%` at every place, which is text times
pattern. Beyond `_REGEX_STEPS` of those all places are tried at once: an int has a bit for
each place of the text, and each literal character of a piece clears those where it does not
fit, in steps of 64 places; a `_` costs nothing, a piece without one is found by `str.find`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final

__all__ = ["LikeTooCostlyError", "is_costly_like", "like_matcher"]

# About a millisecond or two, and a pattern that is compiled in less.
_REGEX_STEPS: Final = 1 << 20
_REGEX_CHARACTERS: Final = 1 << 10

# Both as long as a parameter may be: about a second at worst.
_MOST_STEPS: Final = 1 << 34

# So few places are tried one by one.
_FEW: Final = 16

# 32 MiB: 256 different characters of a megabyte of text.
_MOST_BITS: Final = 1 << 28

# A piece of a pattern: one character or None, for `_`, for each place.
Piece = tuple[str | None, ...]
Matcher = Callable[[str], bool]


class LikeTooCostlyError(Exception):
    """A match would take too long; LIKE says so, with its place."""


def is_costly_like(text: str, pattern: str) -> bool:
    """Tell whether a match takes more than the few steps that go unnoticed."""
    return len(pattern) > _REGEX_CHARACTERS or len(text) * len(pattern) > _REGEX_STEPS


def like_matcher(text: str, pattern: str, escape: str) -> Matcher | None:
    """
    Give what tells whether a text fits a pattern; None when the pattern's escapes are wrong.

    Raises:
        LikeTooCostlyError: text times pattern is beyond all measure; the matcher raises it too.
    """
    if not is_costly_like(text, pattern):
        return _regex(pattern, escape)
    if len(text) * len(pattern) > _MOST_STEPS:
        raise LikeTooCostlyError
    pieces = _split(pattern, escape)
    return None if pieces is None else functools.partial(_fits, pieces)


def _split(pattern: str, escape: str) -> list[Piece] | None:
    """Split a pattern at each `%`; None when an escape is not before `%`, `_` or itself."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if escape and character == escape:
            escaped = next(characters, "")
            if not escaped or escaped not in ("%", "_", escape):
                return None
            pieces[-1].append(escaped)
        elif character == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if character == "_" else character)
    return [tuple(piece) for piece in pieces]


@functools.lru_cache(maxsize=256)
def _regex(pattern: str, escape: str) -> Matcher | None:
    """
    Translate a pattern.

    Between two `%` the first place that fits is as good as any, so it is never given
    back (an atomic group): a pattern of a hundred `%` stays quick.
    """
    pieces = _split(pattern, escape)
    if pieces is None:
        return None
    texts = ["".join("." if one is None else re.escape(one) for one in piece) for piece in pieces]
    middle = "".join(f"(?>.*?{piece})" for piece in texts[1:-1] if piece)
    end = f".*{texts[-1]}" if len(texts) > 1 else ""
    fullmatch = re.compile(texts[0] + middle + end, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _fits(pieces: list[Piece], text: str) -> bool:
    """Tell whether a text fits: first and last piece at its ends, the others in order."""
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return len(first) == len(text) and _fits_at(first, text, 0)
    end = len(text) - len(last)
    if end < len(first) or not (_fits_at(first, text, 0) and _fits_at(last, text, end)):
        return False
    places = _Places(text)
    place = len(first)
    for piece in filter(None, pieces[1:-1]):
        found = places.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def _fits_at(piece: Piece, text: str, place: int) -> bool:
    return all(one is None or one == text[at] for at, one in enumerate(piece, place))


class _Places:
    """Where characters are in a text, a bit for each place."""

    def __init__(self, text: str) -> None:
        self._text: Final = text
        self._bits: Final[dict[str, int]] = {}
        self._bits_left = _MOST_BITS

    def find(self, piece: Piece, start: int, end: int) -> int:
        """Find the first place of a piece within a part of the text; -1 when there is none."""
        last = end - len(piece)
        if None not in piece:
            return self._text.find("".join(filter(None, piece)), start, end)
        if last < start or not any(piece):
            return start if start <= last else -1
        if len(piece) <= _FEW:
            return self._find_short(piece, start, last)
        found = self._all_places(piece, start, last)
        while found:  # the first, unless there are few that are still to be tried
            place = start + (found & -found).bit_length() - 1
            if _fits_at(piece, self._text, place):
                return place
            found &= found - 1
        return -1

    def _find_short(self, piece: Piece, start: int, last: int) -> int:
        """Try each place of the first literal character: a few steps, all of them on the way."""
        offset, one = next((at, one) for at, one in enumerate(piece) if one is not None)
        place = self._text.find(one, start + offset, last + offset + 1)
        while place >= 0:
            if _fits_at(piece, self._text, place - offset):
                return place - offset
            place = self._text.find(one, place + 1, last + offset + 1)
        return -1

    def _all_places(self, piece: Piece, start: int, last: int) -> int:
        """Set a bit for each place where a piece fits; where few are left, may fit."""
        found = (1 << (last - start + 1)) - 1
        for offset, one in enumerate(piece):
            if one is not None:
                if one not in self._bits and found.bit_count() <= _FEW:
                    break
                found &= self._bits_of(one) >> (start + offset)
                if not found:
                    break
        return found

    def _bits_of(self, one: str) -> int:
        bits = self._bits.get(one)
        if bits is None:
            self._bits_left -= len(self._text)
            if self._bits_left < 0:
                raise LikeTooCostlyError
            bits = self._bits[one] = _places_of(one, self._text)
        return bits


def _places_of(character: str, text: str) -> int:
    """Set a bit for each place of a character."""
    bits = bytearray(len(text) // 8 + 1)
    place = text.find(character)
    while place >= 0:
        bits[place >> 3] |= 1 << (place & 7)
        place = text.find(character, place + 1)
    return int.from_bytes(bits, "little")
