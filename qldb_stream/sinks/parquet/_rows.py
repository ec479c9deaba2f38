"""Rows: a revision with its proof columns and its document, before they are columns of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs

from qldb_stream.errors import DecodeError, SinkRefusedError
from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.formulas import hash_data
from qldb_stream.ion import IonSlice, load_slice, to_text
from qldb_stream.report import StoredRevision
from qldb_stream.sinks.parquet._columns import Columns

__all__ = ["NO_TABLE", "Key", "Row", "by_table", "rows_of"]

NO_TABLE: Final = "__unknown__"
"""Where revisions are of which neither record nor block says the table."""

Key: TypeAlias = tuple[str, int, str, int]
"""Strand, number of the block, document id, version."""


@attrs.frozen
class Row:
    """One revision; `data` is its document in binary Ion, None where there is none."""

    table: str = attrs.field(repr=False)
    strand_id: str
    sequence_no: int
    document_id: str
    version: int
    kind: str
    hash: bytes
    data_hash: bytes | None
    tx_id: str
    tx_time: datetime
    masked: tuple[str, ...]
    table_id: str
    data: bytes | None = attrs.field(repr=False)

    @property
    def key(self) -> Key:
        """Tell it from all other rows."""
        return (self.strand_id, self.sequence_no, self.document_id, self.version)

    def document(self) -> IonSlice | None:
        """Read the document."""
        return None if self.data is None else load_slice(self.data)

    def redacted(self) -> Row:
        """Give the row without its document; a row that has none stays."""
        if self.data is None:
            return self
        return attrs.evolve(self, data=None, kind=RevisionKind.REDACTED.value)

    def stored(self, columns: Columns | Mapping[str, Any]) -> StoredRevision:
        """
        Give the row as the sink's readers see it.

        What stands in place of a document and is no Ion, since somebody damaged it, is told as
        bytes: they are equal to no document.

        Args:
            columns: the table's, or the values that stand in its columns.
        """
        document: IonSlice | None = None
        shown: str | bytes | None = self.data
        with suppress(DecodeError):
            document = self.document()
            shown = None if document is None else to_text(document)
        found = columns.values(document) if isinstance(columns, Columns) else columns
        # A nan equals nothing, not even itself, and is to be compared.
        plain = {k: "nan" if v != v else v for k, v in found.items()}  # noqa: PLR0124 - a nan
        return self._told(None if shown is None else {"data": shown, **plain})

    def _told(self, data: Any) -> StoredRevision:
        return StoredRevision(
            self.strand_id,
            self.sequence_no,
            self.table,
            self.document_id,
            self.version,
            RevisionKind(self.kind),
            self.hash,
            self.data_hash,
            data,
            self.masked,
        )


def rows_of(sink: str, block: Block) -> Iterator[Row]:
    """
    Give the rows of a block, one for each revision that has metadata.

    Raises:
        SinkRefusedError: a document's bytes are not sound Ion.
    """
    address = block.address
    for revision in block.revisions:
        if revision.metadata is None:
            continue
        try:
            yield _row(block, revision)
        except DecodeError as exc:
            raise SinkRefusedError(sink, address.strand_id, address.sequence_no, str(exc)) from exc


def by_table(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Put rows apart by table, in order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.table, []).append(row)
    return found


def _row(block: Block, revision: Revision) -> Row:
    metadata, data_ion, table = revision.metadata, revision.data_ion, revision.table
    assert metadata is not None
    data = None
    if data_ion is not None:
        data = data_ion.to_bytes()
        to_text(data_ion)  # what cannot be shown is refused here, before anything is written
    return Row(
        NO_TABLE if table is None else table.table_name,
        block.address.strand_id,
        block.address.sequence_no,
        metadata.id,
        metadata.version,
        revision.kind.value,
        revision.hash,
        hash_data(revision),
        metadata.tx_id,
        metadata.tx_time,
        revision.masked,
        "" if table is None else table.table_id,
        data,
    )
