"""
Batches of events, so that order holds and a batch that is taken in part does no harm.

Where the channel keeps order, a batch has no two events of one group: were the first refused
and the second taken, the document's order would be lost. What was not taken is sent again, after
growing waits, before anything that comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError, UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.sinks.events._aws import is_denied
from qldb_stream.sinks.events._channels import BATCH_EVENTS, Channel, NotTaken
from qldb_stream.sinks.events._envelope import Event

__all__ = ["Addressed", "iter_batches", "send_batch"]

_TRIES: Final = 5
_WAIT_S: Final = 0.1  # before the second try; it doubles


@attrs.frozen
class Addressed:
    """An event and the block that it is from."""

    event: Event
    address: BlockAddress


def iter_batches(
    channel: Channel, events: Sequence[Addressed], max_bytes: int
) -> Iterator[list[Addressed]]:
    """Put events into batches, in order."""
    batch: list[Addressed] = []
    size, groups = 0, set[str]()
    for one in events:
        more = channel.size(one.event)
        is_full = len(batch) == BATCH_EVENTS or size + more > max_bytes
        if batch and (is_full or (channel.is_ordered and one.event.group in groups)):
            yield batch
            batch, size, groups = [], 0, set()
        batch.append(one)
        size += more
        groups.add(one.event.group)
    if batch:
        yield batch


def send_batch(
    sink: str, channel: Channel, batch: Sequence[Addressed], sleep: Callable[[float], None]
) -> None:
    """
    Send a batch until all of it is taken.

    Raises:
        SinkRefusedError: an event will never be taken; its block is named.
        SinkUnavailableError: some were not taken after several tries.
        UsageError: access is denied, or something is not there.
    """
    rest = list(batch)
    for tried in range(_TRIES):
        if tried:
            sleep(_WAIT_S * 2 ** (tried - 1))
        failed = channel.send([one.event for one in rest])
        _refuse(sink, rest, failed)
        rest = [rest[one.index] for one in failed]
        if not rest:
            return
    codes = ", ".join(sorted({one.code for one in failed}))
    raise SinkUnavailableError(sink, f"{len(rest)} events are not taken: {codes}")


def _refuse(sink: str, batch: Sequence[Addressed], failed: Sequence[NotTaken]) -> None:
    for one in failed:
        if one.may_pass:
            continue
        if is_denied(one.code):
            raise UsageError(f"{sink}: {one.code}; check that it is there and may be used")
        address = batch[one.index].address
        raise SinkRefusedError(
            sink, address.strand_id, address.sequence_no, f"an event is not taken: {one.code}"
        )
