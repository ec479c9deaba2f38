"""A ledger's journal on Kinesis: whole, at least once, across failures and crashes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings, strategies as st

from qldb_stream.clients.kinesis import (
    StreamChoice,
    StreamPlan,
    StreamReport,
    StreamState,
    connect_kinesis,
    load_state,
    stream_journal,
)
from qldb_stream.clients.kinesis._batches import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from qldb_stream.clients.kinesis._put import MAX_ATTEMPTS
from qldb_stream.errors import SinkRefusedError, SinkUnavailableError, UsageError
from qldb_stream.events import BlockSummary
from qldb_stream.ledger import Ledger
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.testing.vehicle_registration import tell_story
from tests.clients.streams import (
    blocks_of,
    controls_of,
    events_of,
    hashes,
    make_stream,
    read_stream,
)
from tests.ledger.chains import fill
from tests.ledger.support import NOON_MS, Clock, Sleeps, environment, make_cars, memory, run

STREAM = StreamChoice("cars")


class Shard:
    """A client that keeps what it is given, unless its answers say otherwise."""

    def __init__(self, answers: Sequence[Callable[[Sequence[Any]], Any]] = ()) -> None:
        self.calls: list[list[Any]] = []
        self.data: list[bytes] = []
        self._answers = list(answers)

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> Any:  # noqa: N803 - boto3's names
        """Answer as the next answer says; without one take all."""
        assert StreamName == "cars"
        self.calls.append(list(Records))
        answer = self._answers.pop(0) if self._answers else take_all
        result = answer(Records)
        self.data += [
            entry["Data"]
            for entry, taken in zip(Records, result["Records"], strict=True)
            if "ErrorCode" not in taken
        ]
        return result


def take_all(entries: Sequence[Any]) -> Any:
    """Take every record."""
    return {"FailedRecordCount": 0, "Records": [{"SequenceNumber": "1"} for _ in entries]}


def refuse_every_other(entries: Sequence[Any]) -> Any:
    """Refuse every other record, because its shard is busy."""
    code = "ProvisionedThroughputExceededException"
    results = [
        {"ErrorCode": code} if n % 2 else {"SequenceNumber": "1"} for n in range(len(entries))
    ]
    return {"FailedRecordCount": len(entries) // 2, "Records": results}


def refuse_all(entries: Sequence[Any]) -> Any:
    """Refuse every record."""
    results = [{"ErrorCode": "InternalFailure"} for _ in entries]
    return {"FailedRecordCount": len(entries), "Records": results}


def failing(code: str, status: int = 400) -> Callable[[Sequence[Any]], Any]:
    """Fail the whole call."""

    def fail(_entries: Sequence[Any]) -> Any:
        response: Any = {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise ClientError(response, "PutRecords")

    return fail


def unreachable(_entries: Sequence[Any]) -> Any:
    """Find nobody at the endpoint."""
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def cars() -> Iterator[Ledger]:
    """A ledger of four blocks."""
    with memory() as ledger:
        make_cars(ledger, "A", "B")
        yield ledger


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the position is kept."""
    return tmp_path / "state"


def stream(
    ledger: Ledger, client: Any, state: Path, chosen: StreamChoice = STREAM, **more: Any
) -> StreamReport:
    """Stream with a clock that stands still, and without waiting."""
    if "environment" not in more:
        more["environment"] = environment(sleep=Sleeps())
    return stream_journal(ledger, client, chosen, state, **more)


# --- a real server ---------------------------------------------------------------------------


@pytest.mark.parametrize("aggregated", [True, False])
def test_what_is_read_back_is_the_journal(aws: str, state: Path, aggregated: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Through Kinesis and this package's own parsers come the ledger's blocks."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, f"journal-{aggregated}")
    with Ledger.open(":memory:") as ledger:
        list(tell_story(ledger.driver(), seed=4, vehicles=6))
        chosen = StreamChoice(name, aggregated=aggregated)
        report = stream_journal(ledger, client, chosen, state)
        records = list(read_stream(client, name))
        events = events_of(record["Data"] for record in records)
        assert ["CREATED"] == controls_of(events)
        expected = list(ledger.blocks())
        found = blocks_of(events)
        assert hashes(expected) == hashes(found)
        assert [one.revisions for one in expected] == [one.revisions for one in found]
        assert (len(expected), len(records)) == (report.blocks, report.records)
        assert (len(expected), False) == (report.next_block, report.completed)
        if aggregated:
            assert {"a"} < {record["PartitionKey"] for record in records}


def test_records_are_spread_over_the_shards(aws: str, state: Path, cars: Ledger) -> None:
    """A frame's place is its first record's hash, so that no shard takes them all."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, "spread", shards=4)
    for n in range(40):
        run(cars, "INSERT INTO Car ?", {"vin": str(n)})
    stream(cars, client, state, StreamChoice(name))
    shards = client.list_shards(StreamName=name)["Shards"]
    filled = 0
    for shard in shards:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        answer = client.get_records(ShardIterator=iterator["ShardIterator"])
        filled += bool(answer["Records"])
    assert 4 == filled


def test_a_data_stream_that_is_not_there_is_named(aws: str, state: Path, cars: Ledger) -> None:
    """Nothing is sent, nothing is kept."""
    client = connect_kinesis(endpoint_url=aws)
    with pytest.raises(UsageError, match="kinesis:nowhere cannot be written: ResourceNotFound"):
        stream(cars, client, state, StreamChoice("nowhere"))
    with pytest.raises(UsageError, match="cannot be written: Parameter validation failed"):
        stream(cars, client, state, StreamChoice(""))
    assert not state.exists()


def test_nobody_at_the_endpoint(aws: str, state: Path, cars: Ledger) -> None:
    """It is tried again and again, and then said."""
    client = connect_kinesis(endpoint_url="http://127.0.0.1:1")
    with pytest.raises(SinkUnavailableError, match="EndpointConnectionError"):
        stream(cars, client, state)


def test_clients_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, aws: str) -> None:
    """No URL, no region, no boto3: each is a sentence."""
    with pytest.raises(UsageError, match="cannot make a client for Kinesis"):
        connect_kinesis(endpoint_url="no URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="no region is known; set AWS_DEFAULT_REGION"):
        connect_kinesis()
    assert connect_kinesis(region="eu-west-1") is not None
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match="pip install 'qldb-stream"):
        connect_kinesis()


# --- the position ----------------------------------------------------------------------------


def test_a_second_run_goes_on(cars: Ledger, state: Path) -> None:
    """What was acknowledged is not sent again, CREATED neither; the stream keeps its id."""
    client = Shard()
    first = stream(cars, client, state)
    nothing = stream(cars, client, state)
    run(cars, "INSERT INTO Car ?", {"vin": "C"})
    second = stream(cars, client, state)
    assert (4, 5, 4) == (first.blocks, first.records, first.next_block)
    assert (0, 0, 4) == (nothing.blocks, nothing.records, nothing.next_block)
    assert (1, 1, 5) == (second.blocks, second.records, second.next_block)
    assert first.stream_id == second.stream_id
    events = events_of(client.data)
    assert ["CREATED"] == controls_of(events)
    assert hashes(cars.blocks()) == hashes(blocks_of(events))
    assert 1 == len({event.stream_arn for event in events})


def at(ms: int) -> datetime:
    """A moment some milliseconds after noon."""
    return datetime(2024, 5, 6, 12, tzinfo=UTC) + timedelta(milliseconds=ms)


def test_a_bounded_stream_is_completed_once(state: Path) -> None:
    """COMPLETED is the last record; whoever runs it again sends nothing."""
    clock = Clock()
    client = Shard()
    with memory(clock) as ledger:
        for ms in (0, 1000, 2000):
            clock.now_ms = NOON_MS + ms
            run(ledger, f"CREATE TABLE T{ms}")
        chosen = StreamChoice("cars", at(1000), at(2000))
        report = stream(ledger, client, state, chosen)
        assert (1, 2, True) == (report.blocks, report.next_block, report.completed)
        again = stream(ledger, client, state, chosen)
        assert (0, 0, True) == (again.blocks, again.records, again.completed)
    events = events_of(client.data)
    assert ["CREATED", "COMPLETED"] == controls_of(events)
    assert [1] == [e.address.sequence_no for e in events if isinstance(e, BlockSummary)]


def test_following_waits_for_blocks_until_the_end(state: Path) -> None:
    """Each wait is followed by a look; the end time ends it, with COMPLETED."""
    clock = Clock()
    client = Shard()
    with memory(clock) as ledger:
        waits: list[float] = []

        def write(wait_s: float) -> None:
            waits.append(wait_s)
            run(ledger, f"CREATE TABLE T{len(waits)}")
            clock.now_ms += 4000

        report = stream(
            ledger,
            client,
            state,
            StreamChoice("cars", None, at(10_000)),
            follow=True,
            environment=attrs.evolve(environment(clock), sleep=write),
        )
    assert ([1.0] * 4, 3, True) == (waits, report.blocks, report.completed)
    assert ["CREATED", "COMPLETED"] == controls_of(events_of(client.data))


@pytest.mark.parametrize("asked", range(1, 6))
def test_following_stops_when_asked(cars: Ledger, state: Path, asked: int) -> None:
    """After a block or before a wait; what was gathered is sent, and kept as the position."""
    answers = iter([False] * (asked - 1) + [True] * 9)
    shard = Shard()
    report = stream(cars, shard, state, follow=True, should_stop=lambda: next(answers))
    assert (asked - 1, False) == (report.blocks, report.completed)
    assert asked - 1 == report.next_block
    assert 1 == len(shard.calls)
    stream(cars, shard, state)
    assert 4 == stream(cars, shard, state).next_block


def test_a_stream_may_be_given_its_id(cars: Ledger, state: Path) -> None:
    """A new one takes it, one that has begun keeps its own."""
    for stream_id in ("A" * 22, "B" * 22):
        assert "A" * 22 == stream(cars, Shard(), state, stream_id=stream_id).stream_id


def test_another_process_may_write(tmp_path: Path, state: Path) -> None:
    """A reader of the file streams what its writer commits meanwhile."""
    path = tmp_path / "cars.ledger"
    client = Shard()
    with Ledger.open(path) as writer, Ledger.open(path, read_only=True) as reader:
        make_cars(writer, "A")
        assert 3 == stream(reader, client, state).blocks
        run(writer, "INSERT INTO Car ?", {"vin": "B"})
        assert 1 == stream(reader, client, state).blocks
        assert hashes(writer.blocks()) == hashes(blocks_of(events_of(client.data)))


class CrashError(BaseException):
    """The process dies here."""


class DyingShard(Shard):
    """A client whose process dies after Kinesis has taken the records, or before."""

    def __init__(self, fates: Iterator[str]) -> None:
        super().__init__()
        self._fates = fates

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> Any:  # noqa: N803 - boto3's names
        """Take all, or die before or after."""
        fate = next(self._fates, "live")
        if fate == "die before":
            raise CrashError
        answer = super().put_records(StreamName=StreamName, Records=Records)
        if fate == "die after":
            raise CrashError
        return answer


JOURNAL = make_journal(2, blocks=60, shape=JournalShape(document_bytes=30_000))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(["live", "die before", "die after"]), max_size=8), st.booleans())
def test_crashes_anywhere_lose_nothing(fates: list[str], aggregated: bool) -> None:  # noqa: FBT001 - drawn
    """Whenever it dies, started again it goes on: each block is there at least once."""
    with TemporaryDirectory() as folder, memory() as ledger:
        fill(ledger, JOURNAL)
        client = DyingShard(iter(fates))
        chosen = StreamChoice("cars", aggregated=aggregated)
        for _ in range(len(fates) + 1):
            try:
                report = stream(ledger, client, Path(folder) / "state", chosen)
                break
            except CrashError:
                continue
        assert 60 == report.next_block
        assert hashes(ledger.blocks()) == hashes(blocks_of(events_of(client.data)))


# --- failures of Kinesis ---------------------------------------------------------------------


def test_records_that_failed_are_sent_again_alone(cars: Ledger, state: Path) -> None:
    """Each time only those, after a wait that doubles; the position comes last."""
    sleeps = Sleeps()
    client = Shard([refuse_every_other, refuse_every_other])
    report = stream(cars, client, state, environment=environment(sleep=sleeps))
    assert [5, 2, 1] == [len(call) for call in client.calls]
    assert [0.1, 0.2] == sleeps.seconds
    assert (5, 3) == (report.records, report.repeated)
    assert hashes(cars.blocks()) == hashes(blocks_of(events_of(client.data)))


@pytest.mark.parametrize(
    "answer",
    [
        failing("ProvisionedThroughputExceededException"),
        failing("InternalFailure", 500),
        failing("Strange", 503),
        unreachable,
        refuse_all,
    ],
)
def test_what_waiting_can_mend_is_tried_again(
    cars: Ledger, state: Path, answer: Callable[[Sequence[Any]], Any]
) -> None:
    """Throttling, the service's own failures, and an endpoint that is away for a moment."""
    client = Shard([answer, answer])
    report = stream(cars, client, state)
    assert (4, 10) == (report.blocks, report.repeated)


def test_when_it_stays_so_it_is_said(cars: Ledger, state: Path) -> None:
    """After the last attempt the position is what it was, and the waits stay bounded."""
    sleeps = Sleeps()
    client = Shard([refuse_all] * MAX_ATTEMPTS)
    with pytest.raises(SinkUnavailableError, match="5 records were refused 12 times: Internal"):
        stream(cars, client, state, environment=environment(sleep=sleeps))
    assert MAX_ATTEMPTS == len(client.calls)
    assert 20.0 == max(sleeps.seconds)
    assert not state.exists()


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_what_waiting_cannot_mend_is_not_tried_again(cars: Ledger, state: Path, code: str) -> None:
    """The owner has to do something."""
    client = Shard([failing(code)])
    with pytest.raises(UsageError, match=f"kinesis:cars cannot be written: {code}: no"):
        stream(cars, client, state)
    assert 1 == len(client.calls)


# --- limits ----------------------------------------------------------------------------------


def test_calls_keep_to_the_limits(state: Path) -> None:
    """At most 500 records and 5 MiB, and as few calls as these allow."""
    with memory() as ledger:
        run(ledger, "CREATE TABLE T")
        for _ in range(3):
            run(ledger, "INSERT INTO T ?", [{"n": n} for n in range(450)])
        for n in range(12):
            run(ledger, "INSERT INTO T ?", {"n": n, "text": "x" * 900_000})
        client = Shard()
        report = stream(ledger, client, state, StreamChoice("cars", aggregated=False))
        counts = [len(call) for call in client.calls]
        sizes = [
            sum(len(entry["Data"]) + len(entry["PartitionKey"]) for entry in call)
            for call in client.calls
        ]
        assert MAX_BATCH_RECORDS == max(counts)
        assert MAX_BATCH_BYTES - 1_000_000 < max(sizes) <= MAX_BATCH_BYTES
        assert sum(counts) == report.records
        assert hashes(ledger.blocks()) == hashes(blocks_of(events_of(client.data)))


def test_a_record_that_kinesis_does_not_take_is_refused_by_name(state: Path) -> None:
    """What came before it is there, and stays so; the block is named."""
    with memory() as ledger:
        make_cars(ledger, "A")
        text = "x" * 1_100_000
        run(ledger, f"INSERT INTO Car VALUE {{'vin': 'B', 'text': '{text}'}}")
        client = Shard()
        with pytest.raises(SinkRefusedError) as caught:
            stream(ledger, client, state)
        assert ("kinesis:cars", ledger.strand_id, 3) == caught.value.args[:3]
        assert "Kinesis takes 1048576" in str(caught.value)
        plan = STREAM.plan(ledger.strand_id)
        kept = load_state(state, plan)
        assert kept is not None
        assert 3 == kept.next_block


# --- the state file --------------------------------------------------------------------------

PLAN = StreamPlan("strand", "cars", None, None, aggregated=True)
STATE = StreamState(PLAN, "id", created=True, next_block=7)


def test_a_state_is_read_back(state: Path) -> None:
    """What was saved is loaded; without a file there is none."""
    assert load_state(state, PLAN) is None
    STATE.save(state)
    STATE.save(state)
    assert STATE == load_state(state, PLAN)
    assert ["state"] == [one.name for one in state.parent.iterdir()]


@pytest.mark.parametrize(
    ("plan", "difference"),
    [
        (StreamPlan("other", "cars"), "its strand_id is strand, not other"),
        (StreamPlan("strand", "bikes"), "its stream is cars, not bikes"),
        (StreamPlan("strand", "cars", "2024"), "its start_time is None, not 2024"),
        (StreamPlan("strand", "cars", aggregated=False), "its aggregated is True, not False"),
    ],
)
def test_the_state_of_another_stream_is_refused(
    state: Path, plan: StreamPlan, difference: str
) -> None:
    """A stream that changed would skip or repeat blocks without a word."""
    STATE.save(state)
    with pytest.raises(UsageError, match=difference):
        load_state(state, plan)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        b" " * 70_000,
        b'{"format": "other", "version": 1}',
        b'{"format": "qldb-stream journal stream", "version": "1"}',
        b'{"format": "qldb-stream journal stream", "version": 1, "plan": {"a": 1}}',
        (
            b'{"format": "qldb-stream journal stream", "version": 1, "plan": '
            b'{"strand_id": "s", "stream": "c"}, "stream_id": "i", "created": true, '
            b'"next_block": "7", "completed": false}'
        ),
    ],
)
def test_what_is_no_state_is_refused(state: Path, text: bytes) -> None:
    """Somebody else's file is neither read as a position nor overwritten."""
    state.write_bytes(text)
    with pytest.raises(UsageError, match="is not the state of a stream"):
        load_state(state, PLAN)
    assert text == state.read_bytes()


def test_a_newer_state_is_refused(state: Path) -> None:
    """It says what to do."""
    state.write_text('{"format": "qldb-stream journal stream", "version": 2}')
    with pytest.raises(UsageError, match="version 2, this package reads up to 1"):
        load_state(state, PLAN)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """A folder cannot be read as a state, and a missing folder takes none."""
    with pytest.raises(UsageError, match="cannot be read"):
        load_state(tmp_path, PLAN)
    with pytest.raises(UsageError, match="cannot be written"):
        STATE.save(tmp_path / "missing" / "state")
