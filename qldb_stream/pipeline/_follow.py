"""
Decide which blocks must not go ahead of a block that was parked.

Three rules (design, "Delivery"), and one for caution:

- a block that changes a document of a parked one, or refers to one (what a sink rewrites ids
  for), comes after it;
- DDL about a table comes after parked blocks that changed the table or its documents; and
  documents of a table come after a parked block that made the table or brought it back;
- UNDROP TABLE names its table by an id that no earlier statement does, so it comes after every
  parked DROP TABLE, and other DDL comes after every parked UNDROP TABLE;
- a block of which this cannot be read, parked or not, has to do with everything.

A redaction of what a parked block holds is no reason to wait: it was carried out in the park
before, and what should be gone stays gone when the block is requeued. A sink that must have the
block before it can redact says so by `mentions`.

Only ids and names are kept, so that memory is bounded by how much may be parked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, ReplayRefusedError
from qldb_stream.events import Block

__all__ = ["Followed", "Touched", "touched_by"]

_EVERYTHING: Final = "everything"
_NOTHING: Final[frozenset[str]] = frozenset()


@attrs.frozen
class Touched:
    """
    What a block has to do with.

    `documents` are ids; `tables` names of tables whose documents it changes, `table_ids` their
    ids; `altered` names of tables that its DDL is about, `made` those that it makes. `undropped`
    are ids of tables. `is_known` is false where not all of this could be read.
    """

    documents: frozenset[str] = _NOTHING
    tables: frozenset[str] = _NOTHING
    table_ids: frozenset[str] = _NOTHING
    altered: frozenset[str] = _NOTHING
    made: frozenset[str] = _NOTHING
    undropped: frozenset[str] = _NOTHING
    drops: bool = False
    is_known: bool = True


def touched_by(block: Block) -> Touched:
    """Read what a block has to do with; never raises."""
    try:
        return _read(block)
    except (DecodeError, ReplayRefusedError):
        documents = {r.document_id for r in block.revisions if r.document_id is not None}
        return Touched(frozenset(documents), is_known=False)


class Followed:
    """What the parked blocks of one strand have to do with, each thing with the first of them."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], int] = {}

    def add(self, number: int, touched: Touched) -> None:
        """Take note of a parked block."""
        for key in _leaves(touched):
            self._first[key] = min(number, self._first.get(key, number))

    def cause(self, touched: Touched, mentioned: frozenset[str]) -> int | None:
        """
        Find the parked block that another one has to come after.

        Args:
            touched: what the other has to do with.
            mentioned: documents that it refers to.

        Returns:
            The lowest number, None when it may go ahead.
        """
        if not self._first:
            return None
        if not touched.is_known:
            return min(self._first.values())
        wanted = [("document", name) for name in mentioned]
        wanted += _needs(touched)
        return min((self._first[key] for key in wanted if key in self._first), default=None)


def _leaves(touched: Touched) -> Iterator[tuple[str, str]]:
    """Iterate over what others must come after."""
    if not touched.is_known:
        yield _EVERYTHING, ""
    for kind, names in (
        ("document", touched.documents),
        ("used", touched.tables | touched.altered),
        ("used id", touched.table_ids),
        ("made", touched.made),
        ("undropped", touched.undropped),
    ):
        for name in names:
            yield kind, name
    if touched.undropped:
        yield "undrop", ""
    if touched.drops:
        yield "drop", ""


def _needs(touched: Touched) -> Iterator[tuple[str, str]]:
    """Iterate over what a block must come after."""
    yield _EVERYTHING, ""
    for kind, names in (
        ("document", touched.documents),
        ("made", touched.tables),
        ("undropped", touched.table_ids),
        ("used", touched.altered),
        ("used id", touched.undropped),
    ):
        for name in names:
            yield kind, name
    if touched.altered or touched.undropped:
        yield "undrop", ""
    if touched.undropped:
        yield "drop", ""


def _read(block: Block) -> Touched:
    # Only blocks beside parked ones are read; a function that has none starts without PartiQL.
    from qldb_stream.partiql import table_of_ddl
    from qldb_stream.partiql.ast import CreateTable, DropTable, UndropTable
    from qldb_stream.replay import iter_ddl

    info = block.summary.transaction_info
    known = {} if info is None else info.documents
    tables = {known_info.table for known_info in known.values()}
    tables |= {r.table for r in block.revisions if r.table is not None}
    documents = {r.document_id for r in block.revisions if r.document_id is not None}
    texts = () if info is None else [statement.statement for statement in info.statements]
    changes = [change for _, change in iter_ddl(block.address, texts)]
    named = {name for change in changes if (name := table_of_ddl(change)) is not None}
    return Touched(
        frozenset(documents | known.keys()),
        frozenset(table.table_name for table in tables),
        frozenset(table.table_id for table in tables),
        frozenset(named),
        frozenset(change.name for change in changes if isinstance(change, CreateTable)),
        frozenset(change.table_id for change in changes if isinstance(change, UndropTable)),
        drops=any(isinstance(change, DropTable) for change in changes),
    )
