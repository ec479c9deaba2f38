"""A sound sink in memory that tells what it holds, and the same with one thing untrue."""

# ruff: noqa: ARG002 - a flaw often is that something given is not looked at

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from qldb_stream.events import Block
from qldb_stream.report import StoredRevision
from qldb_stream.sinks.memory import MemorySink


class TruthfulSink(MemorySink):
    """History and current state, whatever `expect` says."""

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Tell of a range."""
        for block in sorted(self.blocks, key=lambda block: block.address):
            address = block.address
            if address.strand_id == strand_id and first <= address.sequence_no <= last:
                yield from MemorySink.expect(self, [block])


class ExpectsNothing(TruthfulSink):
    """The author forgot to write it."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Say nothing."""
        return iter(())


class ExpectsWhatIsThere(TruthfulSink):
    """It is read from the sink itself, which then agrees with any damage."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Read the history."""
        for block in blocks:
            number = block.address.sequence_no
            yield from self.history(block.address.strand_id, number, number)


class ExpectsEverything(TruthfulSink):
    """What is given is not looked at."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Tell of all there is."""
        return MemorySink.expect(self, self.blocks)


class ExpectsNoProof(TruthfulSink):
    """The hash of the data is left out."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Say less than the history."""
        return (attrs.evolve(one, data_hash=None) for one in super().expect(blocks))


class ExpectsOtherData(TruthfulSink):
    """Numbers are expected as texts, but kept as numbers."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Spell values in another way."""
        for one in super().expect(blocks):
            data = {name: str(value) for name, value in one.data.items()} if one.data else one.data
            yield attrs.evolve(one, data=data)


class ExpectsTwice(TruthfulSink):
    """A revision is expected twice."""

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Say everything twice."""
        for one in super().expect(blocks):
            yield from (one, one)


class TellsBackwards(TruthfulSink):
    """The history begins at its end."""

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Turn it around."""
        return reversed([*super().history(strand_id, first, last)])


class TellsTooMuch(TruthfulSink):
    """The end of a range is not looked at."""

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Tell of all that follows."""
        return super().history(strand_id, first, 1 << 40)


class TellsOfOthers(TruthfulSink):
    """Strands are not told apart."""

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """Tell of whatever there is."""
        for known in self.positions:
            yield from super().history(known, first, last)


class HasOldDocuments(TruthfulSink):
    """The current state is the first one of each document."""

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Give what was there at first."""
        told = [*self.history(strand_id, 0, 1 << 40)]
        oldest = {one.document_id: one for one in reversed(told)}
        return (oldest[one.document_id] for one in super().current(strand_id))


class LacksADocument(TruthfulSink):
    """The current state is not whole."""

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Leave one out."""
        return iter([*super().current(strand_id)][1:])
