"""
Decide what a synthetic journal tells: which block does what to which documents.

Strategy: one pass, block by block, with a bounded pool of living documents, so that a
journal of any length is told in constant memory. What must come later (the update and
the redaction that follow a revision that will be redacted) is written into an agenda
when the revision is made, and a revision is only doomed when both still fit in. No
bytes and no hashes here.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs

from qldb_stream.events import BlockAddress, DocumentInfo, RedactedRevision, TableInfo
from qldb_stream.report import DeleteRule
from qldb_stream.testing._documents import (
    DocumentMaker,
    make_document,
    make_id,
    make_remark,
    table_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "JournalShape",
    "ManyDocuments",
    "PlannedBlock",
    "PlannedRevision",
    "PlannedStatement",
    "plan_blocks",
]

_POOL_SIZE: Final = 500  # living documents that may still change; bounds memory
_START_MS: Final = 1_590_969_600_123  # 2020-06-01, 123 ms
_PROMISE: Final = 0.1  # share of references to documents that come later


@attrs.frozen
class JournalShape:
    """
    What a synthetic journal is made of; shares are between 0 and 1.

    Attributes:
        tables: how many tables; one is created in each third block from block 0 on.
        least_revisions: of a block that changes documents.
        most_revisions: of a block that changes documents, forced updates apart.
        updates: share of changes that update, when there is something to update.
        deletes: share of changes that delete, as above.
        redactions: share of inserts that are redacted later on.
        system: share of blocks with a hash-only system revision.
        empty: share of blocks that only select, or have no transactionInfo at all.
        document_bytes: documents become about that long; 0 leaves them at 200 to 400.
        document: makes the documents, instead of the built-in kinds.
        delete_rule: how the hashes of delete revisions come about (facts 1.4).
        erased: show redacted revisions as the service shows them afterwards, without
            data and with dataHash; else as they were before.
    """

    tables: int = 3
    least_revisions: int = 1
    most_revisions: int = 4
    updates: float = 0.4
    deletes: float = 0.08
    redactions: float = 0.05
    system: float = 0.05
    empty: float = 0.08
    document_bytes: int = 0
    document: DocumentMaker | None = None
    delete_rule: DeleteRule = DeleteRule.METADATA_ONLY
    erased: bool = False


class ManyDocuments(list[Any]):
    """The documents of one INSERT; a document that is a list is another thing."""


@attrs.frozen
class PlannedStatement:
    """A statement and its parameters; `ManyDocuments` stands for a list of documents."""

    text: str
    parameters: tuple[Any, ...]


@attrs.frozen
class PlannedRevision:
    """A state of a document; `data` is None after a delete."""

    document_id: str
    version: int
    table: TableInfo
    data: Any
    doomed: bool = False


@attrs.frozen
class PlannedBlock:
    """One transaction; without statements it has no transactionInfo."""

    address: BlockAddress
    transaction_id: str
    time_ms: int
    statements: tuple[PlannedStatement, ...] = ()
    revisions: tuple[PlannedRevision, ...] = ()
    documents: dict[str, DocumentInfo] = attrs.field(factory=dict)
    redacted: RedactedRevision | None = None
    system_leaf_at: int | None = None


def plan_blocks(
    rng: Random, strand_id: str, blocks: int, shape: JournalShape
) -> Iterator[PlannedBlock]:
    """Tell a journal from block 0 on, `blocks` blocks long."""
    return iter(_Story(rng, strand_id, blocks, shape))


@attrs.define
class _Living:
    document_id: str
    table: TableInfo
    data: Any
    version: int = 0


@attrs.define
class _Transaction:
    """What one block gathers while its changes are made up."""

    statements: list[PlannedStatement] = attrs.field(factory=list)
    revisions: list[PlannedRevision] = attrs.field(factory=list)
    documents: dict[str, DocumentInfo] = attrs.field(factory=dict)

    def run(self, text: str, *parameters: Any) -> int:
        """Add a statement, give its index."""
        self.statements.append(PlannedStatement(text, parameters))
        return len(self.statements) - 1

    def write(self, revision: PlannedRevision, *statements: int) -> None:
        self.revisions.append(revision)
        self.documents[revision.document_id] = DocumentInfo(revision.table, statements)


class _Story:
    """The state between blocks: tables, living documents, agenda."""

    def __init__(self, rng: Random, strand_id: str, blocks: int, shape: JournalShape) -> None:
        self._rng = rng
        self._strand_id = strand_id
        self._blocks = blocks
        self._shape = shape
        self._names = table_names(shape.tables)
        self._tables: list[TableInfo] = []
        self._pool: list[_Living] = []
        self._promised: deque[str] = deque()
        self._updates: dict[int, list[_Living]] = {}
        self._redactions: dict[int, RedactedRevision] = {}
        self._time_ms = _START_MS

    def __iter__(self) -> Iterator[PlannedBlock]:
        for number in range(self._blocks):
            yield self._block(number)

    def _block(self, number: int) -> PlannedBlock:
        rng = self._rng
        self._time_ms += 30 + int(rng.random() * 3000)
        at = BlockAddress(self._strand_id, number)
        redacted = self._redactions.pop(number, None)
        changes = _Transaction()
        if redacted is not None:
            _run_redaction(changes, redacted)
        elif self._is_ddl(number):
            self._run_ddl(changes, number)
        elif number in self._updates or rng.random() >= self._shape.empty:
            self._change_documents(changes, number)
        elif rng.random() < 0.7:  # noqa: PLR2004 - the rest are blocks of the system's own
            table = self._tables[0].table_name
            text = f"SELECT * FROM {table} AS d WHERE d.number = ?"  # noqa: S608 - PartiQL
            changes.run(text, make_remark(rng, 9))
        return PlannedBlock(
            at,
            make_id(rng),
            self._time_ms,
            tuple(changes.statements),
            tuple(changes.revisions),
            changes.documents,
            redacted,
            self._system_leaf(changes),
        )

    def _system_leaf(self, changes: _Transaction) -> int | None:
        """Choose where among the leaves a hash-only revision stands, if there is one."""
        if self._rng.random() >= self._shape.system:
            return None
        return int(self._rng.random() * (len(changes.revisions) + 1))

    def _is_ddl(self, number: int) -> bool:
        return number % 3 < 2 and number // 3 < self._shape.tables  # noqa: PLR2004 - table, index, data

    def _run_ddl(self, changes: _Transaction, number: int) -> None:
        name = self._names[number // 3]
        if number % 3 == 0:
            self._tables.append(TableInfo(name, make_id(self._rng)))
            changes.run(f"CREATE TABLE {name}")
        else:
            changes.run(f"CREATE INDEX ON {name} (number)")

    def _change_documents(self, changes: _Transaction, number: int) -> None:
        for doomed in self._updates.pop(number, ()):
            self._update(changes, doomed)
            self._keep(doomed)
        shape, rng = self._shape, self._rng
        spread = shape.most_revisions - shape.least_revisions + 1
        for _ in range(shape.least_revisions + int(rng.random() * spread)):
            roll = rng.random()
            living = self._maybe_living(changes) if roll < shape.updates + shape.deletes else None
            if living is None:
                self._insert(changes, number)
            elif roll < shape.updates:
                self._update(changes, living)
                self._keep(living)
            else:
                self._delete(changes, living)

    def _maybe_living(self, changes: _Transaction) -> _Living | None:
        """Take a document out of the pool that this transaction has not touched."""
        if not self._pool:
            return None
        at = int(self._rng.random() * len(self._pool))
        if self._pool[at].document_id in changes.documents:
            return None
        self._pool[at], self._pool[-1] = self._pool[-1], self._pool[at]
        return self._pool.pop()

    def _keep(self, living: _Living) -> None:
        if len(self._pool) < _POOL_SIZE:
            self._pool.append(living)
        else:  # one leaves for good: it will never change again
            self._pool[int(self._rng.random() * _POOL_SIZE)] = living

    def _insert(self, changes: _Transaction, number: int) -> None:
        rng = self._rng
        table = self._tables[int(rng.random() * len(self._tables))]
        document_id = self._promised.popleft() if self._promised else make_id(rng)
        living = _Living(document_id, table, self._document(table, changes))
        doomed = rng.random() < self._shape.redactions and self._doom(living, number)
        if not doomed:
            self._keep(living)
        statement = self._insert_statement(changes, living)
        changes.write(PlannedRevision(document_id, 0, table, living.data, doomed), statement)

    def _insert_statement(self, changes: _Transaction, living: _Living) -> int:
        """Insert by a statement of its own, or by the one before, whose list grows."""
        text = f"INSERT INTO {living.table.table_name} ?"
        last = changes.statements[-1] if changes.statements else None
        if last is None or last.text != text or self._rng.random() < 0.7:  # noqa: PLR2004 - mostly alone
            return changes.run(text, living.data)
        given = last.parameters[0]
        many = [*given, living.data] if isinstance(given, ManyDocuments) else [given, living.data]
        changes.statements[-1] = attrs.evolve(last, parameters=(ManyDocuments(many),))
        return len(changes.statements) - 1

    def _update(self, changes: _Transaction, living: _Living) -> None:
        name = living.table.table_name
        living.version += 1
        if type(living.data) is dict and self._rng.random() < 0.5:  # noqa: PLR2004 - a coin
            remark = make_remark(self._rng, self._shape.document_bytes - 200)
            living.data = {**living.data, "remark": remark, "revised": living.version}
            text = f"UPDATE {name} AS d BY id SET d.remark = ?, d.revised = ? WHERE id = ?"  # noqa: S608 - PartiQL
            index = changes.run(text, remark, living.version, living.document_id)
            indexes = [index, index]  # one for each assignment, facts 2.3
        else:
            living.data = self._document(living.table, changes)
            text = f"UPDATE {name} AS d BY id SET d = ? WHERE id = ?"  # noqa: S608 - PartiQL
            indexes = [changes.run(text, living.data, living.document_id)]
        revision = PlannedRevision(living.document_id, living.version, living.table, living.data)
        changes.write(revision, *indexes)

    def _delete(self, changes: _Transaction, living: _Living) -> None:
        text = f"DELETE FROM {living.table.table_name} AS d BY id WHERE id = ?"  # noqa: S608 - PartiQL
        index = changes.run(text, living.document_id)
        revision = PlannedRevision(living.document_id, living.version + 1, living.table, None)
        changes.write(revision, index)

    def _document(self, table: TableInfo, changes: _Transaction) -> Any:
        """Make a document that may refer to others: here, earlier, or yet to come."""
        rng, name, shape = self._rng, table.table_name, self._shape
        references = list(changes.documents)
        if self._pool:
            references.append(self._pool[int(rng.random() * len(self._pool))].document_id)
        if rng.random() < _PROMISE:
            promise = make_id(rng)
            self._promised.append(promise)
            references.append(promise)
        if shape.document is not None:
            return shape.document(rng, name, references)
        return make_document(rng, name, references, at_least_bytes=shape.document_bytes)

    def _doom(self, living: _Living, number: int) -> bool:
        """Put an update and then a redaction on the agenda, if both still fit in."""
        update_at = self._next_free(number + 1)
        redact_at = self._next_free(update_at + 1, unused=True)
        if redact_at >= self._blocks:
            return False
        self._updates.setdefault(update_at, []).append(living)
        self._redactions[redact_at] = RedactedRevision(
            BlockAddress(self._strand_id, number), living.table.table_id, living.document_id, 0
        )
        return True

    def _next_free(self, number: int, *, unused: bool = False) -> int:
        """Find a block that is not spoken for; `unused`: not by updates either."""
        while (
            self._is_ddl(number)
            or number in self._redactions
            or (unused and number in self._updates)
        ):
            number += 1
        return number


def _run_redaction(changes: _Transaction, redacted: RedactedRevision) -> None:
    address = {
        "strandId": redacted.block_address.strand_id,
        "sequenceNo": redacted.block_address.sequence_no,
    }
    text = f"EXEC REDACT_REVISION ?, '{redacted.table_id}', '{redacted.document_id}'"
    changes.run(text, address)
