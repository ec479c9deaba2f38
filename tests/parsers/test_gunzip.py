"""Undoing gzip in pieces: any cut of the input gives the same, and the bounds hold."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from random import Random

import pytest

from qldb_stream.errors import CarrierError
from qldb_stream.parsers.gunzip import CHUNK_BYTES, gunzip_limit, iter_gunzipped

TEXT = Random(5).randbytes(100_000)
ZEROS = bytes(3 * CHUNK_BYTES + 5)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes into chunks, with an empty one at the start."""
    yield b""
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("size", [7, 1000, CHUNK_BYTES])
def test_any_chunks_give_the_same(size: int) -> None:
    """Members, padding and long runs are found wherever the chunks end."""
    packed = gzip.compress(TEXT[:5000]) + bytes(20) + gzip.compress(ZEROS) + gzip.compress(b"")
    packed += gzip.compress(TEXT[:90]) + bytes(100)
    pieces = list(iter_gunzipped(cut(packed, size), "object", gunzip_limit(len(packed))))
    assert TEXT[:5000] + ZEROS + TEXT[:90] == b"".join(pieces)
    assert 0 < min(map(len, pieces)) <= max(map(len, pieces)) <= CHUNK_BYTES


@pytest.mark.parametrize("size", [1000, CHUNK_BYTES])
@pytest.mark.parametrize(
    ("end", "problem"), [(-1, "gzip ends in the middle"), (None, "damaged gzip")]
)
def test_damage_is_placed_where_the_output_ends(size: int, end: int | None, problem: str) -> None:
    """The offset counts what came out before."""
    packed = gzip.compress(TEXT)[:end] + (b"" if end else b"more")
    pieces: list[bytes] = []
    with pytest.raises(CarrierError, match=problem) as caught:
        pieces.extend(iter_gunzipped(cut(packed, size), "object", len(TEXT)))
    assert TEXT == b"".join(pieces)
    assert len(TEXT) == caught.value.offset
    assert "object" == caught.value.carrier


def test_the_limit_is_never_passed() -> None:
    """What comes out ends before the limit; one byte less than that is allowed."""
    packed = zlib.compress(ZEROS, wbits=31)
    assert len(ZEROS) == sum(map(len, iter_gunzipped([packed], "object", len(ZEROS))))
    with pytest.raises(CarrierError, match="a decompression bomb, refused") as caught:
        list(iter_gunzipped([packed], "object", len(ZEROS) - 1))
    assert caught.value.offset >= len(ZEROS)


def test_the_limit_grows_with_the_input() -> None:
    """Small objects may have any ratio, large ones none that a journal cannot have."""
    assert 64 * 2**20 == gunzip_limit(10)
    assert 200 * 2**20 == gunzip_limit(2**20)


def test_zeros_between_many_members_cost_their_length() -> None:
    """Padding is passed without a copy of what follows."""
    packed = (gzip.compress(b"a") + b"\0") * 20_000
    assert 20_000 == sum(map(len, iter_gunzipped([packed], "object", 20_000)))
