"""
What a block says, as messages: the part that `kafka:`, `events:` and `webhook+https:` share.

A message is about one revision, one redaction that was asked for, or one table that was dropped
or brought back. Its `key` follows from the journal alone, so that a repeat can be told; what
has the same `group` must arrive in order.
"""

from __future__ import annotations

from qldb_stream.sinks._messages._message import Message, MessageType, messages_of
from qldb_stream.sinks._messages._sent import Sent

__all__ = ["Message", "MessageType", "Sent", "messages_of"]
