"""
PostgreSQL as a database of the relational sinks, through psycopg 3.

Transactions that may change tables hold an advisory lock alone, the others share it; and each
holds the lock of its strand, so that two workers on one strand go one after the other. Many
rows are written by COPY, few by statements that libpq sends in one go (pipeline mode).

An UPDATE leaves the old row in the table until it is vacuumed, so a redaction is followed by
VACUUM, outside its transaction. Plain, it frees the space, and the bytes go when the space is
used again; `vacuum=full` writes the tables anew and leaves nothing. Neither touches backups or
write-ahead log that the server has kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.types.json import set_json_loads

from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.sinks._relational import (
    MISFIT,
    Cell,
    Cells,
    Column,
    Kind,
    RowRefusedError,
    Table,
    number_text,
    quote,
    rest_bytes,
)

__all__ = ["PostgresDatabase"]

_OWN: Final = "qldb_stream"
_MAX_NAME_BYTES: Final = 63  # NAMEDATALEN - 1

# Rows in memory while a column is written anew; one may have 128 KiB, and psycopg fetches as many.
_SLICE_ROWS: Final = 100

# Rows from which on COPY is faster than a statement for each.
_COPY_ROWS: Final = 8

_LOCK: Final = 0x71646273  # of our advisory locks; strands have a second number, the tables 0
_CONNECT_TIMEOUT_S: Final = "10"
_SESSION: Final = (
    "SET TimeZone = 'UTC'",
    "SET client_min_messages = warning",
    "SET lock_timeout = '60s'",
    "SET standard_conforming_strings = on",
)

# Classes of SQLSTATE that say what is wrong with a row (appendix A): data, constraints, and a row
# or a number that is too long.
_REFUSED: Final = ("22", "23", "54")

# Classes of SQLSTATE that only the owner can put right, and how: what depends on our tables and
# views, what cannot be done because of that, our tables or rights on them.
_DEPENDS: Final = (
    "drop what was made upon the sink's tables and views, start again, and make it again then"
)
_OWNERS: Final[Mapping[str, str]] = {
    "2B": _DEPENDS,
    "0A": _DEPENDS,
    "42": "the sink's tables, or its rights on them, were changed: put them right, and start again",
}
# Another worker has changed a table since a statement was prepared: of class 0A, and passes.
_STALE_PLAN: Final = "RevalidateCachedQuery"
# Duplicates of schema, table, column, object, function: another worker made it just now.
_MADE_BY_OTHERS: Final = frozenset({"42P06", "42P07", "42701", "42710", "42723"})

_GUARD: Final = f"""
CREATE FUNCTION {_OWN}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF current_setting('{_OWN}.changing', true) = 'yes' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'the history of a ledger is append-only';
END
$body$
"""


def _number(value: float | Decimal) -> Cell:
    text = number_text(value)
    return MISFIT if text is None else text


def _near_number(value: Any) -> Cell:
    return number_text(Decimal(value) if isinstance(value, Decimal) else value)


def _loads(text: str | bytes) -> Any:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what psycopg logs of an error that it raises as well, which is ours to tell."""
    return not str(record.msg).startswith("error ignored terminating")


class PostgresDatabase:
    """
    A connection to PostgreSQL; see `qldb_stream.sinks._relational.Database`.

    Raises:
        UsageError: libpq does not know a parameter, or the database is not in UTF-8.
        SinkUnavailableError: there is no connection.
    """

    types: Mapping[Kind, str] = {
        Kind.BOOLEAN: "boolean",
        Kind.NUMERIC: "numeric",
        Kind.TIMESTAMP: "timestamptz",
        Kind.TEXT: "text",
        Kind.BYTES: "bytea",
        Kind.JSON: "jsonb",
        Kind.INTEGER: "bigint",
    }
    replaces_views = True

    def __init__(
        self, parameters: Mapping[str, str], *, prefix: str, tables_in: str, vacuum: str
    ) -> None:
        host, database = parameters.get("host", ""), parameters.get("dbname", "")
        self.name = f"postgresql://{'' if host.startswith('/') else host}/{database}"
        self.max_name_bytes = _MAX_NAME_BYTES - len(prefix)
        self.cells = Cells(takes_nul=False, number=_number, near_number=_near_number)
        self._prefix = prefix
        self._schema = tables_in
        self._vacuum = vacuum
        self._is_prepared = False
        self._connection: psycopg.Connection | None = None
        try:
            self._conninfo = make_conninfo("", connect_timeout=_CONNECT_TIMEOUT_S)
            self._conninfo = make_conninfo(self._conninfo, **parameters)
        except psycopg.ProgrammingError as exc:
            raise UsageError(f"{self.name}: libpq does not take the URL's parameters") from exc
        ((encoding,),) = self.execute("SHOW server_encoding")
        if encoding != "UTF8":
            self.close()
            raise UsageError(f"{self.name}: expected a database in UTF8, found {encoding}")

    def meta(self, table: str) -> str:
        """Name one of the sink's own tables."""
        return f'{_OWN}."{table}"'

    def data(self, table: str) -> str:
        """Name a table or view of documents."""
        return f"{quote(self._schema)}.{quote(self._prefix + table)}"

    def begin(self, *, exclusive: bool) -> None:
        """Begin a transaction, and lock the tables as they are."""
        self.execute("BEGIN")
        shared = "" if exclusive else "_shared"
        self.execute(f"SELECT pg_advisory_xact_lock{shared}(?, 0)", (_LOCK,))

    def commit(self) -> None:
        """Make everything since `begin` durable."""
        self.execute("COMMIT")

    def rollback(self) -> None:
        """Undo everything since `begin`; a connection on which that fails is given up."""
        if self._connection is None:
            return
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self.close()

    def lock_strand(self, strand_id: str) -> None:
        """Wait until no other transaction works on the strand."""
        self.execute(
            "SELECT pg_advisory_xact_lock(?, (hashtext(?) & 2147483647) | 1)", (_LOCK, strand_id)
        )

    def execute(self, statement: str, parameters: Sequence[Cell] = ()) -> list[Any]:
        """Run one statement and give its rows."""
        with self._translated():
            cursor = self._connect().execute(_marked(statement), parameters)
            return cursor.fetchall() if cursor.description else []

    def execute_many(self, statement: str, rows: Sequence[Sequence[Cell]]) -> None:
        """Run a statement once for each row of parameters."""
        with self._translated(), self._connect().cursor() as cursor:
            cursor.executemany(_marked(statement), rows)

    def stream(self, statement: str, parameters: Sequence[Cell]) -> Generator[Any, None, None]:
        """Run a query, fetching rows as they are asked for."""
        with (
            self._translated(),
            self._connect().transaction(),
            self._connect().cursor("qldb_stream_read") as cursor,
        ):
            cursor.execute(_marked(statement), parameters)
            yield from cursor

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Insert rows."""
        names = ", ".join(map(quote, columns))
        if len(rows) < _COPY_ROWS:
            marks = ", ".join("?" * len(columns))
            self.execute_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            return
        with (
            self._translated(),
            self._connect().cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def upsert(
        self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Sequence[Cell]]
    ) -> None:
        """Insert rows, or put them in the place of those with the same key."""
        names = ", ".join(map(quote, columns))
        changes = ", ".join(f"{quote(c)} = excluded.{quote(c)}" for c in columns if c not in key)
        resolve = (
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes} "
            "WHERE excluded.qldb_version >= held.qldb_version"
        )
        into = f"INSERT INTO {table} AS held ({names})"
        if len(rows) < _COPY_ROWS:
            marks = ", ".join("?" * len(columns))
            self.execute_many(f"{into} VALUES ({marks}) {resolve}", rows)
            return
        fresh = "pg_temp.qldb_stream_fresh"
        self.execute(
            f"CREATE TEMP TABLE qldb_stream_fresh ON COMMIT DROP AS SELECT {names} FROM {table} "
            "WITH NO DATA"
        )
        self.insert(fresh, columns, rows)
        self.execute(f"{into} SELECT {names} FROM {fresh} {resolve}")
        self.execute(f"DROP TABLE {fresh}")

    def prepare(self) -> None:
        """Make the schemas, and the function of the triggers."""
        for name in (_OWN, self._schema):
            if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = ?", (name,)):
                self.execute(f"CREATE SCHEMA {quote(name)}")
        self.execute(_GUARD)

    def is_prepared(self) -> bool:
        """Say whether the sink's own tables are there."""
        if not self._is_prepared:
            ((found,),) = self.execute("SELECT to_regclass(?) IS NOT NULL", (f"{_OWN}.setting",))
            self._is_prepared = found and not self._in_transaction
            return bool(found)
        return True

    def taken_names(self) -> Collection[str]:
        """Name everything in the schema, as it is called behind the prefix."""
        rows = self.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = ?::regnamespace UNION "
            "SELECT typname FROM pg_type WHERE typnamespace = ?::regnamespace",
            (quote(self._schema), quote(self._schema)),
        )
        return [name.removeprefix(self._prefix) for (name,) in rows]

    def guard(self, table: Table) -> None:
        """Let triggers refuse whoever changes a history."""
        history = self.data(table.history)
        self.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {history} "
            f"FOR EACH ROW EXECUTE FUNCTION {_OWN}.refuse_change()"
        )
        self.execute(
            f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {history} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_OWN}.refuse_change()"
        )

    def allow_changes(self, *, allowed: bool) -> None:
        """Let this transaction change histories, or no longer."""
        value = "yes" if allowed else "no"
        self.execute(f"SET LOCAL {_OWN}.changing = '{value}'")

    def widen(self, table: str, column: Column, old: Kind) -> None:
        """Make a column of an old kind jsonb."""
        if old in {Kind.TIMESTAMP, Kind.BYTES}:
            self._note_values(table, column)
        name = quote(column.name)
        using = _TO_JSON.get(old, "to_jsonb({})").format(name)
        self.execute(f"ALTER TABLE {self.data(table)} ALTER COLUMN {name} TYPE jsonb USING {using}")

    def parse(self, kind: Kind, cell: Cell) -> Any:
        """Give the plain value of a cell."""
        if kind is Kind.TIMESTAMP:
            moment: datetime = cell
            return moment.astimezone(UTC).isoformat(timespec="microseconds")
        return bytes(cell) if kind is Kind.BYTES else cell

    def scrub(self, tables: Sequence[Table]) -> bool:
        """Vacuum tables in which rows were erased; say whether that was done."""
        if self._vacuum == "none":
            return False
        option = "(FULL)" if self._vacuum == "full" else ""
        try:
            for table in tables:
                for name in (table.name, table.history):
                    self.execute(f"VACUUM {option} {self.data(name)}")
        except (SinkUnavailableError, UsageError):  # the commit stands; it may be done later
            return False
        return True

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- the connection --------------------------------------------------------------------

    @property
    def _in_transaction(self) -> bool:
        if self._connection is None:
            return False
        return self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def _connect(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            logging.getLogger("psycopg").addFilter(_is_news)
            opened = psycopg.connect(self._conninfo, autocommit=True)
            set_json_loads(_loads, opened)
            for statement in _SESSION:
                opened.execute(statement)
            self._connection = opened
        return self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate psycopg's errors; what the server says of a value is not passed on."""
        try:
            yield
        except psycopg.Error as exc:
            state = exc.sqlstate or ""
            if state[:2] in _REFUSED or isinstance(exc, psycopg.DataError):
                raise RowRefusedError(_describe(exc)) from exc
            said = exc.diag.message_primary or str(exc).strip().split("\n")[0]
            what_to_do = None if state in _MADE_BY_OTHERS else _OWNERS.get(state[:2])
            if what_to_do is not None and exc.diag.source_function != _STALE_PLAN:
                on = f": {exc.diag.message_detail}" if exc.diag.message_detail else ""
                raise UsageError(f"{self.name}: {said}{on} ({state}); {what_to_do}") from exc
            raise SinkUnavailableError(self.name, f"{said} ({state})" if state else said) from exc
        except (OverflowError, UnicodeError) as exc:
            raise RowRefusedError(type(exc).__name__) from exc

    def _note_values(self, table: str, column: Column) -> None:
        """Write a column's values into `qldb_rest` too, before JSON loses their type."""
        name, data = quote(column.name), self.data(table)
        key = "qldb_strand_id, qldb_sequence_no, qldb_document_id, qldb_version"
        # A cursor sees rows as they were when it was opened: what is noted never comes again.
        found = self.stream(
            f"SELECT qldb_rest, {name}, {key} FROM {data} WHERE {name} IS NOT NULL", ()
        )
        self.allow_changes(allowed=True)
        with closing(found):
            while noted := [
                (rest_bytes(None if rest is None else bytes(rest), column.field, value), *revision)
                for rest, value, *revision in islice(found, _SLICE_ROWS)
            ]:
                self.execute_many(
                    f"UPDATE {data} SET qldb_rest = ? WHERE qldb_strand_id = ? "
                    "AND qldb_sequence_no = ? AND qldb_document_id = ? AND qldb_version = ?",
                    noted,
                )
        self.allow_changes(allowed=False)


_TO_JSON: Final[Mapping[Kind, str]] = {
    Kind.TIMESTAMP: (
        "to_jsonb(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"'))"
    ),
    Kind.BYTES: "to_jsonb(translate(encode({}, 'base64'), E'\\n', ''))",
}


@lru_cache(maxsize=256)
def _marked(statement: str) -> str:
    """Write `?` as psycopg has it; no statement of ours has either sign in a name or a text."""
    return statement.replace("%", "%%").replace("?", "%s")


def _describe(exc: psycopg.Error) -> str:
    """Say what the server refused: which rule, where; never the value."""
    diag = exc.diag
    where = ".".join(filter(None, (diag.table_name, diag.column_name or diag.constraint_name)))
    what = type(exc).__name__
    return f"{what} ({exc.sqlstate}){f' in {where}' if where else ''}"
