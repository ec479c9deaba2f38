"""Blocks that a filter cannot be sure of."""

from __future__ import annotations

import attrs

from qldb_stream.errors._root import Disposition, QldbStreamError

__all__ = ["FilterError", "NothingPassedError"]


@attrs.frozen
class FilterError(QldbStreamError):
    """A block that cannot be filtered, so that what must not pass might pass."""

    disposition = Disposition.HALT

    strand_id: str
    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"block {self.strand_id}/{self.sequence_no} cannot be filtered: {self.problem}"


@attrs.frozen
class NothingPassedError(QldbStreamError):
    """A filter named tables of which the source has none, so that nothing was delivered."""

    disposition = Disposition.HALT

    tables: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.tables)
        return (
            f"no table of the filter is in the source ({named}), so nothing was written, and the "
            "sink counts these blocks as delivered: correct the names and begin with a new sink"
        )
