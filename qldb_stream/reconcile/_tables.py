"""Which of a destination's tables the replay dropped, by its own statements."""

from __future__ import annotations

from qldb_stream.partiql.ast import CreateIndex, CreateTable, DropIndex, DropTable, UndropTable


class Tables:
    """
    The destination's tables that held documents, and which of them were dropped.

    A statement names a table, a revision gives its id too; so `see` comes before the
    statement that drops it.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}  # by name
        self._dropped: dict[str, str] = {}  # names by id

    def see(self, name: str, table_id: str | None) -> None:
        """Note that a revision was written to a table."""
        if table_id is not None:
            self._ids[name] = table_id

    def change(
        self, change: CreateTable | DropTable | UndropTable | CreateIndex | DropIndex
    ) -> None:
        """Note what a statement of the replay did to a table."""
        match change:
            case DropTable(name=name) if name in self._ids:
                self._dropped[self._ids.pop(name)] = name
            case UndropTable(table_id=table_id) if table_id in self._dropped:
                self._ids[self._dropped.pop(table_id)] = table_id

    def is_dropped(self, table_id: str) -> bool:
        """Say whether the replay dropped a table, and did not take it back."""
        return table_id in self._dropped
