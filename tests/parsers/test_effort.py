"""The account of what is looked at in vain."""

from __future__ import annotations

import pytest

from qldb_stream.errors import CarrierError
from qldb_stream.parsers.effort import Effort


def test_an_attempt_may_cost_half_of_what_is_left() -> None:
    """What costs more is refused where it stands, and costs nothing."""
    effort = Effort(0)
    first = effort.left
    effort.pay(first // 2, 5)
    assert (first - first // 2, first // 2) == (effort.left, effort.spent)
    with pytest.raises(CarrierError) as caught:
        effort.pay(first // 2, 7)
    expected = "too much before this place was looked at in vain"
    assert CarrierError("carrier", 7, expected) == caught.value
    assert first // 2 == effort.spent


def test_bytes_that_are_passed_earn() -> None:
    """After a cost that was known too late an account comes back above zero."""
    effort = Effort(0)
    effort.spend(2 * effort.left)
    assert effort.left < 0
    assert 0 == effort.may_spend()
    with pytest.raises(CarrierError):
        effort.need(0, 0)
    effort.earn(-effort.left)
    assert effort.left > 0
    effort.need(1, 0)


def test_what_there_is_first_grows_with_the_carrier_up_to_an_item() -> None:
    """An item of any size can be read badly once, in a carrier that is no longer than it."""
    assert Effort(1000).left - Effort(0).left == 128 * 1000
    assert Effort(1 << 24).left == Effort(1 << 40).left
