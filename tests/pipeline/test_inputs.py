"""What the pipeline takes, and what it knows of where items belong."""

from __future__ import annotations

from collections.abc import Iterator

from qldb_stream.events import BlockAddress
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Order
from qldb_stream.pipeline._inputs import iter_placed, order_of
from qldb_stream.testing.journals import make_journal
from qldb_stream.typing import Item

JOURNAL = make_journal(41, blocks=4)
EVENTS = [parse_record(record) for record in JOURNAL.iter_records()]


class Given:
    """A source of given items."""

    def __init__(self, items: list[Item], *, bounded: bool) -> None:
        self._items = items
        self._bounded = bounded

    @property
    def bounded(self) -> bool:
        """Say what the test wants said."""
        return self._bounded

    def items(self) -> Iterator[Item]:
        """Give the items."""
        return iter(self._items)


class Placed(Given):
    """A source that knows places."""

    def placed_items(self) -> Iterator[tuple[BlockAddress | None, Item]]:
        """Give each item another place."""
        return ((BlockAddress("S", n), item) for n, item in enumerate(self._items))


def test_an_iterable_is_taken_as_it_comes() -> None:
    """Events in a list say nothing of order or place."""
    assert Order.UNSORTED is order_of(EVENTS, has_start=False)
    assert Order.LIVE is order_of(EVENTS, has_start=True)
    assert [(None, event) for event in EVENTS] == list(iter_placed(EVENTS))


def test_a_live_source_knows_no_places() -> None:
    """What arrives as it pleases may belong anywhere."""
    source = Given(list(EVENTS), bounded=False)
    assert Order.LIVE is order_of(source, has_start=False)
    assert [(None, event) for event in EVENTS] == list(iter_placed(source))


def test_in_a_sorted_source_summaries_open_blocks() -> None:
    """Everything belongs under the summary before it."""
    source = Given(list(EVENTS), bounded=True)
    places = [place for place, _ in iter_placed(source)]
    expected = [None]
    for block in JOURNAL:
        details = sum(revision.metadata is not None for revision in block.revisions)
        expected += [block.address] * (1 + details)  # type: ignore[list-item]  # the first is None
    assert Order.SORTED is order_of(source, has_start=True)
    assert expected == places


def test_a_source_that_knows_places_is_believed() -> None:
    """The index knows better than the summaries."""
    source = Placed(list(EVENTS), bounded=True)
    assert list(source.placed_items()) == list(iter_placed(source))
