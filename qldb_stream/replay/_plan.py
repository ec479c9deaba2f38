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
- A block whose transactionInfo names a document without a revision is refused: an
  unhashed document id was stripped, or a record is missing.
- Hash-only system revisions and the source's own `qldb_stream_*` tables are left out.
- Of a filtered block, DDL is about tables as they are delivered; a withheld document becomes
  the placeholder of a redacted one.

Ids are the source's; binding them is the executor's job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from operator import itemgetter
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block, BlockSummary, Metadata, Revision, TableInfo
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.partiql import table_of_ddl
from qldb_stream.partiql.ast import DropTable
from qldb_stream.replay._ddl import (
    OWN_TABLES,
    check_table_name,
    iter_ddl,
    refusal,
    with_table,
)
from qldb_stream.replay._info import may_hold_ddl, read_last_statements, read_texts
from qldb_stream.replay._operations import (
    BlockPlan,
    ChangeKind,
    DocumentChange,
    Operation,
    TableChange,
)
from qldb_stream.replay._redactions import REDACTED_FIELD
from qldb_stream.statements import missing_documents

# After every statement.
_UNKNOWN: Final = inf


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


def order_changes(block: Block) -> tuple[Operation, ...]:
    """
    Put what a block did to tables and to documents in order, for who stores the block itself.

    Unlike a plan it leaves out no table, and says of documents only which, and where.

    Returns:
        Every DDL statement, and a change without its document for each revision that is not
        hash-only; their kinds mean nothing.

    Raises:
        ReplayRefusedError: a statement or revision cannot be placed, and why.
    """
    try:
        _check_documents(block)
        documents = [
            _bare_change(block, revision, revision.metadata)
            for revision in block.revisions
            if revision.metadata is not None
        ]
        tables = list(_iter_table_changes(block.summary))
        return _in_order(block.summary, tables, documents) if tables else tuple(documents)
    except DecodeError as exc:
        raise refusal(block.address, f"it cannot be read: {exc}") from exc


def _bare_change(block: Block, revision: Revision, metadata: Metadata) -> DocumentChange:
    table = _table_of(block, revision, metadata.id)
    return DocumentChange(ChangeKind.UPDATE, table, metadata.id, metadata.version)


def redaction_placeholder(revision: Revision) -> IonSlice:
    """Make the document that stands for a redacted revision: its two hashes, named."""
    return to_slice({REDACTED_FIELD: {"hash": revision.hash, "data_hash": revision.data_hash}})


def _plan(block: Block) -> BlockPlan:
    summary = block.summary
    _check_documents(block)
    left_out: dict[str, int] = {}
    tables = [
        (index, change)
        for index, change in _iter_delivered_changes(block)
        if not _is_own(table_of_ddl(change), left_out)
    ]
    documents = [
        change for change in _iter_changes(block) if not _is_own(change.table.table_name, left_out)
    ]
    operations: tuple[Operation, ...]
    if tables or len(documents) > 1:
        operations = _in_order(summary, tables, documents)
    else:
        operations = tuple(documents)
    return BlockPlan(
        summary.address,
        summary.block_hash,
        summary.previous_block_hash,
        operations,
        () if summary.redaction_info is None else summary.redaction_info.revisions,
        left_out,
        block.filtered is not None,
    )


def _check_documents(block: Block) -> None:
    """Make sure that every document has its revision, unless it came and went in the block."""
    info = block.summary.transaction_info
    if info is None:
        return
    present = {revision.document_id for revision in block.revisions}
    for document_id, may_have_passed in missing_documents(info, present).items():
        table = info.documents[document_id].table.table_name
        if not may_have_passed and block.delivered_name(table) is not None:
            raise refusal(
                block.address,
                f"transactionInfo names document {document_id}, but there is no revision of it",
            )


def _is_own(table: str | None, left_out: dict[str, int]) -> bool:
    """Say whether a table is one of this library's; if so, count it."""
    if table is None or not table.startswith(OWN_TABLES):
        return False
    left_out[table] = left_out.get(table, 0) + 1
    return True


def _iter_table_changes(summary: BlockSummary) -> Iterator[tuple[int, TableChange]]:
    """Yield the DDL of a block; most blocks are known to have none by a look at the bytes."""
    info = summary.transaction_info
    if info is not None and may_hold_ddl(info.ion):
        yield from iter_ddl(summary.address, read_texts(info.ion))


def _iter_delivered_changes(block: Block) -> Iterator[tuple[int, TableChange]]:
    """Yield the DDL of a block, with the names under which a filter delivers tables."""
    for index, change in _iter_table_changes(block.summary):
        name = table_of_ddl(change)
        if name is None or block.filtered is None:
            yield index, change
            continue
        delivered = block.delivered_name(name)
        if delivered is not None:
            check_table_name(block.address, delivered)
            yield index, with_table(change, delivered)


def _in_order(
    summary: BlockSummary,
    tables: Sequence[tuple[int, TableChange]],
    documents: Sequence[DocumentChange],
) -> tuple[Operation, ...]:
    """Put operations where their last statements stood; the sort keeps ties in order."""
    info = summary.transaction_info
    last = {} if info is None else read_last_statements(info.ion)
    statements = _UNKNOWN if info is None or not tables else len(read_texts(info.ion))
    placed: list[tuple[float, Operation]] = [*tables]
    for change in documents:
        place: float = last.get(change.source_id, _UNKNOWN)
        if not 0 <= place < statements:
            place = _last_place(change.table.table_name, tables)
        placed.append((place, change))
    return tuple(operation for _, operation in sorted(placed, key=itemgetter(0)))


def _last_place(table: str, tables: Sequence[tuple[int, TableChange]]) -> float:
    """Give the place of a change that no statement is known for."""
    for index, change in reversed(tables):
        if table_of_ddl(change) == table:
            # Dropped for good: the document was there before. Else it was made before.
            return index - 0.5 if isinstance(change, DropTable) else _UNKNOWN
    return _UNKNOWN


def _iter_changes(block: Block) -> Iterator[DocumentChange]:
    """Yield a change for each revision, but for those that only the system knows."""
    for revision in block.revisions:
        metadata = revision.metadata
        if metadata is not None:
            yield _change(block, revision, metadata)


def _change(block: Block, revision: Revision, metadata: Metadata) -> DocumentChange:
    table = _table_of(block, revision, metadata.id)
    kind = ChangeKind.UPDATE if metadata.version else ChangeKind.INSERT
    document = revision.data_ion
    if document is None and revision.data_hash is not None:
        document = redaction_placeholder(revision)
    if document is None:
        if not metadata.version:
            raise refusal(
                block.address, f"document {metadata.id} is deleted before it was inserted"
            )
        kind = ChangeKind.DELETE
    return DocumentChange(kind, table, metadata.id, metadata.version, document)


def _table_of(block: Block, revision: Revision, document_id: str) -> TableInfo:
    """Find a revision's table: from its record, else from the transaction's info."""
    table = revision.table
    if table is None:
        info = block.summary.transaction_info
        documents = {} if info is None else info.documents
        if document_id not in documents:
            raise refusal(block.address, f"nothing says in which table document {document_id} is")
        table = documents[document_id].table
    check_table_name(block.address, table.table_name)
    return table
