"""
What the second pass keeps of files, because what comes next needs it again.

Records of one KPL frame, and blocks that share symbol tables, mostly stand close to each
other in the order of blocks too; so a few frames and tables suffice, however long the files.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Protocol

from qldb_stream.ion import SYSTEM_TABLE, SymbolTable
from qldb_stream.parsers.carrier import read_again
from qldb_stream.parsers.export_places import OWN_TABLES, read_tables
from qldb_stream.parsers.kpl import deaggregate
from qldb_stream.sources._index import Place
from qldb_stream.typing import Readable

__all__ = ["FrameCache", "SymbolPlaces", "TableCache"]

_FRAME_CACHE_BYTES: Final = 32 * 2**20
"""A window of 10,000 shuffled records of a kilobyte fits three times."""

_CACHED_TABLES: Final = 32
"""Of so many files that overlap, each has the tables of its last block here."""


class FrameCache:
    """
    The KPL frames that were opened last, so that each is opened about once.

    Attributes:
        held_bytes: the records held; more than the limit only when one frame is.
    """

    def __init__(self, limit_bytes: int = _FRAME_CACHE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._frames: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self.held_bytes = 0

    def read(self, carrier: Readable, place: Place) -> list[bytes]:
        """
        Give the records of the frame that stands at a place.

        Raises:
            DecodeError: something else stands there now.
        """
        key = (place.file, place.offset)
        frame = self._frames.get(key)
        if frame is not None:
            self._frames.move_to_end(key)
            return frame
        frame = deaggregate(read_again(carrier, place.offset, place.length, None))
        self._keep(key, frame)
        return frame

    def _keep(self, key: tuple[int, int], frame: list[bytes]) -> None:
        self._frames[key] = frame
        self.held_bytes += sum(map(len, frame))
        while self.held_bytes > self._limit_bytes and len(self._frames) > 1:
            _, dropped = self._frames.popitem(last=False)
            self.held_bytes -= sum(map(len, dropped))


class SymbolPlaces(Protocol):
    """Knows where the symbol tables of a file stand; `Index` does, and whoever kept it."""

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """Give the number of the tables before some tables, and their own offset and length."""


class TableCache:
    """The symbol tables that were needed last, one for each of a few files."""

    def __init__(self, index: SymbolPlaces) -> None:
        self._index = index
        self._tables: OrderedDict[int, tuple[int, SymbolTable]] = OrderedDict()

    def read(self, carrier: Readable, file: int, number: int) -> SymbolTable:
        """
        Give the symbols of a file that are in force after its tables of a number.

        Raises:
            DecodeError: something else stands there now.
        """
        known, table = self._tables.pop(file, (OWN_TABLES, SYSTEM_TABLE))
        chain: list[tuple[int, int]] = []
        at = number
        while at not in (known, OWN_TABLES):
            at, start, length = self._index.tables(file, at)
            chain.append((start, length))
        if at != known:
            table = SYSTEM_TABLE
        for start, length in reversed(chain):
            table = read_tables(carrier.read_at(start, length), table)
        self._tables[file] = number, table
        if len(self._tables) > _CACHED_TABLES:
            self._tables.popitem(last=False)
        return table
