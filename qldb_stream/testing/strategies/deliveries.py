"""Draw deliveries of a journal: its records late, twice, aggregated, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

from qldb_stream.testing.deliveries import cut, make_delivery

__all__ = ["batches", "deliveries"]

T = TypeVar("T")


@st.composite
def deliveries(draw: st.DrawFn, records: Sequence[bytes]) -> list[bytes]:
    """
    Draw deliveries in which every record comes at least once.

    Args:
        draw: given by Hypothesis.
        records: of a journal.

    Returns:
        What the data of each Kinesis record would be, in the order of arrival.
    """
    return list(
        make_delivery(
            records,
            seed=draw(st.integers(0, 2**32)),
            window=draw(st.sampled_from([1, 3, 20, 10_000])),
            repeats=draw(st.sampled_from([0.0, 0.1, 0.7])),
            most_in_frame=draw(st.sampled_from([None, 1, 3, 50])),
        )
    )


@st.composite
def batches(draw: st.DrawFn, items: Sequence[T]) -> list[list[T]]:
    """Draw ways to cut items into batches, without changing their order."""
    seed, most = draw(st.integers(0, 2**32)), draw(st.sampled_from([1, 2, 10]))
    return list(cut(items, seed, most=most))
