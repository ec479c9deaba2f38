"""The root of the tree, and what a caller should do with each error."""

from __future__ import annotations

import enum
from typing import ClassVar

__all__ = ["Disposition", "QldbStreamError"]


class Disposition(enum.Enum):
    """What a caller should do with an error."""

    RETRY = "retry"
    QUARANTINE = "quarantine"
    HALT = "halt"


class QldbStreamError(Exception):
    """
    Root of everything that this library raises on purpose.

    Two errors are equal, as tests compare them, when their type and all their fields are.
    """

    disposition: ClassVar[Disposition] = Disposition.HALT

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))
