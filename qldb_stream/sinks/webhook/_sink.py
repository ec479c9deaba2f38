"""The sink: a POST for each block, in order; what is refused or fails ends the run there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Final

from qldb_stream.errors import DeliveryError, SinkRefusedError, SinkUnavailableError, UsageError
from qldb_stream.events import Block
from qldb_stream.report import Position, SinkSummary
from qldb_stream.sinks._messages import Message, MessageType, Sent, messages_of
from qldb_stream.sinks.webhook._http import Answer, Door, Meaning
from qldb_stream.sinks.webhook._settings import Settings
from qldb_stream.sinks.webhook._signature import sign

__all__ = ["WebhookSink"]

_MAX_WAIT_S: Final = 30.0  # half a lease: who waits longer loses the strand
_HEADERS: Final = {
    "content-type": "application/json",
    "user-agent": "qldb-stream",
    "accept-encoding": "identity",
}


class WebhookSink:
    """
    Send blocks to a web server, at least once: it keeps no position of its own.

    A request that is repeated has the same `webhook-id`. Where the server asked to be left alone,
    the next request waits for that, at most half a minute at a time.

    Args:
        settings: where to, and what signs.
        now: gives the time, in seconds since 1970.
        sleep: waits, in seconds.

    Raises:
        UsageError: the file of authorities cannot be read.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._now = now
        self._sleep = sleep
        self._door = Door(settings.sink, settings.url, settings.ca, settings.timeout_s)
        self._not_before_s = 0.0
        self._sent = Sent()

    def position(self, strand_id: str) -> Position | None:  # noqa: ARG002 - kept elsewhere
        """Give None: an inbox keeps the position."""
        return None

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:  # noqa: ARG002 - nobody checks it
        """
        Send one request for each block, until one fails.

        Returns:
            The position reached: of the last block that was taken.

        Raises:
            SinkRefusedError: the server does not take the first block, or it is too large.
            SinkUnavailableError: the server cannot be reached, or asks to come later.
            UsageError: the server takes nothing before somebody has put something right.
        """
        taken: Block | None = None
        for block in blocks:
            try:
                self._send(block)
            except DeliveryError:
                if taken is None:
                    raise
                return position.at(taken)  # offered again, it fails first, and is told then
            taken = block
            self._sent.count([block])
        return position

    def summary(self) -> SinkSummary:
        """Count revisions; what was sent cannot be called back, so redactions are pending."""
        return self._sent.summary()

    def close(self) -> None:
        """Close the connection."""
        self._door.close()

    def _send(self, block: Block) -> None:
        sink, address = self._settings.sink, block.address
        messages = messages_of(sink, block)
        body = _body(block, messages)
        if len(body) > self._settings.body_bytes:
            problem = f"its body has {len(body):,} bytes, more than body_bytes allows"
            raise SinkRefusedError(sink, address.strand_id, address.sequence_no, problem)
        self._wait()
        answer = self._post(_message_id(block, messages), body)
        self._judge(block, answer)

    def _wait(self) -> None:
        """Leave the server alone as long as it asked."""
        left_s = self._not_before_s - self._now()
        if left_s <= 0:
            return
        self._sleep(min(left_s, _MAX_WAIT_S))
        if left_s > _MAX_WAIT_S:
            problem = f"it asked to be left alone for {left_s - _MAX_WAIT_S:.0f} s more"
            raise SinkUnavailableError(self._settings.sink, problem)

    def _post(self, message_id: str, body: bytes) -> Answer:
        now_s = self._now()
        signature = sign(self._settings.secrets, message_id, int(now_s), body)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now_s)),
            "webhook-signature": signature,
        }
        return self._door.post(body, _HEADERS | signed, now_s)

    def _judge(self, block: Block, answer: Answer) -> None:
        sink, status = self._settings.sink, answer.status
        if Meaning.is_taken(status):
            return
        to_do = Meaning.to_do(status)
        if to_do is not None:
            raise UsageError(f"{sink} {to_do} (HTTP {status})")
        if Meaning.may_pass(status):
            self._not_before_s = self._now() + answer.retry_after_s
            raise SinkUnavailableError(sink, f"it answers with HTTP {status}")
        address = block.address
        raise SinkRefusedError(
            sink, address.strand_id, address.sequence_no, f"it answers with HTTP {status}"
        )


def _message_id(block: Block, messages: Sequence[Message]) -> str:
    """Give what is the same for every repeat: a copy that came redacted is none."""
    is_redacted = any(message.type is MessageType.REDACTED for message in messages)
    return block.block_hash.hex() + (".redacted" if is_redacted else "")


def _body(block: Block, messages: Sequence[Message]) -> bytes:
    """Write a block and its messages, in ASCII."""
    summary = block.summary
    moment = summary.block_timestamp.isoformat(timespec="milliseconds")
    head = {
        "strandId": summary.address.strand_id,
        "sequenceNo": summary.address.sequence_no,
        "blockHash": summary.block_hash.hex(),
        "txId": summary.transaction_id,
        "txTime": moment,
    }
    listed = ",".join(
        message.as_json({"type": message.type.value, "key": message.key}) for message in messages
    )
    data = f'{json.dumps(head, separators=(",", ":"))[:-1]},"messages":[{listed}]}}'
    return f'{{"type":"qldb.block","timestamp":"{moment}","data":{data}}}'.encode("ascii")
