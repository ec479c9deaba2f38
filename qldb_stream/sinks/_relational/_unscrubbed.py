"""
What redactions left behind beside the rows, until the database says that it is gone.

It is noted in the transaction that redacts, so whoever opens the database after a crash knows
of it. Each transaction has a note of its own: two workers take no note of the other's away.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from qldb_stream.sinks._relational._database import Database

__all__ = ["Unscrubbed", "forget_unscrubbed", "load_unscrubbed", "note_unscrubbed"]

_PREFIX: Final = "unscrubbed/"


@attrs.frozen
class Unscrubbed:
    """A note: its name, the ids of the tables, and the blocks that redact (strand, number)."""

    name: str
    table_ids: tuple[str, ...]
    redactions: tuple[tuple[str, int], ...]


def note_unscrubbed(
    db: Database, table_ids: Iterable[str], redactions: Iterable[tuple[str, int]]
) -> Unscrubbed:
    """Note, in the transaction that redacts, what has to be scrubbed when it has committed."""
    note = Unscrubbed(f"{_PREFIX}{uuid.uuid4().hex}", tuple(table_ids), tuple(redactions))
    value = json.dumps({"tables": note.table_ids, "redactions": note.redactions})
    db.insert(db.meta("setting"), ("name", "value"), [(note.name, value)])
    return note


def load_unscrubbed(db: Database) -> list[Unscrubbed]:
    """Read all notes, whoever wrote them."""
    rows = db.execute(
        f"SELECT name, value FROM {db.meta('setting')} WHERE name LIKE '{_PREFIX}%' ORDER BY name"
    )
    return [_note_of(name, json.loads(value)) for name, value in rows]


def forget_unscrubbed(db: Database, notes: Sequence[Unscrubbed]) -> None:
    """
    Take notes away, when what they name is gone.

    Raises:
        SinkUnavailableError: they stay, for whoever opens the database next.
    """
    name = db.meta("setting")
    db.execute_many(f"DELETE FROM {name} WHERE name = ?", [(note.name,) for note in notes])


def _note_of(name: str, found: dict[str, list[list[str]]]) -> Unscrubbed:
    redactions = tuple((strand_id, int(number)) for strand_id, number in found["redactions"])
    return Unscrubbed(name, tuple(map(str, found["tables"])), redactions)
