"""Undoing gzip in pieces: the bounds hold, and damage costs no more than it hits."""

from __future__ import annotations

import gzip
import zlib
from random import Random

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import CarrierError
from qldb_stream.parsers.gunzip import (
    CHUNK_BYTES,
    GZIP_MAGIC,
    GzipDamage,
    gunzip_limit,
    is_gzip,
    iter_gunzipped,
)
from qldb_stream.parsers.window import BytesReadable

TEXT = Random(5).randbytes(100_000)
ZEROS = bytes(3 * CHUNK_BYTES + 5)
LINES = b"".join(b"%d %s\n" % (n, Random(n).randbytes(8).hex().encode()) for n in range(900))
PARTS = [LINES[:2000], LINES[2000:5000], LINES[5000:9000]]
MEMBERS = [gzip.compress(part, mtime=0) for part in PARTS]
HEADER = GZIP_MAGIC + bytes(7)


def unpack(packed: bytes, limit: int | None = None) -> tuple[list[bytes], list[GzipDamage]]:
    """Decompress, and tell contents from damage."""
    found = list(
        iter_gunzipped(BytesReadable(packed, "object"), limit or gunzip_limit(len(packed)))
    )
    pieces = [piece for piece in found if isinstance(piece, bytes)]
    return pieces, [damage for damage in found if isinstance(damage, GzipDamage)]


def flipped(data: bytes, bit: int) -> bytes:
    """Flip one bit; a negative one counts from the end."""
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


@pytest.mark.parametrize("zeros", [0, 7, 1000, 2**14 - 5, 2**20 - 3, 2**20 + 3])
def test_any_place_gives_the_same(zeros: int) -> None:
    """Members, padding and long runs are found wherever the slices and windows end."""
    packed = bytes(zeros) + gzip.compress(TEXT[:5000]) + bytes(20) + gzip.compress(ZEROS)
    packed += gzip.compress(b"") + gzip.compress(TEXT[:90]) + bytes(100)
    pieces, damages = unpack(packed)
    assert TEXT[:5000] + ZEROS + TEXT[:90] == b"".join(pieces)
    assert [] == damages
    assert 0 < min(map(len, pieces)) <= max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.parametrize(
    ("end", "problem"), [(-1, "gzip ends in the middle"), (None, "incorrect header check")]
)
def test_damage_is_placed_where_the_output_ends(end: int | None, problem: str) -> None:
    """The offset counts what came out before."""
    pieces, (damage,) = unpack(gzip.compress(TEXT)[:end] + (b"" if end else b"more"))
    assert TEXT == b"".join(pieces)
    assert (len(TEXT), True) == (damage.offset, damage.is_seam)
    assert problem in damage.problem


@pytest.mark.parametrize("bit", [-1, -32, -33, -64])
def test_a_wrong_checksum_costs_nothing(bit: int) -> None:
    """A member whose length or CRC alone does not fit gives all, and so do those around it."""
    pieces, (damage,) = unpack(MEMBERS[0] + flipped(MEMBERS[1], bit) + bytes(9) + MEMBERS[2])
    assert b"".join(PARTS) == b"".join(pieces)
    assert (len(PARTS[0] + PARTS[1]), False) == (damage.offset, damage.is_seam)
    assert f"member at compressed byte {len(MEMBERS[0])} does not fit" in damage.problem


@pytest.mark.parametrize("at", [20_000, 60_000, 99_999])
def test_what_comes_before_the_damaged_byte_is_kept(at: int) -> None:
    """Up to the very byte at which the stream makes no sense any more, all comes out."""
    packer = zlib.compressobj(wbits=31)
    begun = packer.compress(TEXT[:at]) + packer.flush(zlib.Z_FULL_FLUSH)
    pieces, (damage,) = unpack(begun + b"\xff" * 50)
    assert TEXT[:at] == b"".join(pieces)
    assert (at, True) == (damage.offset, damage.is_seam)
    assert f"invalid block type, at compressed byte {len(begun)}; no gzip" in damage.problem


@given(st.integers(0, 8 * len(b"".join(MEMBERS)) - 1))
def test_one_flipped_bit_costs_no_other_member(bit: int) -> None:
    """Whatever is hit, the other members come out whole, and nothing changes in silence."""
    pieces, damages = unpack(flipped(b"".join(MEMBERS), bit))
    ends = [8 * len(b"".join(MEMBERS[: n + 1])) for n in range(3)]
    hit = next(n for n, end in enumerate(ends) if bit < end)
    data = b"".join(pieces)
    assert all(part in data for n, part in enumerate(PARTS) if n != hit)
    assert damages or data == b"".join(PARTS)


@pytest.mark.parametrize("cut", [15, 300, -9, -4])
def test_a_member_that_lost_its_end_hides_no_other(cut: int) -> None:
    """The next member is found although the truncated one is inflated into it."""
    pieces, damages = unpack(MEMBERS[0] + MEMBERS[1][:cut] + MEMBERS[2])
    data = b"".join(pieces)
    assert data.startswith(PARTS[0])
    assert data.endswith(PARTS[2])
    assert 1 == len(damages)
    assert f"goes on with the member at compressed byte {len(MEMBERS[0] + MEMBERS[1][:cut])}" in (
        damages[0].problem
    )


@pytest.mark.parametrize("size", [9, 2**20 - len(MEMBERS[0]) - 1, 2**21])
def test_a_member_is_found_behind_what_is_none(size: int) -> None:
    """However much of something else comes between, and wherever a window ends."""
    junk = b"\x1f" * size
    pieces, (damage,) = unpack(MEMBERS[0] + junk + MEMBERS[1])
    assert PARTS[0] + PARTS[1] == b"".join(pieces)
    assert (len(PARTS[0]), True) == (damage.offset, damage.is_seam)


def test_the_limit_is_never_passed() -> None:
    """What comes out ends before the limit; one byte less than that is allowed."""
    packed = zlib.compress(ZEROS, wbits=31)
    assert len(ZEROS) == sum(map(len, unpack(packed, len(ZEROS))[0]))
    with pytest.raises(CarrierError, match="a decompression bomb, refused") as caught:
        unpack(packed, len(ZEROS) - 1)
    assert caught.value.offset >= len(ZEROS)


def test_the_limit_grows_with_the_input() -> None:
    """Small objects may have any ratio, large ones none that a journal cannot have."""
    assert 64 * 2**20 == gunzip_limit(10)
    assert 200 * 2**20 == gunzip_limit(2**20)


def test_zeros_between_many_members_cost_their_length() -> None:
    """Padding is passed without a copy of what follows."""
    packed = (gzip.compress(b"a") + b"\0") * 20_000
    assert 20_000 == sum(map(len, unpack(packed)[0]))


def test_many_damaged_places_are_counted() -> None:
    """Beyond a thousand they are not told one by one; all that can be read is read."""
    pieces, damages = unpack(flipped(gzip.compress(b"a"), -1) * 1_500)
    assert 1_500 == sum(map(len, pieces))
    assert 1_001 == len(damages)
    assert damages[-1].problem.startswith("500 more damaged places before compressed byte ")


@pytest.mark.parametrize(
    "hostile",
    [
        (HEADER + b"\xff") * 200_000,
        (HEADER + b"\0\x60\xea\x9f\x15") * 200_000,
    ],
    ids=["false starts", "members within members"],
)
def test_what_only_looks_like_gzip_is_given_up(hostile: bytes) -> None:
    """What is searched and inflated again after damage is bounded; what came before stays."""
    pieces, damages = unpack(MEMBERS[0] + hostile)
    assert b"".join(pieces).startswith(PARTS[0])
    assert sum(map(len, pieces)) < 100 * len(hostile)
    assert "the rest is given up" in damages[-1].problem


@pytest.mark.parametrize("bit", range(24))
def test_a_damaged_magic_costs_its_member_alone(bit: int) -> None:
    """Gzip whose very first bytes are hit is gzip all the same: later members are read."""
    damaged = flipped(MEMBERS[0], bit) + MEMBERS[1]
    assert is_gzip(damaged[:10])
    contents, damages = unpack(damaged)
    assert PARTS[1] == b"".join(contents)
    assert 1 == len(damages)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x1f\x8b",
        b"\x1f\x8c\x08\x00",
        b"\xe0\x01\x00\xea" + bytes(8),
        b"\xf3\x89\x9a\xc2" + bytes(8),
        b'{"a":1,"b":2}',
        b"\x00\x8b\x00" + bytes(9),
        b"\x1f\x8c\x08\xff" + bytes(8),
        b"\x1f\x8c\x08\x00" + bytes(4) + b"\x07\x03",
        b"\x1f\x8c\x08\x00" + bytes(4) + b"\x02\x63",
    ],
)
def test_what_is_no_gzip(head: bytes) -> None:
    """What carriers begin with, and what only shares some bytes with gzip, is not taken for it."""
    assert not is_gzip(head)
