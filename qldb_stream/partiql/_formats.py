"""
TO_STRING and TO_TIMESTAMP: the format symbols of facts 5.5.

A format is cut into parts once and kept: letters are symbols, text between single quotes
stands for itself, two quotes for one, everything else for itself too. A format that is
read becomes a regular expression, in which every repetition is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from functools import lru_cache
from typing import Any, Final

from qldb_stream import ion
from qldb_stream.errors import DecodeError, PartiqlEvaluationError
from qldb_stream.partiql._times import (
    DAY,
    MINUTE,
    MONTH,
    SECOND,
    YEAR,
    Moment,
    moment_of,
    timestamp_of,
)
from qldb_stream.partiql._values import TEXTS, kind_of, text_of

Failure = Callable[[str], PartiqlEvaluationError]
Part = tuple[str, str]  # (symbol or "", the text that stands for itself)

# As many characters as any real format has, and some more: the cache holds them.
_MAX_FORMAT: Final = 256
_MAX_FRACTION: Final = 9  # the reference implementation's nanoseconds
_CACHED_FORMATS: Final = 128
_PIVOT: Final = 70  # yy from here on is 19yy (facts 5.5)
_NOON: Final = 12

_PIECE: Final = re.compile(r"''|'((?:[^']|'')*)'|(([A-Za-z])\3*)|([^A-Za-z'])", re.DOTALL)
_ION_TIMESTAMP: Final = re.compile(r"[0-9]{4}[0-9T:+.Z-]*")

# English whatever the process's locale is: `calendar` would follow that.
_MONTH_NAMES: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_MONTH_SHORT: Final = tuple(name[:3] for name in _MONTH_NAMES)


class _FormatError(ValueError):
    """A format that cannot be; carries the sentence to say."""


@lru_cache(maxsize=_CACHED_FORMATS)
def _parts(pattern: str) -> tuple[Part, ...]:
    """Cut a format into its parts; _FormatError names what is none."""
    if len(pattern) > _MAX_FORMAT:
        raise _FormatError(f"a timestamp format of more than {_MAX_FORMAT} characters")
    parts: list[Part] = []
    place = 0
    while place < len(pattern):
        match = _PIECE.match(pattern, place)
        if match is None:
            raise _FormatError("a quote in a timestamp format is not closed")
        place = match.end()
        symbol = match[2]
        if symbol is None:
            text = match[4] or (match[1] or "'").replace("''", "'")
            parts.append(("", text))
        elif symbol in _WRITERS or _is_fraction(symbol):
            parts.append((symbol, ""))
        else:
            raise _FormatError(f"unknown symbol {symbol} in a timestamp format")
    return tuple(parts)


def _is_fraction(symbol: str) -> bool:
    return symbol[0] == "S" and len(symbol) <= _MAX_FRACTION


# --- TO_STRING -----------------------------------------------------------------------------------


def to_string(values: list[Any], failure: Failure) -> str:
    """
    Write a timestamp by a format.

    Raises:
        PartiqlEvaluationError: no timestamp, or a format that cannot be.

    """
    moment = moment_of(values[0], failure)
    return "".join(
        text if not symbol else _write(symbol, moment)
        for symbol, text in _checked_parts(values[1], failure)
    )


def _checked_parts(pattern: Any, failure: Failure) -> tuple[Part, ...]:
    if kind_of(pattern) not in TEXTS:
        raise failure(f"a timestamp format must be text, found {kind_of(pattern).name.lower()}")
    try:
        return _parts(str(text_of(pattern) or ""))
    except _FormatError as exc:
        raise failure(str(exc)) from exc


def _write(symbol: str, moment: Moment) -> str:
    if symbol[0] == "S":
        return _fraction_digits(moment, len(symbol))
    return _WRITERS[symbol](moment)


def _fraction_digits(moment: Moment, places: int) -> str:
    """Give the first decimal places of the second, cut, not rounded."""
    unit = Decimal((0, (1,), -places))
    digits = moment.fraction.quantize(unit, rounding=ROUND_DOWN).as_tuple().digits
    return "".join(map(str, digits)).zfill(places)


def write_ion_timestamp(value: Any, failure: Failure) -> str:
    """
    Write a timestamp in Ion's syntax, as the reference implementation's library does.

    Raises:
        PartiqlEvaluationError: it is none.

    """
    moment = moment_of(value, failure)
    if moment.precision < DAY:
        return moment.local.isoformat()[: 7 if moment.precision == MONTH else 4] + "T"
    date, clock = moment.local.isoformat().split("T")
    if moment.precision == DAY:
        return date
    clock = clock if moment.precision == SECOND else clock[:5]
    if moment.exponent:
        clock += "." + f"{moment.fraction:f}"[2:]
    unknown = moment.offset is None
    return f"{date}T{clock}" + ("-00:00" if unknown else _WRITERS["XXX"](moment))


def _write_offset(moment: Moment, *, colon: str, zulu: bool, short: bool) -> str:
    """Write an offset; an unknown one counts as zero."""
    offset = moment.offset or 0
    if zulu and offset == 0:
        return "Z"
    hours, minutes = divmod(abs(offset), 60)
    sign = "-" if offset < 0 else "+"
    if short and minutes == 0:
        return f"{sign}{hours:02d}"
    return f"{sign}{hours:02d}{colon}{minutes:02d}"


def _offset_writer(letter: str, count: int) -> Callable[[Moment], str]:
    """Make the writer of X or x, so often repeated."""
    colon = ":" if count in (3, 5) else ""

    def write(moment: Moment) -> str:
        return _write_offset(moment, colon=colon, zulu=letter == "X", short=count == 1)

    return write


_MOST_OFFSET_LETTERS: Final = 5
_WRITERS: Final[dict[str, Callable[[Moment], str]]] = {
    "yy": lambda moment: f"{moment.local.year % 100:02d}",
    "y": lambda moment: str(moment.local.year),
    "yyyy": lambda moment: f"{moment.local.year:04d}",
    "M": lambda moment: str(moment.local.month),
    "MM": lambda moment: f"{moment.local.month:02d}",
    "MMM": lambda moment: _MONTH_SHORT[moment.local.month - 1],
    "MMMM": lambda moment: _MONTH_NAMES[moment.local.month - 1],
    "d": lambda moment: str(moment.local.day),
    "dd": lambda moment: f"{moment.local.day:02d}",
    "a": lambda moment: "AM" if moment.local.hour < _NOON else "PM",
    "h": lambda moment: str(moment.local.hour % _NOON or _NOON),
    "hh": lambda moment: f"{moment.local.hour % _NOON or _NOON:02d}",
    "H": lambda moment: str(moment.local.hour),
    "HH": lambda moment: f"{moment.local.hour:02d}",
    "m": lambda moment: str(moment.local.minute),
    "mm": lambda moment: f"{moment.local.minute:02d}",
    "s": lambda moment: str(moment.local.second),
    "ss": lambda moment: f"{moment.local.second:02d}",
    **{
        letter * count: _offset_writer(letter, count)
        for letter in "Xx"
        for count in range(1, _MOST_OFFSET_LETTERS + 1)
    },
}


# --- TO_TIMESTAMP --------------------------------------------------------------------------------


def to_timestamp(values: list[Any], failure: Failure) -> Any:
    """
    Read a timestamp from text, by a format or in Ion's own syntax.

    Raises:
        PartiqlEvaluationError: no text, a format that cannot be, or the text does not fit.

    """
    if kind_of(values[0]) not in TEXTS:
        raise failure(f"expected text, found {kind_of(values[0]).name.lower()}")
    text = str(text_of(values[0]) or "")
    if len(values) == 1:
        return parse_ion_timestamp(text, failure)
    parts = _checked_parts(values[1], failure)
    try:
        found = _reader(parts).fullmatch(text)
    except _FormatError as exc:
        raise failure(str(exc)) from exc
    if found is None:
        raise failure("the text does not fit the timestamp format")
    return _read(found.groupdict(), failure)


def parse_ion_timestamp(text: str, failure: Failure) -> Any:
    """
    Read a timestamp in Ion's syntax.

    Raises:
        PartiqlEvaluationError: it is none.

    """
    problem = "the text is no timestamp in Ion's syntax"
    if not _ION_TIMESTAMP.fullmatch(text):
        raise failure(problem)
    try:
        values = list(ion.iter_text(text))
    except DecodeError as exc:
        raise failure(problem) from exc
    if len(values) != 1 or values[0].ion_type is not ion.IonType.TIMESTAMP:
        raise failure(problem)
    return values[0].decode()


# Symbol -> (field, what it may look like).
_READERS: Final = {
    "yy": ("short_year", "[0-9]{2}"),
    "y": ("year", "[0-9]{1,4}"),
    "yyyy": ("year", "[0-9]{4}"),
    "M": ("month", "[0-9]{1,2}"),
    "MM": ("month", "[0-9]{2}"),
    "MMM": ("name", "|".join(_MONTH_SHORT)),
    "MMMM": ("name", "|".join(_MONTH_NAMES)),
    "d": ("day", "[0-9]{1,2}"),
    "dd": ("day", "[0-9]{2}"),
    "a": ("half", "AM|PM"),
    "h": ("hour12", "[0-9]{1,2}"),
    "hh": ("hour12", "[0-9]{2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "HH": ("hour", "[0-9]{2}"),
    "m": ("minute", "[0-9]{1,2}"),
    "mm": ("minute", "[0-9]{2}"),
    "s": ("second", "[0-9]{1,2}"),
    "ss": ("second", "[0-9]{2}"),
    "X": ("offset", "Z|[+-][0-9]{2}(?:[0-9]{2})?"),
    "XX": ("offset", "Z|[+-][0-9]{4}"),
    "XXX": ("offset", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "XXXX": ("offset", "Z|[+-][0-9]{4}"),
    "XXXXX": ("offset", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "x": ("offset", "[+-][0-9]{2}(?:[0-9]{2})?"),
    "xx": ("offset", "[+-][0-9]{4}"),
    "xxx": ("offset", "[+-][0-9]{2}:[0-9]{2}"),
    "xxxx": ("offset", "[+-][0-9]{4}"),
    "xxxxx": ("offset", "[+-][0-9]{2}:[0-9]{2}"),
}
_SAME: Final = {"short_year": "year", "name": "month", "hour12": "hour"}


@lru_cache(maxsize=_CACHED_FORMATS)
def _reader(parts: tuple[Part, ...]) -> re.Pattern[str]:
    """Make what reads a format; _FormatError when its fields make no timestamp."""
    fields: set[str] = set()
    pieces: list[str] = []
    for symbol, text in parts:
        if not symbol:
            pieces.append(re.escape(text))
            continue
        field, look = ("fraction", f"[0-9]{{{len(symbol)}}}")
        if symbol[0] != "S":
            field, look = _READERS[symbol]
        if _SAME.get(field, field) in fields:
            raise _FormatError("a timestamp format names a field twice")
        fields.add(_SAME.get(field, field))
        # Names of months and AM/PM may be written in any case (facts 5.5); the rest has none.
        pieces.append(f"(?P<{field}>(?i:{look}))")
    _check_fields(fields, {symbol for symbol, _ in parts})
    return re.compile("".join(pieces), re.DOTALL)


def _check_fields(fields: set[str], symbols: set[str]) -> None:
    """Make sure that no coarser field is left out, and that AM or PM goes with h."""
    order = ("year", "month", "day", "hour", "minute", "second", "fraction")
    finest = max((place for place, field in enumerate(order) if field in fields), default=-1)
    absent = [field for field in order[:finest] if field not in fields]
    if finest < 0 or absent:
        raise _FormatError(f"a timestamp format lacks its {(absent or ['year'])[0]}")
    if ("half" in fields) is not bool({"h", "hh"} & symbols):
        raise _FormatError("a timestamp format has h without a, or a without h")
    if "offset" in fields and "hour" not in fields:
        raise _FormatError("a timestamp format has an offset without a time")


def _read(fields: dict[str, str | None], failure: Failure) -> Any:
    """Make a timestamp of what was read; its precision is what the format supplies."""
    texts = {name: text for name, text in fields.items() if text is not None}
    try:
        local = datetime(  # noqa: DTZ001 - the offset is apart
            _year(texts),
            _month(texts),
            int(texts.get("day", 1)),
            _hour(texts),
            int(texts.get("minute", 0)),
            int(texts.get("second", 0)),
        )
    except ValueError as exc:
        raise failure("the text names a date or time that does not exist") from exc
    fraction = texts.get("fraction", "")
    offset = _read_offset(texts.get("offset"), failure)
    return timestamp_of(
        Moment(local, _precision(texts), offset, -len(fraction), int(fraction or 0)), failure
    )


def _year(texts: dict[str, str]) -> int:
    if "year" in texts:
        return int(texts["year"])
    year = int(texts["short_year"])
    return year + (1900 if year >= _PIVOT else 2000)


def _month(texts: dict[str, str]) -> int:
    if "name" in texts:
        return _MONTH_SHORT.index(texts["name"][:3].title()) + 1
    return int(texts.get("month", 1))


def _hour(texts: dict[str, str]) -> int:
    """Give the hour of the day; ValueError when the clock of twelve hours has no such hour."""
    if "hour12" not in texts:
        return int(texts.get("hour", 0))
    hour = int(texts["hour12"])
    if not 1 <= hour <= _NOON:
        raise ValueError
    return hour % _NOON + (_NOON if texts["half"].upper() == "PM" else 0)


def _read_offset(text: str | None, failure: Failure) -> int | None:
    if text is None:
        return None
    if text in "Zz":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if int(digits[:2]) >= 24 or int(digits[2:]) >= 60:  # noqa: PLR2004 - hours and minutes
        raise failure("the text names an offset that does not exist")
    return -minutes if text[0] == "-" else minutes


def _precision(texts: dict[str, str]) -> int:
    """Tell the finest field that was read; Ion has no hour without a minute."""
    for precision, names in _FINEST:
        if any(name in texts for name in names):
            return precision
    return YEAR


_FINEST: Final = (
    (SECOND, ("second",)),
    (MINUTE, ("minute", "hour", "hour12")),
    (DAY, ("day",)),
    (MONTH, ("month", "name")),
)
