"""
Make Ion values of every type, for Hypothesis.

Every strategy draws values as `qldb_stream.ion.loads` answers them: plain Python where nothing
is lost, amazon.ion's types otherwise. So a law may compare what it read with what was drawn.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from amazon.ion.core import IonType, Timestamp, TimestampPrecision
from amazon.ion.simple_types import (
    IonPyBool,
    IonPyBytes,
    IonPyDecimal,
    IonPyDict,
    IonPyFloat,
    IonPyInt,
    IonPyList,
    IonPyNull,
    IonPySymbol,
    IonPyText,
    IonPyTimestamp,
)
from amazon.ion.symbols import SymbolToken
from hypothesis import strategies as st

__all__ = [
    "ion_annotated",
    "ion_blobs",
    "ion_bools",
    "ion_clobs",
    "ion_decimals",
    "ion_documents",
    "ion_floats",
    "ion_ints",
    "ion_nulls",
    "ion_scalars",
    "ion_strings",
    "ion_structs",
    "ion_symbols",
    "ion_timestamps",
    "ion_values",
]

_TYPES: Final = (
    IonType.BOOL,
    IonType.INT,
    IonType.FLOAT,
    IonType.DECIMAL,
    IonType.TIMESTAMP,
    IonType.SYMBOL,
    IonType.STRING,
    IonType.CLOB,
    IonType.BLOB,
    IonType.LIST,
    IonType.SEXP,
    IonType.STRUCT,
)

# The bytes that Ion Hash escapes, the edges of its lengths, and texts that look like Ion's own.
_TEXTS: Final = (
    "",
    "\x0b\x0c\x0e",
    "thirteen bytes",
    "null.int",
    "$ion_1_0",
    "$10",
    "é",
    "𝄞",
    "a" * 127,
    "a" * 128,
)
_BYTES: Final = (b"", b"\x0b\x0c\x0e", b"\x00" * 14, bytes(range(256)))
_INTS: Final = (0, 127, 128, 255, 256, 2**63 - 1, 2**63, -(2**63), 2**64, -(10**40), 1 << 1024)

# UTC may be a day away from local time, and both must be in the years 1 to 9999.
_FIRST: Final = datetime(1, 1, 3)  # noqa: DTZ001 - the offset is drawn apart
_LAST: Final = datetime(9999, 12, 29)  # noqa: DTZ001 - as above
_MINUTES_A_DAY: Final = 1440
_DATETIME_PLACES: Final = 6


def ion_nulls() -> st.SearchStrategy[Any]:
    """Draw nulls: None for null.null, IonPyNull for a typed one."""
    return st.sampled_from((None, *_TYPES)).map(_make_null)


def _make_null(ion_type: Any) -> Any:
    return None if ion_type is None else IonPyNull.from_value(ion_type, None, ())


def ion_bools() -> st.SearchStrategy[bool]:
    """Draw bools."""
    return st.booleans()


def ion_ints() -> st.SearchStrategy[int]:
    """Draw ints of any size, the edges of their encoded lengths often."""
    return st.integers() | st.sampled_from(_INTS)


def ion_floats() -> st.SearchStrategy[float]:
    """Draw floats: infinities, nan, minus zero and values of 32 bits among them."""
    return st.floats() | st.floats(width=32)


def ion_decimals() -> st.SearchStrategy[Decimal]:
    """Draw finite decimals: minus zero, long coefficients and far exponents among them."""
    exponents = st.integers(-40, 40) | st.integers(-(10**6), 10**6)
    return st.builds(_make_decimal, st.booleans(), st.integers(0, 10**40), exponents)


def _make_decimal(minus: bool, coefficient: int, exponent: int) -> Decimal:  # noqa: FBT001 - drawn
    digits = tuple(int(digit) for digit in str(coefficient))
    return Decimal((int(minus), digits, exponent))


@st.composite
def ion_timestamps(draw: st.DrawFn) -> datetime:
    """Draw timestamps of every precision, at known and unknown offsets, with 0 to 12 places."""
    local = draw(_LOCAL_TIMES).replace(microsecond=0)
    precision = draw(st.integers(0, 4))
    places = draw(st.integers(0, 12)) if precision == TimestampPrecision.SECOND else 0
    offset = draw(_OFFSETS)
    zone = None if offset is None or precision < TimestampPrecision.MINUTE else _zone(offset)
    fraction = Decimal((0, _digits(draw(st.integers(0, 10**places - 1)), places), -places))
    return _make_timestamp(local.replace(tzinfo=zone), precision, fraction)


_LOCAL_TIMES: Final = st.datetimes(_FIRST, _LAST)
_OFFSETS: Final = st.none() | st.just(0) | st.integers(1 - _MINUTES_A_DAY, _MINUTES_A_DAY - 1)


def _zone(offset: int) -> timezone:
    return timezone(timedelta(minutes=offset)) if offset else UTC


def _digits(coefficient: int, places: int) -> tuple[int, ...]:
    return tuple(int(digit) for digit in str(coefficient)[: max(1, places)])


def _make_timestamp(local: datetime, precision: int, fraction: Decimal) -> datetime:
    """Build a Timestamp, or the plain datetime that says the same."""
    if local.tzinfo is not None and fraction.as_tuple().exponent == -_DATETIME_PLACES:
        return local.replace(microsecond=int(fraction.scaleb(_DATETIME_PLACES)))
    value: datetime = Timestamp(
        local.year,
        local.month if precision >= TimestampPrecision.MONTH else 1,
        local.day if precision >= TimestampPrecision.DAY else 1,
        local.hour if precision >= TimestampPrecision.MINUTE else 0,
        local.minute if precision >= TimestampPrecision.MINUTE else 0,
        local.second if precision >= TimestampPrecision.SECOND else 0,
        None,
        local.tzinfo,
        precision=_PRECISIONS[precision],
        fractional_seconds=fraction,
    )
    return value


_PRECISIONS: Final = (
    TimestampPrecision.YEAR,
    TimestampPrecision.MONTH,
    TimestampPrecision.DAY,
    TimestampPrecision.MINUTE,
    TimestampPrecision.SECOND,
)


def ion_symbols(*, unknown: bool = True) -> st.SearchStrategy[Any]:
    """
    Draw symbols.

    Args:
        unknown: draw symbol zero, whose text is unknown, too.
    """
    tokens = _texts().map(lambda text: SymbolToken(text, None))
    if unknown:
        tokens |= st.just(SymbolToken(None, 0))
    return tokens.map(lambda token: IonPySymbol.from_value(IonType.SYMBOL, token, ()))


def _texts() -> st.SearchStrategy[str]:
    return st.text(max_size=20) | st.sampled_from(_TEXTS)


def ion_strings() -> st.SearchStrategy[str]:
    """Draw strings, the bytes that Ion Hash escapes and the edges of lengths often."""
    return _texts()


def _octets() -> st.SearchStrategy[bytes]:
    return st.binary(max_size=40) | st.sampled_from(_BYTES)


def ion_blobs() -> st.SearchStrategy[bytes]:
    """Draw blobs."""
    return _octets()


def ion_clobs() -> st.SearchStrategy[Any]:
    """Draw clobs."""
    return _octets().map(lambda octets: IonPyBytes.from_value(IonType.CLOB, octets, ()))


@st.composite
def ion_scalars(draw: st.DrawFn, *, unknown_symbols: bool = True) -> Any:
    """
    Draw values of every type that holds no others.

    Args:
        draw: given by Hypothesis.
        unknown_symbols: draw symbol zero, too.
    """
    return draw(_one_scalar(unknown_symbols))


@lru_cache(maxsize=2)
def _one_scalar(unknown_symbols: bool) -> st.SearchStrategy[Any]:  # noqa: FBT001 - a cache's key
    return st.one_of(
        ion_nulls(),
        ion_bools(),
        ion_ints(),
        ion_floats(),
        ion_decimals(),
        ion_timestamps(),
        ion_symbols(unknown=unknown_symbols),
        ion_strings(),
        ion_clobs(),
        ion_blobs(),
    )


def ion_structs(
    values: st.SearchStrategy[Any], *, repeated_names: bool = True
) -> st.SearchStrategy[Any]:
    """
    Draw structs: dict, or IonPyDict where a name is repeated.

    Args:
        values: what the fields hold.
        repeated_names: draw structs with a name given twice or more, too.
    """
    names = _texts() | st.sampled_from(["a", "b"])
    plain = st.dictionaries(names, values, max_size=5)
    if not repeated_names:
        return plain
    fields = st.lists(st.tuples(st.sampled_from(["a", "b", "name"]), values), max_size=5)
    return plain | fields.map(_make_struct)


def _make_struct(fields: list[tuple[str, Any]]) -> Any:
    if len({name for name, _ in fields}) == len(fields):
        return dict(fields)
    struct = IonPyDict()
    for name, value in fields:
        struct.add_item(name, value)
    struct.ion_type = IonType.STRUCT
    struct.ion_annotations = ()
    return struct


def ion_annotated(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw one to three annotations around what a strategy draws (values without annotations)."""
    names = st.lists(
        _texts().filter(lambda text: text != "$ion_symbol_table"), min_size=1, max_size=3
    )
    return st.builds(_annotate, values, names)


def _annotate(value: Any, names: list[str]) -> Any:
    tokens = tuple(SymbolToken(name, None) for name in names)
    if getattr(value, "ion_annotations", ()):
        return value
    if isinstance(value, dict):
        value = _make_ion_dict(value)
    if hasattr(value, "ion_type"):
        value.ion_annotations = tokens
        return value
    ion_type, wrapper = _wrapper_of(value)
    return wrapper.from_value(ion_type, value, tokens)


def _make_ion_dict(value: dict[str, Any]) -> Any:
    struct = IonPyDict(value)
    struct.ion_type = IonType.STRUCT
    return struct


def _wrapper_of(value: Any) -> tuple[Any, Any]:
    """Find the amazon.ion type and class for a plain Python value."""
    for python_type, ion_type, wrapper in (
        (type(None), IonType.NULL, IonPyNull),
        (bool, IonType.BOOL, IonPyBool),
        (int, IonType.INT, IonPyInt),
        (float, IonType.FLOAT, IonPyFloat),
        (Decimal, IonType.DECIMAL, IonPyDecimal),
        (datetime, IonType.TIMESTAMP, IonPyTimestamp),
        (str, IonType.STRING, IonPyText),
        (bytes, IonType.BLOB, IonPyBytes),
        (list, IonType.LIST, IonPyList),
    ):
        if isinstance(value, python_type):
            return ion_type, wrapper
    raise AssertionError(type(value))


@st.composite
def ion_values(draw: st.DrawFn, *, max_leaves: int = 10, unknown_symbols: bool = True) -> Any:
    """
    Draw values of all types: containers, annotations and repeated field names among them.

    Args:
        draw: given by Hypothesis.
        max_leaves: the most scalars in one value.
        unknown_symbols: draw symbol zero, too.
    """
    return draw(_recursive(max_leaves, unknown_symbols))


# Strategies are made once: making them costs more than drawing from them. Hypothesis also prints
# strategies that are put together from others in full, which a composite around them prevents.
@lru_cache(maxsize=32)
def _recursive(max_leaves: int, unknown_symbols: bool) -> st.SearchStrategy[Any]:  # noqa: FBT001 - a cache's key
    scalars = ion_scalars(unknown_symbols=unknown_symbols)
    return st.recursive(scalars | ion_annotated(scalars), _extend, max_leaves=max_leaves)


def _extend(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(children, max_size=5)
    sexps = lists.map(lambda elements: IonPyList.from_value(IonType.SEXP, elements, ()))
    containers = lists | sexps | ion_structs(children)
    return containers | ion_annotated(containers)


def ion_documents(*, max_leaves: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """
    Draw QLDB documents: structs without annotations whose field names are given once.

    Inside they hold any Ion value, as a document in QLDB may.

    Args:
        max_leaves: the most scalars in one field's value.
    """
    return st.dictionaries(
        st.text(min_size=1, max_size=12), ion_values(max_leaves=max_leaves), max_size=6
    )
