"""
The index keys of a document, read from its bytes.

What a key is, and which field an index means, is PartiQL's to say (`index_key_of`). Here
only the indexed fields are decoded; a document that has no field of exactly the index's
name, but one that differs in case, is left to PartiQL as a whole.

In the file an index has only hashes of keys. SQLite overwrites a deleted entry, but not the
copies that it left where a page was split (tried with 3.40: one entry in a thousand), and a
redaction must not leave values behind there.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IonSlice, parse_fields, parse_string
from qldb_stream.ledger._catalog import Index
from qldb_stream.partiql import index_key, index_key_of

__all__ = ["Keys", "keys_of", "stored_key"]

# Of a type byte: strings are what is indexed most, and need no decoder.
_STRING: Final = 8
_NULL_STRING: Final = 0x8F

# Two values in 2 ** 64 would meet; the plan checks its conditions on every row anyway.
_STORED_BYTES: Final = 16

Keys = dict[int, bytes | None]
"""Keys by index number; None for a document that the index does not hold."""


def stored_key(key: bytes) -> bytes:
    """Give what stands in the file for a key, 16 bytes, BLAKE2b."""
    return blake2b(key, digest_size=_STORED_BYTES).digest()


def keys_of(document: IonSlice, indexes: Sequence[Index]) -> Keys:
    """Give a document's key in each of some indexes."""
    try:
        fields = parse_fields(document.buf, document.start, document.end, document.symbols)
    except IonDecodeError:  # annotated, or a name given twice
        return {index.no: index_key_of(document, index.field) for index in indexes}
    return {index.no: _key(document, fields, index.field) for index in indexes}


def _key(document: IonSlice, fields: dict[str, tuple[int, int]], field: str) -> bytes | None:
    found = fields.get(field)
    if found is not None:
        start, end = found
        if document.buf[start] >> 4 == _STRING and document.buf[start] != _NULL_STRING:
            return index_key(parse_string(document.buf, start, end))
        return index_key(IonSlice(document.buf, start, end, document.symbols))
    folded = field.casefold()
    if any(name.casefold() == folded for name in fields):
        return index_key_of(document, field)
    return None
