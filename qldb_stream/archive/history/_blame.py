"""
Who changed what: for each field of a document, the revision that gave it its value.

The revisions are told one after the other, the oldest first; what is kept is the document's
last tree, and the revisions that its fields come from. Versions whose contents nobody has
(redacted, or not in the archive) leave open which of them a change came with, and it is said.
So do versions that failed verification: what they hold now need not be what they held, and a field
that was altered there alone would be blamed on the version after it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from qldb_stream.archive.history._fields import Node, blame_tree, leaves_of, tree_of
from qldb_stream.archive.history._values import Blame, BlamedField, HistoryEntry
from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind
from qldb_stream.report import Outcome

__all__ = ["blame_of"]

_KEPT: Final = 512
"""So many revisions are held before those that no field comes from any more are let go."""


def blame_of(document_id: str, entries: Iterable[HistoryEntry]) -> Blame | None:
    """
    Blame the fields of a document.

    Args:
        document_id: the document.
        entries: its revisions, the oldest first; nothing of them is held but what fields
            come from.

    Returns:
        None when there is no revision.
    """
    teller = _Teller()
    for entry in entries:
        teller.feed(entry)
    return teller.end(document_id)


class _Teller:
    """What is known of a document's fields after some of its revisions."""

    def __init__(self) -> None:
        self._tree: Node | None = None
        self._entries: dict[int, HistoryEntry] = {}  # by how many came before
        self._open: dict[int, tuple[int, int]] = {}
        self._unknown: tuple[int, int] | None = None
        self._missing: list[tuple[int, int]] = []
        self._redacted: list[int] = []
        self._failed: list[int] = []
        self._outcomes: Counter[Outcome] = Counter()
        self._first: int | None = None
        self._shown: HistoryEntry | None = None
        self._last: HistoryEntry | None = None
        self._count = 0

    def feed(self, entry: HistoryEntry) -> None:
        """Take in the next revision."""
        self._note_missing(entry)
        self._last = entry
        self._outcomes[entry.state.outcome] += 1
        if Outcome.FAILED in (entry.state.revision, entry.state.block):
            self._failed.append(entry.version)
            self._add_unknown(entry.version, entry.version)
        elif entry.revision.kind is RevisionKind.REDACTED:
            self._redacted.append(entry.version)
            self._add_unknown(entry.version, entry.version)
        elif entry.revision.data_ion is not None:
            self._compare(entry)

    def end(self, document_id: str) -> Blame | None:
        """Sum up."""
        last = self._last
        if last is None or self._first is None:
            return None
        leaves = [] if self._tree is None else leaves_of(self._tree)
        fields = tuple(
            [
                BlamedField(
                    leaf.path,
                    leaf.value,
                    self._entries[leaf.origin],
                    _statements(self._entries[leaf.origin]),
                    self._open.get(leaf.origin),
                )
                for leaf in leaves
            ]
        )
        return Blame(
            document_id,
            last.table,
            last,
            self._shown,
            fields,
            dict(self._outcomes),
            self._first,
            tuple(self._missing),
            tuple(self._notes(last)),
        )

    def _note_missing(self, entry: HistoryEntry) -> None:
        """Note the versions between the last revision and this one."""
        if self._first is None:
            self._first = entry.version
            if entry.version:
                self._add_unknown(0, entry.version - 1)
        elif self._last is not None and entry.version > self._last.version + 1:
            gap = (self._last.version + 1, entry.version - 1)
            self._missing.append(gap)
            self._add_unknown(*gap)

    def _add_unknown(self, first: int, last: int) -> None:
        self._unknown = (first if self._unknown is None else self._unknown[0], last)

    def _compare(self, entry: HistoryEntry) -> None:
        assert entry.revision.data_ion is not None
        origin = self._count
        self._count += 1
        tree = tree_of(entry.revision.data_ion, origin)
        if self._tree is not None:
            blame_tree(self._tree, tree)
        self._tree, self._shown = tree, entry
        self._entries[origin] = entry
        if self._unknown is not None:
            self._open[origin] = self._unknown
            self._unknown = None
        if len(self._entries) > _KEPT:
            used = {leaf.origin for leaf in leaves_of(tree)}
            self._entries = {at: one for at, one in self._entries.items() if at in used}
            self._open = {at: one for at, one in self._open.items() if at in used}

    def _notes(self, last: HistoryEntry) -> Iterator[str]:
        """Say what the fields alone do not."""
        is_failed = last.version in self._failed
        if last.is_delete and not is_failed:
            yield (
                f"the document was deleted in block {_name(last)}; its fields are shown as they "
                "were before that"
            )
        if self._shown is None:
            yield "no revision at hand has contents: there are no fields to show"
        elif self._shown is not last and (is_failed or not last.is_delete):
            why = "failed verification" if is_failed else "is redacted"
            yield (
                f"version {last.version} {why}; fields are shown as of version "
                f"{self._shown.version}"
            )
        if self._first:
            yield (
                f"the archive has the document from version {self._first} on: what is blamed "
                "on that one may be older"
            )
        if self._missing:
            yield f"versions that the archive lacks: {_ranges(self._missing)}"
        if self._failed:
            yield (
                "versions that failed verification, whose contents are not compared: "
                f"{_ranges([(v, v) for v in self._failed])}"
            )
        if self._redacted:
            yield f"versions that are redacted: {_ranges([(v, v) for v in self._redacted])}"


def _statements(entry: HistoryEntry) -> tuple[str, ...]:
    """Give the statements of a transaction that touched the document, each once, in order."""
    info = entry.summary.transaction_info
    try:
        found = None if info is None else info.documents.get(entry.document_id)
        if info is None or found is None:
            return ()
        texts = [statement.statement for statement in info.statements]
    except DecodeError:  # TRANSACTION_INFO has failed, and the entry's state says so
        return ()
    indexes = sorted(set(found.statements))
    return tuple([texts[index] for index in indexes if 0 <= index < len(texts)])


def _name(entry: HistoryEntry) -> str:
    return f"{entry.address.strand_id}/{entry.address.sequence_no}"


def _ranges(ranges: Iterable[tuple[int, int]]) -> str:
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ranges]
    more = len(shown) - 10
    return ", ".join(shown[:10]) + (f" and {more} more" if more > 0 else "")
