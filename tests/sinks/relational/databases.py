"""Databases that tests of relational sinks write to, and look into without our code."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.conninfo import make_conninfo

NUMBERS = itertools.count()


class Place(Protocol):
    """An empty database: its sink's URL, and a way to look into it."""

    url: str
    is_postgres: bool

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement of somebody else's, and commit it."""

    def own(self, table: str) -> str:
        """Name one of the sink's own tables."""

    def bytes_anywhere(self, needle: bytes) -> bool:
        """Say whether bytes are in a file of the database."""


class SqliteFile:
    """A file in a folder of the test's."""

    is_postgres = False

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sink.db"
        self.url = f"sqlite:{self.path}"

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement with a connection of its own."""
        with closing(sqlite3.connect(self.path)) as opened, opened:
            return opened.execute(statement).fetchall()

    def own(self, table: str) -> str:
        """Give a table's name."""
        return f"qldb_stream_{table}"

    def bytes_anywhere(self, needle: bytes) -> bool:
        """Look into every file of the folder."""
        return any(needle in file.read_bytes() for file in self.path.parent.iterdir())


class PostgresDatabase:
    """A database of a server's."""

    is_postgres = True

    def __init__(self, server: dict[str, str], name: str) -> None:
        self.parameters = {**server, "dbname": name}
        user = server.get("user", "")
        password = f":{server['password']}" if "password" in server else ""
        options = "&".join(f"{k}={server[k]}" for k in ("host", "port") if k in server)
        self.url = f"postgresql://{user}{password}@/{name}?{options}"

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement with a connection of its own."""
        with psycopg.connect(make_conninfo(**self.parameters), autocommit=True) as opened:
            cursor = opened.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def own(self, table: str) -> str:
        """Give a table's name."""
        return f"qldb_stream.{table}"

    def bytes_anywhere(self, needle: bytes) -> bool:
        """Look into the files of the database's tables, when all is written to them."""
        self.query("CHECKPOINT")
        ((folder,),) = self.query("SHOW data_directory")
        ((number,),) = self.query("SELECT oid FROM pg_database WHERE datname = current_database()")
        files = Path(folder, "base", str(number)).iterdir()
        return any(needle in file.read_bytes() for file in files)


@contextmanager
def make_postgres(server: dict[str, str]) -> Iterator[PostgresDatabase]:
    """Make a database, and drop it afterwards."""
    name = f"qldb_stream_test_{next(NUMBERS)}"
    with psycopg.connect(make_conninfo(**server), autocommit=True) as opened:
        opened.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        opened.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode())
        yield PostgresDatabase(server, name)
        opened.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
