"""
What files hold, as rows for an index: plain values, for any process.

Whoever looks through a file hands rows to an index or, in another process, to a file that the index
reads; both take them some thousand at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, TypeAlias

from qldb_stream.events import BlockSummary, ControlRecord, Event
from qldb_stream.parsers.export_places import FoundBlock
from qldb_stream.sources._settle import RunMaker, RunRow, Said, SumUp

__all__ = ["BLOCK", "CONTROL", "REVISION", "SUMMARY", "RowKeeper", "Rows", "SymbolRow"]

CONTROL: Final = 0
SUMMARY: Final = 1
BLOCK: Final = 2  # after summaries, before revisions: the order in which they are read
REVISION: Final = 3

_ROWS_AT_ONCE: Final = 2000

SymbolRow: TypeAlias = tuple[int, int, int, int, int]
"""Where symbol tables stand: file, their number and that of those before them, offset, length."""

_Row: TypeAlias = tuple[str, int, int, bytes, int, int, int, int | None, bytes | None, bool]


class Rows:
    """
    What a file or several hold.

    Attributes:
        parts: records and blocks: strand, number, kind, hash, file, offset, length, index in an
            aggregate or number of tables, hashes that a block lists, whether it was asked about.
        leaves: the hashes that summaries list, each with the summary's strand and number.
        symbols: where symbol tables stand.
        runs: what was said of blocks.
        has_blocks: whether there are whole blocks.
        has_revisions: whether there are revisions by themselves.
    """

    def __init__(self) -> None:
        self.parts: list[_Row] = []
        self.leaves: list[tuple[bytes, str, int]] = []
        self.symbols: list[SymbolRow] = []
        self.runs: list[RunRow] = []
        self.has_blocks = self.has_revisions = False

    def __len__(self) -> int:
        return len(self.parts) + len(self.leaves) + len(self.symbols)

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """Note where an event stands."""
        if isinstance(event, ControlRecord):
            self._append("", -1, CONTROL, b"", (file, offset, length, index))
        elif isinstance(event, BlockSummary):
            strand_id, number = event.address.strand_id, event.address.sequence_no
            place = (file, offset, length, index)
            self._append(strand_id, number, SUMMARY, event.block_hash, place)
            for revision in event.revision_summaries:
                self.leaves.append((revision.hash, strand_id, number))
        else:
            address = event.revision.address
            strand_id, number = address.strand_id, address.sequence_no
            digest = event.revision.hash
            self.has_revisions = True
            self._append(strand_id, number, REVISION, digest, (file, offset, length, index))

    def _append(
        self,
        strand_id: str,
        number: int,
        kind: int,
        digest: bytes,
        place: tuple[int, int, int, int | None],
    ) -> None:
        self.parts.append((strand_id, number, kind, digest, *place, None, False))

    def add_block(self, found: FoundBlock, file: int, *, is_asked: bool) -> None:
        """Note where a whole block of an export stands, and whether something was to be said."""
        address = found.address
        self.has_blocks = True
        place = (file, found.offset, found.length, found.tables)
        block = (address.strand_id, address.sequence_no, BLOCK, found.block_hash)
        self.parts.append((*block, *place, found.leaves, is_asked))


class RowKeeper(ABC):
    """
    Takes down where things stand, and hands it on in portions; `hand_on` hands on the rest.

    Args:
        sum_up: as `Look` has it.
    """

    def __init__(self, sum_up: SumUp | None = None) -> None:
        self._rows = Rows()
        self._run = RunMaker(sum_up)

    def add(self, event: Event, file: int, offset: int, length: int, index: int | None) -> None:
        """Note where an event stands."""
        self._rows.add(event, file, offset, length, index)
        self._hand_on_much()

    def add_block(self, found: FoundBlock, file: int, said: Said | None = None) -> None:
        """Note where a whole block of an export stands, and what was said of it."""
        self._rows.add_block(found, file, is_asked=said is not None)
        if said is not None and said.answer is not None:
            self._rows.runs += self._run.add(found.address, file, said)
        self._hand_on_much()

    def add_tables(self, file: int, number: int, parent: int, offset: int, length: int) -> None:
        """Note where symbol tables stand that blocks of a file need."""
        self._rows.symbols.append((file, number, parent, offset, length))
        self._hand_on_much()

    def hand_on(self) -> None:
        """Hand on what has been taken down so far."""
        if len(self._rows):
            rows, self._rows = self._rows, Rows()
            rows.runs += self._run.end()
            self._take(rows)

    def _hand_on_much(self) -> None:
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.hand_on()

    @abstractmethod
    def _take(self, rows: Rows) -> None:
        """Take over a portion of rows."""
