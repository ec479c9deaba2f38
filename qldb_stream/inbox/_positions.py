"""What each sink has of each strand, guarded by the token it was stored with."""

from __future__ import annotations

import json
import sqlite3
from typing import Any, Final

from qldb_stream.errors import InboxFileError, StaleTokenError
from qldb_stream.inbox._store import rows
from qldb_stream.report import Position

__all__ = ["all_positions", "forget_sink", "had", "read_position", "register_sink", "set_position"]

_SET: Final = """
INSERT INTO position VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (sink, strand_id) DO UPDATE SET token = ?3, value = ?4
"""
# One row for each registered sink; its position is NULL where it has none.
_OF_STRAND: Final = """
SELECT position.value FROM sink
LEFT JOIN position ON position.sink = sink.name AND position.strand_id = ?
"""


def register_sink(connection: sqlite3.Connection, sink: str) -> bool:
    """Count a sink among those for which everything is kept; say whether it is new there."""
    added = connection.execute("INSERT INTO sink VALUES (?) ON CONFLICT DO NOTHING", (sink,))
    return added.rowcount == 1


def forget_sink(connection: sqlite3.Connection, sink: str) -> None:
    """Remove what is known of a sink and what is parked for it."""
    connection.execute("DELETE FROM sink WHERE name = ?", (sink,))
    connection.execute("DELETE FROM position WHERE sink = ?", (sink,))
    of_sink = (
        "DELETE FROM parked_revision WHERE parked_no IN (SELECT no FROM parked WHERE sink = ?)"
    )
    connection.execute(of_sink, (sink,))
    connection.execute("DELETE FROM parked WHERE sink = ?", (sink,))


def read_position(
    connection: sqlite3.Connection, name: str, sink: str, strand_id: str
) -> Position | None:
    """Give what a sink has of a strand; None for nothing."""
    sql = "SELECT value FROM position WHERE sink = ? AND strand_id = ?"
    found = rows(connection, sql, sink, strand_id)
    return _parse(name, found[0][0]) if found else None


def set_position(connection: sqlite3.Connection, sink: str, position: Position, token: int) -> None:
    """
    Store a position and its token.

    Raises:
        StaleTokenError: the stored one has a higher token.
    """
    sql = "SELECT token FROM position WHERE sink = ? AND strand_id = ?"
    for (stored,) in rows(connection, sql, sink, position.strand_id):
        if stored > token:
            raise StaleTokenError(position.strand_id, stored, token)
    register_sink(connection, sink)
    value = json.dumps(position.as_json())
    connection.execute(_SET, (sink, position.strand_id, token, value))


def had(connection: sqlite3.Connection, name: str, strand_id: str) -> int | None:
    """Give the number up to which every registered sink has a strand; None for nothing."""
    found = [value for (value,) in rows(connection, _OF_STRAND, strand_id)]
    if not found or None in found:
        return None
    return min(_parse(name, value).sequence_no for value in found)


def all_positions(connection: sqlite3.Connection, name: str) -> tuple[tuple[str, Position], ...]:
    """Give all positions with their sinks, by sink and strand."""
    sql = "SELECT sink, value FROM position ORDER BY sink, strand_id"
    return tuple([(sink, _parse(name, value)) for sink, value in rows(connection, sql)])


def _parse(name: str, value: Any) -> Position:
    try:
        return Position.from_json(json.loads(value))
    except (KeyError, TypeError, ValueError) as exc:
        raise InboxFileError(name, "the file is damaged: a position cannot be read") from exc
