"""A PostgreSQL database for each place of the kit; its processes open it too."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256

import psycopg
from psycopg import errors
from psycopg.conninfo import make_conninfo

from qldb_stream.plugins import open_sink
from qldb_stream.testing.kit import kit_place
from qldb_stream.typing import Sink
from tests.sinks.relational.databases import PostgresDatabase

SERVER = "QLDB_STREAM_TEST_PG_SERVER"
"""The environment variable that has libpq's parameters, as JSON."""


def postgres() -> Sink:
    """Open the sink of the database that belongs to the place, made where it is not there."""
    server = json.loads(os.environ[SERVER])
    name = "kit_" + sha256(str(kit_place()).encode()).hexdigest()[:16]
    statement = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"
    # The same place again, or another process at this moment.
    existing = suppress(errors.DuplicateDatabase, errors.UniqueViolation)
    with psycopg.connect(make_conninfo(**server), autocommit=True) as opened, existing:
        opened.execute(statement.encode())
    return open_sink(PostgresDatabase(server, name).url)
