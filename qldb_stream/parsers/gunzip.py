"""
Undo gzip in pieces: members back to back, with zeros as padding between and after them.

Strategy: one pass over the chunks. zlib is handed small slices, because it copies what
stands behind a member once for each member; so many tiny members cost time in
proportion to their length. Whoever asks decides where the pieces go.

Bounds: no piece is longer than 256 KiB, and all together no longer than a limit.
Something that decompresses to more than 64 MiB and to more than 200 times its own
length is a bomb. A journal cannot reach that ratio: every record carries hashes, which
do not compress, while gzip's own limit is about 1,030.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from qldb_stream.errors import CarrierError

__all__ = ["CHUNK_BYTES", "GZIP_MAGIC", "gunzip_limit", "iter_gunzipped"]

GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""Identification and the only compression method (RFC 1952, section 2.3.1)."""

MAX_RATIO: Final = 200
MAX_BYTES_AT_ANY_RATIO: Final = 64 * 2**20

CHUNK_BYTES: Final = 2**18
"""The longest piece that comes out; a good length for what goes in."""

_SLICE_BYTES: Final = 2**14
_GZIP_WINDOW: Final = 31  # zlib's name for: a gzip header and trailer, the largest window
_NO_PADDING: Final = re.compile(rb"[^\0]")


def gunzip_limit(size: int) -> int:
    """Give how many bytes may come out of `size` bytes of gzip."""
    return max(MAX_BYTES_AT_ANY_RATIO, MAX_RATIO * size)


def iter_gunzipped(chunks: Iterable[bytes], name: str, limit: int) -> Iterator[bytes]:
    """
    Decompress lazily, in pieces of at most CHUNK_BYTES.

    Args:
        chunks: the compressed bytes, in order.
        name: names them in errors.
        limit: how many bytes may come out.

    Yields:
        What comes out, never empty.

    Raises:
        CarrierError: truncated, damaged, or followed by something that is not gzip; its
            offset counts decompressed bytes, all of which were yielded. Or more than
            `limit` come out; its offset is beyond `limit` then.
    """
    member: zlib._Decompress | None = None
    done = 0
    for chunk in chunks:
        pos = 0
        while pos < len(chunk):
            if member is None:
                found = _NO_PADDING.search(chunk, pos)
                if found is None:
                    break
                pos, member = found.start(), zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece, pos = _inflate(member, chunk, pos)
            except zlib.error as exc:
                raise CarrierError(name, done, f"damaged gzip: {exc}") from exc
            done += len(piece)
            if done > limit:
                problem = f"more than {limit} bytes: a decompression bomb, refused"
                raise CarrierError(name, done, problem)
            if piece:
                yield piece
            if member.eof:
                member = None
    if member is not None:
        raise CarrierError(name, done, "gzip ends in the middle")


def _inflate(member: zlib._Decompress, chunk: bytes, pos: int) -> tuple[bytes, int]:
    """Decompress some bytes at a position; give what comes out, and how far that went."""
    end = min(pos + _SLICE_BYTES, len(chunk))
    piece = member.decompress(chunk[pos:end], CHUNK_BYTES)
    rest = member.unused_data if member.eof else member.unconsumed_tail
    return piece, end - len(rest)
