"""The tables that a block's statements dropped or took back, under the names delivered."""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import LedgerError
from qldb_stream.events import Block
from qldb_stream.partiql import parse_statement
from qldb_stream.partiql.ast import DropTable, UndropTable
from qldb_stream.sinks._relational._catalog import Draft
from qldb_stream.statements import first_keyword

__all__ = ["follow_ddl"]

_DDL: Final = ("DROP", "UNDROP")


def follow_ddl(draft: Draft, block: Block) -> None:
    """
    Mark tables that a block drops or takes back.

    A table comes to be with its first document, which has its id; so CREATE TABLE, and DDL on
    tables without documents, say nothing here. DDL that cannot be read is passed over: nothing
    that QLDB took is refused.

    Raises:
        DecodeError: the statements cannot be read.
    """
    info = block.summary.transaction_info
    for statement in () if info is None else info.statements:
        if first_keyword(statement.statement) in _DDL:
            _follow(draft, block, statement.statement)


def _follow(draft: Draft, block: Block, text: str) -> None:
    try:
        change = parse_statement(text).statement
    except LedgerError:
        return
    if isinstance(change, DropTable):
        name = block.delivered_name(change.name)
        if name is not None:
            draft.drop(name)
    elif isinstance(change, UndropTable):
        draft.undrop(change.table_id)
