"""
Functions (facts 5.5): a table of name, number of arguments, and what it does.

An unknown argument gives NULL unless the function says otherwise. A function that is
not in the table is refused, by name and place, before anything is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._context import CONTEXT, Evaluate, Frame
from qldb_stream.partiql._formats import to_string, to_timestamp
from qldb_stream.partiql._holding import charge_values, evaluate_all
from qldb_stream.partiql._scope import Scope
from qldb_stream.partiql._times import date_add, date_diff, extract
from qldb_stream.partiql._values import (
    SEQUENCES,
    TEXTS,
    Kind,
    is_equal,
    is_unknown,
    kind_of,
    text_of,
)
from qldb_stream.partiql.ast import Call

Failure = Callable[[str], PartiqlEvaluationError]


@attrs.frozen
class Function:
    """
    What a function takes and does.

    `apply` gets the arguments' values, known ones only unless `lenient`, and what builds a
    located error; before them the keyword (a part of a date, an end of a text) where the
    function's syntax has one.
    """

    least: int
    most: int
    apply: Callable[..., Any]
    lenient: bool = False
    keyword: bool = False


def compile_call(
    expr: Call, arguments: tuple[Evaluate, ...], scope: Scope, failure: Failure
) -> Evaluate:
    """
    Compile a call whose arguments are compiled already.

    Raises:
        UnsupportedPartiqlError: no such function here.
        PartiqlSemanticError: the wrong number of arguments.

    """
    if expr.name in _TRANSACTION:
        if arguments:
            scope.reject(expr.pos, f"{expr.name} takes no arguments")
        return _TRANSACTION[expr.name]
    function = _FUNCTIONS.get(expr.name)
    if function is None:
        scope.refuse(expr.pos, f"function {expr.name}")
    if not function.least <= len(arguments) <= function.most:
        scope.reject(expr.pos, f"{expr.name} does not take {len(arguments)} arguments")
    apply = function.apply
    if function.keyword:
        apply = partial(apply, expr.keyword)
    lenient = function.lenient

    def call(frame: Frame) -> Any:
        values = evaluate_all(frame, arguments)
        charge_values(frame, *values)
        if not lenient and any(is_unknown(value) for value in values):
            return None
        return apply(values, failure)

    return call


def _transaction_id(frame: Frame) -> Any:
    return frame[CONTEXT].transaction_id


def _now(frame: Frame) -> Any:
    return frame[CONTEXT].now


def _text(value: Any, failure: Failure) -> str:
    if kind_of(value) not in TEXTS:
        raise failure(f"expected text, found {kind_of(value).name.lower()}")
    return text_of(value) or ""


def _size(values: list[Any], failure: Failure) -> int:
    kind = kind_of(values[0])
    if kind not in SEQUENCES and kind is not Kind.STRUCT:
        raise failure(f"SIZE expects a container, found {kind.name.lower()}")
    return len(values[0])


def _exists(values: list[Any], failure: Failure) -> bool:
    kind = kind_of(values[0])
    if kind not in SEQUENCES and kind is not Kind.STRUCT:
        raise failure(f"EXISTS expects a container, found {kind.name.lower()}")
    return len(values[0]) > 0


def _coalesce(values: list[Any], _: Failure) -> Any:
    return next((value for value in values if not is_unknown(value)), None)


def _nullif(values: list[Any], _: Failure) -> Any:
    first, second = values
    if is_unknown(first):
        return None
    return None if not is_unknown(second) and is_equal(first, second) else first


def _char_length(values: list[Any], failure: Failure) -> int:
    return len(_text(values[0], failure))


def _lower(values: list[Any], failure: Failure) -> str:
    return _text(values[0], failure).lower()


def _upper(values: list[Any], failure: Failure) -> str:
    return _text(values[0], failure).upper()


def _substring(values: list[Any], failure: Failure) -> str:
    """Give the characters in [start, start + length), counted from 1 (facts 5.5)."""
    text = _text(values[0], failure)
    if any(kind_of(value) is not Kind.INT for value in values[1:]):
        raise failure("SUBSTRING expects whole numbers for start and length")
    start = int(values[1])
    if len(values) == 2:  # noqa: PLR2004 - text and start
        return text[max(start - 1, 0) :]
    length = int(values[2])
    if length < 0:
        raise failure("SUBSTRING expects a length that is not negative")
    return text[max(start - 1, 0) : max(start - 1 + length, 0)]


def _trim(end: str, values: list[Any], failure: Failure) -> str:
    text = _text(values[0], failure)
    return _TRIMS[end](text, _trim_set(values, failure))


def _trim_set(values: list[Any], failure: Failure) -> str:
    """Give the characters to trim: blanks only by default, tabs stay (facts 5.5)."""
    return _text(values[1], failure) if len(values) > 1 else " "


_TRIMS: Final[dict[str, Callable[[str, str], str]]] = {
    "BOTH": str.strip,
    "LEADING": str.lstrip,
    "TRAILING": str.rstrip,
}
_TRANSACTION: Final[dict[str, Evaluate]] = {"TXID": _transaction_id, "UTCNOW": _now}
_MANY: Final = 1_000
_FUNCTIONS: Final = {
    "CHARACTER_LENGTH": Function(1, 1, _char_length),
    "CHAR_LENGTH": Function(1, 1, _char_length),
    "COALESCE": Function(1, _MANY, _coalesce, lenient=True),
    "DATE_ADD": Function(2, 2, date_add, keyword=True),
    "DATE_DIFF": Function(2, 2, date_diff, keyword=True),
    "EXISTS": Function(1, 1, _exists),
    "EXTRACT": Function(1, 1, extract, keyword=True),
    "LOWER": Function(1, 1, _lower),
    "NULLIF": Function(2, 2, _nullif, lenient=True),
    "SIZE": Function(1, 1, _size),
    "SUBSTRING": Function(2, 3, _substring),
    "TO_STRING": Function(2, 2, to_string),
    "TO_TIMESTAMP": Function(1, 2, to_timestamp),
    "TRIM": Function(1, 2, _trim, keyword=True),
    "UPPER": Function(1, 1, _upper),
}
