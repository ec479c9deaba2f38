"""What a statement or a transaction read and wrote, as the service counted it (facts 5.7)."""

from __future__ import annotations

from typing import Protocol

import attrs

__all__ = ["IOUsage", "Meter"]


@attrs.frozen
class IOUsage:
    """
    The `ConsumedIOs` of an answer.

    Attributes:
        read_ios: documents read, and for history() revisions; one that is read again, as the
            inner side of a join is, counts again. A look-up in an index is none of its own.
        write_ios: documents written, and with each the index entries that it has then.
    """

    read_ios: int = 0
    write_ios: int = 0


class Meter(Protocol):
    """Counts on while rows are computed."""

    read_ios: int
    write_ios: int
