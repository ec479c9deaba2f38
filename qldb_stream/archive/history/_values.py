"""What the archive answers: a revision as it was, and how far it is proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from qldb_stream.events import BlockAddress, BlockSummary, Revision, RevisionKind, TableInfo
from qldb_stream.ion import IonSlice, to_slice, to_text
from qldb_stream.report import VERSION, Outcome

__all__ = ["Blame", "BlamedField", "HistoryEntry", "RevisionState", "worst"]


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Sum outcomes up: one failure fails all, one that could not be checked leaves all open."""
    found = set(outcomes)
    for outcome in (Outcome.FAILED, Outcome.NOT_CHECKABLE):
        if outcome in found:
            return outcome
    return Outcome.VERIFIED


@attrs.frozen
class RevisionState:
    """
    How far one revision is proven by the bytes of the archive, recomputed for this answer.

    Attributes:
        revision: whether its own hash recomputes from document and metadata, and what the
            block repeats of it agrees.
        block: whether all else of its block recomputes, the block's hash at the end; failed
            too where the archive has two different blocks at this address.
        chain: whether the block links to the one before it, which was read for this as well;
            not checkable for the first block at hand, unless it is block 0.
        reasons: why something failed or could not be checked; fixed sentences.
    """

    revision: Outcome
    block: Outcome
    chain: Outcome
    reasons: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Sum the three up."""
        return worst((self.revision, self.block, self.chain))

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "outcome": self.outcome.value,
            "revision": self.revision.value,
            "block": self.block.value,
            "chain": self.chain.value,
            "reasons": list(self.reasons),
        }


@attrs.frozen
class HistoryEntry:
    """
    One revision of a document as it was, with its state.

    `summary` is that of its block; `table` is None where neither record nor block names one.
    """

    revision: Revision
    summary: BlockSummary = attrs.field(repr=False)
    state: RevisionState
    table: TableInfo | None = None

    @property
    def address(self) -> BlockAddress:
        """Give the block that it stands in."""
        return self.summary.address

    @property
    def document_id(self) -> str:
        """Give the document's id."""
        assert self.revision.metadata is not None, "system revisions have no history"
        return self.revision.metadata.id

    @property
    def version(self) -> int:
        """Give the version of the document, from 0."""
        assert self.revision.metadata is not None, "system revisions have no history"
        return self.revision.metadata.version

    @property
    def is_delete(self) -> bool:
        """Say whether the document ended with it."""
        return self.revision.kind is RevisionKind.DELETE

    def row(self) -> IonSlice:
        """
        Give the row that QLDB's history() gave.

        Returns:
            A struct of blockAddress, hash, data (dataHash when redacted, neither for a
            delete) and metadata (qldb-facts 5.3, 1.4), still in the bytes that are hashed.
        """
        revision = self.revision
        assert revision.metadata is not None
        address = {"strandId": self.address.strand_id, "sequenceNo": self.address.sequence_no}
        fields: dict[str, Any] = {"blockAddress": address, "hash": revision.hash}
        if revision.data_ion is not None:
            fields["data"] = revision.data_ion
        elif revision.data_hash is not None:
            fields["dataHash"] = revision.data_hash
        return to_slice({**fields, "metadata": revision.metadata.ion})


@attrs.frozen
class BlamedField:
    """
    Who gave a field of a document the value that it has.

    Attributes:
        path: names with dots, places in lists in brackets, as in `a.b[0].c`; empty where the
            whole document is one value.
        value: as it stands in the document.
        entry: the earliest revision known to have it, from which on it never changed.
        statements: texts of the statements of that transaction that touched the document, in
            order; empty where the block does not tell (qldb-facts 2.3).
        open_versions: the versions just before `entry` whose contents are not known, first and
            last: redacted ones, those that failed verification, or that the archive lacks. The
            change may have come with one of them. None where it is certain.
    """

    path: str
    value: IonSlice = attrs.field(repr=False)
    entry: HistoryEntry
    statements: tuple[str, ...] = ()
    open_versions: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints, the value as Ion text."""
        metadata = self.entry.revision.metadata
        assert metadata is not None
        return {
            "path": self.path,
            "value": to_text(self.value, is_part=True),
            "strand_id": self.entry.address.strand_id,
            "sequence_no": self.entry.address.sequence_no,
            "version": metadata.version,
            "time": _time(metadata.tx_time),
            "transaction_id": metadata.tx_id,
            "statements": list(self.statements),
            "open_versions": None if self.open_versions is None else list(self.open_versions),
            "state": self.entry.state.as_json(),
        }


@attrs.frozen
class Blame:
    """
    For each field of a document, what last changed it.

    Attributes:
        document_id: the document.
        table: its table, where one is named.
        last: its last revision, the delete of a deleted one.
        shown: the revision whose fields these are: `last`, or the last one before it that has
            contents; None where none has.
        fields: in the document's order.
        outcomes: how many of the document's revisions are how far proven; all of them were
            looked at, and what is said rests on all of them.
        first_version: the lowest version at hand; above 0 the archive begins later.
        missing: ranges of versions between that and the last one that the archive lacks.
        notes: what has to be said of the document, in sentences.
    """

    document_id: str
    table: TableInfo | None
    last: HistoryEntry
    shown: HistoryEntry | None
    fields: tuple[BlamedField, ...]
    outcomes: Mapping[Outcome, int]
    first_version: int
    missing: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Sum the states of all revisions up that something is said of."""
        return worst(outcome for outcome, count in self.outcomes.items() if count)

    def as_json(self) -> dict[str, Any]:
        """Give the object that `history --blame --json` prints."""
        return {
            "version": VERSION,
            "ok": self.outcome is not Outcome.FAILED,
            "outcome": self.outcome.value,
            "outcomes": {outcome.value: self.outcomes.get(outcome, 0) for outcome in Outcome},
            "document_id": self.document_id,
            "table": None if self.table is None else self.table.table_name,
            "table_id": None if self.table is None else self.table.table_id,
            "last_version": self.last.version,
            "last_kind": self.last.revision.kind.value,
            "shown_version": None if self.shown is None else self.shown.version,
            "first_version": self.first_version,
            "missing_versions": [list(pair) for pair in self.missing],
            "fields": [field.as_json() for field in self.fields],
            "notes": list(self.notes),
        }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
