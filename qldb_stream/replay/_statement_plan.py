"""
Statement mode: a block becomes the very statements that were sent; a pure function.

Parameter values are never journaled (facts 2.3), so only what a text says by itself can be sent
again, and only where the destination must make the same of it. With one exception: since
`statementDigest` folds in the parameters (facts 2.5), a guess can be proven. For exactly
`INSERT INTO table ?` the documents that the statement inserted are known; the parameter was
one of them or a list, and the digest says which.

What is refused, each by name: parameters that cannot be proven, the time and the transaction's id,
ids of documents and tables in a text (the destination has others), statements over the system's
views, EXEC, and what this library's PartiQL cannot read. SELECTs change nothing and are left
out, as are statements on the source's own `qldb_stream_*` tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, LedgerError
from qldb_stream.events import Block, Revision, Statement as Journaled, TransactionInfo
from qldb_stream.hashing import dot
from qldb_stream.ion import IonSlice, ion_hash, to_slice
from qldb_stream.partiql import parse_statement, table_of_ddl, walk
from qldb_stream.partiql.ast import (
    Call,
    Delete,
    DropIndex,
    Exec,
    History,
    Identifier,
    Insert,
    Modify,
    Node,
    Parameter,
    Select,
    Source,
    Statement,
    UndropTable,
)
from qldb_stream.replay._ddl import OWN_TABLES, refusal
from qldb_stream.replay._operations import BlockPlan

# Facts 2.2: 22 letters and digits. One in fifty has no digit; such a word is taken for an id only
# in quotes, since names of fields have 22 letters, too.
_ID: Final = re.compile(r"(?<![0-9A-Za-z_])([\"'`]?)([0-9A-Za-z]{22})(?![0-9A-Za-z_])")

_CHANGING: Final = frozenset({"UTCNOW", "TXID"})
_COMMITTED: Final = "_ql_committed_"


@attrs.frozen
class SentStatement:
    """
    A statement to send again.

    `documents` is how many documents it changed in the source, by transactionInfo; None for
    DDL.
    """

    text: str
    parameters: tuple[IonSlice, ...] = attrs.field(default=(), repr=False)
    documents: int | None = None


@attrs.frozen
class StatementPlan(BlockPlan):
    """The statements that repeat one block, in order; it has no operations."""

    statements: tuple[SentStatement, ...] = ()


def plan_statements(block: Block) -> StatementPlan:
    """
    Plan how to repeat a block by its statements.

    Raises:
        ReplayRefusedError: a statement cannot be sent again, which one, and why.
    """
    summary = block.summary
    if block.filtered is not None:
        raise refusal(block.address, "a filter changed it, and statements cannot be filtered")
    left_out: dict[str, int] = {}
    try:
        statements = tuple(_iter_statements(block, left_out))
    except DecodeError as exc:
        raise refusal(block.address, f"it cannot be read: {exc}") from exc
    return StatementPlan(
        summary.address,
        summary.block_hash,
        summary.previous_block_hash,
        (),
        () if summary.redaction_info is None else summary.redaction_info.revisions,
        left_out,
        statements=statements,
    )


def _iter_statements(block: Block, left_out: dict[str, int]) -> Iterator[SentStatement]:
    info = block.summary.transaction_info
    if info is None:
        if any(revision.metadata is not None for revision in block.revisions):
            raise refusal(block.address, "it has no transactionInfo, and so no statements")
        return
    for index, journaled in enumerate(info.statements):
        sent = _maybe_sent(block, info, index, journaled, left_out)
        if sent is not None:
            yield sent


def _maybe_sent(
    block: Block,
    info: TransactionInfo,
    index: int,
    journaled: Journaled,
    left_out: dict[str, int],
) -> SentStatement | None:
    """Plan one statement; None for one that changes nothing, or only tables of ours."""
    text = journaled.statement
    try:
        parsed = parse_statement(text)
    except LedgerError as exc:
        raise refusal(block.address, f"statement {index} cannot be read: {exc}") from exc
    statement = parsed.statement
    if isinstance(statement, Select):
        return None
    table = _table(statement)
    if table is not None and table.startswith(OWN_TABLES):
        left_out[table] = left_out.get(table, 0) + 1
        return None
    problem = _problem(text, statement)
    if problem is not None:
        raise refusal(block.address, f"statement {index} {problem}")
    changed = [found.statements for found in info.documents.values()]
    is_change = isinstance(statement, Insert | Modify | Delete)
    documents = sum(index in indexes for indexes in changed) if is_change else None
    if not parsed.parameter_count:
        return SentStatement(text, (), documents)
    if not _takes_documents(statement):
        raise refusal(
            block.address,
            f"statement {index} has parameters, and their values are not in the journal",
        )
    return SentStatement(text, (_prove(block, info, index, journaled),), documents)


def _table(statement: Statement) -> str | None:
    """Name the table that a statement is about, where its text has the name."""
    match statement:
        case Insert(table=table):
            return table.name
        case Modify(sources=(Source(item=Identifier(name=name)), *_)):
            return name
        case Delete(source=Source(item=Identifier(name=name))):
            return name
        case _:
            return table_of_ddl(statement)  # type: ignore[arg-type]  # None for all that is no DDL


def _problem(text: str, statement: Statement) -> str | None:
    """Say why the destination would make something else of a text; None when it would not."""
    if isinstance(statement, Exec):
        return "runs a stored procedure, which names blocks and documents of the source"
    if isinstance(statement, DropIndex | UndropTable):
        return "names an index or a table by its id, which is another one in the destination"
    if any(quote or not word.isalpha() for quote, word in _ID.findall(text)):
        return "has what looks like an id in its text, and the destination has other ids"
    if _COMMITTED in text:
        return f"reads a committed view ({_COMMITTED}...), which is another in the destination"
    return next(filter(None, map(_problem_of_node, walk(statement))), None)


def _problem_of_node(node: Node) -> str | None:
    match node:
        case Call(name=name) if name in _CHANGING:
            return f"calls {name}(), which answers another value now"
        case History():
            return "reads history(), which is another in the destination"
        case Source(by=str()):
            return "binds document ids (BY), and the destination has other ids"
        case _:
            return None


def _takes_documents(statement: Statement) -> bool:
    """Say whether a statement is exactly `INSERT INTO table ?`."""
    if not isinstance(statement, Insert) or statement.single:
        return False
    return isinstance(statement.documents, Parameter)


# --- parameters --------------------------------------------------------------------------------


def _prove(block: Block, info: TransactionInfo, index: int, journaled: Journaled) -> IonSlice:
    """
    Find the parameter of an INSERT: what with the statement's text gives its digest.

    Raises:
        ReplayRefusedError: no guess does.
    """
    text_hash = ion_hash(journaled.statement)
    for guess in _iter_guesses(block, info, index):
        if dot(text_hash, guess.hash()) == journaled.statement_digest:
            return guess
    raise refusal(
        block.address,
        f"statement {index} inserts a parameter that cannot be proven: its digest fits neither "
        "the inserted documents nor a list of them (were they changed later in the transaction, "
        "or redacted?)",
    )


def _iter_guesses(block: Block, info: TransactionInfo, index: int) -> Iterator[IonSlice]:
    """Yield the document, a list of it, and the lists of several in both orders."""
    inserted = {key for key, document in info.documents.items() if index in document.statements}
    found = {r.document_id: r for r in block.revisions if r.document_id in inserted}
    by_revision = [revision for revision in found.values() if _is_first(revision)]
    if not by_revision or len(by_revision) < len(inserted):
        return
    if len(by_revision) == 1 and by_revision[0].data_ion is not None:
        yield by_revision[0].data_ion
    yield _list_of(by_revision)
    if len(by_revision) > 1:
        yield _list_of([found[key] for key in info.documents if key in inserted])


def _is_first(revision: Revision) -> bool:
    is_first = revision.metadata is not None and revision.metadata.version == 0
    return is_first and revision.data_ion is not None


def _list_of(revisions: Sequence[Revision]) -> IonSlice:
    return to_slice([revision.data_ion for revision in revisions])
