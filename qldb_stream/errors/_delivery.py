"""Sources that failed, and sinks that did not take what they were given."""

from __future__ import annotations

import attrs

from qldb_stream.errors._root import Disposition, QldbStreamError

__all__ = [
    "DeliveryError",
    "LeaseHeldError",
    "ReplayRefusedError",
    "SinkRefusedError",
    "SinkUnavailableError",
    "SourceError",
    "SourceUnavailableError",
    "StaleTokenError",
    "WorkerDiedError",
]


@attrs.frozen
class SourceError(QldbStreamError):
    """A source that changed, vanished or failed while it was being read."""

    disposition = Disposition.RETRY

    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source} {self.problem}; read it again when nothing writes to it"


@attrs.frozen
class WorkerDiedError(QldbStreamError):
    """A process that shared the work was ended from outside."""

    disposition = Disposition.RETRY

    jobs: int

    def __str__(self) -> str:
        return (
            f"one of {self.jobs} processes was ended from outside, by a signal or for want of "
            "memory, so nothing is said of the rest; run it again, with fewer jobs"
        )


@attrs.frozen
class SourceUnavailableError(QldbStreamError):
    """A source that cannot be reached now, and may be later."""

    disposition = Disposition.RETRY

    source: str
    problem: str

    def __str__(self) -> str:
        return f"source {self.source} is not available: {self.problem}; start again later"


class DeliveryError(QldbStreamError):
    """A sink did not take what it was given."""

    disposition = Disposition.RETRY


@attrs.frozen
class LeaseHeldError(DeliveryError):
    """A strand on which another worker works for this sink."""

    sink: str
    strand_id: str

    def __str__(self) -> str:
        return (
            f"another worker delivers strand {self.strand_id} to sink {self.sink}; "
            "its lease runs out if it died"
        )


@attrs.frozen
class SinkUnavailableError(DeliveryError):
    """A sink that cannot be reached now, and may be later."""

    sink: str
    problem: str

    def __str__(self) -> str:
        return f"sink {self.sink} is not available: {self.problem}"


@attrs.frozen
class SinkRefusedError(DeliveryError):
    """A block that a sink refuses and will refuse again."""

    disposition = Disposition.QUARANTINE

    sink: str
    strand_id: str
    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"sink {self.sink} refuses block {self.strand_id}/{self.sequence_no}: {self.problem}"


@attrs.frozen
class ReplayRefusedError(DeliveryError):
    """A block that cannot be repeated in the destination, and why."""

    disposition = Disposition.QUARANTINE

    strand_id: str
    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"block {self.strand_id}/{self.sequence_no} cannot be replayed: {self.problem}"


@attrs.frozen
class StaleTokenError(DeliveryError):
    """
    A fencing token lower than the one that the sink has stored.

    `lacks_inbox`: the lower one is that of a caller without an inbox, which has none to give.
    """

    disposition = Disposition.HALT

    strand_id: str
    stored: int
    given: int
    lacks_inbox: bool = False

    def __str__(self) -> str:
        if self.lacks_inbox:
            return (
                f"strand {self.strand_id}: this sink was filled through an inbox (fencing token "
                f"{self.stored} is stored): give it with --inbox, or as `inbox` of a Pipeline"
            )
        return (
            f"strand {self.strand_id}: fencing token {self.given} is stale, {self.stored} is "
            "stored; another worker holds this strand now"
        )
