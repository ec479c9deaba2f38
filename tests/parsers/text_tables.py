"""Ion text as another tool may rewrite it: with symbol tables, and ids in place of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from qldb_stream.events import Block
from qldb_stream.ion import to_text
from qldb_stream.testing import exported_block

Tables: TypeAlias = Literal["each", "shared", "appending"]

_FIRST_ID = 10
_NAME = re.compile(
    r"""
      "(?:[^"\\]|\\.)*"
    | \{\{[^}]*\}\}
    | '(?P<quoted>(?:[^'\\]|\\.)*)'(?=:)
    | (?<![\w:+.-])(?P<bare>[A-Za-z_]\w*)(?=:)
    """,
    re.VERBOSE,
)


def write_text(blocks: Iterable[Block], tables: Tables) -> bytes:
    """Write blocks with a table before each one, one before all, or one that adds what is new."""
    texts = [to_text(exported_block(block)) for block in blocks]
    parts = {"each": _each, "shared": _shared, "appending": _appending}[tables](texts)
    return "\n".join(parts).encode()


def _each(texts: list[str]) -> Iterator[str]:
    for text in texts:
        ids: dict[str, int] = {}
        written = _with_ids(text, ids)
        yield f"$ion_1_0 {_table(ids)}"
        yield written


def _shared(texts: list[str]) -> Iterator[str]:
    ids: dict[str, int] = {}
    written = [_with_ids(text, ids) for text in texts]
    yield _table(ids)
    yield from written


def _appending(texts: list[str]) -> Iterator[str]:
    ids: dict[str, int] = {}
    for text in texts:
        known = len(ids)
        written = _with_ids(text, ids)
        added = dict(list(ids.items())[known:])
        if added:
            yield _table(added, "imports:$ion_symbol_table," if known else "")
        yield written


def _table(ids: Iterable[str], more: str = "") -> str:
    symbols = ",".join(f'"{name}"' for name in ids)
    return f"$ion_symbol_table::{{{more}symbols:[{symbols}]}}"


def _with_ids(text: str, ids: dict[str, int]) -> str:
    def replaced(match: re.Match[str]) -> str:
        name = match["quoted"] or match["bare"]
        return match[0] if name is None else f"${ids.setdefault(name, len(ids) + _FIRST_ID)}"

    return _NAME.sub(replaced, text)
