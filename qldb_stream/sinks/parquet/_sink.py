"""The sink `parquet:`; see the package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import SinkUnavailableError, StaleTokenError
from qldb_stream.events import Block
from qldb_stream.holding import is_special
from qldb_stream.report import Position, SinkSummary, StoredRevision
from qldb_stream.sinks._archive import targets_of, targets_of_copies
from qldb_stream.sinks._hold import hold
from qldb_stream.sinks.parquet._columns import Columns
from qldb_stream.sinks.parquet._draft import Draft
from qldb_stream.sinks.parquet._files import read_stored
from qldb_stream.sinks.parquet._rows import Key, Row, rows_of
from qldb_stream.sinks.parquet._store import Change, Store

__all__ = ["ParquetSink"]


class ParquetSink:
    """
    Write blocks to a folder of Parquet files, exactly once.

    It erases, and can be read and repaired (`qldb_stream.typing`).

    Args:
        path: the folder; made by the first `apply` when it is absent.
        current: when the current state is written: ``close``, ``apply`` or ``none``.
        file_bytes: how many bytes of documents a file holds at most, one document apart.

    Raises:
        UsageError: the path is something else, of a newer version, or may not be written.
        SinkUnavailableError: somebody else is writing it, or the disk fails.
    """

    def __init__(
        self, path: str | Path, *, current: str = "close", file_bytes: int = 2**26
    ) -> None:
        self._name: Final = f"parquet:{path}"
        self._current: Final = current
        self._file_bytes: Final = file_bytes
        self._tokens: dict[str, int] = {}
        self._documents = 0
        self._is_closed = False
        self._held: Final = hold(self._name, path, _unfit)
        try:
            with self._translated():
                self._store: Final = Store(self._held.path, path)
        except BaseException:
            self._held.release()
            raise

    def position(self, strand_id: str) -> Position | None:
        """Give what the folder holds of a strand."""
        return self._store.manifest.positions.get(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Add the revisions of blocks that are not there yet, durably; redact what they name.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
            SinkRefusedError: a document cannot be read; nothing of the run is kept.
            SinkUnavailableError: the disk refuses; nothing of the run is kept, or, when
                `position` says so, all of it, and it is finished with the next `apply`.
        """
        strand_id = position.strand_id
        self._check_token(strand_id, token)
        stored = self.position(strand_id)
        if stored is not None and stored.covers(position):
            return stored
        pending = blocks if stored is None else stored.pending(blocks)
        targets = targets_of(self._name, pending)
        rows = [(block, self._rows(block, targets)) for block in pending]
        with self._change() as (change, draft):
            draft.add([row for _, found in rows for row in found])
            for block, found in rows:
                draft.note_tables(block, found)
            draft.redact(targets)
            self._refresh(draft, is_closing=False)
            self._commit(change, draft, position, token)
        self._documents += sum(len(found) for _, found in rows)
        return position

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Take out the documents of revisions that are REDACTED in these copies of blocks.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing changes.
            SinkUnavailableError: the disk refuses; it may be asked again.
        """
        self._check_tokens(blocks, token)
        with self._change() as (change, draft):
            draft.redact(targets_of_copies(blocks))
            self._commit(change, draft)

    def repair(self, blocks: Sequence[Block], token: int) -> None:
        """
        Write the revisions of applied blocks anew; what was redacted stays redacted.

        Raises:
            StaleTokenError: a higher token has been used on a strand; nothing changes.
            SinkRefusedError: a document cannot be read; nothing changes.
            SinkUnavailableError: the disk refuses; nothing changes.
        """
        self._check_tokens(blocks, token)
        targets = targets_of(self._name, blocks)
        addresses = {(b.address.strand_id, b.address.sequence_no) for b in blocks}
        with self._change() as (change, draft):
            draft.replace([r for b in blocks for r in self._rows(b, targets)], addresses)
            self._refresh(draft, is_closing=False)
            self._commit(change, draft)

    def expect(self, blocks: Iterable[Block]) -> Iterator[StoredRevision]:
        """Iterate over what the history holds of these blocks, by block, table and document."""
        tables = self._store.manifest.tables
        for block in blocks:
            for row in _sorted(rows_of(self._name, block)):
                table = tables.get(row.table)
                columns = Columns() if table is None else table.columns.copy()
                document = row.document()
                if document is not None:
                    columns.widen(document)
                yield row.stored(columns)

    def history(self, strand_id: str, first: int, last: int) -> Iterator[StoredRevision]:
        """
        Iterate over what it holds of a range of blocks, by block, table and document.

        The revisions of the range are held in memory.

        Raises:
            SinkUnavailableError: a file cannot be read.
        """
        found: list[tuple[Row, StoredRevision]] = []
        with self._translated():
            for name, table in self._store.manifest.tables.items():
                for file in table.history:
                    if not file.may_hold(strand_id, first, last):
                        continue
                    for row, values in read_stored(self._store.resolve(file.name), name):
                        if row.strand_id == strand_id and first <= row.sequence_no <= last:
                            found.append((row, row.stored(values)))
        yield from (stored for _, stored in sorted(found, key=lambda pair: _order(pair[0])))

    def current(self, strand_id: str) -> Iterator[StoredRevision]:
        """
        Iterate over the newest revision of each document that is there now.

        The files of the current state are brought up to date first, and are what is read.

        Raises:
            SinkUnavailableError: a file cannot be read or written.
        """
        self._bring_up_to_date()
        with self._translated():
            for name, table in self._store.manifest.tables.items():
                for file in table.current:
                    for row, values in read_stored(self._store.resolve(file.name), name):
                        if row.strand_id == strand_id:
                            yield row.stored(values)

    def summary(self) -> SinkSummary:
        """Say what was written; redactions were carried out."""
        return SinkSummary(documents=self._documents)

    def close(self) -> None:
        """
        Bring the current state up to date, unless told not to, and let go of the folder.

        Raises:
            SinkUnavailableError: the current state cannot be written; all blocks stay
                applied, and the folder is let go.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._current != "none":
                self._bring_up_to_date()
        finally:
            self._held.release()

    def _rows(self, block: Block, targets: frozenset[Key]) -> list[Row]:
        return [row.redacted() if row.key in targets else row for row in rows_of(self._name, block)]

    def _bring_up_to_date(self) -> None:
        if all(table.is_current for table in self._store.manifest.tables.values()):
            return
        with self._change() as (change, draft):
            self._refresh(draft, is_closing=True)
            self._commit(change, draft)

    def _refresh(self, draft: Draft, *, is_closing: bool) -> None:
        if is_closing or self._current == "apply":
            for name, table in list(draft.tables.items()):
                if not table.is_current:
                    draft.refresh(name)

    def _check_tokens(self, blocks: Sequence[Block], token: int) -> None:
        for strand_id in {block.address.strand_id for block in blocks}:
            self._check_token(strand_id, token)

    def _check_token(self, strand_id: str, token: int) -> None:
        stored = self._tokens.get(strand_id, self._store.manifest.tokens.get(strand_id, token))
        if token < stored:
            raise StaleTokenError(strand_id, stored, token)
        self._tokens[strand_id] = token  # kept with the next change

    def _commit(
        self, change: Change, draft: Draft, position: Position | None = None, token: int = 0
    ) -> None:
        manifest = attrs.evolve(change.manifest, tables=draft.tables)
        if position is not None:
            strand_id = position.strand_id
            manifest = attrs.evolve(
                manifest,
                positions={**manifest.positions, strand_id: position},
                tokens={**manifest.tokens, strand_id: token},
            )
        elif manifest == change.manifest:
            return
        change.commit(manifest)

    @contextmanager
    def _change(self) -> Iterator[tuple[Change, Draft]]:
        with self._translated():
            change = self._store.begin()
            try:
                yield change, Draft(change, self._file_bytes)
            finally:
                change.drop()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise SinkUnavailableError(self._name, exc.strerror or str(exc)) from exc


def _order(row: Row) -> tuple[int, str, str, int]:
    return (row.sequence_no, row.table, row.document_id, row.version)


def _sorted(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=_order)


def _unfit(path: Path) -> str | None:
    """Say why a path can be no folder of Parquet files."""
    if is_special(path) or path.is_file():
        return "expected a folder or nothing, found something else; it is left as it is"
    return None
