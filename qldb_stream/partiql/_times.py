"""
Timestamps in functions: DATE_ADD, DATE_DIFF, EXTRACT (facts 5.5).

A timestamp is worked on as what it says in its own offset, to its own precision. DATE_ADD
widens the precision where the part needs it, and then an offset that could not be said
before is UTC. DATE_DIFF counts whole elapsed units between instants.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from qldb_stream.errors import IonEncodeError, PartiqlEvaluationError
from qldb_stream.ion import Instant, instant_of, timestamp_from
from qldb_stream.partiql._values import Kind, kind_of

Failure = Callable[[str], PartiqlEvaluationError]

# Precisions, as in `Instant`.
YEAR: Final = 0
MONTH: Final = 1
DAY: Final = 2
MINUTE: Final = 3
SECOND: Final = 4

_NO_FRACTION: Final = Decimal(0)
_MONTHS_PER_YEAR: Final = 12
_MINUTES_PER_HOUR: Final = 60

# Beyond it no two moments of the years 1 to 9999 are apart.
_MOST_SECONDS: Final = 400 * 10**9

_PRECISION_OF_PART: Final = {
    "YEAR": YEAR,
    "MONTH": MONTH,
    "DAY": DAY,
    "HOUR": MINUTE,  # Ion has no hour without a minute
    "MINUTE": MINUTE,
    "SECOND": SECOND,
}
_SECONDS_OF_PART: Final = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}


@attrs.frozen
class Moment:
    """
    What a timestamp says in its own offset.

    Attributes:
        local: the fields, naive, whole seconds.
        precision: 0 year, 1 month, 2 day, 3 minute, 4 second.
        offset: minutes east of UTC; None when unknown.
        exponent: minus the number of decimal places of the second.
        coefficient: the decimal places as an integer.
        fraction: the same part of a second, as a decimal.
    """

    local: datetime
    precision: int
    offset: int | None = None
    exponent: int = 0
    coefficient: int = 0
    fraction: Decimal = _NO_FRACTION


def moment_of(value: Any, failure: Failure) -> Moment:
    """
    Take a timestamp apart.

    Raises:
        PartiqlEvaluationError: it is none, or outside the years 1 to 9999 in UTC.

    """
    kind = kind_of(value)
    if kind is not Kind.TIMESTAMP:
        raise failure(f"expected a timestamp, found {kind.name.lower()}")
    try:
        instant = instant_of(value)
    except IonEncodeError as exc:
        raise failure(exc.problem) from exc
    local = instant.utc + timedelta(minutes=instant.offset or 0)
    _, precision, offset, exponent, coefficient = instant
    return Moment(local, precision, offset, exponent, coefficient, _fraction_of(value))


def _fraction_of(value: Any) -> Decimal:
    fraction: Decimal | None = getattr(value, "fractional_seconds", None)
    return Decimal(value.microsecond).scaleb(-6) if fraction is None else fraction


def timestamp_of(moment: Moment, failure: Failure) -> Any:
    """
    Put a timestamp together.

    Raises:
        PartiqlEvaluationError: it is outside the years 1 to 9999.

    """
    try:
        utc = moment.local - timedelta(minutes=moment.offset or 0)
    except OverflowError as exc:
        raise failure("timestamp out of range") from exc
    return timestamp_from(
        Instant(utc, moment.precision, moment.offset, moment.exponent, moment.coefficient)
    )


def date_add(part: str, values: list[Any], failure: Failure) -> Any:
    """
    Move a timestamp on by a number of years, months, days, hours, minutes or seconds.

    A day that the month does not have becomes its last one.

    Raises:
        PartiqlEvaluationError: no whole number, no timestamp, or the years 1 to 9999 left.

    """
    if kind_of(values[0]) is not Kind.INT:
        raise failure("DATE_ADD expects a whole number")
    amount = int(values[0])
    moment = _widened(moment_of(values[1], failure), _PRECISION_OF_PART[part])
    try:
        moved = _moved(moment.local, part, amount)
    except (OverflowError, ValueError) as exc:
        raise failure("timestamp out of range") from exc
    return timestamp_of(attrs.evolve(moment, local=moved), failure)


def _widened(moment: Moment, precision: int) -> Moment:
    """Give a timestamp at least a precision; where time of day comes to it, it is in UTC."""
    if moment.precision >= precision:
        return moment
    offset = moment.offset
    if moment.precision < MINUTE <= precision:
        offset = 0
    return attrs.evolve(moment, precision=precision, offset=offset)


def _moved(local: datetime, part: str, amount: int) -> datetime:
    """Move fields on; OverflowError or ValueError beyond the calendar."""
    seconds = _SECONDS_OF_PART.get(part)
    if seconds is not None:
        if abs(amount) > _MOST_SECONDS:
            raise OverflowError
        return local + timedelta(seconds=amount * seconds)
    months = amount * _MONTHS_PER_YEAR if part == "YEAR" else amount
    year, month = divmod(local.year * _MONTHS_PER_YEAR + local.month - 1 + months, _MONTHS_PER_YEAR)
    if not MINYEAR <= year <= MAXYEAR:
        raise OverflowError
    last = calendar.monthrange(year, month + 1)[1]
    return local.replace(year=year, month=month + 1, day=min(local.day, last))


def date_diff(part: str, values: list[Any], failure: Failure) -> int:
    """
    Count the whole units from one timestamp to another; negative when the first is later.

    Raises:
        PartiqlEvaluationError: something that is no timestamp.

    """
    first, last = (_utc(value, failure) for value in values)
    if last < first:
        return -_whole_units(part, last, first)
    return _whole_units(part, first, last)


def _utc(value: Any, failure: Failure) -> tuple[datetime, Decimal]:
    moment = moment_of(value, failure)
    return moment.local - timedelta(minutes=moment.offset or 0), moment.fraction


def _whole_units(part: str, first: tuple[datetime, Decimal], last: tuple[datetime, Decimal]) -> int:
    a, b = first[0], last[0]
    seconds = _SECONDS_OF_PART.get(part)
    if seconds is not None:
        elapsed = (b - a) // timedelta(seconds=1) - (first[1] > last[1])
        return elapsed // seconds
    months = (b.year - a.year) * _MONTHS_PER_YEAR + b.month - a.month
    if (b.day, b.time(), last[1]) < (a.day, a.time(), first[1]):
        months -= 1
    return months // _MONTHS_PER_YEAR if part == "YEAR" else months


def extract(part: str, values: list[Any], failure: Failure) -> int:
    """
    Give one field of a timestamp in its own offset; an unknown offset counts as zero.

    Raises:
        PartiqlEvaluationError: no timestamp.

    """
    moment = moment_of(values[0], failure)
    if part in _SECONDS_OF_PART or part in ("YEAR", "MONTH"):
        field: int = getattr(moment.local, part.lower())
        return field
    offset = moment.offset or 0
    size = abs(offset)
    amount = size // _MINUTES_PER_HOUR if part == "TIMEZONE_HOUR" else size % _MINUTES_PER_HOUR
    return amount if offset >= 0 else -amount
