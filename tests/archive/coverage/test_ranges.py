"""Ranges of rising numbers stay few, and their count stays exact."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from qldb_stream.archive.coverage._ranges import RangeList

RISING = st.lists(st.integers(1, 40), min_size=1, max_size=200).map(
    lambda steps: [sum(steps[: n + 1]) for n in range(len(steps))]
)


@given(RISING)
def test_few_ranges_are_exact(numbers: list[int]) -> None:
    """Below the limit ranges hold exactly the numbers that came, and never touch."""
    found = RangeList(1000)
    for number in numbers:
        found.add(number)

    assert found.is_exact
    assert numbers == [n for first, last in found.ranges for n in range(first, last + 1)]
    assert all(a[1] + 1 < b[0] for a, b in pairwise(found.ranges))
    assert numbers == [n for n in range(numbers[-1] + 2) if n in found]


@given(RISING, st.integers(1, 12))
def test_many_ranges_are_widened_and_never_narrowed(numbers: list[int], limit: int) -> None:
    """Beyond the limit holes are filled: no number is lost, and the count is that of all."""
    found = RangeList(limit)
    for number in numbers:
        found.add(number)
    held = {n for first, last in found.ranges for n in range(first, last + 1)}

    assert len(numbers) == found.count
    assert len(found.ranges) <= limit
    assert held >= set(numbers)
    assert found.is_exact == (held == set(numbers))
    assert (numbers[0], numbers[-1]) == (found.ranges[0][0], found.ranges[-1][1])


def test_a_range_counts_all_its_numbers() -> None:
    """A range that is added whole is as many numbers as it has."""
    found = RangeList(10)
    found.add(3, 7)
    found.add(8)
    found.add(10, 11)

    assert (((3, 8), (10, 11)), 8) == (found.ranges, found.count)
