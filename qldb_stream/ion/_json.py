"""
Write Ion as JSON, as journal exports did: what JSON has no type for, loses its type.

Rules (facts 3.3; "Down-converting to JSON" of the Ion cookbook): timestamps become strings,
clobs strings of code points, blobs base64; symbols become strings, sexps arrays; numbers stay
numbers, digit for digit; annotations are dropped; every null, nan and the infinities are
null. A repeated field name is repeated. It walks the bytes, so nothing is decoded twice.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from qldb_stream.ion._fields import iter_elements, iter_fields
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import load_slice
from qldb_stream.ion._text import amazon_text
from qldb_stream.ion._types import IVM, IonType

# Text of day precision: amazon.ion 0.15 writes 2020-01-01T, 0.9.3 does not.
_DAY_CHARACTERS: Final = len("2020-01-01T")
# `str` refuses longer ints, because it is slow on them; Decimal is not.
_SHORT_INT_BITS: Final = 4096
_CACHED_TIMES: Final = 256


def to_json(s: IonSlice) -> str:
    """
    Write a value as JSON, on one line.

    Raises:
        IonDecodeError: broken bytes, or a bound exceeded.
        IonEncodeError: amazon.ion cannot write a timestamp in it.
    """
    return "null" if s.is_null else _WRITERS[s.ion_type](s)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _bool(s: IonSlice) -> str:
    return "true" if scalar_of(s) else "false"


def int_text(s: IonSlice) -> str:
    """Write an int, however long."""
    number = int(scalar_of(s))
    return str(number if number.bit_length() < _SHORT_INT_BITS else Decimal(number))


def _float(s: IonSlice) -> str:
    number = float(scalar_of(s))
    return repr(number) if math.isfinite(number) else "null"


def _decimal(s: IonSlice) -> str:
    return str(Decimal(scalar_of(s)))


def time_text(s: IonSlice) -> str:
    """Write a timestamp as amazon.ion does, without its annotations."""
    return _time(s.buf[s.value_start() : s.end])


def _timestamp(s: IonSlice) -> str:
    text = time_text(s)
    return _string(text.removesuffix("T") if len(text) == _DAY_CHARACTERS else text)


@lru_cache(maxsize=_CACHED_TIMES)
def _time(body: bytes) -> str:
    """Write a timestamp from its bytes, which need no symbol table; a block's are alike."""
    return amazon_text(load_slice(IVM + body))


def _text(s: IonSlice) -> str:
    text = scalar_of(s)
    text = text if isinstance(text, str) else getattr(text, "text", None)
    return "null" if text is None else _string(str(text))


def _clob(s: IonSlice) -> str:
    return _string(bytes(scalar_of(s)).decode("latin-1"))


def _blob(s: IonSlice) -> str:
    return f'"{base64.b64encode(bytes(scalar_of(s))).decode()}"'


def _array(s: IonSlice) -> str:
    return f"[{', '.join(map(to_json, iter_elements(s)))}]"


def _struct(s: IonSlice) -> str:
    fields = iter_fields(s)
    members = [f"{_string('$0' if name is None else name)}: {to_json(one)}" for name, one in fields]
    return f"{{{', '.join(members)}}}"


def scalar_of(s: IonSlice) -> Any:
    """Decode a scalar, without its annotations."""
    return IonSlice(s.buf, s.value_start(), s.end, s.symbols).decode()


_WRITERS: Final[dict[IonType, Callable[[IonSlice], str]]] = {
    IonType.BOOL: _bool,
    IonType.INT: int_text,
    IonType.FLOAT: _float,
    IonType.DECIMAL: _decimal,
    IonType.TIMESTAMP: _timestamp,
    IonType.SYMBOL: _text,
    IonType.STRING: _text,
    IonType.CLOB: _clob,
    IonType.BLOB: _blob,
    IonType.LIST: _array,
    IonType.SEXP: _array,
    IonType.STRUCT: _struct,
}
