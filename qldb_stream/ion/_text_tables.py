"""
Find local symbol tables in Ion text, and write symbols' texts in place of the ids that they give.

Strategy: a table is a struct at the top level whose first annotation is `$ion_symbol_table`
(Ion 1.0 symbols specification, "Local Symbol Tables"): by that name, by that name in quotes with
escapes, or by an id that stands for it, such as `$3`. Text needs no tables, for its symbols have
their names, and QLDB writes none; another tool may. amazon.ion would read them, but makes a table
as large as it says, whatever it says, and copies all before it for each appending one. So it gets
neither tables nor ids: the text is looked through for its tokens, tables are cut out, and ids are
replaced. That is done only when something in the text can be such an annotation, which a cheap
expression tells, or where a table is in force.

Rules: a doubt is decided towards a table. What neither of amazon.ion's readers takes (a long string
as annotation, other characters between the tokens) may be found here, but what they take is.
What ids become is bounded by the length of their text.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._symbol_text import symbol_text
from qldb_stream.ion._symbols import SYSTEM_TABLE, SymbolTable
from qldb_stream.ion._types import fail

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
_ID: Final = re.compile(r"\$0*([0-9]+)")
_MARKER: Final = "$ion_1_0"
_COLONS: Final = re.compile(r"(?:[\x00-\x20]|//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+::")
_MAX_ID_DIGITS: Final = 9

# A document's id is a symbol in transactionInfo, six times as long as `$100`; other names are
# shorter or rarer.
_TIMES_AS_LONG: Final = 32
_FREE_CHARACTERS: Final = 1 << 16
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\r?\n)|.)", re.DOTALL
)


@attrs.frozen
class Mark:
    """
    Where a symbol table stands in text, or a version marker, at which all tables end.

    Attributes:
        start: where its annotation starts, in characters.
        body: where its struct starts; None for a version marker.
        end: where it ends; None when the text ends before.
    """

    start: int
    body: int | None
    end: int | None


def maybe_mark(text: str, pos: int, table: SymbolTable) -> Mark | None:
    """
    Find the next symbol table at the top level of Ion text, or what ends the one in force.

    Args:
        text: of which a top-level value, or what is between two, starts at `pos`.
        pos: where to begin.
        table: in force there; without one of its own, version markers are passed over.
    """
    is_system = table is SYSTEM_TABLE
    if is_system and (text.find("::", pos) < 0 or not _SUSPECT.search(text, pos)):
        return None
    found: tuple[int, int] | None = None  # where a table's annotation and struct start
    depth = 0
    first: int | None = None  # where a chain of annotations starts that make a struct a table
    chained = False  # whether the last token was the colons after an annotation
    for match in _TOKEN.finditer(text, pos):
        kind = match.lastgroup
        if kind == "comment":
            continue
        if kind == "closing":
            depth = max(0, depth - 1)
            if found is not None and depth == 0:
                return Mark(*found, match.end())
        elif kind in {"opening", "lob"}:
            if kind == "opening" and chained and first is not None and match[0] == "{":
                found = (first, match.start())
            depth += _opened(match[0])
        elif depth == 0 and kind == "colons":
            chained = True
            continue
        elif depth == 0 and kind in {"bare", "quoted"}:
            if not is_system and not chained and _is_marker(match, text):
                return Mark(match.start(), None, match.end())
            if not chained:
                first = match.start() if _is_name(match[0], table) else None
            chained = False
            continue
        first, chained = None, False
    return None if found is None else Mark(*found, None)


def with_names(text: str, table: SymbolTable) -> tuple[str, IonDecodeError | None]:
    """
    Write the texts of symbols in place of their ids.

    Returns:
        The text, and None; or what comes before an id that cannot be replaced, and the error: the
        table has no such id, or the text would become much longer.
    """
    if table is SYSTEM_TABLE or "$" not in text:
        return text, None
    parts: list[str] = []
    done = 0
    left = _FREE_CHARACTERS + _TIMES_AS_LONG * len(text)
    for match in _TOKEN.finditer(text):
        found = _ID.fullmatch(match[0]) if match.lastgroup == "bare" else None
        if found is None:
            continue
        parts.append(text[done : match.start()])
        try:
            name = symbol_text(_text_of(found[1], table, match.start()))
            left = _less(left, len(name), match.start())
        except IonDecodeError as exc:
            return "".join(parts), exc
        # An empty symbol and the quote after it must not begin a long string.
        parts.append(f" {name} ")
        done = match.end()
    return "".join([*parts, text[done:]]), None


def check_table(text: str, mark: Mark) -> tuple[int, int]:
    """
    Give where the struct of a table starts and ends.

    Raises:
        IonDecodeError: it does not end, or what stands between its annotation and it is no space.
    """
    assert mark.body is not None
    if mark.end is None:
        raise IonDecodeError(mark.start, "a symbol table in Ion text is cut off")
    if "\0" in text[mark.start : mark.body]:
        raise IonDecodeError(mark.start, "a zero byte before a symbol table in Ion text")
    return mark.body, mark.end


def _text_of(digits: str, table: SymbolTable, offset: int) -> str | None:
    if len(digits) > _MAX_ID_DIGITS:
        fail(offset, f"a symbol id of {len(digits)} digits is in no symbol table")
    return table.text(int(digits), offset)


def _less(left: int, length: int, offset: int) -> int:
    if length > left:
        fail(offset, "symbols of a table would make Ion text many times as long")
    return left - length


def _is_marker(match: re.Match[str], text: str) -> bool:
    """Tell a version marker from an annotation of the same name."""
    return match[0] == _MARKER and not _COLONS.match(text, match.end())


def _opened(token: str) -> int:
    """Count the brackets that a token leaves open."""
    return 0 if token.endswith("}") else len(token)


def _is_name(symbol: str, table: SymbolTable) -> bool:
    """Tell whether a symbol, as it is written, means `$ion_symbol_table`."""
    if symbol.startswith("'"):
        return _ESCAPE.sub(_unescaped, symbol.strip("'")) == _NAME
    found = _ID.fullmatch(symbol)
    if found is None or len(found[1]) > _MAX_ID_DIGITS:
        return symbol == _NAME
    sid = int(found[1])
    return sid < len(table.texts) and table.texts[sid] == _NAME


def _unescaped(match: re.Match[str]) -> str:
    """Give the character that an escape stands for, where the name could have it."""
    digits = match[1] or match[2] or match[3]
    if digits:
        code = int(digits, 16)
        return chr(code) if code <= ord("z") else "\0"
    return "" if match[4] else "\0"
