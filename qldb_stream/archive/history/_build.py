"""
Build an index: one checked pass over the archive, in memory that does not grow with it.

The blocks go through the same checks as in `verify`; how that ended is counted in the index, as
something that was so when it was built. Where a block stands, all its parts and copies are noted,
so that it can be assembled again from all that the archive has of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from qldb_stream.archive.history._fingerprint import Fingerprint
from qldb_stream.archive.history._schema import APPLICATION_ID, COMPLETE, SCHEMA, SHAPES, VERSION
from qldb_stream.archive.history._states import table_of
from qldb_stream.archive.history._tree import Tree
from qldb_stream.events import Block, BlockAddress, Need, Revision, Undecodable
from qldb_stream.partiql import maybe_ddl
from qldb_stream.partiql.ast import CreateTable, DropTable, UndropTable
from qldb_stream.pipeline import CheckedBlock, Order, PipelineCore
from qldb_stream.report import Outcome, ProblemCode, VerifyReport
from qldb_stream.sources import OpenSource, Place
from qldb_stream.statements import readable_redactions, readable_statements

__all__ = ["build"]

_ROWS_PER_INSERT: Final = 2000
_CACHE_KIB: Final = 16 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_BIGGEST: Final = 2**63 - 1  # an INTEGER of SQLite


def build(database: sqlite3.Connection, source: OpenSource, fingerprint: Fingerprint) -> None:
    """
    Fill an empty database with the index of a source.

    Raises:
        SourceError: the source cannot be read.
        sqlite3.Error: there is no room.
    """
    database.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};"
        f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};{SCHEMA}"
    )
    writer = _Writer(database)
    core = PipelineCore(Order.SORTED)
    for checked in _checked(core, source, writer):
        writer.add_block(checked)
    writer.end()
    database.execute(SHAPES["revision_by_table"])
    meta = {**_summed_up(core.report()), **fingerprint.as_meta()}
    if source.is_complete:
        meta[COMPLETE] = "1"
    database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    database.execute("COMMIT")


def _checked(core: PipelineCore, source: OpenSource, writer: _Writer) -> Iterator[CheckedBlock]:
    """Run the source through the stages, as `pipeline.iter_checked` does, and note the places."""
    last: BlockAddress | None = None
    for place, item in source.read(writer.add_tables):
        address = None if place is None else place.address
        if address is not None and last is not None and address != last:
            core.finish(last)
            yield from _ready(core)
        last = address or last
        core.feed(item)
        if place is not None and not isinstance(item, Undecodable):
            writer.add_place(place)
    core.close()
    yield from _ready(core)


def _ready(core: PipelineCore) -> Iterator[CheckedBlock]:
    checked = core.next_block()
    while not isinstance(checked, Need):
        yield checked
        checked = core.next_block()


def _summed_up(report: VerifyReport) -> dict[str, str]:
    """Give how verification ended: counts, and no message of any problem."""
    problems = Counter(problem.code.value for problem in report.problems)
    strands = [
        [strand.strand_id, strand.first, strand.last, sum(b - a + 1 for a, b in strand.missing)]
        for strand in report.strands
    ]
    return {
        "blocks": str(report.blocks),
        "revisions": str(report.revisions),
        "level": report.level.value,
        "problems": json.dumps(problems),
        "strands": json.dumps(strands),
    }


class _Writer:
    """Notes places, blocks, revisions and what blocks did to tables, some thousand at a time."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._rows: dict[str, list[tuple[object, ...]]] = {name: [] for name in SHAPES}
        self._waiting = 0
        self._strands: dict[str, int] = {}
        self._tables: dict[tuple[str, str], int] = {}
        self._trees: dict[int, Tree] = {}
        self._delete_blocks: dict[int, int] = {}
        self._last_place: Place | None = None
        self._seq = 0
        database.execute("BEGIN")

    def add_tables(self, row: tuple[int, ...]) -> None:
        """Note where symbol tables stand."""
        self._add("symbols", row)

    def add_place(self, place: Place) -> None:
        """Note where a record or a whole block stands, once for all events of it."""
        address = place.address
        if address is None or place is self._last_place or address.sequence_no > _BIGGEST:
            return
        last = self._last_place
        self._seq = self._seq + 1 if last is not None and last.address == address else 0
        self._last_place = place
        strand, number = self._strand(address), address.sequence_no
        where = (place.file, place.offset, place.length, place.index, place.tables)
        self._add("part", (strand, number, self._seq, *where))

    def add_block(self, checked: CheckedBlock) -> None:
        """Note a whole block: its hash, its revisions, and what it says of others."""
        block = checked.block
        if block.address.sequence_no > _BIGGEST:
            return
        strand, number = self._strand(block.address), block.address.sequence_no
        tree = self._trees.setdefault(strand, Tree())
        self._add("block", (strand, number, tree.append(number, block.block_hash)))
        if checked.verification.delete_rule is not None:
            self._delete_blocks.setdefault(strand, number)
        for leaf, revision in enumerate(block.revisions):
            if revision.metadata is not None:
                self._add_revision(strand, number, leaf, checked, revision)
        self._add_redactions(strand, number, block)
        ms = (block.summary.block_timestamp - _EPOCH) // _MS
        # A statement that was altered may drop a table that is there: what failed counts not.
        changes = () if _is_refuted(checked) else _iter_ddl(block)
        for seq, (verb, target) in enumerate(changes):
            self._add("ddl", (strand, number, seq, ms, verb, target))

    def end(self) -> None:
        """Write what is left."""
        rows = [(no, name, self._delete_blocks.get(no)) for name, no in self._strands.items()]
        self._rows["strand"] += rows
        self._rows["tab"] += [(no, *key) for key, no in self._tables.items()]
        self._flush()

    def _add_revision(
        self, strand: int, number: int, leaf: int, checked: CheckedBlock, revision: Revision
    ) -> None:
        metadata = revision.metadata
        assert metadata is not None
        table = table_of(checked, revision)
        key = ("", "") if table is None else (table.table_id, table.table_name)
        tab = self._tables.setdefault(key, len(self._tables))
        tx_ms = (metadata.tx_time - _EPOCH) // _MS
        version = min(metadata.version, _BIGGEST)
        self._add("revision", (metadata.id, strand, number, leaf, version, tab, tx_ms))

    def _add_redactions(self, strand: int, number: int, block: Block) -> None:
        for asked in readable_redactions(block.summary):
            if max(asked.block_address.sequence_no, asked.version) <= _BIGGEST:
                of = (self._strand(asked.block_address), asked.block_address.sequence_no)
                row = (*of, asked.document_id, asked.version, strand, number)
                self._add("redaction", row)

    def _strand(self, address: BlockAddress) -> int:
        return self._strands.setdefault(address.strand_id, len(self._strands))

    def _add(self, table: str, row: tuple[object, ...]) -> None:
        self._rows[table].append(row)
        self._waiting += 1
        if self._waiting >= _ROWS_PER_INSERT:
            self._flush()

    def _flush(self) -> None:
        for table, rows in self._rows.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                # A block may ask twice for the same redaction.
                sql = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"  # noqa: S608 - our names
                self._database.executemany(sql, rows)
                rows.clear()
        self._waiting = 0


def _is_refuted(checked: CheckedBlock) -> bool:
    """Say whether the statements of a block are not those that it hashes."""
    return any(
        check.name is ProblemCode.TRANSACTION_INFO and check.outcome is Outcome.FAILED
        for check in checked.verification.checks
    )


def _iter_ddl(block: Block) -> Iterator[tuple[str, str]]:
    """Iterate over what a block made, dropped and took back: a verb, a table's name or its id."""
    for statement in readable_statements(block.summary):
        change = maybe_ddl(statement.statement)
        if isinstance(change, CreateTable):
            yield "create", change.name
        elif isinstance(change, DropTable):
            yield "drop", change.name
        elif isinstance(change, UndropTable):
            yield "undrop", change.table_id
