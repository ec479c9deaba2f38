"""
The sink: blocks into one table, exactly once.

Position, fencing token and a revision number stand in one item. It is read first; each
transaction that writes anything puts it anew, on the condition that it still has the revision that
was read. So whoever has been overtaken can change nothing, whatever it has planned.

A block that does not fit into one transaction (100 items, 4 MB) goes in parts, each on that
condition, with the position in the last: a reader may see half of it, a crash is made good by
the next `apply`, and the summary says that it was not atomic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.errors import (
    DecodeError,
    IonEncodeError,
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.report import Position, SinkSummary, StoredRevision
from qldb_stream.sinks._relational import Erasure, expect_together
from qldb_stream.sinks.dynamodb._items import (
    CURRENT,
    FORMAT,
    Item,
    Key,
    Keys,
    TooLargeError,
    number_key,
    position_item,
)
from qldb_stream.sinks.dynamodb._plan import (
    Changes,
    Group,
    count_documents,
    current_keys,
    fits,
    plan_block,
    plan_erasure,
    redacted_keys,
)
from qldb_stream.sinks.dynamodb._read import in_block, maybe_erasure, revisions_of, stored_revision
from qldb_stream.sinks.dynamodb._repair import find_strays, plan_repair
from qldb_stream.sinks.dynamodb._table import READ_TOGETHER, LostError, RefusedError, Table

__all__ = ["DynamodbSink"]

_EXPECTED_TOGETHER: Final = 500
_ERASED_TOGETHER: Final = 30  # three items each
_BY_ITSELF: Final = "another worker has written to this strand; it may be tried again"


@attrs.frozen
class _Strand:
    """What stands in a strand's item; revision 0 where there is none yet."""

    strand_id: str
    position: Position | None = None
    token: int | None = None
    revision: int = 0


@attrs.define
class _Run:
    """A run on its way: where it leads, where it is, what it has changed."""

    target: Position
    token: int
    strand: _Strand
    changed: dict[Key, Item | None] = attrs.field(factory=dict)

    def after(self, block: Block, *, is_last: bool) -> Position:
        """Give the position that a block leads to."""
        if is_last:
            return self.target
        stored, number = self.strand.position, block.address.sequence_no
        if stored is not None and number <= stored.sequence_no:
            return attrs.evolve(stored, parked=stored.parked - {number})
        return self.target.at(block)


class DynamodbSink:
    """
    Write blocks into a table of DynamoDB; readable, erasing and to be repaired.

    Args:
        table: the table; it must have the string keys `pk` and `sk`.
        keys: makes keys.
    """

    def __init__(self, table: Table, keys: Keys) -> None:
        self._table: Final = table
        self._keys: Final = keys
        self._documents = 0
        self._in_parts: list[tuple[str, int]] = []

    def position(self, strand_id: str) -> Position | None:
        """
        Give what is durably applied of a strand.

        Raises:
            UsageError: there is no such table, or it may not be read.
            SinkUnavailableError: DynamoDB cannot be asked now.
        """
        return self._strand(strand_id).position

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Apply a run of blocks: in one transaction, or in several of whole blocks each.

        Returns:
            `position`, or what is stored when that covers it; when a later block of the run is
            refused, the position before it.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
            SinkRefusedError: the table will never take the first block that it has not.
            UsageError: there is no such table, or it may not be written.
            SinkUnavailableError: DynamoDB cannot be used now; whole blocks before may be applied,
                and of a block in parts some of them.
        """
        strand = self._current(position.strand_id, token)
        stored = strand.position
        if stored is not None and stored.covers(position):
            return stored
        run = _Run(position, token, strand)
        pending = blocks if stored is None else stored.pending(blocks)
        erased = self._erased(stored, pending)
        run.changed.update(self._table.get_many(self._wanted(stored, pending)))
        try:
            self._apply(run, pending, erased)
        except (RefusedError, TooLargeError, DecodeError, IonEncodeError) as exc:
            return self._apply_less(run, pending, exc)
        return position

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Erase the data of revisions that are REDACTED in these copies of blocks.

        Raises:
            StaleTokenError: a higher token has been used on a strand; its data stay.
            UsageError: the table does not take an item without its data, or is not there.
            SinkUnavailableError: DynamoDB cannot be used now; it may be asked again.
        """
        strands: dict[str, list[Erasure]] = {}
        for block in blocks:
            found = strands.setdefault(block.address.strand_id, [])
            found += [
                (block.address.strand_id, block.address.sequence_no, m.id, m.version)
                for r in block.revisions
                if r.kind is RevisionKind.REDACTED and (m := r.metadata) is not None
            ]
        for strand_id, erasures in strands.items():
            strand = self._current(strand_id, token)
            for start in range(0, len(erasures), _ERASED_TOGETHER):
                part = erasures[start : start + _ERASED_TOGETHER]
                try:
                    strand = self._erase(strand, part, token)
                except (RefusedError, TooLargeError) as exc:
                    raise UsageError(f"{self._table.name} cannot erase: {_why(exc)}") from exc

    def repair(self, blocks: Sequence[Block], token: int) -> None:
        """
        Write applied blocks anew, each in a transaction; others are passed over.

        It reads the whole table once, for what is current without a history.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing of it changes.
            SinkRefusedError: the table will never take a block; the others are written.
            UsageError: there is no such table, or it may not be written.
            SinkUnavailableError: DynamoDB cannot be used now; what was written stays so.
        """
        strands: dict[str, list[Block]] = {}
        for block in blocks:
            strands.setdefault(block.address.strand_id, []).append(block)
        refused: list[SinkRefusedError] = []
        for strand_id, mine in strands.items():
            self._repair(self._current(strand_id, token), mine, token, refused)
        if refused:
            raise refused[0]

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """
        Iterate over what the history holds of these blocks when they are applied.

        What redactions that were applied here took away is not expected any more.
        """
        return expect_together(blocks, _EXPECTED_TOGETHER, self._notes)

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """
        Iterate over all revisions of a range of blocks, both ends included, in order.

        It goes by the items of blocks: what others have put beside them is not seen.
        """
        position = self.position(strand_id)
        if position is None:
            return
        low = max(first, 0)
        high = min(last, position.sequence_no)
        for start in self._keys.windows(low, high):
            partition = self._keys.blocks(strand_id, start)
            blocks = self._table.query(partition, number_key(low), number_key(high))
            named = [
                (int(block["sk"]["S"]), *one)
                for block in blocks
                if block["sk"]["S"].isdecimal()  # others' items may be beside them
                for one in revisions_of(block)
            ]
            for at in range(0, len(named), READ_TOGETHER):
                yield from self._read(strand_id, named[at : at + READ_TOGETHER])

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """Iterate over the newest revision of each document; it reads the whole table."""
        condition = "sk = :current AND begins_with(pk, :document) AND qldb_strand_id = :strand"
        values = {
            ":current": {"S": CURRENT},
            ":document": {"S": self._keys.document("")},
            ":strand": {"S": strand_id},
        }
        for item in self._table.scan(condition, values):
            yield stored_revision(item)

    def summary(self) -> SinkSummary:
        """Say what this sink has done since it was opened; redactions were carried out."""
        return SinkSummary(self._documents, not_atomic=tuple(self._in_parts))

    def close(self) -> None:
        """Do nothing: what was applied is durable, and connections end by themselves."""

    # --- the strand's item -----------------------------------------------------------------

    def _strand(self, strand_id: str) -> _Strand:
        try:
            item = self._table.get(self._keys.position(strand_id))
        except RefusedError as exc:
            raise UsageError(f"{self._table.name}: {exc}") from exc
        if item is None:
            return _Strand(strand_id)
        if item["qldb_format"] != {"N": str(FORMAT)}:
            raise UsageError(
                f"{self._table.name}: its format is {item['qldb_format'].get('N')}, this version "
                f"of qldb-stream writes {FORMAT}: use the version that wrote it"
            )
        said = item.get("qldb_position")
        position = None if said is None else Position.from_json(json.loads(said["S"]))
        token, revision = int(item["qldb_token"]["N"]), int(item["qldb_revision"]["N"])
        return _Strand(strand_id, position, token, revision)

    def _current(self, strand_id: str, token: int) -> _Strand:
        """
        Read a strand's item as the holder of a token.

        Raises:
            StaleTokenError: a higher one has been used.
        """
        strand = self._strand(strand_id)
        if strand.token is not None and token < strand.token:
            raise StaleTokenError(strand_id, strand.token, token)
        return strand

    def _commit(
        self, strand: _Strand, changes: Changes, position: Position | None, token: int
    ) -> _Strand:
        """
        Make changes and move the position in one transaction.

        Raises:
            StaleTokenError: a higher token has been used since.
            SinkUnavailableError: somebody else was faster, by the same token; or as `Table` says.
            RefusedError, TooLargeError: the table will never take it.
        """
        after = _Strand(strand.strand_id, position, token, strand.revision + 1)
        item = position_item(self._keys, strand.strand_id, position, token, after.revision)
        expected = strand.revision or None
        try:
            self._table.transact(list(changes.values()), item, expected)
        except LostError as exc:
            self._current(strand.strand_id, token)
            raise SinkUnavailableError(self._table.name, _BY_ITSELF) from exc
        return after

    # --- runs ------------------------------------------------------------------------------

    def _apply(self, run: _Run, pending: Sequence[Block], erased: frozenset[Erasure]) -> None:
        """Apply blocks in groups; an empty run is a group of no blocks."""
        group = Group()
        for number, block in enumerate(pending):
            changes = plan_block(self._keys, block, erased, run.changed.get)
            larger = group.maybe_with(block, changes)
            if larger is None:
                self._write(run, group, is_last=False)
                group = Group([block], changes, count_documents(block))
            else:
                group = larger
            run.changed.update({key: change.item for key, change in changes.items()})
            if not fits(group.changes.values()):
                self._write_parts(run, block, is_last=number == len(pending) - 1)
                group = Group()
        if group.blocks or run.strand.position != run.target:
            self._write(run, group, is_last=True)

    def _write(self, run: _Run, group: Group, *, is_last: bool) -> None:
        if not group.blocks and not is_last:
            return
        position = run.after(group.blocks[-1], is_last=is_last) if group.blocks else run.target
        run.strand = self._commit(run.strand, group.changes, position, run.token)
        self._documents += group.documents

    def _write_parts(self, run: _Run, block: Block, *, is_last: bool) -> None:
        """Write a block that is more than a transaction takes; the position moves at its end."""
        number = block.address.sequence_no
        # A part may have been here before, and been redacted since.
        erased = self._notes(block.address.strand_id, number, number)
        changes = plan_block(self._keys, block, erased, run.changed.get)
        *parts, last = Group([block], changes).parts()
        for part in parts:
            made = {change.key: change for change in part}
            run.strand = self._commit(run.strand, made, run.strand.position, run.token)
        made = {change.key: change for change in last}
        position = run.after(block, is_last=is_last)
        run.strand = self._commit(run.strand, made, position, run.token)
        self._documents += count_documents(block)
        self._in_parts.append((block.address.strand_id, number))

    def _apply_less(self, run: _Run, pending: Sequence[Block], exc: Exception) -> Position:
        """Say how far a run came in which something was refused, and find out what."""
        reached = run.strand.position
        left = list(pending if reached is None else reached.pending(pending))
        if len(left) < len(pending):
            assert reached is not None
            return reached
        if len(left) > 1:
            half = left[: len(left) // 2]
            return self.apply(half, run.after(half[-1], is_last=False), run.token)
        address = left[0].address if left else None
        number = run.target.sequence_no if address is None else address.sequence_no
        raise SinkRefusedError(self._table.name, run.target.strand_id, number, _why(exc)) from exc

    # --- repairs ---------------------------------------------------------------------------

    def _repair(
        self, strand: _Strand, blocks: Sequence[Block], token: int, refused: list[SinkRefusedError]
    ) -> None:
        """Write blocks of a strand anew, where they were applied, and note what is refused."""
        position = strand.position
        applied = [] if position is None else [b for b in blocks if not position.pending([b])]
        if not applied:
            return
        numbers = [block.address.sequence_no for block in applied]
        erased = self._notes(strand.strand_id, min(numbers), max(numbers))
        strays = find_strays(self._table, self._keys, strand.strand_id, numbers)
        for number, block in zip(numbers, applied, strict=True):
            try:
                changes = plan_repair(self._table, self._keys, block, erased, strays)
                for part in Group([block], changes).parts():
                    made = {change.key: change for change in part}
                    strand = self._commit(strand, made, position, token)
            except (RefusedError, TooLargeError, DecodeError, IonEncodeError) as exc:
                name = self._table.name
                refused.append(SinkRefusedError(name, strand.strand_id, number, _why(exc)))
                continue
            self._documents += count_documents(block)

    def _wanted(self, stored: Position | None, pending: Sequence[Block]) -> list[Key]:
        """Give the keys of what must be known before blocks can be planned, each once."""
        wanted = dict.fromkeys(redacted_keys(self._keys, pending))
        for block in pending:
            if stored is not None and block.address.sequence_no <= stored.sequence_no:
                wanted |= dict.fromkeys(current_keys(self._keys, block))
        return list(wanted)

    # --- redactions ------------------------------------------------------------------------

    def _erased(self, stored: Position | None, pending: Sequence[Block]) -> frozenset[Erasure]:
        """Find out what was redacted since, of blocks that were parked."""
        if stored is None or not pending:
            return frozenset()
        first = pending[0].address
        if first.sequence_no > stored.sequence_no:
            return frozenset()
        return self._notes(first.strand_id, first.sequence_no, stored.sequence_no)

    def _notes(self, strand_id: str, first: int, last: int) -> frozenset[Erasure]:
        partition = self._keys.notes(strand_id)
        found = self._table.query(partition, number_key(first), number_key(last + 1))
        erasures = (maybe_erasure(strand_id, item) for item in found)
        return frozenset(erasure for erasure in erasures if erasure is not None)

    def _erase(self, strand: _Strand, erasures: Sequence[Erasure], token: int) -> _Strand:
        wanted: dict[Key, None] = {}
        for _, _, document_id, version in erasures:
            wanted[self._keys.history(document_id, version)] = None
            wanted[self._keys.current(document_id)] = None
        seen = self._table.get_many(list(wanted))
        changes: Changes = {}
        for erasure in erasures:
            if self._keys.history(*erasure[2:]) in seen:  # of what is not here nothing is noted
                changes |= plan_erasure(self._keys, erasure, seen.get)
        if not changes:
            return strand
        return self._commit(strand, changes, strand.position, token)

    def _read(
        self, strand_id: str, named: Sequence[tuple[int, str, int]]
    ) -> Iterator[StoredRevision]:
        """Read revisions by block, document and version; two blocks may name the same."""
        keys = [self._keys.history(document_id, version) for _, document_id, version in named]
        found = self._table.get_many(list(dict.fromkeys(keys)))
        for key, (number, *_) in zip(keys, named, strict=True):
            if key in found:
                yield in_block(stored_revision(found[key]), strand_id, number)


def _why(exc: Exception) -> str:
    if isinstance(exc, TooLargeError):
        return f"{exc} takes more than the 400 KB that an item of DynamoDB may have"
    return str(exc)
