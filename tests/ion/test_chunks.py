"""Binary Ion that comes in pieces."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IVM, dumps, iter_chunked, iter_slices, to_slice
from qldb_stream.testing.strategies import ion_values
from qldb_stream.testing.strategies.ion_encodings import ion_encodings


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into pieces of a size."""
    return [data[pos : pos + size] for pos in range(0, len(data), size)]


@given(st.data())
def test_pieces_are_the_same_stream(data: st.DataObject) -> None:
    """Whatever the values, their encoding and the pieces."""
    values: list[Any] = data.draw(st.lists(ion_values(), max_size=3))
    stream = IVM + b"".join(data.draw(ion_encodings(to_slice(value))) for value in values)
    size = data.draw(st.integers(1, 20))
    assert list(iter_slices(stream)) == list(iter_chunked(cut(stream, size)))


def test_tables_are_carried_on() -> None:
    """A table that adds to the one before knows its symbols, in whatever piece it stands."""
    first = dumps({"alpha": 1})
    adding = b"\xea\x81\x83\xd7\x86\x71\x03\x87\xb2\x81b"  # imports the current table, adds "b"
    stream = first + adding + b"\xd2\x8b\x10"
    assert [{"alpha": 1}, {"b": False}] == [one.decode() for one in iter_slices(stream)]
    for size in (1, 4, 100):
        assert [{"alpha": 1}, {"b": False}] == [
            one.decode() for one in iter_chunked(cut(stream, size))
        ]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize(
    ("problem", "rest"),
    [
        ("a value is cut off", b"\x8e"),
        ("a value is cut off", b"\x8e\x85abc"),
        ("a value is cut off", b"\xe0\x01"),
        ("byte", b"\xff"),
        ("byte", b"\xe0\x01\x00\xeb"),
        ("longer than", b"\x8e\x7f\x7f\x7f\x7f\x7f\xff"),
        ("longer than", b"\x8e" + b"\x7f" * 20),
    ],
)
def test_damage_is_located(size: int, problem: str, rest: bytes) -> None:
    """What came before is given out; the offset counts from the stream's start."""
    sound = dumps({"a": 1})
    found = iter_chunked(cut(sound + rest, size))
    assert {"a": 1} == next(found).decode()
    with pytest.raises(IonDecodeError, match=problem) as info:
        next(found)
    assert len(sound) <= info.value.offset <= len(sound) + len(rest)


@pytest.mark.parametrize("data", [b"", b"\xe0\x01", b"text", b"\xe0\x01\x00\xeb"])
def test_no_marker(data: bytes) -> None:
    """A stream begins with a version marker."""
    with pytest.raises(IonDecodeError, match="version marker"):
        list(iter_chunked(cut(data, 1)))
