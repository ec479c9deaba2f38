"""
Which tables a block drops and brings back, for sinks that keep tables of their own.

A table comes to be with its first document, which has its id; so CREATE TABLE, and DDL on
tables without documents, say nothing here. DDL that cannot be read is passed over: nothing
that QLDB took is refused. QLDB names a table to be dropped by its name, and one to be brought
back by its id (facts 5.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from qldb_stream.events import Block
from qldb_stream.partiql import maybe_ddl
from qldb_stream.partiql.ast import DropTable, UndropTable

__all__ = ["iter_drops"]


def iter_drops(block: Block) -> Iterator[tuple[bool, str]]:
    """
    Iterate over what a block does to whole tables, in order.

    Yields:
        False and the name, as it is delivered, of a table that is dropped; True and the id
        of one that is there again.

    Raises:
        DecodeError: the statements cannot be read.
    """
    info = block.summary.transaction_info
    for statement in () if info is None else info.statements:
        change = maybe_ddl(statement.statement)
        if isinstance(change, UndropTable):
            yield True, change.table_id
        elif isinstance(change, DropTable):
            name = block.delivered_name(change.name)
            if name is not None:
                yield False, name
