"""
Undo gzip once, into a temporary file, so that everything behind it can be read twice.

One temporary file holds all that was decompressed, one after the other; it has no name
and goes away with the process, however that ends. Damage costs only what comes after
it: what was decompressed before stays, and the rest is reported. The rules of gzip and
its bounds are those of `parsers.gunzip`.
"""

from __future__ import annotations

import tempfile
from typing import IO

import attrs

from qldb_stream.errors import CarrierError, SourceError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.gunzip import CHUNK_BYTES, GZIP_MAGIC, gunzip_limit, iter_gunzipped
from qldb_stream.sources._files import FileReadable, iter_chunks

__all__ = ["GZIP_MAGIC", "Spool", "SpooledReadable"]


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
        limit = gunzip_limit(readable.size)
        problem = None
        try:
            for data in iter_gunzipped(iter_chunks(readable, CHUNK_BYTES), "gzip", limit):
                self._append(data)
        except CarrierError as exc:
            if exc.offset > limit:
                self._end = start
            problem = exc.problem
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
