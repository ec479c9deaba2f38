"""
The tables and indexes that a block's statements made or dropped.

Only DDL is read from statement texts: whatever a statement did to documents is in the
revisions, and parameter values are never journaled (facts 2.3). A text is parsed only
when its first word says DDL, so that a journal may hold statements that this
library's PartiQL does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from qldb_stream.errors import LedgerError, ReplayRefusedError
from qldb_stream.events import BlockAddress
from qldb_stream.partiql import Ddl, is_ddl, parse_statement, table_of_ddl
from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable
from qldb_stream.replay._operations import TableChange

# Facts 5.1, CREATE TABLE.
_TABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MAX_FIELD_NAME: Final = 128

# Tables that this library keeps in a destination. A ledger that was one has them in its journal.
OWN_TABLES: Final = "qldb_stream_"


def iter_ddl(address: BlockAddress, texts: Iterable[str]) -> Iterator[tuple[int, TableChange]]:
    """
    Yield each DDL statement with its index among the texts.

    Raises:
        ReplayRefusedError: DDL that cannot be parsed, or that names a table or a field
            that QLDB would not have taken (facts 5.1).
    """
    for index, text in enumerate(texts):
        if is_ddl(text):
            yield index, _parse_ddl(address, index, text)


def check_table_name(address: BlockAddress, name: str) -> None:
    """
    Make sure that a name may be quoted and sent.

    Raises:
        ReplayRefusedError: it is not a table name by facts 5.1.
    """
    if not _TABLE_NAME.fullmatch(name):
        raise refusal(address, f"{name[:130]!r} is not a table name")


def refusal(address: BlockAddress, problem: str) -> ReplayRefusedError:
    """Make the error that says why a block cannot be repeated."""
    return ReplayRefusedError(address.strand_id, address.sequence_no, problem)


def quote(name: str) -> str:
    """Write a name so that it is taken literally, reserved words included."""
    return '"' + name.replace('"', '""') + '"'


def with_table(change: TableChange, name: str) -> TableChange:
    """Give a DDL statement as it is about another table; UNDROP, which has an id, as it is."""
    match change:
        case CreateTable() | DropTable():
            return attrs.evolve(change, name=name)
        case CreateIndex() | DropIndex():
            return attrs.evolve(change, table=name)
        case _:
            return change


def _parse_ddl(address: BlockAddress, index: int, text: str) -> TableChange:
    try:
        change = parse_statement(text).statement
    except LedgerError as exc:
        raise refusal(address, f"statement {index} is DDL that cannot be read: {exc}") from exc
    # CREATE, DROP and UNDROP begin nothing else.
    assert isinstance(change, Ddl)
    name = table_of_ddl(change)
    if name is not None:
        check_table_name(address, name)
    if isinstance(change, CreateIndex) and not 0 < len(change.field) <= _MAX_FIELD_NAME:
        raise refusal(address, f"statement {index} indexes a field of {len(change.field)} letters")
    return change
