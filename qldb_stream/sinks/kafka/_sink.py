"""
The sink: one transaction of Kafka's for each run of blocks.

A strand has one writer: the producer with its transactional id that was made last; brokers
fence all before it (KIP-98). A producer is made by the first `apply` to a strand, after the stored
token was found to be no higher than the caller's; then the position is read again, since now
nobody else can move it. From there on the sink knows the position by itself. Whatever goes
wrong in a transaction costs the producer: it is thrown away, the next `apply` makes a new
one, and by that the brokers abort what was left open. Whether a commit that was not answered
took place, the position says.

Who was fenced looks at the stored token before it does anything: where that is higher,
another worker holds the strand; else it may take the strand over again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError, StaleTokenError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.report import Position, SinkSummary
from qldb_stream.sinks._messages import Sent, messages_of
from qldb_stream.sinks.kafka._positions import (
    PARTITION,
    OpenTransactionError,
    Stored,
    StoredPositions,
)
from qldb_stream.sinks.kafka._problems import (
    REFUSED,
    FencedError,
    error_of,
    translated,
    translation,
)
from qldb_stream.sinks.kafka._records import Record, RecordForm
from qldb_stream.sinks.kafka._settings import Settings
from qldb_stream.sinks.kafka._topics import prepare_topics

__all__ = ["KafkaSink"]

_LOG: Final = logging.getLogger(__name__)
_TRANSACTION_MS: Final = 60_000  # Kafka's default; so long a dead writer's transaction stays open
_RECONNECT_MS: Final = 10  # librdkafka waits half of it before its first connection, too
_ABORT_S: Final = 2.0
_PATIENCE_S: Final = 2.0  # a live writer's transaction takes milliseconds
_QUEUE_S: Final = 0.5
_TAKEN: Final = "another writer has taken over the strand; try again"


@attrs.define
class _Writer:
    """A strand's live producer, and where the strand stands."""

    producer: Producer
    stored: Stored | None


class KafkaSink:
    """
    Write revisions into a topic, exactly once for consumers that read committed records.

    Raises:
        UsageError: a topic is missing or not as it must be, a setting makes no sense, or
            access is denied.
        SinkUnavailableError: the brokers do not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sink = settings.sink
        self._config: dict[str, Any] = {
            "client.id": "qldb-stream",
            "reconnect.backoff.ms": _RECONNECT_MS,
            **settings.config,
            "bootstrap.servers": settings.brokers,
        }
        self._writers: dict[str, _Writer] = {}
        self._sent = Sent()
        with translated(self._sink):
            admin = AdminClient(self._config, logger=_LOG)
        partitions = prepare_topics(admin, settings)
        self._form = RecordForm(settings.value, settings.key, settings.deletes, partitions)
        self._positions = StoredPositions(
            self._sink, settings.positions, self._config, admin, settings.timeout_s
        )

    def position(self, strand_id: str) -> Position | None:
        """
        Give what is committed of a strand; as this sink knows it while it is the writer.

        Raises:
            SinkUnavailableError: the brokers do not answer, or a transaction of another
                strand stays open.
        """
        writer = self._writers.get(strand_id)
        if writer is None:
            try:
                stored = self._positions.read(strand_id, _PATIENCE_S)
            except OpenTransactionError:  # most likely left by a writer that died: end it
                stored = self._take_over(strand_id).stored
        else:
            stored = writer.stored
        return None if stored is None else stored.position

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Write the records of the blocks that are not there yet, and the position, or nothing.

        Raises:
            StaleTokenError: the position was stored with a higher token.
            SinkRefusedError: a record is larger than brokers take, or cannot be written.
            SinkUnavailableError: the brokers do not answer, or another writer took over.
            UsageError: access is denied, or a topic is gone.
        """
        strand_id = position.strand_id
        writer = self._writer(strand_id, token)
        stored = writer.stored
        if stored is not None and stored.position.covers(position):
            return stored.position
        fresh = list(blocks) if stored is None else list(stored.position.pending(blocks))
        records = [(block.address, self._records(block)) for block in fresh]
        after = Stored(position, token)
        try:
            self._transact(writer.producer, records, after)
        except FencedError as exc:
            self._drop(strand_id)
            _check_token(self._positions.read(strand_id), strand_id, token)
            raise SinkUnavailableError(self._sink, _TAKEN) from exc
        except BaseException:
            self._drop(strand_id)
            raise
        writer.stored = after
        self._sent.count(fresh)
        return position

    def summary(self) -> SinkSummary:
        """Count revisions; a redaction is pending, because only compaction carries it out."""
        return self._sent.summary()

    def close(self) -> None:
        """Leave the brokers; what was committed stays."""
        self._writers.clear()
        self._positions.close()

    # --- one writer --------------------------------------------------------------------------

    def _writer(self, strand_id: str, token: int) -> _Writer:
        """
        Give the strand's producer; make it, and so fence those before it, if there is none.

        Raises:
            StaleTokenError: the position was stored with a higher token; nobody is fenced.
        """
        known = self._writers.get(strand_id)
        if known is not None:
            _check_token(known.stored, strand_id, token)
            return known
        with suppress(OpenTransactionError):  # it ends when the producer is made
            _check_token(self._positions.read(strand_id, _PATIENCE_S), strand_id, token)
        writer = self._take_over(strand_id)
        _check_token(writer.stored, strand_id, token)
        return writer

    def _take_over(self, strand_id: str) -> _Writer:
        """Become the strand's writer; only then is what is stored sure to stay."""
        producer = self._make_producer(strand_id)
        writer = _Writer(producer, self._positions.read(strand_id))
        self._writers[strand_id] = writer
        return writer

    def _make_producer(self, strand_id: str) -> Producer:
        settings = self._settings
        writing = {
            "transactional.id": f"qldb-stream.{settings.topic}.{strand_id}",
            "transaction.timeout.ms": _TRANSACTION_MS,
            "message.max.bytes": settings.message_bytes,
        }
        try:
            with translated(self._sink):
                producer = Producer(self._config | writing, logger=_LOG)
                producer.init_transactions(settings.timeout_s)
        except FencedError as exc:
            raise SinkUnavailableError(self._sink, _TAKEN) from exc
        return producer

    def _drop(self, strand_id: str) -> None:
        """Throw a producer away; what it left open is aborted here, or by the next one."""
        writer = self._writers.pop(strand_id, None)
        if writer is not None:
            with suppress(KafkaException):  # the error that led here is the one to tell
                writer.producer.abort_transaction(_ABORT_S)

    # --- one transaction ---------------------------------------------------------------------

    def _records(self, block: Block) -> list[Record]:
        return [self._form.record(message) for message in messages_of(self._sink, block)]

    def _transact(
        self,
        producer: Producer,
        records: Sequence[tuple[BlockAddress, Sequence[Record]]],
        after: Stored,
    ) -> None:
        failed: list[tuple[BlockAddress, KafkaError]] = []
        settings = self._settings
        try:
            with translated(self._sink):
                producer.begin_transaction()
                for address, of_block in records:
                    told = _teller(failed, address)
                    for record in of_block:
                        self._produce(producer, settings.topic, record, address, told)
                self._flush(producer, failed)
                place = Record(
                    after.position.strand_id.encode(), after.value(), [], partition=PARTITION
                )
                address = BlockAddress(after.position.strand_id, after.position.sequence_no)
                self._produce(
                    producer, settings.positions, place, address, _teller(failed, address)
                )
                producer.commit_transaction(settings.timeout_s)
        except (SinkUnavailableError, FencedError):
            self._judge(failed)  # why the brokers did not take it is said there
            raise

    def _flush(self, producer: Producer, failed: Sequence[tuple[BlockAddress, KafkaError]]) -> None:
        """
        Wait until the records are with the brokers: none is behind its position.

        Transactions promise more; but a broker that shows what was aborted must not show a
        position that counts what was never sent.
        """
        left = producer.flush(self._settings.timeout_s)
        if failed:
            raise KafkaException(failed[0][1])
        if left:
            raise SinkUnavailableError(self._sink, "the brokers take records too slowly")

    def _produce(
        self,
        producer: Producer,
        topic: str,
        record: Record,
        address: BlockAddress,
        told: Callable[[KafkaError | None, Any], None],
    ) -> None:
        deadline = time.monotonic() + self._settings.timeout_s
        while True:
            try:
                producer.produce(
                    topic,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                    partition=record.partition,
                    on_delivery=told,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise
                producer.poll(_QUEUE_S)  # makes room
            except KafkaException as exc:
                if error_of(exc).code() not in REFUSED:
                    raise
                raise self._refusal(address, error_of(exc)) from exc
            else:
                return

    def _judge(self, failed: Sequence[tuple[BlockAddress, KafkaError]]) -> None:
        """Raise what is wrong with a record, where that is why a transaction failed."""
        for address, error in failed:
            if error.code() in REFUSED:
                raise self._refusal(address, error)
            found = translation(self._sink, error)
            if not isinstance(found, SinkUnavailableError):
                raise found

    def _refusal(self, address: BlockAddress, error: KafkaError) -> SinkRefusedError:
        problem = f"a record is not taken: {error.name()}: {error.str()}"
        return SinkRefusedError(self._sink, address.strand_id, address.sequence_no, problem)


def _teller(
    failed: list[tuple[BlockAddress, KafkaError]], address: BlockAddress
) -> Callable[[KafkaError | None, Any], None]:
    def tell(error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            failed.append((address, error))

    return tell


def _check_token(stored: Stored | None, strand_id: str, token: int) -> None:
    if stored is not None and token < stored.token:
        raise StaleTokenError(strand_id, stored.token, token)
