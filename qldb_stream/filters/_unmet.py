"""Rules of a filter that nothing was ever met for: most likely a name is misspelt."""

from __future__ import annotations

from qldb_stream.events import Block
from qldb_stream.filters._filter import Filter
from qldb_stream.filters._masks import EVERY_TABLE, Mask, format_path


class UnmetRules:
    """
    Watches filtered blocks go by, and tells which rules did nothing.

    A mask whose path is misspelt hides nothing; whoever runs a filter should be told.
    """

    def __init__(self, rules: Filter) -> None:
        self._tables = {*(rules.tables or ()), *rules.exclude_tables, *rules.rename, *rules.where}
        self._masks = set(rules.masks)
        self._own = {(mask.table, mask.path) for mask in rules.masks}
        self._sources = {new: old for old, new in rules.rename.items()}

    def note(self, block: Block) -> None:
        """Take notice of a block that the filter gave."""
        if self._tables and block.filtered is not None:
            self._tables.difference_update(block.filtered.names)
        if not self._masks:
            return
        for revision in block.revisions:
            if revision.masked and revision.table is not None:
                name = revision.table.table_name
                self._strike_off(self._sources.get(name, name), revision.masked)

    def _strike_off(self, table: str, masked: tuple[str, ...]) -> None:
        self._masks = {m for m in self._masks if not self._was_met(m, table, masked)}

    def _was_met(self, mask: Mask, table: str, masked: tuple[str, ...]) -> bool:
        """Say whether a mask is behind a masked path; one for the table goes before others."""
        if format_path(mask.path) not in masked:
            return False
        return mask.table == table or (
            mask.table == EVERY_TABLE and (table, mask.path) not in self._own
        )

    def rules(self) -> tuple[str, ...]:
        """Name the tables that were not seen, and the masks that met no field."""
        return (
            *(f"table {name}" for name in sorted(self._tables)),
            *(f"mask {name}" for name in sorted(map(str, self._masks))),
        )
