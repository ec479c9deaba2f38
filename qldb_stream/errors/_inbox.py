"""Inboxes that cannot be used, now or at all."""

from __future__ import annotations

import attrs

from qldb_stream.errors._delivery import DeliveryError
from qldb_stream.errors._root import Disposition

__all__ = ["InboxFileError", "InboxUnavailableError"]


@attrs.frozen
class InboxUnavailableError(DeliveryError):
    """An inbox that cannot be read or written now, and may be later: repeat the call."""

    inbox: str
    problem: str

    def __str__(self) -> str:
        return f"inbox {self.inbox} is not available: {self.problem}"


@attrs.frozen
class InboxFileError(DeliveryError):
    """A file or table that is no inbox, not one of this version, damaged, or not allowed."""

    disposition = Disposition.HALT

    inbox: str
    problem: str

    def __str__(self) -> str:
        return f"inbox {self.inbox}: {self.problem}"
