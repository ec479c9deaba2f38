"""What functions on AWS could not do with what they were given."""

from __future__ import annotations

import attrs

from qldb_stream.errors._delivery import DeliveryError

__all__ = ["UndeliveredError"]


@attrs.frozen
class UndeliveredError(DeliveryError):
    """Something that an invocation was given, that is nowhere durable and must come again."""

    what: str
    problem: str

    def __str__(self) -> str:
        return f"{self.what} must come again: {self.problem}"
