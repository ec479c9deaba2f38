"""
Undo gzip once, into a temporary file, so that everything behind it can be read twice.

One temporary file holds all that was decompressed, one after the other; it has no name
and goes away with the process, however that ends. Damage costs only what it hits: what
was decompressed before stays, later members are read, and each damage is reported. The
rules of gzip and its bounds are those of `parsers.gunzip`.
"""

from __future__ import annotations

import tempfile
from typing import IO

import attrs

from qldb_stream.errors import CarrierError, SourceError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.gunzip import GzipDamage, gunzip_limit, iter_gunzipped
from qldb_stream.sources._files import FileReadable

__all__ = ["Gunzipped", "Spool", "SpooledReadable"]


class Spool:
    """One temporary file for everything that was decompressed."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def gunzip(self, readable: FileReadable) -> Gunzipped:
        """
        Decompress a file, past damage as far as members are found behind it.

        Raises:
            SourceError: the temporary file cannot be written.
        """
        start = self._end
        limit = gunzip_limit(readable.size)
        damages: list[GzipDamage] = []
        try:
            for found in iter_gunzipped(readable, limit):
                if isinstance(found, GzipDamage):
                    damages.append(found)
                else:
                    self._append(found)
        except CarrierError as exc:
            # A bomb: nothing of it is kept.
            self._end = start
            damages = [GzipDamage(0, exc.problem, is_seam=False)]
        spooled = SpooledReadable(self, readable.name, start, self._end - start)
        return Gunzipped(spooled, tuple(damages))

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


@attrs.frozen
class Gunzipped:
    """What came out of a file, and what is wrong with it."""

    readable: SpooledReadable
    damages: tuple[GzipDamage, ...] = ()

    @property
    def seams(self) -> list[int]:
        """Say where in it bytes are missing, rising."""
        return [damage.offset for damage in self.damages if damage.is_seam]

    @property
    def problems(self) -> list[Undecodable]:
        """Give what is wrong; offsets count decompressed bytes."""
        return [self._problem(damage) for damage in self.damages]

    def _problem(self, damage: GzipDamage) -> Undecodable:
        error = CarrierError("gzip", damage.offset, damage.problem)
        return Undecodable(self.readable.name, damage.offset, 0, error)
