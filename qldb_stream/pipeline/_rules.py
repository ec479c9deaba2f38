"""What holds for every delivery of a pipeline, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.pipeline._clock import Clock, SystemClock
from qldb_stream.pipeline._park import ParkedBooks
from qldb_stream.pipeline._retry import Retrying, RetryPolicy
from qldb_stream.plugins import Observers
from qldb_stream.typing import Inbox

__all__ = [
    "BATCH_BLOCKS",
    "LEASE_S",
    "BlockFilter",
    "DeliveryRules",
    "Filter",
    "OnRefusal",
    "PerSink",
    "check_refusals",
]

BATCH_BLOCKS: Final = 100
"""Blocks to a run, unless the caller says otherwise: one fsync is spread over them."""

LEASE_S: Final = 60.0
"""How long a lease lasts unless it is renewed: so long others wait for one who died."""

Filter: TypeAlias = Callable[[Block], Block]
"""What changes a block between the verdict and the sink; see `qldb_stream.filters`."""


@runtime_checkable
class BlockFilter(Protocol):
    """The same as an object, such as `qldb_stream.filters.Filter`."""

    def apply(self, block: Block) -> Block:
        """Give the block as it is to be delivered."""


OnRefusal: TypeAlias = Literal["halt", "park"]

_REFUSALS: Final = ("halt", "park")


@attrs.frozen
class PerSink:
    """What may differ from sink to sink: one value for all, or by name with a default."""

    on_refusal: OnRefusal | Mapping[str, OnRefusal] = "halt"
    retry: RetryPolicy | Mapping[str, RetryPolicy] = attrs.field(factory=RetryPolicy)

    def refusal_of(self, sink: str) -> OnRefusal:
        """Give what becomes of a block that the sink refuses."""
        found = self.on_refusal
        return found if isinstance(found, str) else found.get(sink, "halt")

    def retry_of(self, sink: str) -> RetryPolicy:
        """Give how failures of the sink are retried."""
        found = self.retry
        return found if isinstance(found, RetryPolicy) else found.get(sink, RetryPolicy())


@attrs.frozen
class DeliveryRules:
    """
    The settings of a pipeline that every delivery obeys.

    `chance` draws the waits between tries; `observers` are told what happens; `books` are
    what is known of parked blocks.
    """

    batch_blocks: int = BATCH_BLOCKS
    per_sink: PerSink = attrs.field(factory=PerSink)
    filter: Filter | None = None
    inbox: Inbox | None = None
    lease_s: float = LEASE_S
    clock: Clock = attrs.field(factory=SystemClock)
    chance: Random = attrs.field(factory=Random)
    observers: Observers = attrs.field(factory=Observers)
    books: ParkedBooks = attrs.field(factory=ParkedBooks, eq=False, repr=False)

    def retrying(self, sink: str) -> Retrying:
        """Give the means to retry what a sink failed in."""
        return Retrying(self.per_sink.retry_of(sink), self.clock, self.chance)


def check_refusals(per_sink: PerSink, names: tuple[str, ...], *, has_inbox: bool) -> None:
    """
    Make sure that what is said of refusals and retries makes sense.

    Raises:
        UsageError: a value or a sink's name is unknown, or blocks are to be parked and there is
            no inbox to hold them.
    """
    given = per_sink.on_refusal
    named = {} if isinstance(given, str) else given
    retries = {} if isinstance(per_sink.retry, RetryPolicy) else per_sink.retry
    for name in (*named, *retries):
        if name not in names:
            raise UsageError(f"there is no sink {name!r}, only {', '.join(names)}")
    for value in (given,) if isinstance(given, str) else given.values():
        if value not in _REFUSALS:
            raise UsageError(f"on_refusal is halt or park, not {value!r}")
        if value == "park" and not has_inbox:
            raise UsageError("on_refusal=park needs an inbox, which holds what is parked")
