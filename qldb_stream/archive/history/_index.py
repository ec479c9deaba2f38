"""
Read an index: typed answers to the few questions that there are.

Whatever is of another type, out of bounds or absent in it is a damaged index, one error, and
never more than that: the file may come from anyone.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import attrs

from qldb_stream.archive.history._fingerprint import Fingerprint
from qldb_stream.archive.history._schema import APPLICATION_ID, COMPLETE, VERSION, has_schema
from qldb_stream.errors import ArchiveIndexError
from qldb_stream.events import BlockAddress, TableInfo
from qldb_stream.hashing import DIGEST_BYTES
from qldb_stream.sources import Place

__all__ = ["BuiltState", "Ddl", "IndexFile", "Spot", "Table", "numbers_of"]

_MOST_META: Final = 1 << 20
_MOST_PARTS: Final = 100_000
"""Of one block: as many as may wait in assembly."""


@attrs.frozen
class Spot:
    """Where a revision stands: its block, and which of the block's revisions it is."""

    address: BlockAddress
    leaf: int
    document_id: str
    version: int


@attrs.frozen
class Ddl:
    """
    What a block did to a table.

    `verb` is create, drop or undrop; `target` the table's name, its id for undrop; `ms` the
    block's time, since 1970.
    """

    strand_id: str
    number: int
    ms: int
    verb: str
    target: str


@attrs.frozen
class Table:
    """A table that revisions name; `no` counts them."""

    no: int
    info: TableInfo


@attrs.frozen
class BuiltState:
    """
    How verification of the whole archive ended when the index was built.

    This rests on the index alone. `problems` counts by code; `strands` are id, first and last
    block, and how many between these are missing.
    """

    blocks: int
    revisions: int
    level: str
    problems: dict[str, int]
    strands: tuple[tuple[str, int, int, int], ...]

    @property
    def ok(self) -> bool:
        """Say whether no problem was found."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "ok": self.ok,
            "level": self.level,
            "blocks": self.blocks,
            "revisions": self.revisions,
            "problems": dict(self.problems),
            "strands": [
                {"strand_id": strand_id, "first": first, "last": last, "missing": missing}
                for strand_id, first, last, missing in self.strands
            ],
        }


class IndexFile:
    """
    An index that is open for reading.

    Args:
        database: with the schema of this version.
        name: for messages.

    Attributes:
        built: how verification ended when it was built.
    """

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database = database
        self.name = name
        with self._reading():
            self._meta = dict(database.execute("SELECT key, value FROM meta LIMIT 64"))
            self.built = _built(self._meta)
            rows = database.execute("SELECT no, id, delete_block FROM strand").fetchall()
            self._strands: dict[int, str] = {no: strand_id for no, strand_id, _ in rows}
            self._numbers = {strand_id: no for no, strand_id in self._strands.items()}
            self._delete_blocks: dict[str, int | None] = {name: block for _, name, block in rows}

    @classmethod
    def open(cls, path: Path, fingerprint: Fingerprint) -> IndexFile:
        """
        Open a file, if it is an index of the archive as it is now.

        Raises:
            ArchiveIndexError: it is none, of another version, of other files, or damaged; the
                message says which. Nothing of it is used.
        """
        where = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro&immutable=1"
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        with _translated(name):
            database = sqlite3.connect(where, uri=True, check_same_thread=False)
        try:
            with _translated(name):
                _check_format(database, name)
                found = cls(database, name)
            if found._meta.get("fingerprint") != fingerprint.digest:
                raise ArchiveIndexError(name, "the archive has changed since it was built")
        except BaseException:
            database.close()
            raise
        return found

    @property
    def is_complete(self) -> bool:
        """Say whether files are numbered as they are listed: none was left out."""
        return COMPLETE in self._meta

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @property
    def strand_ids(self) -> tuple[str, ...]:
        """Name the strands."""
        return tuple(self._numbers)

    def tables(self, file: int, number: int) -> tuple[int, int, int]:
        """Give the number of the tables before some tables, and their own offset and length."""
        sql = "SELECT parent, start, length FROM symbols WHERE file = ? AND number = ?"
        with self._reading():
            parent, start, length = self._one(sql, (file, number))
            # Numbers rise: a chain of tables that never ends is not an index's to make.
            self._expect_ints(parent, start, length)
            self._expect(parent < number and start >= 0 and length >= 0)
        return parent, start, length

    def places(self, address: BlockAddress) -> list[Place]:
        """Give where everything stands that the archive has of a block, in reading order."""
        strand = self._numbers.get(address.strand_id)
        if strand is None:
            return []
        sql = (
            "SELECT file, start, length, place, tables FROM part"
            " WHERE strand = ? AND number = ? ORDER BY seq LIMIT ?"
        )
        with self._reading():
            rows = self._database.execute(sql, (strand, address.sequence_no, _MOST_PARTS))
            found = list(rows)
            for file, start, length, place, tables in found:
                self._expect_ints(file, start, length, place or 0, tables or 0)
        return [
            Place(file, start, length, place, address, tables)
            for file, start, length, place, tables in found
        ]

    def has_block(self, address: BlockAddress) -> bool:
        """Say whether the archive had a block whole."""
        strand = self._numbers.get(address.strand_id)
        sql = "SELECT count(*) FROM block WHERE strand = ? AND number = ?"
        with self._reading():
            return bool(self._one(sql, (strand, address.sequence_no))[0])

    def nodes(self, strand_id: str, number: int) -> bytes:
        """Give the nodes of the Merkle tree that end with a block, 32 bytes each."""
        sql = "SELECT nodes FROM block WHERE strand = ? AND number = ?"
        with self._reading():
            (nodes,) = self._one(sql, (self._numbers.get(strand_id), number))
            self._expect(isinstance(nodes, bytes) and len(nodes) % DIGEST_BYTES == 0)
        assert isinstance(nodes, bytes)
        return nodes

    def has_tree(self, tip: BlockAddress) -> bool:
        """Say whether there is a Merkle tree up to a block."""
        sql = "SELECT nodes IS NOT NULL FROM block WHERE strand = ? AND number = ?"
        values = (self._numbers.get(tip.strand_id), tip.sequence_no)
        with self._reading():
            row = self._database.execute(sql, values).fetchone()
        return row is not None and bool(row[0])

    def last_block(self, strand_id: str) -> int:
        """Give the highest number of a strand; -1 where no block of it is whole."""
        sql = "SELECT coalesce(max(number), -1) FROM block WHERE strand = ?"
        with self._reading():
            (number,) = self._one(sql, (self._numbers.get(strand_id),))
            self._expect(isinstance(number, int))
        return int(number)

    def delete_block(self, strand_id: str) -> int | None:
        """Name the first block that shows how the strand hashes deletes."""
        return self._delete_blocks.get(strand_id)

    def redacted_by(self, address: BlockAddress) -> list[BlockAddress]:
        """Name the blocks that asked for redactions in a block, each once."""
        sql = (
            "SELECT DISTINCT by_strand, by_number FROM redaction WHERE strand = ? AND number = ?"
            " ORDER BY by_strand, by_number LIMIT ?"
        )
        strand = self._numbers.get(address.strand_id)
        with self._reading():
            rows = self._database.execute(sql, (strand, address.sequence_no, _MOST_PARTS))
            found = [BlockAddress(self._strands[by], number) for by, number in rows]
            self._expect_ints(*[each.sequence_no for each in found])
        return found

    def all_tables(self) -> list[Table]:
        """Give all tables, by name and in the order in which they came."""
        with self._reading():
            rows = self._database.execute("SELECT no, id, name FROM tab ORDER BY name, no")
            return [Table(no, TableInfo(str(name), str(table_id))) for no, table_id, name in rows]

    def ddl(self) -> list[Ddl]:
        """Give what was made, dropped and taken back, in order."""
        sql = "SELECT strand, number, ms, verb, target FROM ddl ORDER BY strand, number, seq"
        with self._reading():
            rows = self._database.execute(sql).fetchall()
            return [
                Ddl(self._strands[strand], int(number), int(ms), str(verb), str(target))
                for strand, number, ms, verb, target in rows
            ]

    def first_revision(self, tab: int, strand_id: str) -> tuple[int, int] | None:
        """Give block and time (ms since 1970) of a table's first revision in a strand."""
        sql = (
            "SELECT number, tx_ms FROM revision INDEXED BY revision_by_table"
            " WHERE tab = ? AND strand = ? ORDER BY number LIMIT 1"
        )
        with self._reading():
            row = self._database.execute(sql, (tab, self._numbers.get(strand_id))).fetchone()
            return None if row is None else (int(row[0]), int(row[1]))

    def spots(self, tabs: Sequence[int] | None, document_id: str | None) -> Iterator[Spot]:
        """
        Iterate over where revisions stand, in the order of strands and blocks.

        Args:
            tabs: of these tables; None for all.
            document_id: of this document; None for all.
        """
        where, values = _condition(tabs, document_id)
        sql = (
            "SELECT strand.id, number, leaf, document, version FROM revision"  # noqa: S608 - marks
            f" JOIN strand ON strand.no = strand WHERE {where}"
            " ORDER BY strand, number, leaf"
        )
        yield from self._spots(sql, values)

    def spots_as_of(
        self,
        tabs: Sequence[int] | None,
        document_id: str | None,
        until: BlockAddress | int,
    ) -> Iterator[Spot]:
        """
        Iterate over where the last revision of each document stands, as of a moment.

        Args:
            tabs: of these tables; None for all.
            document_id: of this document; None for all.
            until: the last block that counts, or a time in ms since 1970.
        """
        where, values = _condition(tabs, document_id)
        if isinstance(until, BlockAddress):
            where += " AND strand = ? AND number <= ?"
            values += [self._numbers.get(until.strand_id), until.sequence_no]
        else:
            where += " AND tx_ms <= ?"
            values.append(until)
        # With max() the other columns are those of the row that has it (SQLite's own rule).
        sql = (
            "SELECT strand.id, number, leaf, document, version FROM ("  # noqa: S608 - marks alone
            "SELECT strand, max(number) AS number, leaf, document, version FROM revision"
            f" WHERE {where} GROUP BY tab, document, strand"
            ") AS newest JOIN strand ON strand.no = newest.strand"
            " ORDER BY newest.strand, number, leaf"
        )
        yield from self._spots(sql, values)

    def _spots(self, sql: str, values: Sequence[Any]) -> Iterator[Spot]:
        with self._reading():
            rows = self._database.execute(sql, values)
        while True:
            with self._reading():
                row = rows.fetchone()
                if row is None:
                    return
                strand_id, number, leaf, document, version = row
                self._expect_ints(number, leaf, version)
                spot = Spot(BlockAddress(strand_id, number), leaf, document, version)
            yield spot

    def _one(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...]:
        row = self._database.execute(sql, values).fetchone()
        self._expect(row is not None)
        return tuple(row)

    def _expect_ints(self, *values: object) -> None:
        self._expect(all(isinstance(value, int) for value in values))

    def _expect(self, condition: bool) -> None:  # noqa: FBT001 - it is the sentence
        if not condition:
            raise ArchiveIndexError(self.name, "it is damaged: what it says makes no sense")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with _translated(self.name):
            yield


def numbers_of(tables: Sequence[Table] | None) -> list[int] | None:
    """Give what tables are called in an index; None stands for all."""
    return None if tables is None else [table.no for table in tables]


def _condition(tabs: Sequence[int] | None, document_id: str | None) -> tuple[str, list[Any]]:
    parts, values = ["1"], list[Any]()
    if document_id is not None:
        parts.append("document = ?")
        values.append(document_id.encode(errors="replace").decode())  # no journal has surrogates
    if tabs is not None:
        # With the plus SQLite looks a document up by its id, not through all of its table.
        tab = "tab" if document_id is None else "+tab"
        parts.append(f"{tab} IN ({', '.join('?' * len(tabs))})")
        values += tabs
    return " AND ".join(parts), values


def _check_format(database: sqlite3.Connection, name: str) -> None:
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise ArchiveIndexError(name, "it is no index of an archive")
    if version != VERSION:
        raise ArchiveIndexError(name, f"its version is {version}, this release reads {VERSION}")
    if not has_schema(database):
        raise ArchiveIndexError(name, "it is damaged: its tables are not an index's")


def _built(meta: dict[str, str]) -> BuiltState:
    if any(len(value) > _MOST_META for value in meta.values()):
        raise ValueError
    problems = {str(code): int(count) for code, count in json.loads(meta["problems"]).items()}
    strands = tuple(
        [(str(a), int(b), int(c), int(d)) for a, b, c, d in json.loads(meta["strands"])]
    )
    return BuiltState(
        int(meta["blocks"]), int(meta["revisions"]), str(meta["level"]), problems, strands
    )


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Tell everything that a wrong file leads to as one error."""
    try:
        yield
    except sqlite3.Error as exc:
        raise ArchiveIndexError(name, f"it cannot be read: {exc}") from exc
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as exc:
        raise ArchiveIndexError(name, "it is damaged: what it says makes no sense") from exc
