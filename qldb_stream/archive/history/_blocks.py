"""
Read blocks again from the archive's own bytes, and check them as `verify` does.

What an index gives is a place; everything that stands under a block's address is read there, put
together and recomputed, copies and conflicts included. Each block that is asked for is read with
the one before it, so that its link is seen, and with the one that shows how this strand hashes
deletes (facts 1.4 leaves that open), so that a delete that follows another rule fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import attrs

from qldb_stream.archive.history._index import IndexFile
from qldb_stream.archive.history._states import entries_of
from qldb_stream.archive.history._values import HistoryEntry
from qldb_stream.errors import ArchiveIndexError, DecodeError, SourceError
from qldb_stream.events import BlockAddress, Need, RevisionKind
from qldb_stream.pipeline import CheckedBlock, Order, PipelineCore
from qldb_stream.report import ProblemCode
from qldb_stream.sources import PlaceReader

__all__ = ["BlockReader", "ReadBlock"]

_BLOCKS_OF_RUN: Final = 100
"""What is wrong with blocks is looked up in the list of a run, so that it must not be long."""

_BLOCKS_AHEAD: Final = 64  # whose objects are fetched together; at first it is one


@attrs.frozen
class ReadBlock:
    """A block as the archive has it now; `in_conflict` when it has two that differ."""

    checked: CheckedBlock
    in_conflict: bool

    @property
    def address(self) -> BlockAddress:
        """Give its address."""
        return self.checked.block.address


class BlockReader:
    """Reads and checks the blocks that an index has places of."""

    def __init__(self, index: IndexFile, reader: PlaceReader) -> None:
        self._index = index
        self._reader = reader

    def read(self, addresses: Iterable[BlockAddress]) -> Iterator[ReadBlock]:
        """
        Read blocks.

        Args:
            addresses: rising within each strand; one that is repeated is read once.

        Yields:
            Each of them, and none else; one that was damaged so that it cannot be put together
            any more is not there.

        Raises:
            ArchiveIndexError: something else stands where the index says that a block does.
            SourceError: the archive cannot be read.
        """
        run: _Run | None = None
        for address in self._ahead(addresses) if self._reader.is_lazy else addresses:
            if run is not None and run.has(address):
                continue
            if run is None or not run.is_next(address):
                yield from () if run is None else run.close()
                run = _Run(self, address)
                self._begin(run, address)
            yield from run.feed(address)
        if run is not None:
            yield from run.close()

    def entries(self, block: ReadBlock) -> Iterator[HistoryEntry]:
        """
        Give the revisions of a block, each with its state.

        Where one is redacted, the blocks that may have asked for it are read and checked too.
        """
        redacted = any(r.kind is RevisionKind.REDACTED for r in block.checked.block.revisions)
        asked = self._asked(block.address) if redacted else ()
        return entries_of(block.checked, in_conflict=block.in_conflict, asked=asked)

    def _ahead(self, addresses: Iterable[BlockAddress]) -> Iterator[BlockAddress]:
        """Have the objects of the next blocks fetched, some at once, before they are read."""
        left, count = iter(addresses), 1
        while ahead := list(islice(left, count)):
            self._reader.fetch({p.file for one in ahead for p in self._index.places(one)})
            yield from ahead
            count = min(2 * count, _BLOCKS_AHEAD)

    def put(self, core: PipelineCore, address: BlockAddress) -> None:
        """Feed all that the archive has under an address."""
        places = self._index.places(address)
        self._reader.fetch({place.file for place in places})  # what S3 refuses is no wrong index
        for place in places:
            try:
                events = self._reader.read(place)
            except SourceError as exc:
                raise ArchiveIndexError(self._index.name, f"it leads astray: {exc}") from exc
            for event in events:
                core.feed(event)
        core.finish(address)

    def _begin(self, run: _Run, address: BlockAddress) -> None:
        """Put what a run of blocks leans on before its first one."""
        shows = self._index.delete_block(address.strand_id)
        if shows is not None and 0 <= shows < address.sequence_no - 1:
            run.lean_on(BlockAddress(address.strand_id, shows))
        if address.sequence_no:
            run.lean_on(BlockAddress(address.strand_id, address.sequence_no - 1))

    def _asked(self, address: BlockAddress) -> set[tuple[str, int]]:
        """Find the redactions in a block that verified blocks asked for."""
        found: set[tuple[str, int]] = set()
        for request in self.read(self._index.redacted_by(address)):
            info = request.checked.block.summary.redaction_info
            if info is None or request.in_conflict or not request.checked.verification.ok:
                continue
            try:
                revisions = info.revisions
            except DecodeError:  # REDACTION_INFO has failed: this is not reached
                continue
            found |= {(r.document_id, r.version) for r in revisions if r.block_address == address}
        return found


class _Run:
    """Blocks of one strand that follow each other, through a chain of stages of their own."""

    def __init__(self, reader: BlockReader, first: BlockAddress) -> None:
        self._reader = reader
        self._core = PipelineCore(Order.SORTED)
        self._last = first
        self._wanted: set[BlockAddress] = set()
        self._blocks = 0
        self._is_begun = False

    def has(self, address: BlockAddress) -> bool:
        """Say whether a block was the last one fed."""
        return self._is_begun and address == self._last

    def is_next(self, address: BlockAddress) -> bool:
        """Say whether a block follows the last one; a run that has become long goes no further."""
        self._blocks += 1
        follows = address.sequence_no == self._last.sequence_no + 1
        return (
            follows and address.strand_id == self._last.strand_id and self._blocks < _BLOCKS_OF_RUN
        )

    def lean_on(self, address: BlockAddress) -> None:
        """Feed a block that is not asked for."""
        self._reader.put(self._core, address)

    def feed(self, address: BlockAddress) -> Iterator[ReadBlock]:
        """Feed a block that is asked for; yield those that are done."""
        self._is_begun = True
        self._last = address
        self._wanted.add(address)
        self._reader.put(self._core, address)
        yield from self._take()

    def close(self) -> Iterator[ReadBlock]:
        """Yield the last ones."""
        self._core.close()
        yield from self._take()

    def _take(self) -> Iterator[ReadBlock]:
        checked = self._core.next_block()
        while not isinstance(checked, Need):
            address = checked.block.address
            if address in self._wanted:
                self._wanted.discard(address)
                yield ReadBlock(checked, self._in_conflict(address))
            checked = self._core.next_block()

    def _in_conflict(self, address: BlockAddress) -> bool:
        problems = self._core.report().problems
        return any(
            problem.code is ProblemCode.CONFLICT
            and (problem.strand_id, problem.sequence_no) == (address.strand_id, address.sequence_no)
            for problem in problems
        )
