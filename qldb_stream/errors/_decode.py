"""Bytes that cannot be read."""

from __future__ import annotations

import attrs

from qldb_stream.errors._root import Disposition, QldbStreamError

__all__ = [
    "AggregationError",
    "CarrierError",
    "DecodeError",
    "EnvelopeError",
    "ExportIncompleteError",
    "ForeignFileError",
    "IonDecodeError",
    "UnreadableFileError",
]


class DecodeError(QldbStreamError):
    """Bytes that are not what they should be; keep them and go on."""

    disposition = Disposition.QUARANTINE


@attrs.frozen
class IonDecodeError(DecodeError):
    """Binary or text Ion that breaks the Ion 1.0 specification or our bounds."""

    offset: int
    problem: str

    def __str__(self) -> str:
        return f"Ion at byte {self.offset}: {self.problem}"


@attrs.frozen
class AggregationError(DecodeError):
    """A KPL frame whose protobuf or MD5 trailer is damaged."""

    offset: int
    problem: str

    def __str__(self) -> str:
        return f"KPL aggregate at byte {self.offset}: {self.problem}"


@attrs.frozen
class CarrierError(DecodeError):
    """A Kinesis, Firehose or Lambda carrier that cannot be opened or walked."""

    carrier: str
    offset: int
    problem: str

    def __str__(self) -> str:
        return f"{self.carrier} at byte {self.offset}: {self.problem}"


@attrs.frozen
class ForeignFileError(DecodeError):
    """A whole file that is sound and of another kind than stream records."""

    found: str

    def __str__(self) -> str:
        return f"expected stream records, found {self.found}"


@attrs.frozen
class ExportIncompleteError(DecodeError):
    """
    An export of which something that it promises is not there.

    `strand_id` and `last` are the last block that is promised, None where nothing says so.
    """

    promise: str
    found: str
    strand_id: str | None = None
    last: int | None = None

    def __str__(self) -> str:
        return f"{self.promise}: {self.found}"


@attrs.frozen
class UnreadableFileError(DecodeError):
    """A file or folder, one among others, that the system does not let us read."""

    problem: str

    def __str__(self) -> str:
        return f"it cannot be read: {self.problem}; what is in it is missing here"


@attrs.frozen
class EnvelopeError(DecodeError):
    """Sound Ion that does not have the shape of a QLDB record or block."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"QLDB record, field {self.path}: expected {self.expected}, found {self.found}"
