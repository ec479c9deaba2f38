"""
Where a struct or list of Ion text or JSON ends, without reading what it says.

Strategy: one regular expression knows the tokens in which a bracket means nothing
(strings of all three kinds, quoted symbols, blobs, comments); what remains of brackets
is counted. JSON's tokens are a part of Ion's. The quantifiers are possessive,
so a hostile text costs one pass.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MAX_DEPTH", "find_end", "is_start"]

MAX_DEPTH: Final = 1000
"""More than Ion's own bound here; deeper text would be refused by whoever reads it."""

_MARKERS: Final = (b"{", b"[", b"$ion_1_0", b"//", b"/*")

_TOKEN: Final = re.compile(
    rb"""
      "[^"\\]*+(?:\\.[^"\\]*+)*+"
    | '''(?:[^'\\]|\\.|'(?!''))*+'''
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
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")
_UNENDED: Final = (b'"', b"'", b"/*")


def is_start(data: bytes, pos: int) -> bool:
    """Say whether text that `find_end` could take starts at a position."""
    return data.startswith(_MARKERS, pos)


def find_end(data: bytes, pos: int) -> int | None:
    """
    Find where the first struct or list at or after a position ends.

    Returns:
        The position after its closing bracket; None when the data ends before that, or
        nests more deeply than MAX_DEPTH.
    """
    depth = 0
    for match in _TOKEN.finditer(data, pos):
        token = match.group()
        if token in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                return None
        elif token in _CLOSING:
            depth -= 1
            if depth <= 0:
                return match.end()
        elif token in _UNENDED:
            return None
    return None
