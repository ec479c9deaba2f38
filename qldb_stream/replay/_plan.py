"""
A block becomes the operations that repeat it elsewhere; a pure function.

Rules (design, "Replaying into a ledger"):

- Tables and indexes come from the DDL among the statements, documents from the
  revisions. An operation takes the place of its last statement index; operations of
  one statement keep the order of the revisions.
- A revision whose statement nobody knows (no transactionInfo, not among its
  documents, an index that no statement has) comes after all statements, but before
  the last DROP TABLE of its table.
- Version 0 is an insert, a later one an update, a delete a delete. A redacted
  revision becomes a placeholder that keeps its hashes, so that versions keep step.
- Hash-only system revisions and the source's own `qldb_stream_*` tables are left out.

Ids are the source's; binding them is the executor's job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, DocumentInfo, Revision, RevisionKind, TableInfo
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.partiql.ast import DropTable
from qldb_stream.replay._ddl import OWN_TABLES, check_table_name, iter_ddl, refusal, table_of
from qldb_stream.replay._operations import (
    BlockPlan,
    ChangeKind,
    DocumentChange,
    Operation,
    TableChange,
)

REDACTED_FIELD: Final = "qldb_stream_redacted"

_NO_DOCUMENTS: Final[Mapping[str, DocumentInfo]] = {}


def plan_block(block: Block) -> BlockPlan:
    """
    Plan how to repeat a block in one transaction.

    Returns:
        The operations in order; none for a block that wrote nothing.

    Raises:
        ReplayRefusedError: a statement or revision cannot be repeated, and why.
    """
    try:
        return _plan(block)
    except DecodeError as exc:
        raise refusal(block.address, f"it cannot be read: {exc}") from exc


def redaction_placeholder(revision: Revision) -> IonSlice:
    """Make the document that stands for a redacted revision: its two hashes, named."""
    return to_slice({REDACTED_FIELD: {"hash": revision.hash, "data_hash": revision.data_hash}})


def _plan(block: Block) -> BlockPlan:
    summary = block.summary
    ddl: tuple[tuple[int, TableChange], ...] = ()
    documents = _NO_DOCUMENTS
    statements = 0
    if summary.transaction_info is not None:
        texts = [statement.statement for statement in summary.transaction_info.statements]
        statements = len(texts)
        ddl = tuple(iter_ddl(block.address, texts))
        documents = summary.transaction_info.documents
    left_out: Counter[str] = Counter()
    placed: list[tuple[int, Operation]] = []
    for index, table_change in ddl:
        if _is_own(table_of(table_change)):
            left_out[str(table_of(table_change))] += 1
        else:
            placed.append((2 * index, table_change))
    for revision in block.revisions:
        change = _maybe_change(block, revision, documents)
        if change is None:
            continue
        if _is_own(change.table.table_name):
            left_out[change.table.table_name] += 1
        else:
            placed.append((_place(change, documents, statements, ddl), change))
    if len(placed) > 1:
        placed.sort(key=_first)
    return BlockPlan(
        summary.address,
        summary.block_hash,
        summary.previous_block_hash,
        tuple(operation for _, operation in placed),
        summary.redaction_info is not None,
        left_out,
    )


def _first(placed: tuple[int, Operation]) -> int:
    return placed[0]


def _is_own(table: str | None) -> bool:
    return table is not None and table.startswith(OWN_TABLES)


def _place(
    change: DocumentChange,
    documents: Mapping[str, DocumentInfo],
    statements: int,
    ddl: tuple[tuple[int, TableChange], ...],
) -> int:
    """Give twice the index of the last statement that changed the document."""
    info = documents.get(change.source_id)
    last = max(info.statements, default=-1) if info is not None else -1
    if 0 <= last < statements:
        return 2 * last
    dropped = tuple(_iter_drops(change.table.table_name, ddl))
    return 2 * dropped[-1] - 1 if dropped else 2 * statements


def _iter_drops(table: str, ddl: tuple[tuple[int, TableChange], ...]) -> Iterator[int]:
    """Yield where a table is dropped for good: not made again in the same block."""
    for index, change in reversed(ddl):
        if table_of(change) == table:
            if isinstance(change, DropTable):
                yield index
            return


def _maybe_change(
    block: Block, revision: Revision, documents: Mapping[str, DocumentInfo]
) -> DocumentChange | None:
    """Turn a revision into a change; None for one that only the system knows."""
    metadata = revision.metadata
    if metadata is None:
        return None
    table = _table_of(block, revision, metadata.id, documents)
    kind = ChangeKind.UPDATE if metadata.version else ChangeKind.INSERT
    if revision.data_ion is not None:
        return DocumentChange(kind, table, metadata.id, metadata.version, revision.data_ion)
    if revision.kind is RevisionKind.REDACTED:
        placeholder = redaction_placeholder(revision)
        return DocumentChange(kind, table, metadata.id, metadata.version, placeholder)
    if not metadata.version:
        raise refusal(block.address, f"document {metadata.id} is deleted before it was inserted")
    return DocumentChange(ChangeKind.DELETE, table, metadata.id, metadata.version)


def _table_of(
    block: Block,
    revision: Revision,
    document_id: str,
    documents: Mapping[str, DocumentInfo],
) -> TableInfo:
    """Find a revision's table: from its record, else from the transaction's info."""
    table = revision.table
    if table is None:
        info = documents.get(document_id)
        if info is None:
            raise refusal(block.address, f"nothing says in which table document {document_id} is")
        table = info.table
    check_table_name(block.address, table.table_name)
    return table
