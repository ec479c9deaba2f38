"""
A batch without an inbox: what it holds whole is delivered in order, the rest comes again.

Nothing is remembered from one batch to the next, so what a batch has must do: a block of which a
part stands in another batch or another shard never becomes whole here, and is said so. Numbers
that are missing are passed over, since they may be in other shards. At least once: what was
delivered behind the first record that fails comes again with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs

from qldb_stream.errors import QldbStreamError, UndeliveredError
from qldb_stream.events import Block, BlockAddress, Need, Undecodable
from qldb_stream.pipeline import CheckedBlock, Order, PipelineCore
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.typing import Item

__all__ = ["AloneResult", "deliver_alone"]

_STOPPING = (ProblemCode.CONFLICT, ProblemCode.INCOMPLETE)


@attrs.frozen
class AloneResult:
    """
    What became of a batch.

    `failed` are the indexes of items that must come again, `applied` counts the blocks that were
    delivered, `error` is why the first strand stopped.
    """

    failed: tuple[int, ...]
    applied: int
    error: BaseException | None = None


def deliver_alone(
    items: Sequence[Item],
    deliver: Callable[[Block], None],
    on_undecodable: Callable[[Undecodable], None] | None = None,
) -> AloneResult:
    """
    Deliver what a batch holds whole and sound, strand by strand, in order.

    Args:
        items: of the batch.
        deliver: is called for each block; what it raises ends the batch.
        on_undecodable: is called for each part that cannot be read, which then counts as
            taken; without it such a part fails.
    """
    core = PipelineCore(Order.UNSORTED)
    unread = [item for item in items if isinstance(item, Undecodable)]
    for item in items:
        if not isinstance(item, Undecodable):
            core.feed(item)
    core.close()
    checked = list(_iter_checked(core))
    stops = _stops_of(checked, core.report().problems)
    error: BaseException | None = None
    done: set[BlockAddress] = set()
    taken = 0  # of what is unread, in order
    try:
        if on_undecodable is not None:
            for each in unread:
                on_undecodable(each)
                taken += 1
        for each_block in checked:
            address = each_block.block.address
            stop = stops.get(address.strand_id)
            if stop is None or address.sequence_no < stop[0]:
                deliver(each_block.block)
                done.add(address)
    except Exception as exc:  # noqa: BLE001 - the caller's own; it is raised or told of there
        error = exc
    failed = tuple(_iter_failed(items, done, taken))
    if error is None and failed:
        error = _why(items[failed[0]], stops)
    return AloneResult(failed, len(done), error)


def _iter_checked(core: PipelineCore) -> Iterator[CheckedBlock]:
    while not isinstance(checked := core.next_block(), Need):
        yield checked


def _stops_of(
    checked: Sequence[CheckedBlock], problems: Sequence[Problem]
) -> dict[str, tuple[int, str]]:
    """Find by strand the first number that may not be delivered, and why."""
    found: dict[str, tuple[int, str]] = {}
    bad = [
        (problem.strand_id, problem.sequence_no, problem.message)
        for problem in problems
        if problem.code in _STOPPING
    ]
    for each in checked:
        if not each.verification.ok:
            message = "; ".join(problem.message for problem in each.verification.problems[:3])
            bad.append((each.block.address.strand_id, each.block.address.sequence_no, message))
    for strand_id, number, message in bad:
        assert strand_id is not None
        assert number is not None
        found[strand_id] = min(found.get(strand_id, (number, message)), (number, message))
    return found


def _iter_failed(items: Sequence[Item], done: set[BlockAddress], taken: int) -> Iterator[int]:
    """Give the indexes of what is neither delivered nor among the first unread that were taken."""
    unread = 0
    for index, item in enumerate(items):
        if isinstance(item, Undecodable):
            unread += 1
            if unread > taken:
                yield index
        elif (address := _address_of(item)) is not None and address not in done:
            yield index


def _address_of(item: Item) -> BlockAddress | None:
    """Give the block of an item; CONTROL has none."""
    address = getattr(item, "address", None)
    assert address is None or isinstance(address, BlockAddress)
    return address


def _why(item: Item, stops: dict[str, tuple[int, str]]) -> QldbStreamError:
    """Say why the first item that comes again was not delivered."""
    if isinstance(item, Undecodable):
        return item.error
    address = _address_of(item)
    assert address is not None
    # A record with a damaged address names a block, or a strand, that is not its own.
    stop = stops.get(address.strand_id, next(iter(stops.values()), None))
    number, message = stop or (address.sequence_no, "it belongs to no block of the batch")
    return UndeliveredError(
        f"block {address.strand_id}/{number}",
        f"{message} (without an inbox a block must be whole within one batch: give stream_handler "
        "an inbox)",
    )
