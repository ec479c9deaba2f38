from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap, Position
from qldb_stream.sinks.kafka import _positions
from qldb_stream.sinks.kafka._problems import FencedError, translation
from qldb_stream.sinks.kafka._settings import Settings
from qldb_stream.sinks.kafka._sink import KafkaSink
from qldb_stream.sinks.kafka._topics import prepare_topics
from qldb_stream.testing.journals import JournalShape, make_journal
from tests.sinks.kafka.brokers import read_topic

BLOCKS = list(make_journal(5, blocks=30, shape=JournalShape(redactions=0.3, deletes=0.2)))
STRAND = BLOCKS[0].address.strand_id


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(STRAND, block.address.sequence_no, block.block_hash, start=0)


def opened(url: str, **options: str) -> KafkaSink:
    """Open a sink."""
    sink = open_sink(url, **options)
    assert isinstance(sink, KafkaSink)
    return sink


def topic_of(url: str) -> tuple[str, str]:
    """Give brokers and topic of a URL."""
    brokers, _, topic = url.removeprefix("kafka:").partition("?")[0].rpartition("/")
    return brokers, topic


def test_each_revision_is_there_once(url: str) -> None:
    """Cut off, repeated and started again, a replay leaves each revision once, in order."""
    for end in (7, 7, 19, 30):
        report = Pipeline(url, batch_blocks=5).run(BLOCKS[:end])
        assert report.ok
    redactions = [b.address for b in BLOCKS if b.summary.redaction_info is not None]
    whole = Pipeline(f"{url}&positions=x-{topic_of(url)[1]}").run(BLOCKS)
    assert [(a.strand_id, a.sequence_no) for a in redactions] == list(whole.redactions_pending)
    found = [read.headers["qldb-message"] for read in read_topic(*topic_of(url))]
    revisions = [r.hash.hex() for b in BLOCKS for r in b.revisions if r.metadata is not None]
    assert sorted(revisions * 2) == sorted(key for key in found if "." not in key)
    assert whole.documents == len(revisions)


def test_a_position_is_kept_whole(url: str) -> None:
    """Gaps, start and parked numbers are there when it is opened again, of each strand."""
    given = attrs.evolve(position_at(BLOCKS[4]), gaps=(Gap(1, 2, "lost"),), parked=frozenset({3}))
    other = Position("B" * 22, 9, bytes(32))
    sink = opened(url)
    assert None is sink.position(STRAND)
    assert given == sink.apply(BLOCKS[3:5], given, 0)
    assert other == sink.apply([], other, 0)
    sink.close()
    again = opened(url)
    found = again.position(STRAND)
    assert (given, 0) == (found, found.start if found else None)
    assert other == again.position("B" * 22)
    assert given == again.apply(BLOCKS[4:5], position_at(BLOCKS[4]), 0) or given.parked
    again.close()


def test_positions_are_found_far_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind many of other strands, and where the topic is not compacted."""
    monkeypatch.setattr(_positions, "_STEP", 3)
    sink = opened(url)
    sink.apply([], position_at(BLOCKS[0]), 0)
    for number in range(9):
        sink.apply([], Position("B" * 22, number, bytes(32)), 0)
    again = opened(url)
    assert position_at(BLOCKS[0]) == again.position(STRAND)
    assert None is again.position("C" * 22)
    again.close()
    sink.close()


def test_a_lower_token_is_refused(url: str) -> None:
    """Of this sink, and of one that is opened later; nobody is fenced by it."""
    sink = opened(url)
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 7)
    late = opened(url)
    for stale in (sink, late):
        with pytest.raises(StaleTokenError):
            stale.apply(BLOCKS[2:3], position_at(BLOCKS[2]), 6)
    sink.apply(BLOCKS[2:3], position_at(BLOCKS[2]), 7)
    late.close()
    sink.close()


def test_a_record_that_is_too_large_is_refused(url: str) -> None:
    """It is named by its block, nothing of its run is there, and what stands before it flows."""
    sink = opened(url, message_bytes="1000")
    big = make_journal(2, blocks=12, shape=JournalShape(document_bytes=2000))
    blocks = list(big)
    with pytest.raises(SinkRefusedError, match="MSG_SIZE_TOO_LARGE"):
        sink.apply(blocks, Position(big.strand_id, 11, blocks[11].block_hash), 0)
    assert None is sink.position(big.strand_id)
    sink.close()


class Failing:
    """A producer of confluent-kafka's in which one call fails."""

    def __init__(self, real: Producer, name: str, error: Exception) -> None:
        self._real, self._name, self._error = real, name, error

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._name else getattr(self._real, name)

    def _fail(self, *_given: object, **_named: object) -> None:
        raise self._error


def failing(sink: KafkaSink, name: str, error: Exception) -> None:
    """Let a call of the sink's live producer fail."""
    writer = sink._writers[STRAND]
    writer.producer = Failing(writer.producer, name, error)


def kafka_error(code: int, **flags: bool) -> KafkaException:
    """Make what confluent-kafka raises."""
    return KafkaException(KafkaError(code, "told by the test", **flags))


@pytest.mark.parametrize(
    ("call", "error", "expected"),
    [
        ("begin_transaction", kafka_error(KafkaError._FENCED), SinkUnavailableError),
        ("flush", kafka_error(KafkaError._TRANSPORT), SinkUnavailableError),
        ("commit_transaction", kafka_error(KafkaError._TIMED_OUT), SinkUnavailableError),
        ("produce", kafka_error(KafkaError.TOPIC_AUTHORIZATION_FAILED), UsageError),
        ("produce", kafka_error(KafkaError.INVALID_RECORD), SinkRefusedError),
    ],
)
def test_what_fails_costs_the_producer(
    url: str, call: str, error: Exception, expected: type[Exception]
) -> None:
    """The error is told in our words; the next run makes another producer and goes on."""
    sink = opened(url)
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
    failing(sink, call, error)
    with pytest.raises(expected):
        sink.apply(BLOCKS[2:4], position_at(BLOCKS[3]), 0)
    assert position_at(BLOCKS[1]) == sink.position(STRAND)
    sink.apply(BLOCKS[2:4], position_at(BLOCKS[3]), 0)
    assert position_at(BLOCKS[3]) == sink.position(STRAND)
    sink.close()


def test_who_was_fenced_by_a_higher_token_is_told(url: str) -> None:
    """It asks what is stored before it does anything, and leaves the other alone."""
    old, new = opened(url), opened(url)
    old.apply(BLOCKS[:2], position_at(BLOCKS[1]), 1)
    new.apply(BLOCKS[2:4], position_at(BLOCKS[3]), 2)
    failing(old, "begin_transaction", kafka_error(KafkaError._FENCED))
    with pytest.raises(StaleTokenError):
        old.apply(BLOCKS[2:3], position_at(BLOCKS[2]), 1)
    new.apply(BLOCKS[4:5], position_at(BLOCKS[4]), 2)
    new.close()
    old.close()


def test_a_full_queue_is_waited_for(url: str) -> None:
    """For a while; then the brokers are called too slow."""
    sink = opened(url, timeout_s="1")
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
    failing(sink, "produce", BufferError())
    with pytest.raises(SinkUnavailableError, match="too slowly"):
        sink.apply(BLOCKS[2:4], position_at(BLOCKS[3]), 0)
    sink.close()


def test_what_brokers_say_of_a_record_is_told(url: str) -> None:
    """What is refused after it was sent is the block's fault, and what is denied the owner's."""
    sink = opened(url)
    for code, expected in (
        (KafkaError.MSG_SIZE_TOO_LARGE, SinkRefusedError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, UsageError),
    ):
        with pytest.raises(expected):
            sink._judge([(BLOCKS[0].address, KafkaError(code))])
    sink._judge([(BLOCKS[0].address, KafkaError(KafkaError._PURGE_QUEUE))])
    sink.close()


def test_records_come_before_their_position(url: str) -> None:
    """A position is not even sent while brokers lack a record that it counts."""
    sink = opened(url)
    sink.apply(BLOCKS[:2], position_at(BLOCKS[1]), 0)
    producer: Any = attrs.make_class("Slow", ["flush"])(lambda _: 3)
    with pytest.raises(SinkUnavailableError, match="too slowly"):
        sink._flush(producer, [])
    refused = [(BLOCKS[0].address, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))]
    with pytest.raises(KafkaException):
        sink._flush(producer, refused)
    sink.close()


def test_an_open_transaction_is_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hides the position belongs to a dead writer, most likely: the strand is taken over."""
    monkeypatch.setattr(_positions, "_PAUSE_S", 0.01)
    monkeypatch.setattr("qldb_stream.sinks.kafka._sink._PATIENCE_S", 0.05)
    opened(url).apply(BLOCKS[:2], position_at(BLOCKS[1]), 3)
    for ask in (
        lambda sink: sink.position(STRAND),
        lambda sink: sink.apply(BLOCKS[:1], position_at(BLOCKS[0]), 3),
    ):
        sink = opened(url)
        hide_commits(sink, until=lambda sink=sink: bool(sink._writers))  # type: ignore[misc]
        assert position_at(BLOCKS[1]) == ask(sink)  # type: ignore[no-untyped-call]  # a lambda
        sink.close()


def hide_commits(sink: KafkaSink, until: Callable[[], bool]) -> None:
    """Play brokers on which a transaction is open until a producer was made."""
    from confluent_kafka import IsolationLevel

    positions = sink._positions
    real, made = positions._offset, sink._make_producer
    ended: list[bool] = []

    def offset(which: Any, isolation: Any, deadline: float) -> int:
        hidden = isolation is IsolationLevel.READ_COMMITTED and not ended
        return -1 if hidden else real(which, isolation, deadline)

    def make(strand_id: str) -> Producer:
        ended.append(True)
        return made(strand_id)

    positions._offset = offset  # type: ignore[method-assign]
    sink._make_producer = make  # type: ignore[method-assign]


def test_nobody_there() -> None:
    """Brokers that do not answer may answer later."""
    with pytest.raises(SinkUnavailableError):
        open_sink("kafka:127.0.0.1:1/cars?topics=trust&timeout_s=1")


def test_what_positions_hold_is_checked(url: str, brokers: str) -> None:
    """Somebody else's records, and those of a newer format, are no positions."""
    sink = opened(url)
    producer = Producer({"bootstrap.servers": brokers, "log_level": 0})
    mine = b'{"format":"qldb-stream kafka","version":%d,"token":1,"strandId":"%s",'
    rest = b'"sequenceNo":1,"blockHash":"","parked":[],"gaps":[]}'
    for value, problem in (
        (b"x", "is no position"),
        (mine % (2, STRAND.encode()) + rest, "version 2 of the format"),
        (mine % (1, b"another") + rest, "used by something else"),
    ):
        producer.produce(sink._settings.positions, key=STRAND, value=value, partition=0)
        assert 0 == producer.flush(10)
        with pytest.raises(UsageError, match=problem):
            sink.position(STRAND)
    sink.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError.PRODUCER_FENCED, FencedError),
        (KafkaError.SASL_AUTHENTICATION_FAILED, UsageError),
        (KafkaError._ALL_BROKERS_DOWN, SinkUnavailableError),
    ],
)
def test_codes(code: int, expected: type[Exception]) -> None:
    """Each means one of three things."""
    assert expected is type(translation("kafka:", KafkaError(code)))


# --- settings and topics -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("kafka:", "write kafka:BROKER"),
        ("kafka:cars", "write kafka:BROKER"),
        ("kafka:a b:1/cars", "write kafka:BROKER"),
        ("kafka:b:1/ca rs", "cannot be the name of a topic"),
        ("kafka:b:1/cars?positions=x/y", "cannot be the name of a topic"),
        ("kafka:b:1/cars?positions=cars", "a topic of their own"),
        ("kafka:b:1/cars?message_bytes=9", "message_bytes is a number from 1000"),
        ("kafka:b:1/cars?timeout_s=soon", "timeout_s is a number from 1 to 600"),
        ("kafka:b:1/cars?config=/nowhere", "cannot be read"),
        ("kafka:b:1/cars?value=avro", "value is one of json, ion"),
    ],
)
def test_what_makes_no_sense_is_told(url: str, problem: str) -> None:
    """Before any broker is asked."""
    with pytest.raises(UsageError, match=problem):
        open_sink(url)


def test_settings_from_a_file(url: str, tmp_path: Path) -> None:
    """Lines are librdkafka's settings; those that the sink rests on are not changed."""
    file = tmp_path / "kafka.conf"
    file.write_text("# remark\n\nclient.id = tests\nlinger.ms=1\n")
    sink = opened(url, config=str(file))
    assert {"client.id": "tests", "linger.ms": "1"} == sink._settings.config
    assert "tests" == sink._config["client.id"]
    sink.close()
    for text, problem in (
        ("nonsense", "line 1 of .* is no NAME=VALUE"),
        ("\nacks=0", "line 2 of .* sets acks, which the sink sets"),
        ("no.such=1", "does not take"),
    ):
        file.write_text(text)
        with pytest.raises(UsageError, match=problem):
            opened(url, config=str(file))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    for name in [name for name in sys.modules if name.startswith("qldb_stream.sinks.kafka._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(UsageError, match=r"qldb-stream\[kafka\]"):
        open_sink("kafka:b:1/cars")


class Admin:
    """A confluent-kafka AdminClient of brokers that know administration."""

    def __init__(self, policy: str = "compact", partitions: int = 1) -> None:
        self.made: list[Any] = []
        self._policy, self._partitions = policy, partitions
        self._there = {"cars": 3}

    def list_topics(self, topic: str | None = None, timeout: float = 0) -> Any:
        """Give metadata of a topic, or of all."""
        names = self._there if topic is None else {topic: self._there[topic]}
        return attrs.make_class("Metadata", ["topics"])({n: _metadata(c) for n, c in names.items()})

    def create_topics(self, topics: list[Any], request_timeout: float) -> Any:
        """Make a topic, unless another one was faster."""
        self.made += topics
        self._there[topics[0].topic] = self._partitions
        return {topics[0].topic: _future(kafka_error(KafkaError.TOPIC_ALREADY_EXISTS))}

    def describe_configs(self, resources: list[Any], request_timeout: float) -> Any:
        """Give a topic's settings."""
        entry = attrs.make_class("Entry", ["value"])(self._policy)
        return {resources[0]: _future({"cleanup.policy": entry})}


def _metadata(count: int) -> Any:
    return attrs.make_class("Topic", ["error", "partitions"])(None, range(count))


def _future(answer: Any) -> Any:
    def result(_self: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Future", (), {"result": result})()


def test_topics_are_made_and_looked_at() -> None:
    """Positions get a compacted topic with one partition; one that forgets is refused."""
    settings = Settings("b:1", "cars", "cars.positions")
    admin: Any = Admin()
    assert 3 == prepare_topics(admin, settings)
    (made,) = admin.made
    assert ("cars.positions", 1, {"cleanup.policy": "compact"}) == (
        made.topic,
        made.num_partitions,
        made.config,
    )
    for wrong, problem in (
        (Admin(policy="delete"), "would be deleted in time"),
        (Admin(policy="compact,delete"), "would be deleted in time"),
        (Admin(partitions=2), "has 2 partitions; it needs one"),
    ):
        with pytest.raises(UsageError, match=problem):
            prepare_topics(wrong, settings)
    with pytest.raises(UsageError, match=r"there is no topic cars\.positions; make it"):
        prepare_topics(Admin(), attrs.evolve(settings, topics="check"))
