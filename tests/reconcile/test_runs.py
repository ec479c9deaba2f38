"""Block numbers as runs."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, strategies as st

from qldb_stream.reconcile._runs import Runs, is_in
from qldb_stream.report import Gap

RUNS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=30)
GAPS = (Gap(8, 9, ""), Gap(3, 4, ""))


@given(RUNS)
def test_runs_are_the_set_of_their_numbers(added: list[tuple[int, int]]) -> None:
    """Whatever is added in whatever order, exactly that is in it, in as few runs as can be."""
    runs = Runs()
    for first, more in added:
        runs.add(first, first + more)
    numbers = {n for first, more in added for n in range(first, first + more + 1)}

    assert numbers == {n for n in range(80) if n in runs}
    assert numbers == {n for first, last in runs.pairs() for n in range(first, last + 1)}
    ends = runs.pairs()
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ends))


def test_many_runs_become_fewer_and_longer() -> None:
    """A plan is bounded; it names more numbers then, never fewer."""
    runs = Runs(most=10)
    for number in range(0, 200, 2):
        runs.add(number, number)

    assert len(runs.pairs()) <= 10
    assert all(number in runs for number in range(0, 200, 2))


def test_what_a_gap_holds() -> None:
    """A number is in a gap or in none, its ends included."""
    assert [True, False] == [is_in(number, GAPS) for number in (9, 5)]
