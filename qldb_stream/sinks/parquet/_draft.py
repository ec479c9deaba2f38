"""What a change does to tables: rows come, documents go, types widen, small files are merged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Final

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block
from qldb_stream.sinks._ddl import iter_drops
from qldb_stream.sinks.parquet._columns import Columns
from qldb_stream.sinks.parquet._files import MAX_ROWS, chunks_of, read_keys, read_rows
from qldb_stream.sinks.parquet._manifest import DataFile, Table, folder_of
from qldb_stream.sinks.parquet._rows import Key, Row, by_table
from qldb_stream.sinks.parquet._store import Change

__all__ = ["Draft"]

_MERGED_FILES: Final = 8  # so many of like size become one


class Draft:
    """
    The tables of a folder, as a change leaves them.

    Attributes:
        tables: by name.

    Every method may raise OSError: the disk refuses, or a file is none of ours.
    """

    def __init__(self, change: Change, file_bytes: int) -> None:
        self.tables: Final = dict(change.manifest.tables)
        self._change: Final = change
        self._file_bytes: Final = file_bytes

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows to the histories of their tables."""
        for name, added in by_table(rows).items():
            table = self._widened(name, added)
            files = list(table.history)
            number = table.next_file
            for chunk in chunks_of(added, self._file_bytes):
                path = f"{folder_of('history', name)}/{number:012d}.parquet"
                files.append(self._change.add(path, chunk, table.columns))
                number += 1
            files = self._merged(files, table.columns)
            self.tables[name] = attrs.evolve(
                table, history=tuple(files), next_file=number, is_current=False
            )

    def note_tables(self, block: Block, rows: Sequence[Row]) -> None:
        """Take note of which tables there are after a block."""
        for row in rows:
            self._mark(row.table, {row.table_id: True})
        with suppress(DecodeError):  # the block's verification says so; it says nothing of tables
            for is_there, named in iter_drops(block):
                self._follow(named, is_there=is_there)

    def _follow(self, named: str, *, is_there: bool) -> None:
        if is_there:
            for name, table in self.tables.items():
                if named in table.ids:
                    self._mark(name, {named: True})
        elif named in self.tables:
            self._mark(named, dict.fromkeys(self.tables[named].ids, False))

    def redact(self, targets: Collection[Key]) -> None:
        """Take the documents of targets out of every file that holds them."""

        def redacted(row: Row) -> Row:
            return row.redacted() if row.key in targets else row

        self._edit(targets, redacted)

    def replace(self, rows: Sequence[Row], blocks: Collection[tuple[str, int]]) -> None:
        """Put rows in the place of all that blocks have; what was redacted stays so."""
        gone: set[Key] = set()

        def without(row: Row) -> Row | None:
            if (row.strand_id, row.sequence_no) not in blocks:
                return row
            if row.kind == "redacted":
                gone.add(row.key)
            return None

        self._edit([(strand_id, number, "", 0) for strand_id, number in blocks], without)
        self.add([row.redacted() if row.key in gone else row for row in rows])

    def refresh(self, name: str) -> None:
        """Write the current state of a table anew."""
        table = self.tables[name]
        folder = folder_of("current", name)
        files = [
            self._change.add(f"{folder}/{number:012d}.parquet", chunk, table.columns)
            for number, chunk in enumerate(
                chunks_of(self._current_rows(name, table), self._file_bytes)
            )
        ]
        for old in {file.name for file in table.current} - {file.name for file in files}:
            self._change.remove(old)
        self.tables[name] = attrs.evolve(table, current=tuple(files), is_current=True)

    def _mark(self, name: str, ids: dict[str, bool]) -> None:
        table = self.tables[name]
        changed = {**table.ids, **ids}
        if changed != table.ids:
            self.tables[name] = attrs.evolve(table, ids=changed, is_current=False)

    def _current_rows(self, name: str, table: Table) -> Iterator[Row]:
        """Iterate over the newest rows of documents that are there; ids are held, no documents."""
        newest: dict[str, int] = {}
        for file in table.history:
            for document_id, version in read_keys(self._change.resolve(file.name)):
                newest[document_id] = max(version, newest.get(document_id, version))
        for file in table.history:
            for row in read_rows(self._change.resolve(file.name), name):
                is_newest = row.version == newest[row.document_id]
                if is_newest and row.data is not None and table.ids.get(row.table_id, True):
                    yield row

    def _widened(self, name: str, rows: Sequence[Row]) -> Table:
        """Let a table's columns hold rows too; files are written anew when a type changes."""
        table = self.tables.get(name, Table(Columns()))
        columns = table.columns.copy()
        for row in rows:
            document = row.document()
            if document is not None:
                columns.widen(document)
        now = columns.storages()
        if any(now[column] != was for column, was in table.columns.storages().items()):
            for file in (*table.history, *table.current):
                held = read_rows(self._change.resolve(file.name), name)
                self._change.add(file.name, held, columns)
        return attrs.evolve(table, columns=columns)

    def _merged(self, files: list[DataFile], columns: Columns) -> list[DataFile]:
        """Make one of the newest files when there are many, none larger than all after it."""
        size = rows = 0
        first = len(files)
        while first:
            file = files[first - 1]
            is_like = first == len(files) or file.rows <= rows
            size, rows = size + file.size, rows + file.rows
            if not is_like or size > self._file_bytes or rows > MAX_ROWS:
                break
            first -= 1
        if len(files) - first < _MERGED_FILES:
            return files
        return [*files[:first], self._change.merge(files[first:], columns)]

    def _edit(self, keys: Collection[Key], edit: Callable[[Row], Row | None]) -> None:
        """Write files anew in which `edit` changes or drops a row; only those that keys are in."""
        for name, table in self.tables.items():
            history = self._edited(name, table.columns, table.history, keys, edit)

            def edit_current(row: Row) -> Row | None:
                # A document that lost its data is not there now; what is, `refresh` finds.
                edited = edit(row)
                return None if edited is None or edited.data is None else edited

            current = self._edited(name, table.columns, table.current, keys, edit_current)
            if history != table.history or current != table.current:
                self.tables[name] = attrs.evolve(
                    table, history=history, current=current, is_current=False
                )

    def _edited(
        self,
        name: str,
        columns: Columns,
        files: Sequence[DataFile],
        keys: Collection[Key],
        edit: Callable[[Row], Row | None],
    ) -> tuple[DataFile, ...]:
        found: list[DataFile] = []
        for file in files:
            if not any(file.may_hold(key[0], key[1], key[1]) for key in keys):
                found.append(file)
                continue
            before = read_rows(self._change.resolve(file.name), name)
            after = [row for row in map(edit, before) if row is not None]
            if after == before:
                found.append(file)
            elif after:
                found.append(self._change.add(file.name, after, columns))
            else:
                self._change.remove(file.name)
        return tuple(found)
