"""
The sink's own tables: its format and options, positions, the chain of blocks, names.

They stand in the schema `qldb_stream` or are called `qldb_stream_*`. The version of the format
is a setting; another one than this code knows is refused, never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.report import Position
from qldb_stream.sinks._relational._catalog import (
    OWN,
    Catalog,
    Column,
    Draft,
    Table,
)
from qldb_stream.sinks._relational._database import Database
from qldb_stream.sinks._relational._kinds import Kind
from qldb_stream.sinks._relational._names import quote

__all__ = [
    "FORMAT_VERSION",
    "KEY",
    "apply_draft",
    "create",
    "load_catalog",
    "load_settings",
    "read_position",
    "read_token",
    "write_position",
]

FORMAT_VERSION: Final = 1

KEY: Final = ("qldb_strand_id", "qldb_document_id")
"""What tells rows of the current state apart."""

_REVISION: Final = ("qldb_strand_id", "qldb_sequence_no", "qldb_document_id", "qldb_version")
# The history of one document, without another index.
_BY_DOCUMENT: Final = ("qldb_document_id", "qldb_version", "qldb_strand_id", "qldb_sequence_no")
_NEVER_NULL: Final = frozenset((*_REVISION, "qldb_kind", "qldb_hash", "qldb_verification"))

# Column, kind, whether it is part of the primary key.
_OWN_TABLES: Final[Mapping[str, tuple[tuple[str, Kind, bool], ...]]] = {
    "setting": (("name", Kind.TEXT, True), ("value", Kind.TEXT, False)),
    "position": (
        ("strand_id", Kind.TEXT, True),
        ("token", Kind.INTEGER, False),
        ("sequence_no", Kind.INTEGER, False),
        ("block_hash", Kind.BYTES, False),
        ("position", Kind.TEXT, False),
    ),
    "block": (
        ("strand_id", Kind.TEXT, True),
        ("sequence_no", Kind.INTEGER, True),
        ("block_hash", Kind.BYTES, False),
        ("previous_block_hash", Kind.BYTES, False),
        ("transaction_id", Kind.TEXT, False),
        ("block_timestamp", Kind.TIMESTAMP, False),
    ),
    "source_table": (
        ("table_id", Kind.TEXT, True),
        ("source_name", Kind.TEXT, False),
        ("table_name", Kind.TEXT, False),
        ("is_dropped", Kind.BOOLEAN, False),
    ),
    "source_column": (
        ("table_id", Kind.TEXT, True),
        ("ordinal", Kind.INTEGER, True),
        ("field", Kind.BYTES, False),  # UTF-8: a name may have characters that no text may
        ("column_name", Kind.TEXT, False),
        ("kind", Kind.TEXT, False),
    ),
    "redaction": (
        ("strand_id", Kind.TEXT, True),
        ("sequence_no", Kind.INTEGER, True),
        ("document_id", Kind.TEXT, True),
        ("version", Kind.INTEGER, True),
        ("redacted_by", Kind.INTEGER, False),
    ),
}


def create(db: Database, settings: Mapping[str, str]) -> None:
    """Make the sink's own tables, and note the format and the options they are made with."""
    db.prepare()
    for name, columns in _OWN_TABLES.items():
        lines = [f"{column} {db.types[kind]}" for column, kind, _ in columns]
        key = ", ".join(column for column, _, is_key in columns if is_key)
        db.execute(f"CREATE TABLE {db.meta(name)} ({', '.join(lines)}, PRIMARY KEY ({key}))")
    rows = {"format_version": str(FORMAT_VERSION), "catalog_version": "0", **settings}
    db.insert(db.meta("setting"), ("name", "value"), list(rows.items()))


def load_settings(db: Database, wanted: Mapping[str, str]) -> int:
    """
    Check that the tables are of this format and options; give the catalog's version.

    Raises:
        UsageError: they are not.
    """
    names = ("format_version", "catalog_version", *wanted)
    marks = ", ".join("?" * len(names))
    found = dict(
        db.execute(f"SELECT name, value FROM {db.meta('setting')} WHERE name IN ({marks})", names)
    )
    version = found.get("format_version")
    if version != str(FORMAT_VERSION):
        raise UsageError(
            f"{db.name} has version {version} of the tables, this qldb-stream knows "
            f"{FORMAT_VERSION}; use the qldb-stream that made them, or a newer one"
        )
    for name, value in wanted.items():
        if found.get(name) != value:
            raise UsageError(
                f"{db.name} was made with {name}={found.get(name)}, not {name}={value}; give the "
                "same option, or another database"
            )
    return int(found["catalog_version"])


def load_catalog(db: Database, version: int) -> Catalog:
    """Read which tables and columns there are."""
    columns: dict[str, list[Column]] = {}
    for table_id, field, name, kind in db.execute(
        f"SELECT table_id, field, column_name, kind FROM {db.meta('source_column')} "
        "ORDER BY table_id, ordinal"
    ):
        columns.setdefault(table_id, []).append(Column(bytes(field).decode(), name, Kind(kind)))
    tables = db.execute(
        f"SELECT table_id, source_name, table_name, is_dropped FROM {db.meta('source_table')} "
        "ORDER BY table_name"
    )
    return Catalog(
        version,
        {
            table_id: Table(table_id, source, name, bool(dropped), tuple(columns.get(table_id, ())))
            for table_id, source, name, dropped in tables
        },
    )


# --- positions -----------------------------------------------------------------------------


def read_position(db: Database, strand_id: str) -> Position | None:
    """Read what is applied of a strand."""
    return _read(db, strand_id)[0]


def read_token(db: Database, strand_id: str, token: int) -> Position | None:
    """
    Read what is applied of a strand, for one who may go on from there.

    Raises:
        StaleTokenError: a higher token has been used on it.
    """
    position, stored = _read(db, strand_id)
    if stored is not None and token < stored:
        raise StaleTokenError(strand_id, stored, token)
    return position


def _read(db: Database, strand_id: str) -> tuple[Position | None, int | None]:
    rows = db.execute(
        f"SELECT position, token FROM {db.meta('position')} WHERE strand_id = ?", (strand_id,)
    )
    if not rows:
        return None, None
    ((text, token),) = rows
    if text is None:  # only ever locked
        return None, token
    return Position.from_json(json.loads(text)), token


def write_position(db: Database, strand_id: str, position: Position | None, token: int) -> None:
    """Write what is applied of a strand, and by whom."""
    cells: tuple[object, ...] = (None, None, None)
    if position is not None:
        cells = (position.sequence_no, position.block_hash, json.dumps(position.as_json()))
    table = db.meta("position")
    db.execute(
        f"INSERT INTO {table} (strand_id, token, sequence_no, block_hash, position) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (strand_id) DO UPDATE SET token = excluded.token, "
        "sequence_no = excluded.sequence_no, block_hash = excluded.block_hash, "
        "position = excluded.position",
        (strand_id, token, *cells),
    )


# --- tables of documents -------------------------------------------------------------------


def apply_draft(db: Database, draft: Draft) -> None:
    """Make tables, columns and views what a draft says, and remember it."""
    changed = draft.changed
    for table in changed:
        before = draft.before.get(table.id)
        if before is None:
            _create_table(db, table)
        elif before.columns != table.columns:
            # What somebody has made upon the view lives on where the view is never gone.
            is_longer = before.columns == table.columns[: len(before.columns)]
            replaces = db.replaces_views and is_longer
            if not replaces:
                db.execute(f"DROP VIEW {db.data(table.view)}")
            _alter_table(db, before, table)
            _create_view(db, table, "CREATE OR REPLACE" if replaces else "CREATE")
        _remember(db, table, before)
    if changed:
        db.execute(
            f"UPDATE {db.meta('setting')} SET value = ? WHERE name = 'catalog_version'",
            (str(draft.catalog().version),),
        )


def _create_table(db: Database, table: Table) -> None:
    columns = [
        f"{name} {db.types[kind]}{' NOT NULL' if name in _NEVER_NULL else ''}"
        for name, kind in OWN.items()
    ]
    columns += [f"{quote(column.name)} {db.types[column.kind]}" for column in table.columns]
    body = ", ".join(columns)
    db.execute(f"CREATE TABLE {db.data(table.name)} ({body}, PRIMARY KEY ({', '.join(KEY)}))")
    db.execute(
        f"CREATE TABLE {db.data(table.history)} ({body}, PRIMARY KEY ({', '.join(_REVISION)}), "
        f"UNIQUE ({', '.join(_BY_DOCUMENT)}))"
    )
    db.guard(table)
    _create_view(db, table)


def _alter_table(db: Database, before: Table, table: Table) -> None:
    kinds = {column.name: column.kind for column in before.columns}
    for name in (table.name, table.history):
        for column in table.columns:
            old = kinds.get(column.name)
            if old is None:
                kind = db.types[column.kind]
                db.execute(f"ALTER TABLE {db.data(name)} ADD COLUMN {quote(column.name)} {kind}")
            elif old is not column.kind:
                db.widen(name, column, old)


def _create_view(db: Database, table: Table, create_it: str = "CREATE") -> None:
    """Make the view in which each revision has the time from which and to which it was valid."""
    names = ", ".join(map(quote, table.column_names))
    db.execute(
        f"{create_it} VIEW {db.data(table.view)} AS SELECT valid_from, valid_to, "
        f"valid_to IS NULL AS is_current, {names} FROM (SELECT qldb_tx_time AS valid_from, "
        "lead(qldb_tx_time) OVER (PARTITION BY qldb_strand_id, qldb_document_id "
        f"ORDER BY qldb_version) AS valid_to, {names} FROM {db.data(table.history)}) AS revisions "
        "WHERE qldb_kind <> 'delete'"
    )


def _remember(db: Database, table: Table, before: Table | None) -> None:
    db.execute(f"DELETE FROM {db.meta('source_table')} WHERE table_id = ?", (table.id,))
    db.insert(
        db.meta("source_table"),
        ("table_id", "source_name", "table_name", "is_dropped"),
        [(table.id, table.source_name, table.name, table.is_dropped)],
    )
    if before is not None and before.columns == table.columns:
        return
    db.execute(f"DELETE FROM {db.meta('source_column')} WHERE table_id = ?", (table.id,))
    db.insert(
        db.meta("source_column"),
        ("table_id", "ordinal", "field", "column_name", "kind"),
        [
            (table.id, i, column.field.encode(), column.name, column.kind.value)
            for i, column in enumerate(table.columns)
        ],
    )
