"""What a sink shows as current, beside what the blocks last said."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from qldb_stream.reconcile._content import ContentDifference, DiffCode
from qldb_stream.reconcile._match import altered_fields, hidden_by
from qldb_stream.reconcile._newest import NewestRevision, NewestRevisions
from qldb_stream.reconcile._tables import Tables
from qldb_stream.report import StoredRevision
from qldb_stream.typing import ReadableSink


class CurrentState:
    """
    Compares the current state of one strand, once.

    Args:
        sink: tells what it shows.
        notes: the newest revision of each document.
        tables: which of them were dropped: some sinks keep what was in them, some do not.
        strand_id: the strand.

    Attributes:
        documents: how many documents were compared.
    """

    def __init__(
        self, sink: ReadableSink, notes: NewestRevisions, tables: Tables, strand_id: str
    ) -> None:
        self.documents = 0
        self._sink = sink
        self._notes = notes
        self._tables = tables
        self._strand_id = strand_id

    def differences(self, low: int) -> Iterator[tuple[ContentDifference, int]]:
        """
        Yield what is wrong, and the number of the block that mends it.

        Args:
            low: the first block that was read: what is older and not known is passed over.
        """
        for row in self._sink.current(self._strand_id):
            newest = self._notes.see(self._strand_id, row.document_id)
            if newest is None:
                if row.sequence_no >= low:
                    yield ContentDifference.of(DiffCode.CURRENT_EXTRA, row), row.sequence_no
                continue
            self.documents += 1
            difference = _compare(newest, row)
            if difference is not None:
                yield difference, newest.stored.sequence_no
        for newest in self._notes.iter_unseen(self._strand_id):
            if newest.table_id is None or not self._tables.is_dropped(newest.table_id):
                stored = newest.stored
                yield ContentDifference.of(DiffCode.CURRENT_MISSING, stored), stored.sequence_no


def _compare(newest: NewestRevision, row: StoredRevision) -> ContentDifference | None:
    ours = newest.stored
    if newest.is_seen:
        return ContentDifference.of(DiffCode.CURRENT_EXTRA, row)
    if newest.may_be_empty:
        is_open = row.data is not None
        return ContentDifference.of(DiffCode.CURRENT_NOT_ERASED, ours) if is_open else None
    if ours.data is None:
        return ContentDifference.of(DiffCode.CURRENT_EXTRA, row)
    if hidden := hidden_by(ours, row):
        return attrs.evolve(hidden, code=DiffCode.CURRENT_MASKED)
    fields = altered_fields(ours, row)
    if ours.version != row.version:
        fields = ("version", *fields)
    if ours.sequence_no != row.sequence_no:
        fields = ("sequenceNo", *fields)
    if not fields:
        return None
    return ContentDifference.of(
        DiffCode.CURRENT_ALTERED,
        ours,
        fields=fields,
        found_no=row.sequence_no,
        found_version=row.version,
    )
