"""
Read and write timestamp bodies, and convert them to datetimes and amazon.ion Timestamps.

Rules: the fields in binary Ion are UTC whatever the offset says. A precision below the minute has
no offset: one that is written all the same is dropped. A fraction of zero without decimal places is
no fraction. Both as the Ion project's test data has it (good/equivs). A timestamp whose local time
is outside the years 1 to 9999 is refused, because neither Ion text nor datetime can say it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from amazon.ion.core import Timestamp, TimestampPrecision

from qldb_stream.errors import IonEncodeError
from qldb_stream.ion._primitives import (
    int_bytes,
    read_varint,
    read_varuint,
    varint_bytes,
    varuint_bytes,
)
from qldb_stream.ion._scalars import make_decimal, read_decimal, split_decimal
from qldb_stream.ion._types import fail

YEAR: Final = 0
MONTH: Final = 1
DAY: Final = 2
MINUTE: Final = 3
SECOND: Final = 4

_PRECISIONS: Final = (
    TimestampPrecision.YEAR,
    TimestampPrecision.MONTH,
    TimestampPrecision.DAY,
    TimestampPrecision.MINUTE,
    TimestampPrecision.SECOND,
)
_PRECISION_OF_COUNT: Final = (-1, YEAR, MONTH, DAY, -1, MINUTE, SECOND)
_DAY_MINUTES: Final = 1440


class Instant(NamedTuple):
    """
    Hold what a timestamp says.

    Attributes:
        utc: the fields in UTC, naive, whole seconds.
        precision: 0 year, 1 month, 2 day, 3 minute, 4 second.
        offset: minutes east of UTC; None when unknown.
        exponent: minus the number of decimal places of the second.
        coefficient: the decimal places as an integer.
    """

    utc: datetime
    precision: int
    offset: int | None
    exponent: int
    coefficient: int


def read_timestamp(buf: bytes, start: int, stop: int) -> Instant:
    """
    Read a timestamp body.

    Raises:
        IonDecodeError: a date that does not exist, a fraction outside 0 to 1, fields missing or too
            many.
    """
    minutes, negative, pos = read_varint(buf, start, stop)
    parts: list[int] = []
    while pos < stop and len(parts) < 6:
        part = buf[pos] - 0x80
        pos += 1
        if part < 0:
            part, pos = read_varuint(buf, pos - 1, stop)
        parts.append(part)
    precision = _PRECISION_OF_COUNT[len(parts)]
    if precision < 0:
        fail(start, "a timestamp lacks its year, or has an hour without a minute")
    utc = _make_utc(parts, start)
    exponent, coefficient = _read_fraction(buf, pos, stop) if pos < stop else (0, 0)
    if minutes >= _DAY_MINUTES:
        fail(start, "a timestamp's offset is a day or more")
    offset: int | None = None
    if precision >= MINUTE and not (negative and minutes == 0):
        offset = _check_offset(utc, -minutes if negative else minutes, start)
    return Instant(utc, precision, offset, exponent, coefficient)


def _make_utc(parts: list[int], offset: int) -> datetime:
    while len(parts) < 3:
        parts.append(1)
    try:
        return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - naive on purpose: UTC is in the name
    except (ValueError, OverflowError):
        fail(offset, "a timestamp names a date or time that does not exist")


def _check_offset(utc: datetime, minutes: int, offset: int) -> int:
    if utc.year in {1, 9999}:
        try:
            utc + timedelta(minutes=minutes)
        except OverflowError:
            fail(offset, "a timestamp's local time is outside the years 1 to 9999")
    return minutes


def _read_fraction(buf: bytes, pos: int, stop: int) -> tuple[int, int]:
    exponent, coefficient, minus = read_decimal(buf, pos, stop)
    if coefficient == 0:
        return min(exponent, 0), 0
    if minus or exponent >= 0 or not _is_below_one(coefficient, -exponent):
        fail(pos, "a timestamp's fraction of a second is outside 0 to 1")
    return exponent, coefficient


def _is_below_one(coefficient: int, places: int) -> bool:
    """Compare with 10**places without computing that for a huge number of places."""
    bits = coefficient.bit_length()
    if bits <= 3 * places:
        return True  # below 8**places
    return bits <= 4 * places and coefficient < 10**places


def is_ms_utc(buf: bytes, start: int, stop: int) -> bool:
    """Say whether `maybe_ms_utc` reads a body; nearly always without making a datetime."""
    if stop - start != 11:
        return maybe_ms_utc(buf, start, stop) is not None
    offset, century, year, month, day, hour, minute, second, exponent, high, low = buf[start:stop]
    if (
        offset == 0x80
        and 0 < century < 0x4E  # to the year 9,983
        and year >= 0x80
        and 0x80 < month < 0x8D
        and 0x80 < day < 0x9D  # of 28 days, as each month has
        and 0x80 <= hour < 0x98
        and 0x80 <= minute < 0xBC
        and 0x80 <= second < 0xBC
        and exponent == 0xC3
        and 128 <= high << 8 | low <= 999  # below 128 it takes one byte
    ):
        return True
    return maybe_ms_utc(buf, start, stop) is not None


def maybe_ms_utc(buf: bytes, start: int, stop: int) -> datetime | None:
    """
    Read a body in the one shape that QLDB writes: UTC, milliseconds, nothing padded.

    Returns:
        Aware, UTC; None when the body has another shape or is broken.
    """
    if not 9 <= stop - start <= 11:
        return None
    offset, century, year, month, day, hour, minute, second, exponent = buf[start : start + 9]
    if offset != 0x80 or exponent != 0xC3 or not 0 < century < 0x80:
        return None
    if year & month & day & hour & minute & second < 0x80:
        return None
    millis = int.from_bytes(buf[start + 9 : stop], "big")
    shortest = millis.bit_length() // 8 + 1 if millis else 0  # one bit more, for the sign
    if millis > 999 or stop - start - 9 != shortest:
        return None
    try:
        return datetime(
            (century << 7) + year - 0x80,
            month - 0x80,
            day - 0x80,
            hour - 0x80,
            minute - 0x80,
            second - 0x80,
            millis * 1000,
            UTC,
        )
    except ValueError:
        return None


# --------------------------------------------------------------------------------- to Python values


@lru_cache(maxsize=256)
def _zone(offset: int) -> timezone:
    return timezone(timedelta(minutes=offset)) if offset else UTC


@lru_cache(maxsize=4096)
def _millis_fraction(millis: int) -> Decimal:
    return make_decimal(-3, millis, minus=False)


def _fraction(coefficient: int, exponent: int) -> Decimal:
    if exponent == -3:
        return _millis_fraction(coefficient)
    return make_decimal(exponent, coefficient, minus=False)


def _microsecond(coefficient: int, exponent: int) -> int:
    """Cut a fraction to microseconds, safe for a huge number of places."""
    scale = 6 + exponent
    if scale >= 0:
        return coefficient * int(10**scale)
    if coefficient.bit_length() <= -3 * scale:
        return 0
    return coefficient // int(10**-scale)


def timestamp_from(instant: Instant) -> datetime:
    """Build an aware datetime where it says all there is to say, else an amazon.ion Timestamp."""
    utc, precision, offset, exponent, coefficient = instant
    zone = None if offset is None else _zone(offset)
    local = utc + timedelta(minutes=offset) if offset else utc
    if exponent or zone is not None:
        local = local.replace(microsecond=_microsecond(coefficient, exponent), tzinfo=zone)
    if exponent == -6 and zone is not None:
        return local
    value: datetime = make_timestamp(local, precision, exponent, coefficient)
    return value


def make_timestamp(local: datetime, precision: int, exponent: int, coefficient: int) -> Any:
    """Build an amazon.ion Timestamp past its constructor, which costs more than a whole record."""
    value: Any = datetime.__new__(
        Timestamp,
        local.year,
        local.month,
        local.day,
        local.hour,
        local.minute,
        local.second,
        local.microsecond,
        local.tzinfo,
    )
    value.precision = _PRECISIONS[precision]
    value.fractional_precision = min(-exponent, 6)
    value.fractional_seconds = _fraction(coefficient, exponent)
    return value


def ms_timestamp(moment: datetime) -> Any:
    """Build the Timestamp of a UTC datetime, with three decimal places."""
    return make_timestamp(moment, SECOND, -3, moment.microsecond // 1000)


def to_utc(instant: Instant) -> datetime:
    """Build the aware UTC datetime of the moment a timestamp begins, cut to microseconds."""
    micros = _microsecond(instant.coefficient, instant.exponent) if instant.exponent else 0
    return instant.utc.replace(microsecond=micros, tzinfo=UTC)


def timestamp_ms(unix_ms: int) -> Any:
    """
    Build the Timestamp of a moment, in UTC with three decimal places, as QLDB writes its times.

    Args:
        unix_ms: milliseconds since 1970-01-01T00:00Z.
    """
    seconds, millis = divmod(unix_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=millis * 1000)
    return ms_timestamp(moment)


# ------------------------------------------------------------------------------- from Python values


def instant_of(value: datetime) -> Instant:
    """
    Say what a datetime or an amazon.ion Timestamp says; a naive one has an unknown offset.

    Raises:
        IonEncodeError: its UTC time is outside the years 1 to 9999, or its offset has seconds.
    """
    precision = getattr(value, "precision", None)
    precision = SECOND if precision is None else int(precision)
    offset = _offset_of(value) if precision >= MINUTE else None
    local = datetime(  # noqa: DTZ001 - the offset is apart
        value.year, value.month, value.day, value.hour, value.minute, value.second
    )
    try:
        utc = local - timedelta(minutes=offset or 0)
    except OverflowError as exc:
        problem = "a timestamp's UTC time is outside the years 1 to 9999"
        raise IonEncodeError(problem) from exc
    if precision < SECOND:
        return Instant(_cut(utc, precision), precision, offset, 0, 0)
    fraction = getattr(value, "fractional_seconds", None)
    if fraction is None:
        return Instant(utc, precision, offset, -6, value.microsecond)
    exponent, coefficient = split_decimal(fraction)
    return Instant(utc, precision, offset, min(exponent, 0), coefficient)


def _offset_of(value: datetime) -> int | None:
    delta = value.utcoffset()
    if delta is None:
        return None
    minutes, rest = divmod(delta, timedelta(minutes=1))
    if rest:
        raise IonEncodeError("a timestamp's offset is not in whole minutes")
    return minutes


def _cut(utc: datetime, precision: int) -> datetime:
    """Drop the fields below a precision, which amazon.ion lets be anything."""
    if precision == MINUTE:
        return utc.replace(second=0)
    month = utc.month if precision >= MONTH else 1
    day = utc.day if precision >= DAY else 1
    return datetime(utc.year, month, day)  # noqa: DTZ001 - as above


# ----------------------------------------------------------------------------------------- to bytes


def timestamp_body(instant: Instant) -> bytes:
    """Write a timestamp body, each field as short as it can be (what Ion Hash is fed, too)."""
    utc, precision, offset, exponent, coefficient = instant
    body = b"\xc0" if offset is None else varint_bytes(abs(offset), minus=offset < 0)
    body += varuint_bytes(utc.year)
    if precision >= MONTH:
        body += bytes((0x80 | utc.month,))
    if precision >= DAY:
        body += bytes((0x80 | utc.day,))
    if precision >= MINUTE:
        body += bytes((0x80 | utc.hour, 0x80 | utc.minute))
    if precision >= SECOND:
        body += bytes((0x80 | utc.second,))
        if exponent:
            body += varint_bytes(-exponent, minus=True) + int_bytes(coefficient, minus=False)
    return body
