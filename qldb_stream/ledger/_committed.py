"""
Rows of the committed view and of history(): a document with its journal's particulars.

Shapes are those of facts 5.3. What a transaction sees of its own uncommitted documents in
the committed view is not known of QLDB; here it is `data` and the metadata that are
certain already (no blockAddress, hash and txTime).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from qldb_stream.errors import PartiqlEvaluationError
from qldb_stream.ledger._catalog import Table
from qldb_stream.ledger._pending import PendingDocument
from qldb_stream.ledger._shapes import revision_struct
from qldb_stream.ledger._store import Store, StoredRevision
from qldb_stream.partiql import TableRef

__all__ = ["CommittedView"]

Row = tuple[str | None, Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED_TRANSACTION_IDS: Final = 1024


class CommittedView:
    """Makes committed rows and history rows of what a snapshot holds."""

    def __init__(self, store: Store, strand_id: str, size: int, now_ms: Callable[[], int]) -> None:
        self._store: Final = store
        self._strand_id: Final = strand_id
        self._size: Final = size
        self._now_ms = now_ms
        self._transaction_id: Final = lru_cache(_CACHED_TRANSACTION_IDS)(store.transaction_id)

    def row(self, document: StoredRevision | PendingDocument) -> Row:
        """Make the row of a current document."""
        if isinstance(document, PendingDocument):
            metadata = {"id": document.id, "version": document.version}
            return document.id, {"data": document.data, "metadata": metadata}
        return document.document_id, self._stored_row(document)

    def _stored_row(self, revision: StoredRevision) -> dict[str, Any]:
        transaction_id = self._transaction_id(revision.sequence_no)
        return revision_struct(revision, transaction_id, self._strand_id)

    def iter_history(
        self,
        ref: TableRef,
        table: Table,
        ids: Iterable[str],
        bounds: tuple[Any, ...],
        note: Callable[[int], object],
    ) -> Iterator[Row]:
        """
        Iterate over the revisions that were active at some time between the bounds.

        By document id, the oldest revision first; `note` is told the number of each. A delete
        counts as active at the moment of its transaction only; every other revision until the
        next one's.

        Raises:
            PartiqlEvaluationError: a bound is no timestamp, or not start <= end <= now.
        """
        start_ms, end_ms = self._check_bounds(ref, bounds)
        for document_id in ids:
            revisions = self._store.iter_revisions(table.no, document_id, self._size)
            for revision, until_ms in _with_end(revisions):
                if revision.tx_time_ms <= end_ms and until_ms > start_ms:
                    note(revision.no)
                    yield document_id, self._stored_row(revision)

    def _check_bounds(self, ref: TableRef, bounds: tuple[Any, ...]) -> tuple[float, float]:
        if not bounds:
            return float("-inf"), float("inf")
        now_ms = self._now_ms()
        start_ms, end_ms = [_unix_ms(ref, bound) for bound in (*bounds, _from_ms(now_ms))[:2]]
        if not start_ms <= end_ms <= now_ms:
            problem = "history() needs start time <= end time <= now"
            raise PartiqlEvaluationError(ref.line, ref.column, problem)
        return start_ms, end_ms


def _with_end(revisions: Iterable[StoredRevision]) -> Iterator[tuple[StoredRevision, float]]:
    """Pair each revision with the time at which it ceased to be active."""
    before: StoredRevision | None = None
    for revision in revisions:
        if before is not None:
            yield before, float(revision.tx_time_ms)
        before = revision
    if before is not None:
        deleted = before.data is None and before.data_hash is None
        yield before, float(before.tx_time_ms + 1) if deleted else float("inf")


def _from_ms(unix_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=unix_ms)


def _unix_ms(ref: TableRef, bound: Any) -> float:
    if not isinstance(bound, datetime):
        problem = "history() takes timestamps as its start and end"
        raise PartiqlEvaluationError(ref.line, ref.column, problem)
    aware = bound if bound.tzinfo is not None else bound.replace(tzinfo=UTC)
    return (aware - _EPOCH).total_seconds() * 1000
