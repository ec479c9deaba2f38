"""
Documents that are alone under an index key, remembered from commit to commit.

Strategy: what an application looks up and updates in every transaction (a position, a
counter, an account) is found here instead of in SQLite. An entry says that at the newest
block exactly this revision is under the key. It is learnt by a look-up, moved on by a
commit that changes the document and not its key, and dropped by any other change to the
key. Whoever asks must see the newest block, and asks, learns and changes under the
store's lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from qldb_stream.ledger._store import StoredRevision

__all__ = ["RecentKeys"]

IndexKey = tuple[int, bytes]

_MAX_KEYS: Final = 512


class RecentKeys:
    """Which revision is alone under a key, for some keys."""

    __slots__ = ("_alone",)

    def __init__(self) -> None:
        self._alone: dict[IndexKey, StoredRevision] = {}

    def maybe_alone(self, key: IndexKey) -> StoredRevision | None:
        """Give the only revision under a key; None when that is not known."""
        return self._alone.get(key)

    def learn(self, key: IndexKey, found: list[StoredRevision]) -> None:
        """Take note of all that is under a key at the newest block."""
        if len(found) == 1:
            if len(self._alone) >= _MAX_KEYS:
                self._alone.clear()
            self._alone[key] = found[0]

    def forget(self, keys: Iterable[IndexKey]) -> None:
        """Drop keys that other documents have come under, or left."""
        for key in keys:
            self._alone.pop(key, None)

    def move_on(self, key: IndexKey, revision: StoredRevision) -> None:
        """Take note of the new revision of a document that keeps its key."""
        alone = self._alone.get(key)
        if alone is not None and alone.document_id == revision.document_id:
            self._alone[key] = revision

    def clear(self) -> None:
        """Drop everything, after a commit that failed."""
        self._alone.clear()
