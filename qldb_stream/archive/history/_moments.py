"""Moments in a journal: what counts as of one, by the revision's own words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from qldb_stream.archive.history._values import HistoryEntry
from qldb_stream.events import BlockAddress
from qldb_stream.report import Outcome

__all__ = ["Moment", "is_gone", "is_until", "ms_of"]

Moment: TypeAlias = datetime | BlockAddress
"""A time (UTC where it names no offset), or the last block that counts."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def ms_of(moment: datetime) -> int:
    """Give a time in milliseconds since 1970, cut; one that names no offset is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MS


def is_until(entry: HistoryEntry, until: BlockAddress | int | None) -> bool:
    """Say whether a revision was there at a block, or at a time in ms since 1970; None: ever."""
    if until is None:
        return True
    if isinstance(until, BlockAddress):
        address = entry.address
        return address.strand_id == until.strand_id and address.sequence_no <= until.sequence_no
    metadata = entry.revision.metadata
    return metadata is not None and ms_of(metadata.tx_time) <= until


def is_gone(entry: HistoryEntry) -> bool:
    """Say whether a document ended with a revision, as far as that is not refuted."""
    return entry.is_delete and entry.state.outcome is not Outcome.FAILED
