"""
Different copies of one revision, as many as are worth judging.

Sound sources have one copy, careless ones two or three. Each new one is compared with
all that are here, so there is a bound: beyond it copies are dropped, and the block that
they would be in has a conflict.
"""

from __future__ import annotations

from typing import Final

import attrs

from qldb_stream.assembly._copies import revision_mark, same_revision
from qldb_stream.events import Revision

__all__ = ["MAX_COPIES", "DifferentCopies"]

MAX_COPIES: Final = 100
"""How many different copies of one thing wait to be judged."""


@attrs.define(eq=False)
class DifferentCopies:
    """
    Copies of a revision, no two equal.

    `is_crowded` says that there were more than MAX_COPIES, and some were dropped.
    """

    revisions: list[Revision] = attrs.field(factory=list)
    is_crowded: bool = False
    _marks: set[tuple[int, int, int]] | None = None

    @property
    def is_full(self) -> bool:
        """Say whether no other copy is taken."""
        return len(self.revisions) >= MAX_COPIES

    def has(self, revision: Revision) -> bool:
        """Say whether an equal copy is here; when it is full, only one of equal bytes."""
        if not self.revisions:
            return False
        if self._marks is None:
            self._marks = {revision_mark(known) for known in self.revisions}
        if revision_mark(revision) in self._marks:
            return True
        return not self.is_full and any(same_revision(known, revision) for known in self.revisions)

    def add(self, revision: Revision) -> bool:
        """Keep a copy that is not here; False when it was dropped."""
        if self.is_full:
            self.is_crowded = True
            return False
        self.revisions.append(revision)
        if self._marks is not None:
            self._marks.add(revision_mark(revision))
        return True

    def take(self) -> list[Revision]:
        """Give up all copies; whether there were too many stays known."""
        found, self.revisions, self._marks = self.revisions, [], None
        return found

    def remove(self, revision: Revision) -> None:
        """Give up a copy that is here."""
        self.revisions = [known for known in self.revisions if known is not revision]
        self._marks = None
