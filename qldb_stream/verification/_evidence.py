"""
What a block says of its revisions a second time, looked up by document.

Made once for a block, and only filled when a revision fails or looks odd: a block may have
many revisions that fail, and each of them asks. So leaves are found by document, and what
a statement's text says is worked out once for each statement, whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.hashing import merkle_root
from qldb_stream.ion import ion_hash
from qldb_stream.statements import deletes_documents
from qldb_stream.verification._literals import iter_literals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qldb_stream.events import BlockSummary, Statement
    from qldb_stream.ion import IonSlice

__all__ = ["BlockEvidence", "StatementEvidence"]

_MAX_LITERALS: Final = 100


class StatementEvidence:
    """One statement, and what its text says."""

    def __init__(self, statement: Statement) -> None:
        self.digest = statement.statement_digest
        self._text = statement.statement

    @cached_property
    def text_hash(self) -> bytes:
        """Give H(statement), which its digest begins with (facts 2.5)."""
        return ion_hash(self._text)

    @cached_property
    def deletes(self) -> bool:
        """Say whether it deletes whole documents."""
        return deletes_documents(self._text)

    @cached_property
    def literals(self) -> tuple[IonSlice, ...]:
        """Give the scalar literals in its text, as many as are worth trying."""
        return tuple(iter_literals(self._text, _MAX_LITERALS))

    @cached_property
    def inserts_one_parameter(self) -> bool:
        """Say whether it is INSERT INTO a table of one parameter and nothing else."""
        words = self._text.upper().split()
        return words[:2] == ["INSERT", "INTO"] and words[3:] == ["?"]


class BlockEvidence:
    """The summary of a block, to be asked about its documents."""

    def __init__(self, summary: BlockSummary) -> None:
        self.summary = summary

    def lists(self, document_id: str | None, digest: bytes) -> bool:
        """Say whether a leaf of the document has a hash."""
        return digest in self._leaves.get(document_id, ())

    def leaf_hashes(self, document_id: str | None) -> frozenset[bytes]:
        """Give the hashes that the block lists for a document."""
        return frozenset(self._leaves.get(document_id, ()))

    @cached_property
    def document_ids(self) -> Sequence[str]:
        """Give the documents that the block names anywhere, each once."""
        info = self.summary.transaction_info
        try:
            named = () if info is None else tuple(info.documents)
        except DecodeError:
            named = ()
        leaves = (leaf.document_id for leaf in self.summary.revision_summaries)
        return list(dict.fromkeys([*named, *(found for found in leaves if found is not None)]))

    def root_fits(self, stated: bytes, other: bytes) -> bool:
        """Say whether the block hashes a revision of another hash than the one stated."""
        leaves = [leaf.hash for leaf in self.summary.revision_summaries]
        if leaves.count(stated) != 1:
            return False
        leaves[leaves.index(stated)] = other
        try:
            return merkle_root(leaves) in self.summary.entries_hash_list
        except UsageError:  # another leaf is no digest
            return False

    @property
    def has_one_document(self) -> bool:
        """Say whether one document changed, so that no statement was shared with another."""
        return len(self.summary.revision_summaries) == 1

    def statements_of(self, document_id: str | None) -> Sequence[StatementEvidence]:
        """Give the statements that changed a document; none when that is unknown."""
        info = self.summary.transaction_info
        if info is None or document_id is None:
            return ()
        try:
            own = info.documents.get(document_id)
            statements = self._statements
        except DecodeError:
            return ()
        indexes = () if own is None else dict.fromkeys(own.statements)  # repeated by assignments
        return [statements[i] for i in indexes if 0 <= i < len(statements)]

    @cached_property
    def _leaves(self) -> Mapping[str | None, set[bytes]]:
        found: dict[str | None, set[bytes]] = {}
        for leaf in self.summary.revision_summaries:
            found.setdefault(leaf.document_id, set()).add(leaf.hash)
        return found

    @cached_property
    def _statements(self) -> Sequence[StatementEvidence]:
        info = self.summary.transaction_info
        return () if info is None else [StatementEvidence(one) for one in info.statements]
