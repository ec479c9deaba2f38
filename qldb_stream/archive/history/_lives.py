"""
When the tables of one name were there: made, dropped, taken back, and made again.

CREATE TABLE does not tell the id that a table got, and DROP TABLE names it by its name (facts
2.3, 5.1): which table that was follows from the order. A new table's id shows with its first
revision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from qldb_stream.archive.history._index import Ddl, IndexFile, Table
from qldb_stream.events import BlockAddress, TableInfo

__all__ = ["TableLife", "lives_of"]

# In one block: what is made is there before anything is written, and drops come last.
_ORDER: Final = {"create": 0, "undrop": 0, "first": 1, "drop": 2}


@attrs.frozen
class TableLife:
    """
    A table in one strand; this rests on the index.

    Attributes:
        info: name and id.
        strand_id: the strand.
        first: the block of its first revision.
        created: the block whose CREATE TABLE made it, where the archive has that.
        dropped: the block whose DROP TABLE dropped it last; None while it is there.
    """

    info: TableInfo
    strand_id: str
    first: int
    created: int | None = None
    dropped: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "table": self.info.table_name,
            "table_id": self.info.table_id,
            "strand_id": self.strand_id,
            "first": self.first,
            "created": self.created,
            "dropped": self.dropped,
        }


def lives_of(
    index: IndexFile, tables: Iterable[Table], until: BlockAddress | int | None = None
) -> dict[int, list[TableLife]]:
    """
    Tell what became of tables, by their numbers in the index.

    Args:
        index: where it is told.
        tables: which; those of one name belong together.
        until: the last block that counts, or a time in ms since 1970; None for the end.
    """
    wanted = list(tables)
    changes = index.ddl()
    lives: dict[int, list[TableLife]] = {table.no: [] for table in wanted}
    for strand_id in index.strand_ids:
        story = [change for change in changes if change.strand_id == strand_id]
        firsts = list(_firsts(index, wanted, strand_id))
        told = [each for each in (*story, *firsts) if _counts(each, until)]
        told.sort(key=lambda each: (each.number, _ORDER[each.verb]))
        for no, life in _tell(told, {str(table.no): table for table in wanted}):
            lives[no].append(life)
    return lives


def _firsts(index: IndexFile, tables: Iterable[Table], strand_id: str) -> Iterator[Ddl]:
    for table in tables:
        found = index.first_revision(table.no, strand_id)
        if found is not None:
            yield Ddl(strand_id, *found, "first", str(table.no))


def _counts(change: Ddl, until: BlockAddress | int | None) -> bool:
    if until is None:
        return True
    if isinstance(until, BlockAddress):
        return change.strand_id == until.strand_id and change.number <= until.sequence_no
    return change.ms <= until


@attrs.define
class _Told:
    """What is known so far of one table of a name."""

    created: int | None = None
    dropped: int | None = None
    life: tuple[int, TableLife] | None = None


def _tell(story: Iterable[Ddl], tables: dict[str, Table]) -> Iterator[tuple[int, TableLife]]:
    live: dict[str, _Told] = {}
    by_id: dict[str, _Told] = {}
    for change in story:
        if change.verb == "create":
            live[change.target] = _Told(change.number)
        elif change.verb == "first":
            table = tables[change.target]
            told = live.get(table.info.table_name)
            if told is None or told.life is not None:
                told = live[table.info.table_name] = _Told()
            life = TableLife(table.info, change.strand_id, change.number, told.created)
            told.life = (table.no, life)
            by_id[table.info.table_id] = told
        elif change.verb == "drop":
            told = live.pop(change.target, None)
            if told is not None:
                told.dropped = change.number
        elif change.target in by_id:
            told = by_id[change.target]
            told.dropped = None
            if told.life is not None:
                live[told.life[1].info.table_name] = told
    for told in by_id.values():
        if told.life is not None:
            no, life = told.life
            yield no, attrs.evolve(life, dropped=told.dropped)
