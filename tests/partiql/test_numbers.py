"""Ints of any size beside decimals: exact, without quadratic time."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from qldb_stream.partiql import Context, index_key
from qldb_stream.partiql._arithmetic import compute
from qldb_stream.partiql._compare import make_equal, make_ordered
from qldb_stream.partiql._context import Evaluate, Frame, make_frame
from qldb_stream.partiql._numbers import to_decimal
from tests.partiql.tables import Tables

HUGE = (1 << 1_000_000) - 1  # its Decimal() takes two seconds, with the lock held


def frame() -> Frame:
    """A frame without variables."""
    return make_frame(Context(Tables({})), 3)


def always(value: object) -> Evaluate:
    """Make an expression that gives a value."""
    return lambda _: value


@given(st.integers(0, 40_000), st.integers(), st.booleans())
def test_every_int_is_converted_exactly(shift: int, low: int, negative: bool) -> None:  # noqa: FBT001 - drawn
    """The decimal of an int is the one that Python makes of it."""
    number = ((1 << shift) + low) * (-1 if negative else 1)
    assert Decimal(number) == to_decimal(number)
    assert Decimal(number).as_tuple() == to_decimal(number).as_tuple()


def test_huge_ints_meet_decimals() -> None:
    """They are compared exactly, equal ones included."""
    same = to_decimal(HUGE)
    equal = make_equal(lambda _: HUGE, lambda _: same, negated=False)
    next_one = to_decimal(HUGE + 1)
    assert equal(frame()) is True
    for far in (Decimal("1.5"), Decimal("1e400000"), next_one, 1e308, "x", [HUGE]):
        assert make_equal(always(HUGE), always(far), negated=False)(frame()) is False
        assert make_equal(always(far), always(HUGE), negated=True)(frame()) is True
    assert make_ordered("<", lambda _: HUGE, lambda _: next_one)(frame()) is True
    assert make_ordered("<", lambda _: HUGE, lambda _: same)(frame()) is False
    assert index_key(HUGE) == index_key(same)
    assert index_key(HUGE) != index_key(to_decimal(HUGE - 1))
    assert make_ordered(">", lambda _: -HUGE, lambda _: Decimal("1.5"))(frame()) is False
    assert make_ordered(">", lambda _: HUGE, lambda _: Decimal("1.5"))(frame()) is True


def test_huge_ints_are_no_operands() -> None:
    """Dividing one would take seconds; an int that arithmetic makes can be divided."""
    for name in ("remainder", "divide", "multiply"):
        with pytest.raises(ValueError, match="number out of range"):
            compute(name, HUGE, 3, ValueError)  # type: ignore[arg-type]  # any error does
    assert 1 == compute("remainder", (1 << 65_000) + 1, 2, ValueError)  # type: ignore[arg-type]  # as above
