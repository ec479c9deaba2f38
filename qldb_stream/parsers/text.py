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

__all__ = ["STARTS", "find_end", "is_start"]

STARTS: Final = frozenset(b"{[$/")
"""What Ion text or JSON of ours starts with: struct, list, `$ion_1_0`, comment."""

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
        The position after its closing bracket; None when the data ends before that.
    """
    depth = 0
    for match in _TOKEN.finditer(data, pos):
        token = match.group()
        if token in _OPENING:
            depth += 1
        elif token in _CLOSING:
            depth -= 1
            if depth <= 0:
                return match.end()
        elif token in _UNENDED:
            return None
    return None
