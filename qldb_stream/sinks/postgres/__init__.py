"""
`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`: documents as rows of PostgreSQL, exactly once.

Needs psycopg 3 (extra `postgres`). Options of the URL: `schema=columns|json`, `prefix=NAME`,
`tables_in=SCHEMA`, `vacuum=plain|full|none`, and what libpq calls `host`, `port`, `sslmode`,
`sslrootcert`, `sslcert`, `sslkey`, `connect_timeout`, `application_name` and `passfile`. What
is not given comes from libpq's environment variables and files, passwords too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

if TYPE_CHECKING:
    from qldb_stream.sinks._relational import RelationalSink

__all__ = ["open_postgres", "qldb_stream_register_sinks"]

_LIBPQ: Final = {
    "host": "where the server is: a name, or the folder of its socket",
    "port": "its port",
    "sslmode": "how far the connection is protected: disable to verify-full",
    "sslrootcert": "file of the authorities that may have signed the server's certificate",
    "sslcert": "file of the client's certificate",
    "sslkey": "file of its key",
    "passfile": "file of passwords",
    "connect_timeout": "seconds to wait for a connection",
    "application_name": "what the server calls this client",
}
_OWN: Final = (
    SinkOption(
        "tables_in",
        "the schema in which documents' tables stand; made if absent. A database holds one sink, "
        "so that it stays as it was at first",
        "public",
    ),
    SinkOption(
        "vacuum",
        "what follows a redaction, so that dead rows go",
        "plain",
        ("plain", "full", "none"),
    ),
)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `postgresql:`."""
    from qldb_stream.sinks._relational_options import OPTIONS

    libpq = [SinkOption(name, summary) for name, summary in _LIBPQ.items()]
    summary = "tables of a PostgreSQL database: current state, history, proof"
    options = (*OPTIONS, *_OWN, *libpq)
    form = "//USER:PASSWORD@HOST:PORT/DATABASE"
    return [SinkType("postgresql", open_postgres, summary, options, form=form)]


def open_postgres(path: str, options: Mapping[str, str]) -> RelationalSink:
    """
    Connect to a database.

    Raises:
        UsageError: psycopg is not installed, the URL or an option makes no sense, the database
            is not in UTF-8, or its tables are of another format.
        SinkUnavailableError: there is no connection now.
    """
    from qldb_stream.sinks._relational import RelationalSink
    from qldb_stream.sinks._relational_options import check_name, read_settings

    try:
        from qldb_stream.sinks.postgres._database import PostgresDatabase
    except ImportError as exc:
        raise UsageError(
            "postgresql: needs psycopg 3: pip install 'qldb-stream[postgres]'"
        ) from exc
    tables_in = check_name("tables_in", options.get("tables_in", "public"))
    settings = read_settings(options) | {"tables_in": tables_in}
    db = PostgresDatabase(
        _parameters(path, options),
        prefix=settings["prefix"],
        tables_in=tables_in,
        vacuum=options.get("vacuum", "plain"),
    )
    try:
        return RelationalSink(db, settings)
    except BaseException:
        db.close()
        raise


def _parameters(path: str, options: Mapping[str, str]) -> dict[str, str]:
    """
    Take ``//USER:PASSWORD@HOST:PORT/DATABASE``, unescaped already, apart for libpq.

    Raises:
        UsageError: it does not begin with two slashes.
    """
    if not path.startswith("//"):
        raise UsageError("postgresql: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    who, _, where = path[2:].rpartition("@")
    user, _, password = who.partition(":")
    server, _, database = where.partition("/")
    host, port = _split_port(server)
    found = {"user": user, "password": password, "host": host, "port": port, "dbname": database}
    given = {name: options[name] for name in _LIBPQ if name in options}
    return {name: value for name, value in found.items() if value} | given


def _split_port(server: str) -> tuple[str, str]:
    """Take host and port apart; an IPv6 address stands in brackets."""
    host, colon, port = server.rpartition(":")
    if not colon or "]" in port:
        host, port = server, ""
    return host.strip("[]"), port
