"""
Read, write and hash binary Ion 1.0; read and write Ion text through amazon.ion.

It works straight over the bytes and knows nothing of QLDB. A value that is to be hashed or passed
on stays an `IonSlice`; `loads` and `IonSlice.decode` make Python values of it.
"""

from __future__ import annotations

from qldb_stream.ion._amazon import make_struct, retyped
from qldb_stream.ion._ascii_json import to_ascii_json
from qldb_stream.ion._chunks import end_of_item, iter_chunked
from qldb_stream.ion._fields import (
    blob_of,
    int_of,
    iter_elements,
    iter_fields,
    parse_blob,
    parse_fields,
    parse_int,
    parse_string,
    parse_timestamp,
    read_struct,
    text_of,
    timestamp_of,
)
from qldb_stream.ion._hash import hash_span, span_form, struct_form
from qldb_stream.ion._hash_tree import (
    Exchange,
    HashNode,
    HashTree,
    annotated_form,
    form_with_field,
    hash_form,
    name_form,
)
from qldb_stream.ion._json import to_json
from qldb_stream.ion._plain_text import maybe_plain
from qldb_stream.ion._replace import LEFT_OUT, LeftOut, replaced
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import (
    dumps,
    ion_hash,
    iter_slices,
    load_slice,
    loads,
    next_value,
    read_value,
    to_slice,
)
from qldb_stream.ion._symbols import SYSTEM_TABLE, SymbolTable
from qldb_stream.ion._text import iter_text, read_text
from qldb_stream.ion._timestamps import (
    Instant,
    instant_of,
    timestamp_from,
    timestamp_ms,
)
from qldb_stream.ion._types import (
    IVM,
    MAX_COPIED_SYMBOLS,
    MAX_DECIMAL_BYTES,
    MAX_DECIMAL_EXPONENT,
    MAX_DEPTH,
    MAX_IMPORTED_SYMBOLS,
    MAX_TABLES,
    MAX_VALUE_BYTES,
    IonType,
)
from qldb_stream.ion._write_text import to_text, write_text

__all__ = [
    "IVM",
    "LEFT_OUT",
    "MAX_COPIED_SYMBOLS",
    "MAX_DECIMAL_BYTES",
    "MAX_DECIMAL_EXPONENT",
    "MAX_DEPTH",
    "MAX_IMPORTED_SYMBOLS",
    "MAX_TABLES",
    "MAX_VALUE_BYTES",
    "SYSTEM_TABLE",
    "Exchange",
    "HashNode",
    "HashTree",
    "Instant",
    "IonSlice",
    "IonType",
    "LeftOut",
    "SymbolTable",
    "annotated_form",
    "blob_of",
    "dumps",
    "end_of_item",
    "form_with_field",
    "hash_form",
    "hash_span",
    "instant_of",
    "int_of",
    "ion_hash",
    "iter_chunked",
    "iter_elements",
    "iter_fields",
    "iter_slices",
    "iter_text",
    "load_slice",
    "loads",
    "make_struct",
    "maybe_plain",
    "name_form",
    "next_value",
    "parse_blob",
    "parse_fields",
    "parse_int",
    "parse_string",
    "parse_timestamp",
    "read_struct",
    "read_text",
    "read_value",
    "replaced",
    "retyped",
    "span_form",
    "struct_form",
    "text_of",
    "timestamp_from",
    "timestamp_ms",
    "timestamp_of",
    "to_ascii_json",
    "to_json",
    "to_slice",
    "to_text",
    "write_text",
]
