"""
Ion values as PartiQL sees them: kinds, members, equality, order, index keys.

Rules, where facts 5.4 leaves room those of the reference implementation that QLDB
embedded: a number equals a number whatever its type, text is text whether string or
symbol, bytes are bytes whether blob or clob, timestamps are instants, annotations do
not count, structs are equal as multisets of members. A typed null is NULL.

Equality has one definition, the index key: two values are equal when their keys are.
`is_equal` only takes short cuts that give the same answer.
"""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from qldb_stream.ion import IonSlice
from qldb_stream.partiql._numbers import to_decimal

# Bounds on what a literal may say: beyond them arithmetic would take seconds.
MAX_DIGITS: Final = 1_000
MIN_EXPONENT: Final = -10_000
MAX_EXPONENT: Final = 10_000

# A longer int meets decimals as a decimal: of itself it would take Python seconds to become one.
_SHORT_INT_BITS: Final = 4096

# A longer key is replaced by its hash, so that an index entry stays small.
MAX_KEY_BYTES: Final = 64


class Missing(enum.Enum):
    """The one value that means: there is no such member."""

    MISSING = "MISSING"

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


class Bag(list[Any]):
    """An unordered collection; it becomes a list where it is stored or returned."""

    __slots__ = ()


class Kind(enum.IntEnum):
    """A value's type as PartiQL names it; Ion's numbers, then PartiQL's own two."""

    NULL = 0
    BOOL = 1
    INT = 2
    FLOAT = 3
    DECIMAL = 4
    TIMESTAMP = 5
    SYMBOL = 6
    STRING = 7
    CLOB = 8
    BLOB = 9
    LIST = 10
    SEXP = 11
    STRUCT = 12
    BAG = 13
    MISSING = 14


_KINDS: Final = tuple(Kind)
_PLAIN_KINDS: Final[dict[type, Kind]] = {
    type(None): Kind.NULL,
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    Decimal: Kind.DECIMAL,
    datetime: Kind.TIMESTAMP,
    str: Kind.STRING,
    bytes: Kind.BLOB,
    bytearray: Kind.BLOB,
    list: Kind.LIST,
    tuple: Kind.LIST,
    dict: Kind.STRUCT,
    Bag: Kind.BAG,
    Missing: Kind.MISSING,
}

NUMBERS: Final = frozenset({Kind.INT, Kind.FLOAT, Kind.DECIMAL})
TEXTS: Final = frozenset({Kind.STRING, Kind.SYMBOL})
LOBS: Final = frozenset({Kind.CLOB, Kind.BLOB})
SEQUENCES: Final = frozenset({Kind.LIST, Kind.SEXP, Kind.BAG})


def kind_of(value: Any) -> Kind:
    """Tell a value's kind; nulls of every type are NULL."""
    kind = _PLAIN_KINDS.get(type(value))
    return kind if kind is not None else _amazon_kind(value)


def _amazon_kind(value: Any) -> Kind:
    """Tell the kind of a slice, an amazon.ion value or a subclass of a plain type."""
    if isinstance(value, IonSlice):
        return Kind.NULL if value.is_null else _KINDS[value.ion_type]
    ion_type = getattr(value, "ion_type", None)
    if ion_type is not None:
        is_null = type(value).__name__ == "IonPyNull"
        return Kind.NULL if is_null else _KINDS[int(ion_type)]
    if hasattr(value, "text") and hasattr(value, "sid"):
        return Kind.SYMBOL  # a SymbolToken, which says no type
    for base in type(value).__mro__:
        if base in _PLAIN_KINDS:
            return _PLAIN_KINDS[base]
    raise AssertionError(f"not an Ion value: {type(value).__qualname__}")


def decoded(value: Any) -> Any:
    """Decode a value that may still be in its bytes."""
    return value.decode() if type(value) is IonSlice else value


def is_unknown(value: Any) -> bool:
    """Tell whether a value is NULL of any type, or MISSING."""
    if value is None or value is MISSING:
        return True
    return type(value) not in _PLAIN_KINDS and _amazon_kind(value) is Kind.NULL


def text_of(value: Any) -> str | None:
    """Give the text of a string or symbol; None for a symbol of unknown text."""
    return value if isinstance(value, str) else value.text


# --- members -------------------------------------------------------------------------------


def iter_members(struct: Any) -> Iterable[tuple[str | None, Any]]:
    """Yield a decoded struct's members, repeated names included."""
    members: Iterable[tuple[str | None, Any]] = struct.items()
    return members


def member_of(value: Any, name: str, *, case_sensitive: bool) -> Any:
    """
    Find a member: the exact name, else the one name that differs only in case.

    A name in quotes is only matched exactly. Of a repeated name the first counts.
    MISSING when there is none, several fit, or the value is no struct (facts 5.4).
    """
    if type(value) is dict:
        found = value.get(name, MISSING)
        if found is MISSING and not case_sensitive:
            found = _folded_member(value, name)
        return decoded(found)
    if type(value) is IonSlice:
        return member_of(value.decode(), name, case_sensitive=case_sensitive)
    if kind_of(value) is not Kind.STRUCT:
        return MISSING
    for key, found in value.items():
        if key == name:
            return decoded(found)
    return MISSING if case_sensitive else decoded(_folded_member(value, name))


def member_name(struct: Any, name: str, *, case_sensitive: bool) -> str | None:
    """Find the name, as the struct spells it, that `member_of` would read."""
    if name in struct:
        return name
    if case_sensitive:
        return None
    folded = name.lower()
    names = {key for key in struct if key is not None and key.lower() == folded}
    return names.pop() if len(names) == 1 else None


def _folded_member(struct: Any, name: str) -> Any:
    """Find the member whose name differs only in case, if it is the only one."""
    found = member_name(struct, name, case_sensitive=False)
    return (
        MISSING if found is None else next(value for key, value in struct.items() if key == found)
    )


def element_of(value: Any, index: Any) -> Any:
    """Find what `value[index]` means: a list's element, or a struct's member by name."""
    kind = kind_of(value)
    index_kind = kind_of(index)
    if kind in (Kind.LIST, Kind.SEXP) and index_kind is Kind.INT:
        return decoded(decoded(value)[index]) if 0 <= index < len(decoded(value)) else MISSING
    if kind is Kind.STRUCT and index_kind in TEXTS:
        return member_of(decoded(value), text_of(index) or "", case_sensitive=True)
    return MISSING


# --- equality and order ----------------------------------------------------------------------


def is_equal(left: Any, right: Any) -> bool:
    """Tell whether two known values are equal (facts 5.4)."""
    kind = type(left)
    if kind is type(right) and kind in _SAME_TYPE:
        return bool(left == right)
    if _FAMILIES[kind_of(left)] is not _FAMILIES[kind_of(right)]:
        return False
    if isinstance(left, int) and left.bit_length() > _SHORT_INT_BITS and _is_far(left, right):
        return False
    if isinstance(right, int) and right.bit_length() > _SHORT_INT_BITS and _is_far(right, left):
        return False
    return _key(left) == _key(right)


def _is_far(number: int, other: Any) -> bool:
    """Tell of a long int, without converting it, that a number has more or fewer digits."""
    if not isinstance(other, Decimal):
        return isinstance(other, float)
    digits = number.bit_length() * math.log10(2)
    return not digits - 3 < other.adjusted() < digits + 3


# The kind that stands for all whose values may be equal to each other.
_FAMILIES: Final = {
    **{kind: kind for kind in Kind},
    **dict.fromkeys(NUMBERS, Kind.INT),
    **dict.fromkeys(TEXTS, Kind.STRING),
    **dict.fromkeys(LOBS, Kind.BLOB),
}

# Types whose own `==` is PartiQL's as long as both sides have it.
_SAME_TYPE: Final = frozenset({str, int, bool, bytes, Decimal})


def order_key(value: Any) -> tuple[int, Any] | None:
    """Give what `<` compares: a family and a comparable; None when a value has no order."""
    kind = kind_of(value)
    if kind in NUMBERS:
        if kind is Kind.INT:
            return (0, value if value.bit_length() <= _SHORT_INT_BITS else to_decimal(value))
        return None if isinstance(value, float) and math.isnan(value) else (0, value)
    if kind in TEXTS:
        return (1, text_of(value) or "")
    if kind is Kind.TIMESTAMP:
        return (2, instant_of(value))
    if kind in LOBS:
        return (3, bytes(value))
    return (4, bool(value)) if kind is Kind.BOOL else None


def index_key(value: Any) -> bytes | None:
    """
    Give the key under which an index finds a value.

    Equal values have equal keys, different ones different keys (64 bytes at most,
    long ones as SHA-256). None for NULL and MISSING, which equal nothing.
    """
    value = decoded(value)
    if is_unknown(value):
        return None
    key = _key(value)
    return key if len(key) <= MAX_KEY_BYTES else key[:1] + hashlib.sha256(key).digest()


def group_key(value: Any) -> bytes:
    """Give the key of a value in a set: that of an index, and one for NULL and MISSING."""
    return index_key(value) or b"z"


def index_key_of(document: Any, field: str) -> bytes | None:
    """Give the index key of a document's field: exact name, else the one that fits."""
    return index_key(member_of(document, field, case_sensitive=False))


def _key(value: Any) -> bytes:
    """Write a decoded value so that equal values, and only they, give equal bytes."""
    return _KEY_WRITERS[kind_of(value)](value)


def _null_key(_: Any) -> bytes:
    return b"z"


def _missing_key(_: Any) -> bytes:
    return b"m"


def _bool_key(value: Any) -> bytes:
    return b"b1" if value else b"b0"


def _int_key(value: int) -> bytes:
    if -(10**18) < value < 10**18 and value % 10:
        return b"n%de0" % value
    return _decimal_key(to_decimal(value))


def _float_key(value: float) -> bytes:
    if math.isfinite(value):
        return _decimal_key(Decimal(value))
    return b"n" + repr(float(value)).encode()


def _decimal_key(value: Decimal) -> bytes:
    """Write sign, digits without zeros at the end, exponent."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return b"n" + str(value).encode()
    text = bytes(48 + digit for digit in digits)
    stripped = text.rstrip(b"0")
    if not stripped:
        return b"n0"
    exponent += len(text) - len(stripped)
    return b"n%s%se%d" % (b"-" if sign else b"", stripped.lstrip(b"0"), exponent)


def _text_key(value: Any) -> bytes:
    text = text_of(value)
    return b"u" if text is None else b"s" + text.encode("utf-8", "surrogatepass")


def _timestamp_key(value: datetime) -> bytes:
    seconds, fraction = instant_of(value)
    return b"t%d%s" % (seconds, _decimal_key(fraction))


def instant_of(value: datetime) -> tuple[int, Decimal]:
    """Count seconds since year 1 UTC; an unknown offset counts as UTC."""
    fraction = getattr(value, "fractional_seconds", None)
    if fraction is None:
        fraction = Decimal(value.microsecond).scaleb(-6)
    zone = value.tzinfo or UTC
    offset = zone.utcoffset(value)
    seconds = value.toordinal() * 86_400 + value.hour * 3_600 + value.minute * 60 + value.second
    return seconds - (int(offset.total_seconds()) if offset else 0), fraction


def _lob_key(value: bytes) -> bytes:
    return b"l" + bytes(value)


def _list_key(value: Any) -> bytes:
    return b"L" + _joined(_member_keys(value))


def _sexp_key(value: Any) -> bytes:
    return b"X" + _joined(_member_keys(value))


def _bag_key(value: Any) -> bytes:
    return b"B" + _joined(sorted(_member_keys(value)))


def _member_keys(values: Any) -> list[bytes]:
    """Write each value; two Python frames a level, for values nest 200 levels deep."""
    keys = []
    for value in values:
        plain = decoded(value)
        keys.append(_KEY_WRITERS[kind_of(plain)](plain))
    return keys


def _struct_key(value: Any) -> bytes:
    items = value.items()
    names = [(name or "").encode("utf-8", "surrogatepass") for name, _ in items]
    keys = _member_keys(member for _, member in items)
    members = [_joined([name, key]) for name, key in zip(names, keys, strict=True)]
    return b"T" + _joined(sorted(members))


def _joined(parts: list[bytes]) -> bytes:
    """Put parts behind their lengths, so that no two lists of parts look the same."""
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)


_KEY_WRITERS: Final[tuple[Callable[[Any], bytes], ...]] = (
    _null_key,
    _bool_key,
    _int_key,
    _float_key,
    _decimal_key,
    _timestamp_key,
    _text_key,
    _text_key,
    _lob_key,
    _lob_key,
    _list_key,
    _sexp_key,
    _struct_key,
    _bag_key,
    _missing_key,
)
