"""
Sending a journal: the parts of a stream into batches, and the position after each.

Strategy: parts are taken as the ledger tells them and their records gathered until a call is
full; when it is acknowledged, the state names the first block of which a record is still to
be sent. Where the journal ends, what has been gathered is sent too. Then the stream is over
(its end has come), or it waits and asks the ledger again (`follow`), or it stops, to be gone
on with another time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import attrs

from qldb_stream.clients.kinesis._batches import MAX_RECORD_BYTES, Batch, size_of
from qldb_stream.clients.kinesis._put import KinesisClient, put_batch
from qldb_stream.clients.kinesis._state import StreamPlan, StreamState, load_state
from qldb_stream.errors import SinkRefusedError
from qldb_stream.ledger import Environment, KinesisRecord, Ledger, StreamPart

__all__ = ["StreamChoice", "StreamReport", "stream_journal"]

_POLL_S: Final = 1.0


@attrs.frozen
class StreamReport:
    """
    What a run has sent, acknowledged by Kinesis.

    Attributes:
        stream: the Kinesis data stream's name.
        stream_id: the stream's id in the records' ARN.
        blocks: how many blocks this run sent.
        records: in how many Kinesis records, control records included.
        repeated: how many of them had to be sent again.
        next_block: every block of the stream below this number is there.
        completed: whether the stream has reached its end and said so.
    """

    stream: str
    stream_id: str
    blocks: int
    records: int
    repeated: int
    next_block: int
    completed: bool

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class StreamChoice:
    """
    What is streamed, and where to.

    Attributes:
        stream: the Kinesis data stream's name.
        start_time: the earliest blockTimestamp, aware; not in the future; None for any.
        end_time: what blockTimestamp stays below, aware; None for ever.
        aggregated: join a block's records into KPL frames, as QLDB did by default.
    """

    stream: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    aggregated: bool = True

    def plan(self, strand_id: str) -> StreamPlan:
        """Give what the state file says of it."""
        start, end = _iso(self.start_time), _iso(self.end_time)
        return StreamPlan(strand_id, self.stream, start, end, self.aggregated)

    def iter_parts(self, ledger: Ledger, state: StreamState) -> Iterator[StreamPart]:
        """Iterate over what the ledger has of it now, from where the state is."""
        return ledger.stream_parts(
            state.next_block,
            start_time=self.start_time,
            end_time=self.end_time,
            aggregated=self.aggregated,
            stream_id=state.stream_id,
        )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def stream_journal(  # noqa: PLR0913 - all but the first four are named
    ledger: Ledger,
    client: KinesisClient,
    chosen: StreamChoice,
    state_path: str | os.PathLike[str],
    *,
    follow: bool = False,
    stream_id: str | None = None,
    environment: Environment | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> StreamReport:
    """
    Put a ledger's journal on a Kinesis data stream, as QLDB streamed it (facts 1).

    CREATED comes first, then each block's records, with an end time COMPLETED comes last. Each
    is there at least once: a run that ends in any way is gone on with by another of the same
    state file, from the first block that was not acknowledged.

    Args:
        ledger: open to write or to read only; then another process may write it meanwhile.
        client: boto3's client for Kinesis.
        chosen: what is streamed, and where to.
        state_path: where the position is kept; made when absent.
        follow: wait for new blocks where the journal ends, until the end time or for ever.
        stream_id: 22 characters, for a stream that has no state yet; a new one when None.
        environment: time, ids and waiting.
        should_stop: asked after each block, and before each wait of `follow`; what has been
            gathered is sent, then it returns.

    Raises:
        UsageError: times that make no sense, a state file of another stream or one that
            cannot be written, a data stream that is not there or may not be written.
        SinkRefusedError: a record is larger than Kinesis takes.
        SinkUnavailableError: Kinesis refused records again and again.
        LedgerFileError: the ledger cannot be read.
            After any of them the state file says what had been acknowledged.
    """
    environment = environment or Environment()
    plan = chosen.plan(ledger.strand_id)
    state = load_state(state_path, plan) or StreamState(plan, stream_id or environment.new_id())
    sender = _Sender(client, state, state_path, environment)
    while not sender.is_over():
        for part in chosen.iter_parts(ledger, sender.state):
            sender.feed(part)
            if should_stop():
                break
        sender.flush()
        if sender.is_over() or not follow or should_stop():
            break
        environment.sleep(_POLL_S)
    return sender.report()


class _Sender:
    """Gathers records, sends them, and keeps the state."""

    def __init__(
        self,
        client: KinesisClient,
        state: StreamState,
        state_path: str | os.PathLike[str],
        environment: Environment,
    ) -> None:
        self.state = state
        self._client: Final = client
        self._stream: Final = state.plan.stream
        self._path: Final = state_path
        self._environment: Final = environment
        self._batch = Batch()
        self._reached = state  # what the state becomes when all that is gathered is there
        self._blocks = 0
        self._sent_blocks = 0
        self._records = 0
        self._repeated = 0

    def is_over(self) -> bool:
        """Tell whether COMPLETED was acknowledged."""
        return self.state.completed

    def feed(self, part: StreamPart) -> None:
        """Gather a part's records; send what fills a call."""
        if part.control == "CREATED" and self.state.created:
            return
        for record in part.records:
            self._add(record, part)
        self._reached = _after(self._reached, part)
        self._blocks += part.sequence_no is not None

    def flush(self) -> None:
        """Send what is gathered, and keep how far that is."""
        if not self._batch.records:
            return
        batch, self._batch = self._batch, Batch()
        self._repeated += put_batch(self._client, self._stream, batch.entries(), self._environment)
        self._records += len(batch.records)
        if self._reached != self.state:
            self._reached.save(self._path)
            self.state = self._reached
            self._sent_blocks = self._blocks

    def report(self) -> StreamReport:
        """Sum up."""
        state = self.state
        return StreamReport(
            self._stream,
            state.stream_id,
            self._sent_blocks,
            self._records,
            self._repeated,
            state.next_block,
            state.completed,
        )

    def _add(self, record: KinesisRecord, part: StreamPart) -> None:
        size = size_of(record)
        if size > MAX_RECORD_BYTES:
            assert part.sequence_no is not None, "control records are short"
            self.flush()  # what came before it is not to be sent again
            raise SinkRefusedError(
                f"kinesis:{self._stream}",
                self.state.plan.strand_id,
                part.sequence_no,
                f"a record has {size} bytes, Kinesis takes {MAX_RECORD_BYTES}",
            )
        if not self._batch.has_room(record):
            self.flush()
        self._batch.add(record)


def _after(state: StreamState, part: StreamPart) -> StreamState:
    if part.sequence_no is not None:
        return attrs.evolve(state, next_block=part.sequence_no + 1)
    if part.control == "CREATED":
        return attrs.evolve(state, created=True)
    return attrs.evolve(state, completed=True)
