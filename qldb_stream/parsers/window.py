"""A bounded view of a long `Readable`, for readers that walk it from start to end."""

from __future__ import annotations

from typing import Final

from qldb_stream.typing import Readable

__all__ = ["BytesReadable", "Head", "Window"]

_READ_BYTES: Final = 1 << 20
_KEPT_BYTES: Final = 1 << 16
"""Bytes before a position that stay held, so that who looks ahead can come back."""


class BytesReadable:
    """Bytes in memory as a `Readable`."""

    __slots__ = ("_data", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self._data: Final = data
        self.name: Final = name

    @property
    def size(self) -> int:
        """Give the length in bytes."""
        return len(self._data)

    def read_at(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; fewer only at the end."""
        return self._data[offset : offset + size]


class Head:
    """A readable's bytes up to a place, as a `Readable`."""

    __slots__ = ("_readable", "name", "size")

    def __init__(self, readable: Readable, size: int) -> None:
        self._readable: Final = readable
        self.name: Final = readable.name
        self.size: Final = size

    def read_at(self, offset: int, size: int) -> bytes:
        """Read `size` bytes at `offset`; fewer only at the end."""
        return self._readable.read_at(offset, max(0, min(size, self.size - offset)))


class Window:
    """
    Some bytes of a readable, held while they are looked at.

    Whoever needs many bytes gets twice as many, so that needing as many at each of many
    places that lie close to each other reads no byte more than a few times.

    Attributes:
        data: the bytes held.
        base: where in the readable they start.
        size: the readable's length.
    """

    __slots__ = ("_readable", "base", "data", "size")

    def __init__(self, readable: Readable) -> None:
        self._readable: Final = readable
        self.size = readable.size
        self.base = 0
        self.data = b""

    @property
    def at_end(self) -> bool:
        """Say whether the held bytes go on to the readable's end."""
        return self.base + len(self.data) >= self.size

    def seek(self, pos: int, least_bytes: int) -> int:
        """
        Hold at least so many bytes from a position on, or all there are.

        Returns:
            The position's index in `data`.
        """
        held = self.base + len(self.data)
        if pos < self.base or (held < self.size and held - pos < least_bytes):
            start = max(0, pos - _KEPT_BYTES)
            size = max(2 * least_bytes, _READ_BYTES) + pos - start
            self.data = self._readable.read_at(start, size)
            self.base = start
            if start + len(self.data) <= pos:
                self.size = pos  # it became shorter; whoever reads it notices that
                self.base, self.data = pos, b""
        return pos - self.base
