"""Streams: version markers, padding, records one after the other, one value or many."""

from __future__ import annotations

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IVM, dumps, ion_hash, iter_slices, load_slice, loads, read_value


def test_read_value_walks_records() -> None:
    """Records with nothing between them are read one by one, each with its own symbols."""
    values = [{"a": 1}, {"b": [2]}, "three"]
    data = b"".join([dumps(value) for value in values])
    pos, found = 0, []
    while pos < len(data):
        value, pos = read_value(data, pos)
        found.append(value.decode())
    assert values == found
    assert len(data) == pos


def test_read_value_stops_after_the_value() -> None:
    """What follows the value is not looked at."""
    value, pos = read_value(dumps([1]) + b"\n", 0)
    assert [1] == value.decode()
    assert 7 == pos


def test_padding_before_a_value_is_skipped() -> None:
    """NOP pads of every length may stand before the value."""
    data = IVM + bytes.fromhex("00 01 ff 0e 83 01 02 03") + b"\x11"
    assert loads(data) is True
    assert True is read_value(data + b"\x00", 0)[0].decode()


def test_padding_after_a_value_is_skipped() -> None:
    """NOP pads may stand after the only value."""
    assert loads(IVM + b"\x11\x00\x01\xff") is True


def test_iter_slices_starts_anywhere() -> None:
    """A stream may start within a buffer; offsets count from the buffer's start."""
    data = b"junk" + dumps({"a": 1})
    (value,) = iter_slices(data, 4)
    assert {"a": 1} == value.decode()
    with pytest.raises(IonDecodeError) as caught:
        list(iter_slices(data + b"\x21", 4))
    assert len(data) == caught.value.offset


def test_iter_slices_is_lazy() -> None:
    """Values before a broken one are yielded."""
    values = iter_slices(IVM + b"\x11\x10\xf0")
    assert [True, False] == [next(values).decode() for _ in range(2)]
    with pytest.raises(IonDecodeError, match="0xf0"):
        next(values)


NO_MARKER = [b"", b"\xe0", b"\xe0\x01\x00", b"\x11", b"{a:1}", b"\xe0\x01\x01\xea\x11"]


@pytest.mark.parametrize("data", NO_MARKER)
def test_a_stream_without_marker_is_refused(data: bytes) -> None:
    """Binary Ion begins with the version marker of Ion 1.0."""
    expected = IonDecodeError(0, "no Ion 1.0 version marker")
    for use in (
        loads,
        load_slice,
        ion_hash,
        lambda d: read_value(d, 0),
        lambda d: [*iter_slices(d)],
    ):
        with pytest.raises(IonDecodeError) as caught:
            use(data)
        assert expected == caught.value


@pytest.mark.parametrize("rest", [b"", b"\x00", b"\x0e\x80", IVM, IVM + b"\x00"])
def test_a_record_without_a_value_is_refused(rest: bytes) -> None:
    """A marker and padding alone are no record; as a stream they hold nothing."""
    with pytest.raises(IonDecodeError, match="no value"):
        loads(IVM + rest)
    assert [] == list(iter_slices(IVM + rest))


def test_a_marker_of_another_version_is_refused() -> None:
    """Inside a stream, too, only Ion 1.0 is known."""
    for marker in (b"\xe0\x01\x01\xea", b"\xe0\x02\x00\xea", b"\xe0\x01\x00"):
        with pytest.raises(IonDecodeError, match="version marker"):
            list(iter_slices(IVM + b"\x11" + marker))


def test_a_second_value_is_refused() -> None:
    """One value means one value, with its offset."""
    for use in (loads, load_slice, ion_hash):
        with pytest.raises(IonDecodeError) as caught:
            use(IVM + b"\x11\x00\x10")
        assert IonDecodeError(6, "a second value stands where one is expected") == caught.value


def test_each_byte_may_be_missing_or_one_more_may_follow() -> None:
    """A record cut anywhere is refused, and so is one with another value after it."""
    record = dumps({"name": "some text", "other": [1, 2.5, {"x": b"y"}]})
    assert load_slice(record) == read_value(record + b"\x0f", 0)[0]
    for end in range(len(record)):
        with pytest.raises(IonDecodeError):
            loads(record[:end])
    with pytest.raises(IonDecodeError):
        loads(record + b"\x0f")


def test_ion_hash_takes_bytes_as_a_stream() -> None:
    """Bytes are a stream; a blob to be hashed is given as a value inside one."""
    assert ion_hash(["x"]) == ion_hash(dumps(["x"]))
    assert ion_hash(dumps(b"x")) == load_slice(dumps(b"x")).hash()
    with pytest.raises(IonDecodeError):
        ion_hash(b"x")
