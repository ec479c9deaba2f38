"""
What the pipeline takes: a source, or any iterable of events, or of blocks.

A sorted source tells for each item the block under which it belongs, so that the
pipeline knows when nothing more can come for a block. Where a source is sorted but does
not tell (`items` alone), the summaries tell: each opens its block. An iterable of
events or whole blocks is taken as it comes; it waits in memory as long as it must, within limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any, Protocol, TypeAlias, runtime_checkable

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress, BlockSummary, Event, RevisionDetails
from qldb_stream.ion import IonSlice
from qldb_stream.pipeline._core import Order
from qldb_stream.typing import Item, Source

__all__ = [
    "Input",
    "PlacedItem",
    "PlacedSource",
    "SearchableSource",
    "SharedSource",
    "address_of",
    "iter_placed",
    "order_of",
]

Input: TypeAlias = Source | Iterable[Item | Block]
PlacedItem: TypeAlias = tuple[BlockAddress | None, Item | Block]


@runtime_checkable
class PlacedSource(Protocol):
    """A sorted source that tells under which block each item belongs."""

    def placed_items(self) -> Iterator[PlacedItem]:
        """Iterate over all items by rising address; None for what has no block."""


@runtime_checkable
class SharedSource(Protocol):
    """A sorted source of whose blocks something can be said as they are found."""

    def shared_items(
        self,
        jobs: int,
        judge: Callable[[BlockAddress, Block | Sequence[Event]], Any],
        sight: Callable[[IonSlice], Any],
        sum_up: Callable[[Sequence[Any]], Any],
    ) -> Iterator[Any]:
        """
        Iterate like `placed_items`, with the help of several processes or alone.

        In place of the items of blocks of which `judge` or `sight` says something comes one value
        for some of them: its `settled` are values with `answer` and `events`, which is how many
        events each is made of, its `summed` is what `sum_up` says of these, or None. `sight` is
        asked at the sight of a block's bytes, and answers a `Sighted` of parsers.
        """


@runtime_checkable
class SearchableSource(Protocol):
    """A source that knows, after it was shared, which of its files hold something of a block."""

    def searchable(self) -> AbstractContextManager[Callable[[str, int], tuple[str, ...]]]:
        """Keep that knowledge while the body runs; yields what names files by strand and number."""


def address_of(item: Item | Block) -> BlockAddress | None:
    """Give the block that an item belongs to; None for CONTROL and what cannot be read."""
    return item.address if isinstance(item, Block | BlockSummary | RevisionDetails) else None


def order_of(source: Input, *, has_start: bool) -> Order:
    """Say how a source's items come; an iterable with a start need not wait for its end."""
    if isinstance(source, Source):
        return Order.SORTED if source.bounded else Order.LIVE
    return Order.LIVE if has_start else Order.UNSORTED


def iter_placed(source: Input) -> Iterator[PlacedItem]:
    """
    Iterate over a source's items, each with its block where that is known.

    Raises:
        UsageError: it is neither a source nor an iterable of something but bytes or text.
    """
    if isinstance(source, PlacedSource):
        return source.placed_items()
    if not isinstance(source, Source):
        if isinstance(source, str | bytes | PathLike) or not isinstance(source, Iterable):
            raise UsageError(
                "expected a source, or an iterable of events or blocks, found "
                f"{type(source).__name__}; qldb_stream.sources.open_source opens files and folders"
            )
        return ((None, item) for item in source)
    if not source.bounded:
        return ((None, item) for item in source.items())
    return _place_by_summaries(source.items())


def _place_by_summaries(items: Iterator[Item | Block]) -> Iterator[PlacedItem]:
    place: BlockAddress | None = None
    for item in items:
        if isinstance(item, BlockSummary | Block):
            place = item.address
        yield place, item
