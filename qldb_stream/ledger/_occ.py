"""
Optimistic concurrency control: what a transaction read, what others changed since.

Rules (facts 5.9): there are no locks; a transaction is checked when it commits, one that
only read too. It conflicts when what it read was changed by a block after its snapshot:

- looked up by document id: that document;
- looked up by an indexed field with `=` or IN: every document that has or had one of these
  values, so that a new one with the value (a phantom) conflicts too;
- anything else scans: any change to the table;
- any DDL on a table that it named, found or not; for a reader of the catalog, any DDL;
- history(): whatever changes the documents or the table, and a redaction of one of their
  revisions, which takes data away that every snapshot shows;
- a redaction in a block: another redaction in that block (facts 5.9, not confirmed).

Writes need no check of their own: an update or delete has read its document before. What
committed is remembered only while a transaction is open that began before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import attrs

__all__ = ["CommitLog", "CommitRecord", "ReadSet"]

IndexKey = tuple[int, bytes]
DocumentKey = tuple[int, str]
HistoryKey = tuple[int, str | None]


@attrs.define(eq=False)
class ReadSet:
    """
    What a transaction read, as far as others could change it.

    Attributes:
        names: names and ids of the tables it named.
        tables: numbers of the tables it scanned.
        keys: (index number, key) it looked up.
        documents: (table number, document id) it looked up.
        catalog: whether it read the catalog as a whole.
        blocks: numbers of the blocks in which it redacts.
        histories: (table number, document id) whose history it read; None as id for all.
    """

    names: set[str] = attrs.field(factory=set)
    tables: set[int] = attrs.field(factory=set)
    keys: set[IndexKey] = attrs.field(factory=set)
    documents: set[DocumentKey] = attrs.field(factory=set)
    catalog: bool = False
    blocks: set[int] = attrs.field(factory=set)
    histories: set[HistoryKey] = attrs.field(factory=set)

    def conflicts_with(self, record: CommitRecord) -> bool:
        """Tell whether a block changed what was read."""
        if record.names and (self.catalog or not self.names.isdisjoint(record.names)):
            return True
        return not (
            self.tables.isdisjoint(record.tables)
            and self.keys.isdisjoint(record.keys)
            and self.documents.isdisjoint(record.documents)
            and self.blocks.isdisjoint(record.redacted)
            and self.histories.isdisjoint(record.histories)
        )


@attrs.frozen
class CommitRecord:
    """
    What one block changed.

    Attributes:
        sequence_no: the block's number.
        names: names and ids of the tables that DDL changed.
        tables: numbers of the tables with changed documents.
        keys: (index number, key) that a changed document had before or has now.
        documents: (table number, document id) that changed.
        redacted: numbers of the blocks in which it redacted a revision.
        histories: (table number, document id) of which it redacted one, and with None as id.
    """

    sequence_no: int
    names: frozenset[str]
    tables: frozenset[int]
    keys: frozenset[IndexKey]
    documents: frozenset[DocumentKey]
    redacted: frozenset[int] = frozenset()
    histories: frozenset[HistoryKey] = frozenset()


class CommitLog:
    """The latest blocks' changes, in order, from the oldest that is still needed."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: deque[CommitRecord] = deque()

    def __len__(self) -> int:
        return len(self._records)

    def append(self, record: CommitRecord) -> None:
        """Remember what a block changed."""
        self._records.append(record)

    def since(self, size: int) -> Iterator[CommitRecord]:
        """Iterate over what changed after a snapshot of `size` blocks, the newest first."""
        for record in reversed(self._records):
            if record.sequence_no < size:
                return
            yield record

    def has_changes(self, size: int) -> bool:
        """Tell whether a block came after a snapshot of `size` blocks."""
        return bool(self._records) and self._records[-1].sequence_no >= size

    def changed_documents(self, table_no: int, size: int) -> set[str]:
        """Give the documents of a table that changed after a snapshot of `size` blocks."""
        return {
            document_id
            for record in self.since(size)
            if table_no in record.tables
            for changed_table_no, document_id in record.documents
            if changed_table_no == table_no
        }

    def forget_before(self, size: int) -> None:
        """Forget the blocks that every snapshot of at least `size` blocks contains."""
        while self._records and self._records[0].sequence_no < size:
            self._records.popleft()

    def forget_from(self, size: int) -> None:
        """Forget the blocks from number `size` on, which were rolled back."""
        while self._records and self._records[-1].sequence_no >= size:
            self._records.pop()
