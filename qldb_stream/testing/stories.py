"""
Tell a journal by hand: each call is a block, with valid hashes and a chain from block 0.

Where `make_journal` leaves everything to chance, a story says what happens: tables that are
dropped, undropped and made again, documents of any Ion type, redactions. The same calls give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress, DocumentInfo, RedactedRevision, TableInfo
from qldb_stream.report import DeleteRule
from qldb_stream.testing._blocks import block_of
from qldb_stream.testing._documents import make_id
from qldb_stream.testing._plan import PlannedBlock, PlannedRevision, PlannedStatement
from qldb_stream.testing._seal import Sealer

if TYPE_CHECKING:
    from qldb_stream.events import Block

__all__ = ["Story"]

_START_MS: Final = 1_590_969_600_123  # as in `make_journal`
_STEP_MS: Final = 1_000


@attrs.define
class _Document:
    table: TableInfo
    version: int
    written_in: dict[int, int]  # version -> block


class Story:
    """
    A journal that is told block by block.

    Args:
        seed: where ids and the hashes that no client can recompute come from.

    Attributes:
        strand_id: 22 characters, from the seed.
        stream_arn: the stream's name.
    """

    def __init__(self, seed: int) -> None:
        self._rng = Random(f"{seed}/story")
        self.strand_id = make_id(self._rng)
        self.stream_arn = f"arn:aws:qldb:eu-west-1:123456789012:stream/story/{make_id(self._rng)}"
        self._seed = seed
        self._blocks: list[PlannedBlock] = []
        self._tables: dict[str, TableInfo] = {}
        self._documents: dict[str, _Document] = {}
        self._open: PlannedBlock | None = None

    def __len__(self) -> int:
        return len(self._blocks)

    def blocks(self, *, erased: bool = False) -> list[Block]:
        """
        Give all blocks that were told so far.

        Args:
            erased: show redacted revisions without data and with dataHash, as after their
                redaction; else as they were before.
        """
        sealer = Sealer(Random(f"{self._seed}/opaque"), DeleteRule.METADATA_ONLY)
        return [
            block_of(sealer.seal(plan), self.stream_arn, erased=erased) for plan in self._blocks
        ]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Put all that is told inside into one block."""
        if self._open is not None:
            raise UsageError("a story's transactions do not nest")
        self._open = PlannedBlock(
            BlockAddress(self.strand_id, len(self._blocks)),
            make_id(self._rng),
            _START_MS + _STEP_MS * len(self._blocks),
        )
        try:
            yield
            self._blocks.append(self._open)
        finally:
            self._open = None

    # --- tables ------------------------------------------------------------------------

    def create_table(self, name: str) -> TableInfo:
        """Create a table; one of that name may have been dropped before."""
        table = TableInfo(name, make_id(self._rng))
        self._tables[name] = table
        self._run(f"CREATE TABLE {name}")
        return table

    def create_index(self, table_name: str, field: str) -> None:
        """Create an index on a field."""
        self._run(f"CREATE INDEX ON {table_name} ({field})")

    def drop_table(self, name: str) -> None:
        """Drop a table; its documents can be changed again after `undrop_table` only."""
        self._run(f"DROP TABLE {name}")

    def undrop_table(self, table: TableInfo) -> None:
        """Take the drop of a table back."""
        self._tables[table.table_name] = table
        self._run(f'UNDROP TABLE "{table.table_id}"')

    def select(self, table_name: str) -> None:
        """Read only: a block that changes nothing."""
        self._run(f"SELECT * FROM {table_name}")  # noqa: S608 - PartiQL

    # --- documents ---------------------------------------------------------------------

    def insert(self, table_name: str, document: Any) -> str:
        """Insert a document, anything that `qldb_stream.ion.to_slice` takes; give its id."""
        document_id = make_id(self._rng)
        self._documents[document_id] = _Document(self._tables[table_name], -1, {})
        self._write(document_id, document, f"INSERT INTO {table_name} ?", document)
        return document_id

    def update(self, document_id: str, document: Any) -> None:
        """Put another document in its place."""
        name = self._documents[document_id].table.table_name
        text = f"UPDATE {name} AS d BY id SET d = ? WHERE id = ?"  # noqa: S608 - PartiQL
        self._write(document_id, document, text, document, document_id)

    def delete(self, document_id: str) -> None:
        """Delete a document."""
        name = self._documents[document_id].table.table_name
        text = f"DELETE FROM {name} AS d BY id WHERE id = ?"  # noqa: S608 - PartiQL
        self._write(document_id, None, text, document_id)

    def redact(self, document_id: str, version: int) -> None:
        """
        Redact an older revision of a document, in a block of its own.

        Raises:
            UsageError: there is no such revision, it is the newest, or a transaction is open.
        """
        document = self._documents[document_id]
        if self._open is not None or not 0 <= version < document.version:
            raise UsageError("only an older revision is redacted, in a transaction of its own")
        number = document.written_in[version]
        self._doom(number, document_id, version)
        address, table_id = self._blocks[number].address, document.table.table_id
        text = f"EXEC REDACT_REVISION ?, '{table_id}', '{document_id}'"
        with self.transaction():
            self._run(text, attrs.asdict(address))
            assert self._open is not None
            redacted = RedactedRevision(address, table_id, document_id, version)
            self._open = attrs.evolve(self._open, redacted=redacted)

    def _doom(self, number: int, document_id: str, version: int) -> None:
        plan = self._blocks[number]
        revisions = [
            attrs.evolve(r, doomed=True)
            if (r.document_id, r.version) == (document_id, version)
            else r
            for r in plan.revisions
        ]
        self._blocks[number] = attrs.evolve(plan, revisions=tuple(revisions))

    def _run(self, text: str, *parameters: Any) -> int:
        """Add a statement; outside a transaction it is a block of its own."""
        if self._open is None:
            with self.transaction():
                return self._run(text, *parameters)
        statements = (*self._open.statements, PlannedStatement(text, parameters))
        self._open = attrs.evolve(self._open, statements=statements)
        return len(statements) - 1

    def _write(self, document_id: str, data: Any, text: str, *parameters: Any) -> None:
        if self._open is None:
            with self.transaction():
                return self._write(document_id, data, text, *parameters)
        index = self._run(text, *parameters)
        document = self._documents[document_id]
        document.version += 1
        document.written_in[document.version] = self._open.address.sequence_no
        revision = PlannedRevision(document_id, document.version, document.table, data)
        self._open = attrs.evolve(
            self._open,
            revisions=(*self._open.revisions, revision),
            documents=_with(self._open.documents, document_id, document.table, [index]),
        )
        return None


def _with(
    documents: dict[str, DocumentInfo], document_id: str, table: TableInfo, indexes: Sequence[int]
) -> dict[str, DocumentInfo]:
    """Add a document, or more statements to it."""
    before = documents.get(document_id)
    all_indexes = (*(before.statements if before else ()), *indexes)
    return {**documents, document_id: DocumentInfo(table, all_indexes)}
