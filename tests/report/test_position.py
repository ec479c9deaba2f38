"""Runs of numbers, and what others leave of them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from qldb_stream.report import iter_outside

NUMBERS = st.integers(0, 30)


@given(NUMBERS, NUMBERS, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6))
def test_what_no_run_holds(first: int, last: int, runs: list[tuple[int, int]]) -> None:
    """Each number that is in none of the others is given, in rising runs that do not touch."""
    held = {n for start, end in runs for n in range(start, end + 1)}
    sound = [(start, end) for start, end in runs if start <= end]
    parts = list(iter_outside(first, last, sound))

    assert set(range(first, last + 1)) - held == {n for a, b in parts for n in range(a, b + 1)}
    assert all(a[1] + 1 < b[0] for a, b in pairwise(parts))
    assert all(start <= end for start, end in parts)
