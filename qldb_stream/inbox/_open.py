"""The names of inboxes: ``sqlite:PATH``, a path, ``dynamodb:TABLE`` or ``memory:``."""

from __future__ import annotations

import re
from typing import Final

from qldb_stream.errors import UsageError
from qldb_stream.inbox._inbox import MemoryInbox, SqliteInbox
from qldb_stream.inbox._limits import IN_MEMORY, InboxLimits
from qldb_stream.typing import Inbox

__all__ = ["open_inbox"]

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:")  # a drive has one letter


def open_inbox(name: str, *, limits: InboxLimits | None = None, must_exist: bool = False) -> Inbox:
    """
    Open the inbox that a name means, and make it when there is none.

    Args:
        name: ``sqlite:PATH`` or just the path of a file, ``dynamodb:TABLE`` with options for
            a table that is there (``?create=yes`` makes it), or ``memory:`` for one that goes
            when it is closed.
        limits: how much it may hold; None for the kind's own.
        must_exist: refuse to make a new one.

    Raises:
        UsageError: the name is none of these.
        InboxFileError: the file or table is something else than an inbox of this version, or
            damaged, or may not be used.
        InboxUnavailableError: it cannot be opened now.
    """
    if name == "memory:":
        if must_exist:
            raise UsageError("an inbox in memory is always new; name a file")
        return MemoryInbox(limits=limits or IN_MEMORY)
    if name.startswith("dynamodb:"):
        from qldb_stream.inbox.dynamodb import open_dynamodb  # nobody else needs it

        return open_dynamodb(name, limits=limits, must_exist=must_exist)
    path = name.removeprefix("sqlite:")
    if path == name and _SCHEME.match(name):
        raise UsageError(
            f"{name!r} names no inbox: write sqlite:PATH, a path (./{name}), dynamodb:TABLE "
            "or memory:"
        )
    if not path:
        raise UsageError("the name of an inbox has no path: write sqlite:PATH")
    return SqliteInbox(path, limits=limits, must_exist=must_exist)
