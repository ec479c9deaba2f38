"""The sink: the events of blocks, in batches that may span blocks, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from qldb_stream.errors import DeliveryError, SinkRefusedError
from qldb_stream.events import Block
from qldb_stream.report import Position, SinkSummary
from qldb_stream.sinks._messages import Message, Sent, messages_of
from qldb_stream.sinks.events._channels import Channel, make_channel
from qldb_stream.sinks.events._claims import Claims
from qldb_stream.sinks.events._envelope import Event, make_event
from qldb_stream.sinks.events._post import Addressed, iter_batches, send_batch
from qldb_stream.sinks.events._settings import Settings

__all__ = ["ClaimingSink", "EventsSink", "open_channel"]


class EventsSink:
    """
    Send revisions as events, at least once: it keeps no position of its own.

    Args:
        settings: where to.
        channel: the way there.
        sleep: waits, in seconds.
    """

    def __init__(
        self, settings: Settings, channel: Channel, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings: Final = settings
        self._channel: Final = channel
        self._sleep: Final = sleep
        self._sent: Final = Sent()

    def position(self, strand_id: str) -> Position | None:  # noqa: ARG002 - kept elsewhere
        """Give None: an inbox keeps the position."""
        return None

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:  # noqa: ARG002 - nobody checks it
        """
        Send the events of blocks, until a batch fails.

        Returns:
            The position reached: of the last block of which all events were taken.

        Raises:
            SinkRefusedError: an event of the first block is too large, or never taken.
            SinkUnavailableError: the service cannot be reached, or does not take events now.
            UsageError: access is denied, or the channel is not there.
        """
        events, ready = self._prepare(blocks)
        taken = 0
        try:
            for batch in iter_batches(self._channel, events, self._settings.max_bytes):
                send_batch(self._settings.sink, self._channel, batch, self._sleep)
                taken += len(batch)
        except DeliveryError:
            ready = [block for block in ready if block.address < events[taken].address]
            if not ready:
                raise
        self._finish(ready)
        # Of what was not taken the next call begins with the first, and tells.
        return position if len(ready) == len(blocks) else position.at(ready[-1])

    def summary(self) -> SinkSummary:
        """Count revisions; what was sent cannot be called back, so redactions are pending."""
        return self._sent.summary()

    def close(self) -> None:
        """Do nothing: connections are boto3's."""

    def _prepare(self, blocks: Sequence[Block]) -> tuple[list[Addressed], list[Block]]:
        """Make the events of blocks, up to one that is refused: of that none is sent."""
        events: list[Addressed] = []
        ready: list[Block] = []
        for block in blocks:
            try:
                messages = messages_of(self._settings.sink, block)
                events += [Addressed(self._event(m, block), block.address) for m in messages]
            except DeliveryError:
                if not ready:
                    raise
                return [one for one in events if one.address != block.address], ready
            ready.append(block)
        return events, ready

    def _finish(self, blocks: Sequence[Block]) -> None:
        """Do what is left when all events of blocks were taken."""
        self._sent.count(blocks)

    def _event(self, message: Message, block: Block) -> Event:
        event = make_event(self._settings.source, message)
        size = self._channel.size(event)
        return event if size <= self._settings.max_bytes else self._large(message, block, size)

    def _large(self, message: Message, block: Block, size: int) -> Event:  # noqa: ARG002 - for those that keep them
        problem = f"an event of {size:,} bytes is too large; see the option claims"
        address = block.address
        raise SinkRefusedError(self._settings.sink, address.strand_id, address.sequence_no, problem)


class ClaimingSink(EventsSink):
    """
    The same, with large documents in a bucket; there, redactions are carried out.

    Args:
        settings: where to.
        channel: the way there.
        claims: keeps large documents.
    """

    def __init__(self, settings: Settings, channel: Channel, claims: Claims) -> None:
        super().__init__(settings, channel)
        self._claims: Final = claims

    def _finish(self, blocks: Sequence[Block]) -> None:
        """Remove what blocks redact from the bucket: after all that they put there."""
        for block in blocks:
            info = block.summary.redaction_info
            for one in () if info is None else info.revisions:
                self._claims.remove(one.document_id, one.version)
        super()._finish(blocks)

    def _large(self, message: Message, block: Block, size: int) -> Event:
        event = make_event(self._settings.source, message, self._claims.url(message))
        if not message.is_revision or self._channel.size(event) > self._settings.max_bytes:
            return super()._large(message, block, size)
        self._claims.put(message)
        return event


def open_channel(settings: Settings) -> EventsSink:
    """
    Open a sink.

    Raises:
        UsageError: boto3 is missing or has no region, or the queue is not there.
        SinkUnavailableError: the service does not answer.
    """
    channel = make_channel(settings)
    if settings.claims_bucket is None:
        return EventsSink(settings, channel)
    claims = Claims(settings.sink, settings.claims_bucket, settings.claims_prefix)
    return ClaimingSink(settings, channel, claims)
