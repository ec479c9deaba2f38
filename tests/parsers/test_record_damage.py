"""The record envelope: bytes that are no record at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import DecodeError, IonDecodeError
from qldb_stream.parsers.record import parse_record
from qldb_stream.testing import (
    flip_bit,
)
from tests.parsers.records import CONTROL, DETAILS, REDACTING, SUMMARY


@pytest.mark.parametrize("record", [SUMMARY, DETAILS])
def test_a_record_cut_anywhere_is_refused(record: bytes) -> None:
    """No beginning of a record passes for a record."""
    for end in range(len(record)):
        with pytest.raises(DecodeError):
            parse_record(record[:end])


@pytest.mark.parametrize("record", [SUMMARY, DETAILS])
def test_a_second_value_is_refused(record: bytes) -> None:
    """A record is exactly one value."""
    for more in (record, b"\x0f", b"\x21\x01"):
        with pytest.raises(IonDecodeError):
            parse_record(record + more)


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    """Law 4: whatever is fed, it is an event or a DecodeError."""
    for start in (b"", b"\xe0\x01\x00\xea", b"{", b"$ion_1_0 {"):
        with suppress(DecodeError):
            parse_record(start + data)


@given(st.data())
def test_flipped_records_raise_nothing_else(data: st.DataObject) -> None:
    """Law 4 close to sound records: several bits flipped at once."""
    record = data.draw(st.sampled_from([CONTROL, SUMMARY, DETAILS, REDACTING]))
    for bit in data.draw(st.lists(st.integers(0, 8 * len(record) - 1), max_size=8)):
        record = flip_bit(record, bit)
    with suppress(DecodeError):
        parse_record(record)


@pytest.mark.parametrize(
    "text",
    [b"", b"hello", b"{} {}", b"{", b"/* only a comment */", b"\xff\xfe", b"{a:1} trailing"],
)
def test_text_that_is_no_record_is_refused(text: bytes) -> None:
    """Text with no value, or several, or none of Ion, is not sound Ion."""
    with pytest.raises(IonDecodeError):
        parse_record(text)


def test_broken_bytes_in_fixed_parts_are_ion_errors() -> None:
    """What breaks Ion itself is an IonDecodeError, not one of shape."""
    place = DETAILS.index(b"REVISION_DETAILS")
    with pytest.raises(IonDecodeError):
        parse_record(DETAILS[:place] + b"\xff" + DETAILS[place + 1 :])
    number = DETAILS.rindex(b"\x8e\x96")  # the last id of metadata
    with pytest.raises(IonDecodeError):
        parse_record(DETAILS[: number + 2] + b"\xff" + DETAILS[number + 3 :])


def bad_times() -> Iterator[bytes]:
    """Make timestamps that name no moment: month 13, day 0, second 60 and so on."""
    start = SUMMARY.index(b"\x6b\x80")
    for offset, value in ((4, 0x8D), (5, 0x80), (6, 0x98), (7, 0xBC), (8, 0xBC), (10, 0x7F)):
        yield SUMMARY[: start + offset] + bytes([value]) + SUMMARY[start + offset + 1 :]


def test_a_time_that_does_not_exist_is_an_ion_error() -> None:
    """Dates and fractions out of range are refused by Ion's reader."""
    for record in bad_times():
        with pytest.raises(IonDecodeError):
            parse_record(record)
