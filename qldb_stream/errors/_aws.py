"""What functions on AWS could not do with what they were given."""

from __future__ import annotations

import attrs

from qldb_stream.errors._delivery import DeliveryError
from qldb_stream.errors._root import Disposition, QldbStreamError

__all__ = ["EmptyPrefixError", "UndeliveredError"]


@attrs.frozen
class EmptyPrefixError(QldbStreamError):
    """A prefix of a bucket below which there is no object to take: misspelt, most likely."""

    disposition = Disposition.HALT

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return (
            f"s3://{self.bucket}/{self.prefix}: expected objects of a journal below this prefix, "
            f"found none; compare it with what `aws s3 ls s3://{self.bucket}/` lists, and mind "
            "that a prefix begins without a slash"
        )


@attrs.frozen
class UndeliveredError(DeliveryError):
    """Something that an invocation was given, that is nowhere durable and must come again."""

    what: str
    problem: str

    def __str__(self) -> str:
        return f"{self.what} must come again: {self.problem}"
