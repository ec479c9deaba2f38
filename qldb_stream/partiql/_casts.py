"""
CAST (facts 5.5): a table of target types.

A value that has the type already stays what it is, annotations included. NULL stays NULL,
MISSING stays MISSING, except that each can be cast to the other. What cannot be converted
is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.ion import IonType, retyped
from qldb_stream.partiql._arithmetic import exact, number_of
from qldb_stream.partiql._context import Evaluate, Frame
from qldb_stream.partiql._formats import parse_ion_timestamp, write_ion_timestamp
from qldb_stream.partiql._holding import charge_values
from qldb_stream.partiql._values import (
    LOBS,
    MAX_DIGITS,
    MAX_EXPONENT,
    MIN_EXPONENT,
    MISSING,
    NUMBERS,
    SEQUENCES,
    TEXTS,
    Bag,
    Kind,
    is_unknown,
    kind_of,
    text_of,
)

Failure = Callable[[str], PartiqlEvaluationError]

_INTEGER: Final = re.compile(rf"[+-]?[0-9]{{1,{MAX_DIGITS}}}")
_NUMBER: Final = re.compile(
    rf"[+-]?(?:[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{0,{MAX_DIGITS}}})?|\.[0-9]{{1,{MAX_DIGITS}}})"
    r"(?:[eEdD][+-]?[0-9]{1,6})?"
)


def make_cast(value: Evaluate, type_name: str, failure: Failure) -> Evaluate:
    """Make CAST; the type's name is one of the tree's."""

    def cast(frame: Frame) -> Any:
        found = value(frame)
        charge_values(frame, found)
        return cast_value(found, type_name, failure)

    return cast


def cast_value(value: Any, type_name: str, failure: Failure) -> Any:
    """
    Convert one decoded value.

    Raises:
        PartiqlEvaluationError: it cannot be converted.

    """
    if is_unknown(value):
        return _cast_unknown(value, type_name)
    kind = kind_of(value)
    if type_name in (kind.name, "ANY"):
        return value
    converter = _CONVERTERS.get(type_name)
    found = MISSING if converter is None else converter(value, kind, failure)
    if found is MISSING:
        raise failure(f"Cast failed: cannot convert {kind.name.lower()} to {type_name.lower()}")
    return found


def _cast_unknown(value: Any, type_name: str) -> Any:
    if type_name == "NULL":
        return None
    return MISSING if type_name == "MISSING" else value


def _to_bool(value: Any, kind: Kind, failure: Failure) -> Any:
    """Zero and every text but 'true' are false (facts 5.5)."""
    if kind in NUMBERS:
        return number_of(value, failure) != 0
    if kind in TEXTS:
        return str(text_of(value)).lower() == "true"
    return MISSING


def _to_int(value: Any, kind: Kind, failure: Failure) -> Any:
    """Decimals are cut towards zero: 1.45 and 1.75 give 1 (facts 5.5)."""
    if kind is Kind.BOOL:
        return int(bool(value))
    if kind is Kind.FLOAT:
        return int(exact(float(value), failure))
    if kind is Kind.DECIMAL:
        return int(_bounded(Decimal(value), failure))
    return _parsed_int(text_of(value) or "") if kind in TEXTS else MISSING


def _parsed_int(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else MISSING


def _bounded(number: Decimal, failure: Failure) -> Decimal:
    """Refuse a decimal whose digits would take seconds to write out."""
    if number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise failure("number out of range")
    return number


def _to_decimal(value: Any, kind: Kind, failure: Failure) -> Any:
    if kind is Kind.BOOL:
        return Decimal(int(bool(value)))
    if kind in NUMBERS:
        number = exact(number_of(value, failure), failure)
        return _bounded(number, failure) if kind is Kind.INT else number
    return _parsed_decimal(text_of(value) or "", failure) if kind in TEXTS else MISSING


def _parsed_decimal(text: str, failure: Failure) -> Any:
    if not _NUMBER.fullmatch(text):
        return MISSING
    return _bounded(Decimal(text.lower().replace("d", "e")), failure)


def _to_float(value: Any, kind: Kind, failure: Failure) -> Any:
    if kind is Kind.BOOL:
        return float(bool(value))
    number = value
    if kind in TEXTS:
        number = _parsed_decimal(text_of(value) or "", failure)
    elif kind not in NUMBERS:
        return MISSING
    if number is MISSING:
        return MISSING
    try:
        found = float(number)
    except OverflowError as exc:  # of an int; a decimal gives infinity instead
        raise failure("number out of range") from exc
    if math.isinf(found):
        raise failure("number out of range")
    return found


def _to_string(value: Any, kind: Kind, failure: Failure) -> Any:
    if kind in TEXTS:
        return str(text_of(value) or "")
    if kind is Kind.BOOL:
        return "true" if value else "false"
    if kind is Kind.INT:
        return str(_bounded(exact(int(value), failure), failure))
    if kind is Kind.DECIMAL:
        return str(_bounded(Decimal(value), failure))
    if kind is Kind.FLOAT:
        return repr(float(value))
    return write_ion_timestamp(value, failure) if kind is Kind.TIMESTAMP else MISSING


def _to_symbol(value: Any, kind: Kind, failure: Failure) -> Any:
    text = _to_string(value, kind, failure)
    return MISSING if text is MISSING else retyped(IonType.SYMBOL, text)


def _to_timestamp(value: Any, kind: Kind, failure: Failure) -> Any:
    return parse_ion_timestamp(text_of(value) or "", failure) if kind in TEXTS else MISSING


def _to_clob(value: Any, kind: Kind, _: Failure) -> Any:
    return retyped(IonType.CLOB, bytes(value)) if kind in LOBS else MISSING


def _to_blob(value: Any, kind: Kind, _: Failure) -> Any:
    return bytes(value) if kind in LOBS else MISSING


def _to_list(value: Any, kind: Kind, _: Failure) -> Any:
    return list(value) if kind in SEQUENCES else MISSING


def _to_sexp(value: Any, kind: Kind, _: Failure) -> Any:
    return retyped(IonType.SEXP, list(value)) if kind in SEQUENCES else MISSING


def _to_bag(value: Any, kind: Kind, _: Failure) -> Any:
    return Bag(value) if kind in SEQUENCES else MISSING


# Any known value cast to NULL, MISSING or STRUCT fails, unless it is a struct already.
_CONVERTERS: Final[dict[str, Callable[[Any, Kind, Failure], Any]]] = {
    "BAG": _to_bag,
    "BLOB": _to_blob,
    "BOOL": _to_bool,
    "CLOB": _to_clob,
    "DECIMAL": _to_decimal,
    "FLOAT": _to_float,
    "INT": _to_int,
    "LIST": _to_list,
    "SEXP": _to_sexp,
    "STRING": _to_string,
    "SYMBOL": _to_symbol,
    "TIMESTAMP": _to_timestamp,
}
