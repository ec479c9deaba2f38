"""
Operators as functions of frames: comparison, logic, IN, LIKE, BETWEEN, IS.

Three-valued throughout: an unknown operand gives NULL. Operands that have no order
with each other (a number and a text) give MISSING, PartiQL's rule for schemaless
data: a row that does not fit is passed over, it does not fail the statement.

`light` says of an operator that its operands behind the first build nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.partiql._context import Evaluate, Frame, charge
from qldb_stream.partiql._holding import Holding, charge_values, make_operands
from qldb_stream.partiql._like import LikeTooCostlyError, like_matcher
from qldb_stream.partiql._values import (
    MISSING,
    SEQUENCES,
    TEXTS,
    Kind,
    decoded,
    is_equal,
    is_unknown,
    kind_of,
    order_key,
    text_of,
)

_SAME_TYPE: Final = frozenset({str, int, bool, bytes})

# What looking at one of many items takes, in steps; four are as much as a row.
_STEPS_OF_AN_ITEM: Final = 1 << 10

# IS accepts a kind's own name; INT8 and the like are gone when the tree is built.
_IS_KINDS: Final = {
    "NULL": frozenset({Kind.NULL, Kind.MISSING}),
    "ANY": frozenset(Kind),
    **{kind.name: frozenset({kind}) for kind in Kind if kind is not Kind.NULL},
}


def make_equal(left: Evaluate, right: Evaluate, *, negated: bool, light: bool = False) -> Evaluate:
    """Make `=` or `<>`."""

    def equal(frame: Frame) -> bool | None:
        a = left(frame)
        b = right(frame)
        kind = type(a)
        if kind is type(b) and kind in _SAME_TYPE:
            return (a == b) is not negated
        return _equal(frame, a, b, negated=negated)

    operands = make_operands(left, right, light=light)

    def equal_held(frame: Frame) -> bool | None:
        a, b = operands(frame)
        return _equal(frame, a, b, negated=negated)

    return equal if light else equal_held


def _equal(frame: Frame, a: Any, b: Any, *, negated: bool) -> bool | None:
    if is_unknown(a) or is_unknown(b):
        return None
    charge_values(frame, a, b)
    return is_equal(a, b) is not negated


def make_ordered(
    operator: str, left: Evaluate, right: Evaluate, *, light: bool = False
) -> Evaluate:
    """Make `<`, `<=`, `>` or `>=`."""
    test = _ORDERS[operator]
    operands = make_operands(left, right, light=light)

    def ordered(frame: Frame) -> Any:
        a, b = operands(frame)
        return _compare(frame, test, a, b)

    return ordered


def _compare(frame: Frame, test: Callable[[Any, Any], bool], a: Any, b: Any) -> Any:
    """Compare two values that may have no order with each other."""
    if is_unknown(a) or is_unknown(b):
        return None
    charge_values(frame, a, b)
    first = order_key(a)
    second = order_key(b)
    if first is None or second is None or first[0] != second[0]:
        return MISSING
    return test(first[1], second[1])


_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def make_between(
    value: Evaluate, low: Evaluate, high: Evaluate, *, negated: bool, light: bool = False
) -> Evaluate:
    """Make `[NOT] BETWEEN`: `value >= low AND value <= high`."""
    operands = make_operands(value, low, high, light=light)

    def between(frame: Frame) -> Any:
        middle, least, most = operands(frame)
        above = _compare(frame, _ORDERS[">="], middle, least)
        below = _compare(frame, _ORDERS["<="], middle, most)
        if above is False or below is False:
            return negated
        if above is True and below is True:
            return not negated
        return None

    return between


def make_in_items(
    value: Evaluate, items: tuple[Evaluate, ...], *, negated: bool, light: bool = False
) -> Evaluate:
    """Make `[NOT] IN (a, b)`, which needs no list to be built."""

    def contained(frame: Frame) -> bool | None:
        charge(frame, len(items) * _STEPS_OF_AN_ITEM)
        return _is_in(frame, value(frame), (item(frame) for item in items), negated=negated)

    def contained_held(frame: Frame) -> bool | None:
        charge(frame, len(items) * _STEPS_OF_AN_ITEM)
        with Holding(frame) as holding:
            sought = value(frame)
            holding.add(sought)
            return _is_in(frame, sought, (item(frame) for item in items), negated=negated)

    return contained if light else contained_held


def make_in(
    value: Evaluate, collection: Evaluate, *, negated: bool, light: bool = False
) -> Evaluate:
    """
    Make `[NOT] IN expr`; anything but a collection on the right gives MISSING.

    The collection comes first: `light` says that the value builds nothing.
    """

    def contained(frame: Frame) -> Any:
        items = collection(frame)
        if is_unknown(items):
            return None
        if kind_of(items) not in SEQUENCES:
            return MISSING
        if light:
            sought = value(frame)
        else:
            with Holding(frame) as holding:
                holding.add(items)
                sought = value(frame)
        charge(frame, len(items) * _STEPS_OF_AN_ITEM)
        return _is_in(frame, sought, items, negated=negated)

    return contained


def _is_in(frame: Frame, value: Any, items: Iterable[Any], *, negated: bool) -> bool | None:
    """Look for an equal item; NULL among the items leaves a miss open."""
    if is_unknown(value):
        return None
    kind = type(value)
    open_end = False
    for item in items:
        if is_unknown(item):
            open_end = True
            continue
        if kind is not type(item) or kind not in _SAME_TYPE:
            charge_values(frame, value, item)
        if is_equal(value, decoded(item)):
            return not negated
    return None if open_end else negated


def make_is(value: Evaluate, type_name: str, *, negated: bool) -> Evaluate:
    """Make `IS [NOT] type`; NULL includes MISSING and every typed null (facts 5.4)."""
    kinds = _IS_KINDS[type_name]

    def is_type(frame: Frame) -> bool:
        return (kind_of(value(frame)) in kinds) is not negated

    return is_type


def make_like(
    value: Evaluate,
    pattern: Evaluate,
    escape: Evaluate | None,
    failure: Callable[[str], PartiqlEvaluationError],
    *,
    negated: bool,
    light: bool = False,
) -> Evaluate:
    """Make `[NOT] LIKE pattern [ESCAPE character]`."""
    parts = (value, pattern) if escape is None else (value, pattern, escape)
    evaluate = make_operands(*parts, light=light)

    def like(frame: Frame) -> Any:
        operands = evaluate(frame)
        if any(is_unknown(operand) for operand in operands):
            return None
        if any(kind_of(operand) not in TEXTS for operand in operands):
            return MISSING
        texts = [text_of(operand) or "" for operand in operands]
        mark = texts[2] if escape is not None else ""
        if escape is not None and len(mark) != 1:
            raise failure("ESCAPE must be one character")
        try:
            matcher = like_matcher(texts[0], texts[1], mark)
            if matcher is None:
                raise failure("LIKE pattern has an escape character before an ordinary one")
            charge(frame, len(texts[0]) * len(texts[1]))
            return matcher(texts[0]) is not negated
        except LikeTooCostlyError as exc:
            raise failure("LIKE with so long a text and pattern takes too many steps") from exc

    return like


def truth_of(value: Any, failure: Callable[[str], PartiqlEvaluationError]) -> bool | None:
    """Give a condition's outcome: True, False or unknown."""
    if value is True or value is False:
        return bool(value)
    if is_unknown(value):
        return None
    kind = kind_of(value)
    if kind is Kind.BOOL:
        return bool(value)
    raise failure(f"expected a boolean, found {kind.name.lower()}")


def make_logical(
    operator: str,
    operands: tuple[Evaluate, ...],
    failure: Callable[[str], PartiqlEvaluationError],
) -> Evaluate:
    """Make AND or OR, which stop at the first operand that decides."""
    decisive: bool = operator == "OR"

    def logical(frame: Frame) -> bool | None:
        unknown = False
        for operand in operands:
            found = operand(frame)
            is_plain = found is True or found is False
            value: bool | None = found if is_plain else truth_of(found, failure)
            if value is decisive:
                return decisive
            unknown = unknown or value is None
        return None if unknown else not decisive

    return logical


def make_not(operand: Evaluate, failure: Callable[[str], PartiqlEvaluationError]) -> Evaluate:
    """Make NOT."""

    def negation(frame: Frame) -> bool | None:
        value = truth_of(operand(frame), failure)
        return None if value is None else not value

    return negation
