"""Where sources are, by key, guarded by the token that each was stored with."""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import StaleTokenError, UsageError
from qldb_stream.inbox._checkpoints import check_checkpoint
from qldb_stream.inbox.dynamodb._keys import Key, part
from qldb_stream.inbox.dynamodb._table import Table
from qldb_stream.inbox.dynamodb._values import Value, maybe_number, need

__all__ = ["Checkpoints"]

_SET: Final = "SET #key = :key, #value = :value, #token = :token"
_NOT_NEWER: Final = "attribute_not_exists(#token) OR #token <= :token"


class Checkpoints:
    """The checkpoints of one inbox."""

    def __init__(self, table: Table) -> None:
        self._table: Final = table

    def read(self, key: str) -> str | None:
        """Give what a source keeps under a key; None for nothing."""
        found = self._table.get(_key(key))
        return None if found is None else str(need(found, "value", str, self._table.name))

    def store(self, key: str, value: str, token: int) -> None:
        """
        Store a checkpoint and its token.

        Raises:
            StaleTokenError: it was stored with a higher token.
            UsageError: key or value are too long, or no Unicode text.
        """
        check_checkpoint(key, value)
        _check_text(value)
        values: dict[str, Value] = {"key": key, "value": value, "token": token}
        if not self._table.update(_key(key), _SET, values, _NOT_NEWER):
            stored = maybe_number(self._table.get(_key(key)), "token")
            raise StaleTokenError(key, stored, token)


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise UsageError("a checkpoint is no Unicode text") from exc


def _key(key: str) -> Key:
    return Key("checkpoint", part(key))
