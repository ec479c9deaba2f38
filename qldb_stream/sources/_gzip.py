"""
Undo gzip once, into a temporary file, so that everything behind it can be read twice.

One temporary file holds all that was decompressed, one after the other; it has no name
and goes away with the process, however that ends. Damage costs only what comes after
it: what was decompressed before stays, and the rest is reported.

Bounds: a file that decompresses to more than 64 MiB and to more than 200 times its
own length is a bomb and refused. A journal cannot reach that ratio: every record
carries hashes, which do not compress, while gzip's own limit is about 1,030.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Final

import attrs

from qldb_stream.errors import CarrierError, SourceError
from qldb_stream.events import Undecodable
from qldb_stream.sources._files import FileReadable, iter_chunks

__all__ = ["GZIP_MAGIC", "Spool", "SpooledReadable"]

GZIP_MAGIC: Final = b"\x1f\x8b\x08"
"""Identification and the only compression method (RFC 1952, section 2.3.1)."""

MAX_RATIO: Final = 200
MAX_BYTES_AT_ANY_RATIO: Final = 64 * 2**20

_CHUNK_BYTES: Final = 2**18
_GZIP_WINDOW: Final = 31  # zlib's name for: a gzip header and trailer, the largest window


class Spool:
    """One temporary file for everything that was decompressed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def gunzip(self, readable: FileReadable) -> tuple[SpooledReadable, Undecodable | None]:
        """
        Decompress a file to the end, or to where it is damaged.

        Returns:
            What came out, and what is wrong with the rest: truncated, damaged, followed
            by something that is not gzip, or a bomb, of which nothing is kept. Its offset
            counts decompressed bytes.

        Raises:
            SourceError: the temporary file cannot be written.
        """
        start = self._end
        limit = max(MAX_BYTES_AT_ANY_RATIO, MAX_RATIO * readable.size)
        problem = None
        try:
            for data in _decompress(iter_chunks(readable, _CHUNK_BYTES)):
                self._append(data)
                if self._end - start > limit:
                    raise _BrokenError(f"more than {limit} bytes: a decompression bomb, refused")
        except _BrokenError as exc:
            if self._end - start > limit:
                self._end = start
            problem = str(exc)
        spooled = SpooledReadable(self, readable.name, start, self._end - start)
        if problem is None:
            return spooled, None
        error = CarrierError("gzip", spooled.size, problem)
        return spooled, Undecodable(readable.name, spooled.size, 0, error)

    def read_at(self, offset: int, size: int) -> bytes:
        """Read back what was written; the caller knows the bounds."""
        if self._file is None:
            return b""
        self._file.seek(offset)
        return self._file.read(size)

    def close(self) -> None:
        """Give the disk space back."""
        if self._file is not None:
            self._file.close()

    def _append(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="qldb-stream-")  # noqa: SIM115 - close()
            self._file.seek(self._end)
            self._file.write(data)
        except OSError as exc:
            raise SourceError(
                tempfile.gettempdir(), f"takes no more temporary data: {exc.strerror}"
            ) from exc
        self._end += len(data)


@attrs.frozen
class SpooledReadable:
    """A decompressed file as `qldb_stream.typing.Readable`."""

    spool: Spool = attrs.field(repr=False)
    name: str
    start: int
    size: int

    def read_at(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; fewer only at the end."""
        size = max(0, min(size, self.size - offset))
        return self.spool.read_at(self.start + offset, size)


class _BrokenError(Exception):
    """What is wrong with gzip data; never leaves this module."""


def _decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress members back to back; zeros between and after them are padding."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    started = False
    for chunk in chunks:
        data = chunk
        while data:
            if not started:
                data = data.lstrip(b"\0")
                started = bool(data)
            yield from _feed(member, data)
            data = member.unused_data
            if member.eof:
                member, started = zlib.decompressobj(_GZIP_WINDOW), False
    if started:
        raise _BrokenError("ends in the middle")


def _feed(member: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Decompress some data in pieces of bounded size."""
    while data:
        try:
            piece = member.decompress(data, _CHUNK_BYTES)
        except zlib.error as exc:
            raise _BrokenError(str(exc)) from exc
        if piece:
            yield piece
        data = member.unconsumed_tail
