"""Literals between back-ticks: the short way gives what amazon.ion's reader gives."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import iter_text
from qldb_stream.partiql._ion_literals import read_ion_literal

times = st.from_regex(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T([0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,7})?)?(Z|[+-]00:00))?)?",
    fullmatch=True,
)
likely = st.builds(
    "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}.{}Z".format,
    st.integers(1, 9999),
    st.integers(1, 12),
    st.integers(1, 31),
    *[st.integers(0, 59)] * 3,
    st.integers(0, 999_999),
)


@given(times | likely)
def test_a_plain_time_is_what_it_says(text: str) -> None:
    """Whatever the digits, both ways give one value, or both refuse the text."""
    try:
        expected = list(iter_text(text))
    except IonDecodeError:
        with pytest.raises(IonDecodeError):
            read_ion_literal(text)
        return
    assert expected == read_ion_literal(text)


@pytest.mark.parametrize(
    "text",
    [
        "2021-01-01",
        "2021-01-01T",
        "2021-01-01T02:03Z",
        "2021-01-01T02:03:04Z",
        "2021-01-01T02:03:04.0Z",
        "2021-01-01T02:03:04.050Z",
        "2021-01-01T02:03:04.123456Z",
        "2021-01-01T02:03:04.1234567Z",
        "2021T",
        "2021-01T",
        "2021-01-01T02:03:04+01:00",
        "a::2021-01-01T",
        " 2021-01-01T ",
        "1 2",
        "",
    ],
)
def test_every_shape(text: str) -> None:
    """Shapes of the short way and others alike."""
    assert list(iter_text(text)) == read_ion_literal(text)
