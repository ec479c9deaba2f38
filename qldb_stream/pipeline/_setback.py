"""
What a sink lacks that the inbox let go: it was restored from an older state, or it is new.

The inbox mirrors where a sink stands, and lets go what it has. A sink that is behind its mirror
lacks what may be trimmed, so that nothing in the inbox says any more that it lacks anything.
How far it once was is kept as a checkpoint, before the mirror follows it back. A sink that came
when others had everything lacks the same; how far those are is in the inbox.
"""

from __future__ import annotations

from hashlib import sha256

from qldb_stream.report import Position
from qldb_stream.typing import Inbox

__all__ = ["note_setback", "once_had", "others_have"]


def note_setback(
    inbox: Inbox, sink: str, strand_id: str, found: Position | None, token: int
) -> None:
    """
    Remember how far a sink was, where it is behind what the inbox knows of it.

    Args:
        inbox: where its position is mirrored, and the note is kept.
        sink: its name.
        strand_id: the strand.
        found: what it says that it has.
        token: of the strand's lease.

    Raises:
        DeliveryError: the inbox cannot be reached.
    """
    known = inbox.position(sink, strand_id)
    if known is None or (found is not None and found.sequence_no >= known.sequence_no):
        return
    before = once_had(inbox, sink, strand_id)
    if before is None or before < known.sequence_no:
        inbox.store_checkpoint(_key(sink, strand_id), str(known.sequence_no), token)


def once_had(inbox: Inbox, sink: str, strand_id: str) -> int | None:
    """Give the number up to which a sink had a strand before it was set back; None if never."""
    value = inbox.checkpoint(_key(sink, strand_id))
    return None if value is None else int(value)


def others_have(inbox: Inbox, strand_id: str) -> int | None:
    """Give the highest number that any sink has of a strand; None where none has anything."""
    numbers = [
        position.sequence_no
        for _sink, position in inbox.status().positions
        if position.strand_id == strand_id
    ]
    return max(numbers, default=None)


def _key(sink: str, strand_id: str) -> str:
    # A sink's name is a URL of any length, a checkpoint's key is not.
    return f"had/{strand_id}/{sha256(sink.encode()).hexdigest()}"
