"""
Undo gzip in pieces: members back to back, with zeros as padding between and after them.

Strategy: one pass over the compressed bytes. zlib is handed small slices, because it
copies what stands behind a member once for each member; so many tiny members cost time
in proportion to their length. Whoever asks decides where the pieces go.

Damage costs no more than it must. What a slice gives before the byte at which zlib stops
is inflated in ever smaller steps from a copy of the state before it. A member whose
checksum alone does not fit has given all of its contents. After any other damage the
next member is searched for, from the damaged one's own start on, since a member that lost
its end is inflated beyond it. Each damage is named in its place.

Bounds: no piece is longer than 256 KiB, and all together no longer than a limit.
Something that decompresses to more than 64 MiB and to more than 200 times its own
length is a bomb. A journal cannot reach that ratio: every record carries hashes, which
do not compress, while gzip's own limit is about 1,030. What is inflated again or in vain
after damage is no more than some times the compressed length.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator
from typing import Final

import attrs

from qldb_stream.errors import CarrierError
from qldb_stream.parsers.window import Window
from qldb_stream.typing import Readable

__all__ = ["CHUNK_BYTES", "GZIP_MAGIC", "GzipDamage", "gunzip_limit", "is_gzip", "iter_gunzipped"]

GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""Identification and the only compression method (RFC 1952, section 2.3.1)."""

# RFC 1952, section 2.3: flags below the reserved bits, the two hints, and the systems.
_HEADER_BYTES: Final = 10
_FLAGS: Final = 0x20
_HINTS: Final = (0, 2, 4)
_SYSTEMS: Final = (*range(14), 255)

MAX_RATIO: Final = 200
MAX_BYTES_AT_ANY_RATIO: Final = 64 * 2**20

CHUNK_BYTES: Final = 2**18
"""The longest piece that comes out."""

_SLICE_BYTES: Final = 2**14
_GZIP_WINDOW: Final = 31  # zlib's name for: a gzip header and trailer, the largest window
_NO_PADDING: Final = re.compile(rb"[^\0]")

# Up to damage: ever smaller steps; the longest gives less than CHUNK_BYTES.
_STEPS: Final = (128, 8, 1)

# What zlib says of a trailer (RFC 1952, section 2.3.1: CRC32, ISIZE), and how many bytes behind
# the one at which it says so the member ends.
_CHECKSUMS: Final = {"incorrect data check": 5, "incorrect length check": 1}

# After damage: what may be inflated again or in vain. Real damage never comes near it.
_FREE_WORK_BYTES: Final = 64 * 2**20
_WORK_PER_BYTE: Final = 8
_PROOF_BYTES: Final = 2**12  # enough contents to take a start for one
_MAX_TOLD: Final = 1_000  # damaged places; the rest are counted


@attrs.frozen
class GzipDamage:
    """
    What is wrong at one place, and what became of it.

    `offset` counts the decompressed bytes before it. `is_seam` says that what comes out
    after it does not go on where the bytes before it end.
    """

    offset: int
    problem: str
    is_seam: bool


def is_gzip(head: bytes) -> bool:
    """
    Tell whether a file is gzip, by how it begins; also when one of its first bytes is damaged.

    Of the magic's three bytes two are enough, where flags, hint and system are such as
    compressors write them (RFC 1952, section 2.3): no carrier of records begins so. What comes
    out of the first member is lost then, and the others are found.

    Args:
        head: the first 10 bytes or more, as far as there are any.
    """
    if head.startswith(GZIP_MAGIC):
        return True
    if len(head) < _HEADER_BYTES:
        return False
    right = sum(ours == theirs for ours, theirs in zip(GZIP_MAGIC, head, strict=False))
    flags, hint, system = head[3], head[8], head[9]
    return right == len(GZIP_MAGIC) - 1 and flags < _FLAGS and hint in _HINTS and system in _SYSTEMS


def gunzip_limit(size: int) -> int:
    """Give how many bytes may come out of `size` bytes of gzip."""
    return max(MAX_BYTES_AT_ANY_RATIO, MAX_RATIO * size)


def iter_gunzipped(readable: Readable, limit: int) -> Iterator[bytes | GzipDamage]:
    """
    Decompress lazily, in pieces of at most CHUNK_BYTES.

    Args:
        readable: the compressed bytes.
        limit: how many bytes may come out.

    Yields:
        What comes out, never empty; and in its place each damage: a checksum that does
        not fit, a member that is truncated or damaged, something that is not gzip.

    Raises:
        CarrierError: more than `limit` come out; its offset is beyond `limit`.
    """
    return _Walk(readable, limit).run()


class _Walk:
    """One pass: where it is in the compressed bytes, and what may still be spent."""

    def __init__(self, readable: Readable, limit: int) -> None:
        self._window = Window(readable)
        self._name = readable.name
        self._limit = limit
        self._done = 0
        self._work_left = _FREE_WORK_BYTES + _WORK_PER_BYTE * readable.size

    def run(self) -> Iterator[bytes | GzipDamage]:
        """Go from member to member."""
        told = more = 0
        last = ""
        start = self._skip_padding(0)
        while start is not None:
            end, problem = yield from self._member(start)
            if problem is None:
                start = self._skip_padding(end)
                continue
            start, damage = self._pass_damage(start, end, problem)
            if told < _MAX_TOLD:
                told += 1
                yield damage
            else:
                more += 1
                last = damage.problem
        if more:
            text = f"{more} more damaged places before compressed byte {end}, the last: {last}"
            yield GzipDamage(self._done, text, is_seam=False)

    def _member(self, start: int) -> Generator[bytes, None, tuple[int, str | None]]:
        """Inflate a member; give where it ends, or where and how it is damaged."""
        member = zlib.decompressobj(_GZIP_WINDOW)
        pos = start
        while not member.eof:
            data = self._slice(pos)
            if not data:
                return pos, "gzip ends in the middle"
            before = member.copy()
            try:
                piece = member.decompress(data, CHUNK_BYTES)
            except zlib.error as exc:
                used = yield from self._inflate_up_to_damage(before, data)
                return pos + used, str(exc).rpartition(": ")[2]
            pos += len(data) - len(_rest(member))
            if piece:
                yield self._count(piece)
        return pos, None

    def _inflate_up_to_damage(
        self, member: zlib._Decompress, data: bytes
    ) -> Generator[bytes, None, int]:
        """Inflate what can be; give the place of the byte at which zlib stops."""
        pos = 0
        for step in _STEPS:
            while pos < len(data):
                before = member.copy()
                try:
                    piece = member.decompress(data[pos : pos + step])
                except zlib.error:
                    member = before
                    break
                pos += step
                if piece:
                    yield self._count(piece)
        return pos

    def _pass_damage(self, start: int, end: int, problem: str) -> tuple[int | None, GzipDamage]:
        """Find where to go on after a member from `start` that is damaged at `end`."""
        if problem in _CHECKSUMS:
            after = end + _CHECKSUMS[problem]
            following = self._skip_padding(after)
            if following is None or self._slice(following).startswith(GZIP_MAGIC):
                text = (
                    f"the checksum of the gzip member at compressed byte {start} does not fit "
                    f"({problem}): its contents are read, but only their own hashes prove them"
                )
                return following, GzipDamage(self._done, text, is_seam=False)
        found, rest = self._search(start + 1)
        if found is not None:
            self._work_left -= max(0, end - found)
            rest = f"reading goes on with the member at compressed byte {found}"
        text = f"damaged gzip: {problem}, at compressed byte {end}; {rest}"
        return found, GzipDamage(self._done, text, is_seam=True)

    def _search(self, pos: int) -> tuple[int | None, str]:
        """Search for the next member that can be read; say why there is none."""
        while self._work_left > 0:
            index = self._window.seek(pos, _SLICE_BYTES)
            data = self._window.data
            found = data.find(GZIP_MAGIC, index)
            if found >= 0:
                pos = self._window.base + found
                if self._is_start(pos):
                    return pos, ""
                pos += 1
            elif self._window.at_end:
                return None, "no gzip member is found after it"
            else:
                pos = self._window.base + len(data) - (len(GZIP_MAGIC) - 1)
        return None, "too much behind it looks like gzip and is none: the rest is given up"

    def _is_start(self, pos: int) -> bool:
        """Say whether a member that starts at a place can be inflated for a while."""
        data = self._slice(pos)
        self._work_left -= len(data)
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            piece = member.decompress(data, _PROOF_BYTES)
        except zlib.error:
            return False
        return bool(piece) or member.eof

    def _skip_padding(self, pos: int) -> int | None:
        """Find what comes after zeros; None at the end."""
        while True:
            index = self._window.seek(pos, _SLICE_BYTES)
            found = _NO_PADDING.search(self._window.data, index)
            if found is not None:
                return self._window.base + found.start()
            if self._window.at_end:
                return None
            pos = self._window.base + len(self._window.data)

    def _slice(self, pos: int) -> bytes:
        index = self._window.seek(pos, _SLICE_BYTES)
        return self._window.data[index : index + _SLICE_BYTES]

    def _count(self, piece: bytes) -> bytes:
        self._done += len(piece)
        if self._done > self._limit:
            problem = f"more than {self._limit} bytes: a decompression bomb, refused"
            raise CarrierError(self._name, self._done, problem)
        return piece


def _rest(member: zlib._Decompress) -> bytes:
    """Give what a member has left of the bytes that it was handed."""
    return member.unused_data if member.eof else member.unconsumed_tail
