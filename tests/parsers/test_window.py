"""A bounded view of a long carrier."""

from __future__ import annotations

from hypothesis import given, strategies as st

from qldb_stream.parsers.window import BytesReadable, Window
from qldb_stream.typing import Readable

DATA = bytes(range(256)) * 20_000


def test_bytes_are_readable() -> None:
    """Bytes in memory are a carrier with a name and a size."""
    readable = BytesReadable(b"abcdef", "six")
    assert isinstance(readable, Readable)
    assert ("six", 6) == (readable.name, readable.size)
    assert [b"cd", b"f", b""] == [readable.read_at(at, 2) for at in (2, 5, 9)]


@given(st.lists(st.tuples(st.integers(0, len(DATA)), st.integers(0, 3_000_000)), max_size=20))
def test_what_is_asked_for_is_held(asked: list[tuple[int, int]]) -> None:
    """At least so many bytes stand at the index that is answered, or all there are."""
    window = Window(BytesReadable(DATA, "data"))
    for pos, least in asked:
        index = window.seek(pos, least)
        held = window.data[index : index + least]
        assert DATA[pos : pos + least] == held
        assert (window.base + len(window.data) == len(DATA)) == window.at_end
