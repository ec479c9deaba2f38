"""Tampering: exactly what was asked for is damaged."""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.ion import dumps, load_slice, loads
from qldb_stream.testing import (
    aggregate,
    drop_field,
    edit_field,
    flip_bit,
    iter_flips,
    locate_field,
    make_journal,
    reframe,
    resign,
)

RECORD = next(r for r in list(make_journal(1, blocks=9).iter_records()) if b"REVISION_DETAILS" in r)


@given(st.binary(min_size=1, max_size=20), st.data())
def test_a_flip_changes_one_bit_and_flips_back(data: bytes, draw: st.DataObject) -> None:
    """Two flips of one bit give the bytes again; one does not."""
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = flip_bit(data, bit)
    changed = int.from_bytes(data, "big") ^ int.from_bytes(flipped, "big")
    assert 1 == changed.bit_count()
    assert data == flip_bit(flipped, bit)


@pytest.mark.parametrize("bit", [-1, 16])
def test_a_bit_that_is_not_there_is_refused(bit: int) -> None:
    """Bits are counted within the bytes."""
    with pytest.raises(UsageError, match="no bit to flip"):
        flip_bit(b"ab", bit)


def test_flips_cover_the_bytes_asked_for() -> None:
    """Every bit of the range once, by its number."""
    assert list(range(8, 24)) == [bit for bit, _ in iter_flips(b"abcd", 1, 3)]
    assert 32 == len({flipped for _, flipped in iter_flips(b"abcd")})


def test_reframing_keeps_the_keys(vectors: Path) -> None:
    """A genuine frame, framed again with its own records, is the same bytes."""
    from qldb_stream.parsers.kpl import deaggregate

    frame = (vectors / "kpl-14/aggregated.kpl").read_bytes()
    assert frame == reframe(frame, deaggregate(frame))


def test_reframing_wants_as_many_records() -> None:
    """A frame's keys belong to its records."""
    with pytest.raises(UsageError, match="a key for each"):
        reframe(aggregate([b"a", b"b"]), [b"a"])


def test_resigning_makes_the_checksum_right_again() -> None:
    """The trailer is the MD5 of whatever stands before it."""
    frame = resign(flip_bit(aggregate([b"record"]), 100))
    assert md5(frame[4:-16], usedforsecurity=False).digest() == frame[-16:]
    assert frame[:-16] == flip_bit(aggregate([b"record"]), 100)[:-16]


def test_a_field_is_located_in_the_bytes() -> None:
    """The bounds are those of the value, its type included."""
    start, end = locate_field(RECORD, "recordType")
    assert b"\x8e\x90REVISION_DETAILS" == RECORD[start:end]
    start, end = locate_field(dumps({"a": [1, {"b": True}]}), "a.1.b")
    assert 1 == end - start


@pytest.mark.parametrize("path", ["nothing", "payload.nothing"])
def test_a_field_that_is_not_there_is_not_located(path: str) -> None:
    """A wrong path is the test's own mistake, and said so."""
    with pytest.raises(UsageError, match="no field"):
        locate_field(RECORD, path)


def test_an_edit_changes_that_field_only() -> None:
    """What is hashed elsewhere hashes as before."""
    edited = edit_field(RECORD, "payload.revision.metadata.version", 99)
    expected = loads(RECORD)
    expected["payload"]["revision"]["metadata"]["version"] = 99
    assert expected == loads(edited)
    assert hash_of(RECORD, "payload.revision.data") == hash_of(edited, "payload.revision.data")


def hash_of(record: bytes, path: str) -> bytes:
    """Give the Ion Hash of the value of a field."""
    from qldb_stream.ion import read_struct

    value = load_slice(record)
    for name in path.split("."):
        value = read_struct(value)[name]
    return value.hash()


def test_an_edit_may_add_a_field() -> None:
    """A field that was not there comes at the end."""
    assert 1 == loads(edit_field(RECORD, "payload.surprise", 1))["payload"]["surprise"]


def test_a_field_can_be_dropped() -> None:
    """The rest stays."""
    dropped = loads(drop_field(RECORD, "payload.tableInfo"))
    expected = loads(RECORD)
    del expected["payload"]["tableInfo"]
    assert expected == dropped


@pytest.mark.parametrize("path", ["nothing.x", "recordType.x"])
def test_an_edit_needs_the_way_to_its_field(path: str) -> None:
    """A struct on the way must be there."""
    with pytest.raises(UsageError, match="there is no"):
        edit_field(RECORD, path, 1)


def test_what_is_not_there_cannot_be_dropped() -> None:
    """Dropping nothing is the test's own mistake."""
    with pytest.raises(UsageError, match="no field"):
        drop_field(RECORD, "payload.nothing")
