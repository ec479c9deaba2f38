"""
What JSON, editors and other stores make of Ion's types: a table of known losses.

Each row says which values may have come about by it, and gives back what may have been there
before. A row's values stand in a fixed order of rules (two decimal places, three, ...), the
likeliest first, so that "all floats are decimals with two places" is one try for a document. To
add a loss is to add a row.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import (
    Instant,
    IonSlice,
    IonType,
    instant_of,
    iter_text,
    retyped,
    timestamp_from,
)

__all__ = ["LOSSES", "Loss", "iter_losses", "kind_of"]

_PLACES: Final = (2, 1, 0, 3, 4, 5, 6, 8, 9, 10, 12)  # of money, measures, rates; likeliest first
_SECOND_PLACES: Final = (3, 0, 6, 9, 1, 2)
_LONG_DIGITS: Final = 15  # what has more is a float's shortest form, rarely a decimal
_MOST_DIGITS: Final = 60  # beyond, a number's text is no field of a business's
_ZONES: Final = tuple(sorted(range(-14 * 60, 14 * 60 + 1, 15), key=abs))

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,12})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{4}-[0-9]{2}T|[0-9]{4}T"
)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})+|(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,3}={1,2}")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")

_NOT_SO: Final = object()
"""Stands for: this rule makes nothing of this value."""


@attrs.frozen
class Loss:
    """
    A way in which a value lost what it was.

    `types` are what is found afterwards; none stand for null of any type. `values` gives, of a
    decoded value, what may have been there before, by rule.
    """

    code: str
    types: frozenset[IonType]
    wanted: str
    values: Callable[[Any], Iterable[Any]]


def iter_losses(value: IonSlice) -> Iterator[tuple[Loss, Iterator[Any]]]:
    """
    Iterate over the losses that a scalar may be due to, with what was there before.

    Yields:
        A loss, and its values in the order of their rules, lazily.

    Raises:
        IonDecodeError: the value's bytes are not sound.
    """
    ion_type = value.ion_type
    decoded: Any = _NOT_SO
    for loss in LOSSES:
        if value.is_null:
            if not loss.types:
                yield loss, (null for null in loss.values(None) if null.ion_type is not ion_type)
        elif ion_type in loss.types:
            if decoded is _NOT_SO:
                bare = IonSlice(value.buf, value.value_start(), value.end, value.symbols)
                decoded = bare.decode()
            yield loss, (known for known in loss.values(decoded) if known is not _NOT_SO)


def kind_of(value: IonSlice) -> str:
    """
    Say with which others a value will have lost its type, where any did.

    Numbers that look like floats go with each other, and so do texts that look like times,
    and like base64.
    """
    name = value.ion_type.name
    if value.is_null:
        return "NULL"
    if value.ion_type is IonType.DECIMAL:
        number = value.decode()
        digits = len(number.as_tuple().digits) if isinstance(number, Decimal) else 0
        return f"{name} LONG" if digits >= _LONG_DIGITS else name
    if value.ion_type is IonType.STRING:
        text = str(value.decode())
        if _TIME.fullmatch(text):
            return f"{name} TIME"
        if _NUMBER.fullmatch(text):
            return f"{name} NUMBER"
        return f"{name} BASE64" if len(text) >= 8 and _BASE64.fullmatch(text) else name  # noqa: PLR2004 - shorter ones are words
    return name


# --- numbers -------------------------------------------------------------------------------


def _decimals(number: Decimal) -> Iterator[Any]:
    """Give a number as a decimal: as it is, in each number of places, with an exponent."""
    if not number.is_finite():
        return
    sign, digits, exponent = number.as_tuple()
    if len(digits) > _MOST_DIGITS or not -_MOST_DIGITS < int(exponent) < _MOST_DIGITS:
        return
    yield number
    coefficient = int("".join(map(str, digits)))
    places = -int(exponent)
    while coefficient and not coefficient % 10:
        coefficient, places = coefficient // 10, places - 1
    for wanted in _PLACES:
        if wanted < places:
            yield _NOT_SO
        else:
            yield _decimal(sign, coefficient * 10 ** (wanted - places), wanted)
    for wanted in range(places, 0):  # 5d2 and 50d1 are 500 as well
        yield _decimal(sign, coefficient * 10 ** (wanted - places), wanted)


def _decimal(sign: int, coefficient: int, places: int) -> Decimal:
    return Decimal((sign, tuple(map(int, str(coefficient))), -places))


def _of_float(number: float) -> Iterator[Any]:
    yield from _decimals(Decimal(repr(float(number))))


def _of_int(number: int) -> Iterator[Any]:
    if abs(number) < 10**_MOST_DIGITS:
        yield from _decimals(Decimal(int(number)))


def _other_decimals(number: Any) -> Iterator[Any]:
    own = Decimal(number)
    for found in _decimals(own):
        same = found is not _NOT_SO and found.as_tuple() == own.as_tuple()
        yield _NOT_SO if same else found


def _float_of(number: Any) -> Iterator[Any]:
    """Give the float that is written so, if it is; a float has no more digits than 17."""
    try:
        found = float(number)
    except (OverflowError, ValueError):
        return
    if Decimal(repr(found)) == Decimal(number):
        yield found


def _int_of(number: Any) -> Iterator[Any]:
    found = Decimal(repr(float(number)) if isinstance(number, float) else number)
    if found.is_finite() and found.adjusted() < _MOST_DIGITS and found == found.to_integral_value():
        yield int(found)


def _of_number_text(text: str) -> Iterator[Any]:
    if _NUMBER.fullmatch(text):
        number = Decimal(text)
        yield from _int_of(number)
        yield from _decimals(number)
        yield float(text)


def _bool_of_int(number: int) -> Iterator[Any]:
    if number in (0, 1):
        yield bool(number)


def _bool_of_text(text: str) -> Iterator[Any]:
    if text.lower() in ("true", "false"):
        yield text.lower() == "true"


# --- times ---------------------------------------------------------------------------------


def _of_time_text(text: str) -> Iterator[Any]:
    if not _TIME.fullmatch(text):
        return
    written = text.replace(" ", "T")
    if re.search(r"[+-][0-9]{4}$", written) and "T" in written:
        written = f"{written[:-2]}:{written[-2:]}"
    if ":" in written and not re.search(r"(?:Z|[+-][0-9]{2}:[0-9]{2})$", written):
        written += "Z"
    try:
        moment = next(iter_text(written)).decode()
    except (QldbStreamError, StopIteration):  # the 31st of February
        return
    if isinstance(moment, datetime):
        yield moment
        yield from _other_times(moment)


def _other_times(moment: datetime) -> Iterator[Any]:
    """Give a moment in other precisions, then with other offsets."""
    own = instant_of(moment)
    seen = {own}
    for found in _instants(own):
        if found in seen:
            yield _NOT_SO
            continue
        seen.add(found)
        try:
            yield timestamp_from(found)
        except (ValueError, OverflowError):  # local time beyond the years there are
            yield _NOT_SO


def _instants(own: Instant) -> Iterator[Instant]:
    zone = 0 if own.offset is None else own.offset
    for offset in (zone, None, *_ZONES):
        for places in _SECOND_PLACES:
            fraction = _fraction(own, places)
            if fraction is None:
                yield own
            else:
                yield Instant(own.utc, 4, offset, -places, fraction)
        if offset == zone or offset is None:
            yield from _coarser(own, offset)


def _coarser(own: Instant, offset: int | None) -> Iterator[Instant]:
    """Give what is left when the finer parts, all nothing, are not said at all."""
    if own.coefficient or own.utc.second:
        return
    yield Instant(own.utc, 3, offset, 0, 0)
    if own.utc.hour or own.utc.minute:
        return
    yield Instant(own.utc, 2, None, 0, 0)
    if own.utc.day == 1:
        yield Instant(own.utc, 1, None, 0, 0)
        if own.utc.month == 1:
            yield Instant(own.utc, 0, None, 0, 0)


def _fraction(own: Instant, places: int) -> int | None:
    """Give the fraction in a number of places; None where it has more than these."""
    more = places + own.exponent
    if more >= 0:
        return int(own.coefficient * 10**more)
    coefficient, rest = divmod(own.coefficient, 10**-more)
    return None if rest else coefficient


# --- texts, bytes, nulls -------------------------------------------------------------------


def _of_base64(text: str) -> Iterator[Any]:
    if _BASE64.fullmatch(text):
        try:
            yield b64decode(text, validate=True)
        except Base64Error:
            yield _NOT_SO
    if _HEX.fullmatch(text):
        yield bytes.fromhex(text)


def _symbol_of(text: str) -> Iterator[Any]:
    yield retyped(IonType.SYMBOL, text)


def _text_of_symbol(symbol: Any) -> Iterator[Any]:
    if symbol.text is not None:
        yield symbol.text


def _clob_of_text(text: str) -> Iterator[Any]:
    try:
        yield retyped(IonType.CLOB, text.encode("latin-1"))  # "string of code points", facts 3.3
    except UnicodeEncodeError:
        return


def _clob_of(data: bytes) -> Iterator[Any]:
    yield retyped(IonType.CLOB, bytes(data))


def _blob_of(data: bytes) -> Iterator[Any]:
    yield bytes(data)


def _text_of_bytes(data: bytes) -> Iterator[Any]:
    try:
        yield bytes(data).decode()
    except UnicodeDecodeError:
        return


def _null_of_text(text: str) -> Iterator[Any]:
    if text.lower() in ("", "null", "none"):
        yield from _nulls(None)


def _nulls(_found: Any) -> Iterator[Any]:
    yield from _all_nulls()


@cache
def _all_nulls() -> tuple[IonSlice, ...]:
    return tuple(iter_text(" ".join(f"null.{each.name.lower()}" for each in IonType)))


_FLOATS: Final = frozenset((IonType.FLOAT,))
_INTS: Final = frozenset((IonType.INT,))
_DECIMALS: Final = frozenset((IonType.DECIMAL,))
_TIMES: Final = frozenset((IonType.TIMESTAMP,))
_STRINGS: Final = frozenset((IonType.STRING,))
_SYMBOLS: Final = frozenset((IonType.SYMBOL,))
_BLOBS: Final = frozenset((IonType.BLOB,))
_CLOBS: Final = frozenset((IonType.CLOB,))
_BOOLS: Final = frozenset((IonType.BOOL,))
_NULLS: Final[frozenset[IonType]] = frozenset()  # null is what they have in common, not a type

LOSSES: Final = (
    Loss("FLOAT_FOR_DECIMAL", _FLOATS, "a decimal, not a float", _of_float),
    Loss("FLOAT_FOR_INT", _FLOATS, "an int, not a float", _int_of),
    Loss("INT_FOR_DECIMAL", _INTS, "a decimal, not an int", _of_int),
    Loss("INT_FOR_FLOAT", _INTS, "a float, not an int", _float_of),
    Loss("INT_FOR_BOOL", _INTS, "a bool, not an int", _bool_of_int),
    Loss("DECIMAL_FOR_FLOAT", _DECIMALS, "a float, not a decimal", _float_of),
    Loss("DECIMAL_PLACES", _DECIMALS, "a decimal of other places", _other_decimals),
    Loss("DECIMAL_FOR_INT", _DECIMALS, "an int, not a decimal", _int_of),
    Loss("TIMESTAMP_PRECISION", _TIMES, "a timestamp of other precision or offset", _other_times),
    Loss("STRING_FOR_TIMESTAMP", _STRINGS, "a timestamp, not a string", _of_time_text),
    Loss("STRING_FOR_BLOB", _STRINGS, "a blob, not a string", _of_base64),
    Loss("STRING_FOR_SYMBOL", _STRINGS, "a symbol, not a string", _symbol_of),
    Loss("STRING_FOR_CLOB", _STRINGS, "a clob, not a string", _clob_of_text),
    Loss("STRING_FOR_NUMBER", _STRINGS, "a number, not a string", _of_number_text),
    Loss("STRING_FOR_BOOL", _STRINGS, "a bool, not a string", _bool_of_text),
    Loss("STRING_FOR_NULL", _STRINGS, "null, not a string", _null_of_text),
    Loss("SYMBOL_FOR_STRING", _SYMBOLS, "a string, not a symbol", _text_of_symbol),
    Loss("BLOB_FOR_CLOB", _BLOBS, "a clob, not a blob", _clob_of),
    Loss("BLOB_FOR_STRING", _BLOBS, "a string, not a blob", _text_of_bytes),
    Loss("CLOB_FOR_BLOB", _CLOBS, "a blob, not a clob", _blob_of),
    Loss("CLOB_FOR_STRING", _CLOBS, "a string, not a clob", _text_of_bytes),
    Loss("BOOL_FOR_INT", _BOOLS, "an int, not a bool", lambda found: [int(found)]),
    Loss("NULL_TYPE", _NULLS, "null of another type", _nulls),
)
"""Every known loss of a scalar; sexps and annotations are `_candidates`' business."""
