"""Indexes beside archives that cannot be used."""

from __future__ import annotations

import attrs

from qldb_stream.errors._root import QldbStreamError

__all__ = ["ArchiveIndexError"]


@attrs.frozen
class ArchiveIndexError(QldbStreamError):
    """A file that is no index of this archive any more, or cannot be written; build another."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"index {self.path}: {self.problem}"
