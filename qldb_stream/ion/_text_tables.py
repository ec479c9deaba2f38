"""
Find symbol tables in Ion text, so that nobody reads them.

Strategy: a table is a struct at the top level whose first annotation is `$ion_symbol_table`
(Ion 1.0 symbols specification, "Local Symbol Tables"): by that name, by that name in quotes with
escapes, or by its id, `$3`. A few bytes of such a text make a reader's table of any size, and each
appending one copies all before it; text needs none, for its symbols have their names, and QLDB
writes none. So the text is looked through for its tokens, though only when something in it can be
such an annotation: a cheap expression tells.

Rules: a doubt is decided towards a table. What neither of amazon.ion's readers takes (a long string
as annotation, other characters between the tokens) may be found here, but what they take is.
"""

from __future__ import annotations

import re
from typing import Final

_NAME: Final = "$ion_symbol_table"

_SUSPECT: Final = re.compile(
    r"""
      \$ion_symbol_table
    | \$0*3(?![0-9])
    | \\.[^'\\]*+'[\x00-\x20]*+(?:/|::)  # the last escape of a quoted annotation
    """,
    re.VERBOSE | re.DOTALL,
)

_TOKEN: Final = re.compile(
    r"""
      "[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)
    | '''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)
    | (?P<quoted>'[^'\\]*+(?:\\.[^'\\]*+)*+(?:'|\Z))
    | (?P<comment>//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z))
    | (?P<bare>[A-Za-z_$][A-Za-z0-9_$]*+)
    | (?P<colons>::)
    | (?P<lob>\{\{(?:[A-Za-z0-9+/=\s]*+\}\})?)
    | (?P<opening>[{\[(])
    | (?P<closing>[}\])])
    """,
    re.VERBOSE | re.DOTALL,
)
_ID: Final = re.compile(r"\$0*3")
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r?\n)|.)", re.DOTALL
)


def maybe_table_offset(text: str) -> int | None:
    """
    Find where the first symbol table in Ion text starts, its annotation included.

    Returns:
        The number of characters before it; None when no top-level value is a symbol table.
    """
    if "::" not in text or not _SUSPECT.search(text):
        return None
    depth = 0
    first: int | None = None  # where a chain of annotations starts that make a struct a table
    chained = False  # whether the last token was the colons after an annotation
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "comment":
            continue
        if kind == "closing":
            depth = max(0, depth - 1)
        elif kind in {"opening", "lob"}:
            if kind == "opening" and chained and first is not None and match[0] == "{":
                return first
            depth += _opened(match[0])
        elif depth == 0 and kind == "colons":
            chained = True
            continue
        elif depth == 0 and kind in {"bare", "quoted"}:
            if not chained:
                first = match.start() if _is_name(match[0]) else None
            chained = False
            continue
        first, chained = None, False
    return None


def _opened(token: str) -> int:
    """Count the brackets that a token leaves open."""
    return 0 if token.endswith("}") else len(token)


def _is_name(symbol: str) -> bool:
    """Tell whether a symbol, as it is written, means `$ion_symbol_table`."""
    if symbol.startswith("'"):
        return _ESCAPE.sub(_unescaped, symbol.strip("'")) == _NAME
    return symbol == _NAME or _ID.fullmatch(symbol) is not None


def _unescaped(match: re.Match[str]) -> str:
    """Give the character that an escape stands for, where the name could have it."""
    digits = match[1] or match[2] or match[3]
    if digits:
        code = int(digits, 16)
        return chr(code) if code <= ord("z") else "\0"
    return "" if match[4] else "\0"
