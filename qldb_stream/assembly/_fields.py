"""Name the fields in which a copy that was left out differs from the one that was taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from qldb_stream.differences import iter_differences
from qldb_stream.events import BlockSummary, RedactionInfo, Revision, TransactionInfo
from qldb_stream.ion import IonSlice
from qldb_stream.report import Diagnosis, Evidence, FieldChange

__all__ = ["diagnose_copy", "revision_differences", "summary_differences"]

_LISTED: Final = 8  # of one copy; thousands of copies may be left out
_OF_REVISIONS: Final = (("hash", "hash"), ("data_hash", "dataHash"), ("address", "blockAddress"))
_OF_SUMMARIES: Final = (
    ("transaction_id", "transactionId"),
    ("block_timestamp", "blockTimestamp"),
    ("block_hash", "blockHash"),
    ("entries_hash", "entriesHash"),
    ("previous_block_hash", "previousBlockHash"),
    ("entries_hash_list", "entriesHashList"),
    ("revision_summaries", "revisionSummaries"),
)


def diagnose_copy(differences: Iterable[FieldChange]) -> Diagnosis | None:
    """Make a diagnosis of the first differences; None when there are none."""
    changes = tuple(islice(differences, _LISTED))
    return Diagnosis(Evidence.COPY, changes) if changes else None


def revision_differences(best: Revision, other: Revision) -> Iterator[FieldChange]:
    """Iterate over the fields in which a revision differs from a better copy of it."""
    a = None if best.metadata is None else best.metadata.ion
    b = None if other.metadata is None else other.metadata.ion
    yield from iter_differences(a, b, "metadata")
    if best.data_ion is not None or best.data_hash is None:  # else its document is redacted
        yield from iter_differences(best.data_ion, other.data_ion, "data")
    yield from _plain(best, other, _OF_REVISIONS)
    if best.table is not None and other.table is not None and best.table != other.table:
        yield FieldChange("tableInfo", "OTHER_VALUE", "another")


def summary_differences(best: BlockSummary, other: BlockSummary) -> Iterator[FieldChange]:
    """Iterate over the fields in which a summary differs from a better copy of it."""
    for name, field in (
        ("transaction_info", "transactionInfo"),
        ("redaction_info", "redactionInfo"),
    ):
        a, b = _ion(getattr(best, name)), _ion(getattr(other, name))
        yield from iter_differences(a, b, field)
    yield from _plain(best, other, _OF_SUMMARIES)


def _ion(info: TransactionInfo | RedactionInfo | None) -> IonSlice | None:
    return None if info is None else info.ion


def _plain(best: object, other: object, names: Iterable[tuple[str, str]]) -> Iterator[FieldChange]:
    for name, field in names:
        if getattr(best, name) != getattr(other, name):
            yield FieldChange(field, "OTHER_VALUE", "another")
