"""
What consumers share: records that wait, leases, positions, parked blocks.

`open_inbox` opens one by its name. The protocol is `qldb_stream.typing.Inbox`; its methods
ask for nothing that a store with conditional writes cannot do. The room `dynamodb` is such a
store, imported by its users alone (`docs/inbox-dynamodb.md`).
"""

from __future__ import annotations

from qldb_stream.inbox._inbox import MemoryInbox, SqliteInbox
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox._open import open_inbox

__all__ = ["InboxLimits", "MemoryInbox", "SqliteInbox", "open_inbox"]
