"""
What could not be read, kept as it came, once each.

The same bytes from the same place are one. Beyond the limit of bytes an entry is kept
without its bytes (`data` is None), as is one whose bytes the source did not hold; beyond
the limit of entries nothing more is taken in, so that nothing is dropped in silence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import BacklogError
from qldb_stream.events import Undecodable
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._quarantine_form import parse_quarantined, value_and_key
from qldb_stream.inbox._store import rows
from qldb_stream.report import Quarantined

__all__ = [
    "count_quarantined",
    "discard",
    "drop_bytes_with",
    "put_lost",
    "put_unreadable",
    "read_quarantined",
]

_ADD: Final = """
INSERT INTO quarantined (key, arrived_s, value, data) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO NOTHING
"""
_SIZE: Final = "SELECT count(*), coalesce(sum(length(data)), 0) FROM quarantined"
_NEXT: Final = "SELECT id, arrived_s, value, data FROM quarantined WHERE id > ? ORDER BY id LIMIT 1"


def put_unreadable(
    connection: sqlite3.Connection,
    items: Sequence[Undecodable],
    now_s: float,
    limits: InboxLimits,
    name: str,
) -> None:
    """
    Keep what could not be read.

    Raises:
        BacklogError: there are too many.
    """
    if not items:
        return
    ((number, size),) = rows(connection, _SIZE)
    for item in items:
        value, key = value_and_key(item)
        fits = size + len(item.data or b"") <= limits.quarantined_bytes
        data = item.data if fits else None
        added = connection.execute(_ADD, (key, now_s, value, data)).rowcount
        number += added
        size += added * len(data or b"")
        if number > limits.quarantined:
            waits_for = f"somebody to look at them in inbox {name}"
            raise BacklogError(limits.quarantined, "unreadable records", waits_for)


def put_lost(connection: sqlite3.Connection, items: Sequence[Undecodable]) -> None:
    """Keep, whatever the limits, what an erasure could leave nothing of."""
    for item in items:
        value, key = value_and_key(item)
        connection.execute(_ADD, (key, 0.0, value, None))


def read_quarantined(
    connection: sqlite3.Connection, name: str, after: int
) -> tuple[int, Quarantined] | None:
    """Give the next entry after a number, with its own; None when there is none."""
    for id_, arrived_s, value, data in rows(connection, _NEXT, after):
        return id_, Quarantined(parse_quarantined(name, value, data), arrived_s)
    return None


def count_quarantined(connection: sqlite3.Connection) -> int:
    """Count what is kept."""
    return int(rows(connection, "SELECT count(*) FROM quarantined")[0][0])


def discard(connection: sqlite3.Connection, until_s: float) -> int:
    """Remove what came until a moment; give its number."""
    return connection.execute("DELETE FROM quarantined WHERE arrived_s <= ?", (until_s,)).rowcount


def drop_bytes_with(connection: sqlite3.Connection, document_id: str) -> list[bytes]:
    """Drop the bytes of entries that name a document, readably; answer them."""
    sql = "SELECT id, data FROM quarantined WHERE instr(data, ?)"
    found = rows(connection, sql, document_id.encode())
    clear = "UPDATE quarantined SET data = NULL WHERE id = ?"
    connection.executemany(clear, [(id_,) for id_, _ in found])
    return [data for _, data in found]
