"""
Read the plain part of Ion text, as the service writes it, straight to binary Ion.

Strategy: one regular expression takes text apart into its items, each with its field name and what
separates it from the next. Brackets are counted, and the bytes are put together from the innermost
container outwards. A block takes a sixth of the time that amazon.ion's C part and our writer need,
because no value of Python is made on the way (`_plain_scalars` writes what stands in no quotes).

Rules: it is all or nothing. One struct or list is read, exactly as amazon.ion reads it; at the
first thing that is not plain (symbol ids, annotations, comments, long strings, S-expressions,
clobs, digits with underscores, a comma too many, damage) the answer is None, and whoever reads all
of Ion says what it is. Each quantifier is possessive or ends where the text does, and nothing is
looked at more often than there are kinds of items: a hostile text costs one pass.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Final, TypeAlias

from qldb_stream.ion._plain_scalars import (
    KNOWN,
    maybe_scalar,
    maybe_symbol_text,
    maybe_unescaped,
)
from qldb_stream.ion._primitives import varuint_bytes
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._types import IVM, MAX_DEPTH
from qldb_stream.ion._writer import SymbolWriter, container, string_bytes

# Closing brackets; or a name, a string, a blob, another scalar or an opening bracket; or the rest.
_Item: TypeAlias = tuple[bytes, ...]

_PATTERN: Final = rb"""
    ([}\]]++) SEPARATOR  # closing brackets
  | (?:( [A-Za-z_][A-Za-z0-9_]*+ | SYMBOL | "[^"\\\x00-\x1f]*+" ) SPACE :(?!:) SPACE )?
    (?:
        (?: "( [^"\\\x00-\x1f]*+ (?: \\[^\x00-\x1f] [^"\\\x00-\x1f]*+ )*+ )"
          | \{\{ SPACE ([A-Za-z0-9+/]++={0,2}) SPACE \}\}
          | ( [A-Za-z0-9_+.:-]++ | SYMBOL | \{\{\}\} )
        ) SEPARATOR
      | (\[ | \{(?!\{)) SPACE
    )
  | ([\x00-\xff]+)  # anything else, to the end
"""
_ITEM: Final = re.compile(
    # Between two items stands a comma, none before a closing bracket or the end.
    _PATTERN.replace(b"SEPARATOR", rb"SPACE (?: , SPACE (?= [^,}\]] ) | (?= [}\]] ) | \Z )")
    # What begins with a dollar sign may be an id, a version marker or a symbol table.
    .replace(b"SYMBOL", rb"'(?!\$)[^'\\\x00-\x1f]*+'")
    .replace(b"SPACE", rb"[ \t\r\n]*+"),
    re.VERBOSE,
)

# Items are made all at once up to this length, which is quicker; of longer text one by one,
# because a list of short ints takes fifty times its length.
_MAX_AT_ONCE_BYTES: Final = 1 << 20

_LIST: Final = 0xB0
_STRUCT: Final = 0xD0
_OPENS: Final = {b"[": _LIST, b"{": _STRUCT}
_SPACES: Final = b" \t\r\n"
_CLOSES: Final = {ord("]"): _LIST, ord("}"): _STRUCT}

_HEADS: Final = 128  # of a text or blob of less bytes


def _heads(nibble: int) -> tuple[bytes, ...]:
    return tuple(container(nibble, bytes(size))[: 1 if size < 14 else 2] for size in range(_HEADS))


_STRING_HEADS: Final = _heads(0x80)
_BLOB_HEADS: Final = _heads(0xA0)


def maybe_plain(text: bytes | str) -> IonSlice | None:
    """
    Read one struct or list of plain Ion text.

    Args:
        text: it, and nothing else but space around it.

    Returns:
        What `to_slice` makes of what amazon.ion reads, fields of one name in their place; None
        when there is anything that has to be read by who knows all of Ion, or to be refused.
    """
    data = _maybe_bytes(text)
    if data is None:
        return None
    items: Iterable[_Item]
    if len(data) <= _MAX_AT_ONCE_BYTES:
        items = _ITEM.findall(data)
    else:
        items = (match.groups(b"") for match in _ITEM.finditer(data))
    symbols = SymbolWriter()
    body = _maybe_body(items, symbols)
    if body is None:
        return None
    table, declaration = symbols.finish()
    stream = IVM + declaration + body
    return IonSlice(stream, len(stream) - len(body), len(stream), table)


def _maybe_bytes(text: bytes | str) -> bytes | None:
    """Give text in UTF-8 from where it begins as a struct or list; None where it does not."""
    try:
        data = (text.encode() if isinstance(text, str) else bytes(text)).lstrip(_SPACES)
        if data[:1] not in _OPENS:
            return None
        if not data.isascii():
            data.decode()
    except UnicodeError:
        return None
    return data


def _maybe_body(items: Iterable[_Item], symbols: SymbolWriter) -> bytes | None:
    """Put a struct or list together from its items."""
    kind = 0  # of the container that is open: the nibble of a struct or list
    parts: list[bytes] = []  # of it: the fields' ids and values, or the elements
    outer: list[tuple[int, list[bytes]]] = []
    sids: dict[bytes, bytes] = {}  # by the name as it is written
    for closing, name, string, blob, scalar, opening, rest in items:
        if closing:
            for bracket in closing:
                if _CLOSES[bracket] != kind:
                    return None
                value = container(kind, b"".join(parts))
                kind, parts = outer.pop()
                parts.append(value)
            continue
        if kind == _STRUCT:
            sid = sids.get(name) or _maybe_sid(name, sids, symbols)
            if sid is None:
                return None
            parts.append(sid)
        elif name or (parts and not kind):
            return None
        written: bytes | None
        if string:
            size = len(string)
            if b"\\" in string:
                written = _maybe_string(string)
            elif size < _HEADS:
                written = _STRING_HEADS[size] + string
            else:
                written = container(0x80, string)
        elif scalar:
            written = KNOWN.get(scalar) or maybe_scalar(scalar, symbols)
        elif blob:
            written = _maybe_blob(blob)
        elif opening:
            if len(outer) == MAX_DEPTH:
                return None
            outer.append((kind, parts))
            kind, parts = _OPENS[opening], []
            continue
        else:
            written = None if rest else b"\x80"
        if written is None:
            return None
        parts.append(written)
    return parts[0] if parts and not kind else None


def _maybe_sid(name: bytes, sids: dict[bytes, bytes], symbols: SymbolWriter) -> bytes | None:
    """Give out the id of a name as it is written, bare or in quotes of either kind."""
    text = maybe_symbol_text(name)
    if text is None:
        return None
    sid = sids[name] = varuint_bytes(symbols.sid(text))
    return sid


def _maybe_string(escaped: bytes) -> bytes | None:
    text = maybe_unescaped(escaped)
    return None if text is None else string_bytes(text)


def _maybe_blob(base64: bytes) -> bytes | None:
    if len(base64) % 4:
        return None
    body = a2b_base64(base64)
    size = len(body)
    return _BLOB_HEADS[size] + body if size < _HEADS else container(0xA0, body)
