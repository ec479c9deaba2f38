"""Streams over the control plane: what a client may ask for, and what then is in Kinesis."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from qldb_stream.clients import connect
from qldb_stream.clients.kinesis import KinesisStreams, StreamChoice, StreamState
from qldb_stream.errors import UsageError
from qldb_stream.ledger import Ledger
from qldb_stream.server import Targets
from qldb_stream.server._jobs import KEPT_MS
from qldb_stream.server._members import moment
from qldb_stream.server._metadata import STREAM, Job
from qldb_stream.server._targets import StreamRequest
from tests.clients.streams import blocks_of, controls_of, events_of, make_stream, read_stream
from tests.ledger.support import environment, memory
from tests.server.at_work import ROLE, STREAM_ARN, everywhere, serving, until
from tests.server.support import Desk, Got, Talk

STREAMS = "/ledgers/{name}/journal-kinesis-streams"
ONE = f"{STREAMS}/{{id}}"
TAGS = "/tags/{arn:path}"
NOWHERE = "http://127.0.0.1:1"


def body_of(name: str = "cars", stream: str = "cars", **members: Any) -> dict[str, Any]:
    """A request."""
    return {
        "StreamName": name,
        "InclusiveStartTime": 0,
        "RoleArn": ROLE,
        "KinesisConfiguration": {"StreamArn": STREAM_ARN.format(name=stream)},
        **members,
    }


@pytest.fixture
def kinesis(aws: str) -> Any:
    """Moto's Kinesis."""
    return boto3.client("kinesis", endpoint_url=aws)


@pytest.fixture
def desk(aws: str, tmp_path: Path) -> Iterator[Desk]:
    """A server without sockets that may stream, with a ledger `cars` of two blocks."""
    desk = Desk(tmp_path, targets=everywhere(aws))
    desk.make_ledger()
    talk = Talk(desk)
    talk.run(("CREATE TABLE Car",))
    talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    yield desk
    desk.close()


def begin(desk: Desk, body: dict[str, Any]) -> str:
    """Begin a stream of `cars`."""
    got = desk.call("POST", STREAMS, body, name="cars")
    assert 200 == got.status, got.body
    return str(got.body["StreamId"])


def describe(desk: Desk, job_id: str) -> Any:
    """Describe a stream of `cars`."""
    return desk.call("GET", ONE, name="cars", id=job_id).body["Stream"]


def status_of(desk: Desk, job_id: str) -> str:
    """A stream's status."""
    return str(describe(desk, job_id)["Status"])


def numbers_in(kinesis: Any, stream: str) -> list[int]:
    """The blocks in a data stream."""
    blocks = blocks_of(events_of(record["Data"] for record in read_stream(kinesis, stream)))
    return [block.address.sequence_no for block in blocks]


# --- with boto3 ----------------------------------------------------------------------------


def test_a_streams_whole_life(aws: str, kinesis: Any, tmp_path: Path) -> None:
    """It is begun, described, follows the ledger, and ends when it is cancelled."""
    make_stream(kinesis, "life")
    with serving(tmp_path, everywhere(aws)) as client:
        configuration = {"StreamArn": STREAM_ARN.format(name="life"), "AggregationEnabled": False}
        start = datetime(2020, 1, 1, tzinfo=UTC)
        answer = client.stream_journal_to_kinesis(
            LedgerName="cars",
            RoleArn=ROLE,
            InclusiveStartTime=start,
            KinesisConfiguration=configuration,
            StreamName="life",
            Tags={"a": "b"},
        )
        place = {"LedgerName": "cars", "StreamId": answer["StreamId"]}
        until(lambda: numbers_in(kinesis, "life"), [0, 1, 2, 3])
        with connect("cars", endpoint_url=client.meta.endpoint_url) as driver:
            driver.execute_lambda(lambda txn: txn.execute_statement("INSERT INTO Car ?", {}))
        until(lambda: numbers_in(kinesis, "life"), [0, 1, 2, 3, 4])
        told = client.describe_journal_kinesis_stream(**place)["Stream"]
        arn = f"arn:aws:qldb:us-east-1:000000000000:stream/cars/{answer['StreamId']}"
        assert ("ACTIVE", arn, start) == (told["Status"], told["Arn"], told["InclusiveStartTime"])
        assert configuration == told["KinesisConfiguration"]
        assert {"ExclusiveEndTime", "ErrorCause"}.isdisjoint(told)
        assert {"a": "b"} == client.list_tags_for_resource(ResourceArn=arn)["Tags"]
        assert place["StreamId"] == client.cancel_journal_kinesis_stream(**place)["StreamId"]
        listed = client.list_journal_kinesis_streams_for_ledger(LedgerName="cars")["Streams"]
        assert [{**told, "Status": "CANCELED"}] == listed
        with pytest.raises(client.exceptions.ResourcePreconditionNotMetException):
            client.cancel_journal_kinesis_stream(**place)
    events = events_of(record["Data"] for record in read_stream(kinesis, "life"))
    assert {arn} == {event.stream_arn for event in events}


def test_an_end_completes_a_stream(desk: Desk, kinesis: Any) -> None:
    """Both control records are there, and it is COMPLETED."""
    make_stream(kinesis, "ended")
    body = body_of(stream="ended", ExclusiveEndTime=desk.clock() / 1000 + 0.001)
    job_id = begin(desk, body)
    desk.clock.now_ms += 10_000
    until(lambda: status_of(desk, job_id), "COMPLETED")
    assert body["ExclusiveEndTime"] == describe(desk, job_id)["ExclusiveEndTime"]
    events = events_of(record["Data"] for record in read_stream(kinesis, "ended"))
    assert ["CREATED", "COMPLETED"] == controls_of(events)
    assert [0, 1] == numbers_in(kinesis, "ended")


def test_a_restart_goes_on(aws: str, kinesis: Any, tmp_path: Path) -> None:
    """With an active stream, after what Kinesis has acknowledged; not with a cancelled one."""
    make_stream(kinesis, "on")
    make_stream(kinesis, "off")
    with serving(tmp_path, everywhere(aws)) as client:
        ids = {
            name: client.stream_journal_to_kinesis(
                LedgerName="cars", **body_of(name=name, stream=name)
            )["StreamId"]
            for name in ("on", "off")
        }
        until(lambda: numbers_in(kinesis, "on"), [0, 1, 2, 3])
        until(lambda: numbers_in(kinesis, "off"), [0, 1, 2, 3])
        client.cancel_journal_kinesis_stream(LedgerName="cars", StreamId=ids["off"])
    before = len(list(read_stream(kinesis, "on")))
    with Ledger.open(tmp_path / "cars.ledger") as ledger:
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement("INSERT INTO Car ?", {}))
    with serving(tmp_path, everywhere(aws)):
        until(lambda: numbers_in(kinesis, "on"), [0, 1, 2, 3, 4])
    assert before + 1 == len(list(read_stream(kinesis, "on")))
    assert [0, 1, 2, 3] == numbers_in(kinesis, "off")


def test_a_stream_that_is_no_longer_allowed_fails(aws: str, kinesis: Any, tmp_path: Path) -> None:
    """Its owner took the permission away before the restart."""
    make_stream(kinesis, "taken")
    with serving(tmp_path, everywhere(aws)) as client:
        place = client.stream_journal_to_kinesis(LedgerName="cars", **body_of(stream="taken"))
    with serving(tmp_path, Targets()) as client:

        def status() -> str:
            found = client.describe_journal_kinesis_stream(
                LedgerName="cars", StreamId=place["StreamId"]
            )
            return str(found["Stream"]["Status"])

        until(status, "FAILED")


# --- what goes wrong -------------------------------------------------------------------------


def test_what_is_missing_impairs_until_it_is_there(
    desk: Desk, kinesis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data stream that is not there is named; when it comes, the stream goes on."""
    monkeypatch.setattr("qldb_stream.server._streams.RETRY_S", 0.05)
    job_id = begin(desk, body_of(stream="later"))
    until(lambda: status_of(desk, job_id), "IMPAIRED")
    assert "KINESIS_STREAM_NOT_FOUND" == describe(desk, job_id)["ErrorCause"]
    make_stream(kinesis, "later")
    until(lambda: status_of(desk, job_id), "ACTIVE")
    assert "ErrorCause" not in describe(desk, job_id)
    until(lambda: numbers_in(kinesis, "later"), [0, 1])


def test_a_kinesis_that_cannot_be_reached_impairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: str
) -> None:
    """There is no cause that the service had a name for."""
    monkeypatch.setattr("qldb_stream.clients.kinesis._put.MAX_ATTEMPTS", 1)
    desk = Desk(tmp_path, targets=Targets(streams=KinesisStreams(NOWHERE)))
    desk.make_ledger()
    job_id = begin(desk, body_of())
    until(lambda: status_of(desk, job_id), "IMPAIRED")
    assert "ErrorCause" not in describe(desk, job_id)
    assert 200 == desk.call("DELETE", ONE, name="cars", id=job_id).status
    assert "CANCELED" == status_of(desk, job_id)
    desk.close()


def test_what_nobody_can_mend_fails(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A position that is not the stream's, for one; the log says what."""
    desk.ledgers.position_file(f"{101:022d}").write_text("strange")
    desk.ids.last = 99
    job_id = begin(desk, body_of(stream="any"))  # the request takes an id as well
    until(lambda: status_of(desk, job_id), "FAILED")
    assert "is not the state of a stream" in caplog.text


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (body_of(name="-x"), "StreamName"),
        (body_of(StreamName=None), "StreamName"),
        (body_of(InclusiveStartTime=2**31), "InclusiveStartTime"),
        (body_of(InclusiveStartTime=None), "InclusiveStartTime"),
        (body_of(ExclusiveEndTime=0), "InclusiveStartTime"),
        (body_of(ExclusiveEndTime="soon"), "ExclusiveEndTime"),
        (body_of(RoleArn=1), "RoleArn"),
        (body_of(KinesisConfiguration=None), "KinesisConfiguration"),
        (body_of(KinesisConfiguration={}), "StreamArn"),
        (body_of(KinesisConfiguration={"StreamArn": "arn:aws:s3:::a-bucket-of-mine"}), "StreamArn"),
        (body_of(stream="a/b"), "StreamArn"),
        (
            body_of(
                KinesisConfiguration={
                    "StreamArn": STREAM_ARN.format(name="x"),
                    "AggregationEnabled": "no",
                }
            ),
            "AggregationEnabled",
        ),
        (body_of(Tags=[]), "Tags"),
    ],
)
def test_a_wrong_parameter_is_named(desk: Desk, body: dict[str, Any], parameter: str) -> None:
    """Nothing is begun."""
    got = desk.call("POST", STREAMS, body, name="cars")
    assert (400, parameter) == (got.status, got.body["ParameterName"])
    assert {"Streams": []} == desk.call("GET", STREAMS, name="cars").body


def test_names_are_of_one_active_stream(desk: Desk) -> None:
    """Another may have it when the first is cancelled."""
    first = begin(desk, body_of())
    again = desk.call("POST", STREAMS, body_of(), name="cars")
    assert (400, "StreamName") == (again.status, again.body["ParameterName"])
    desk.call("DELETE", ONE, name="cars", id=first)
    assert first != begin(desk, body_of())


def test_a_ledger_has_five_at_once(desk: Desk) -> None:
    """A sixth is refused, until one is cancelled."""
    ids = [begin(desk, body_of(name=f"s{number}")) for number in range(5)]

    def sixth() -> Got:
        return desk.call("POST", STREAMS, body_of(name="s6"), name="cars")

    refused = sixth()
    assert ("LimitExceededException", "JournalKinesisStream") == (
        refused.error[0],
        refused.body["ResourceType"],
    )
    desk.call("DELETE", ONE, name="cars", id=ids[0])
    assert 200 == sixth().status


# --- what is kept ----------------------------------------------------------------------------


def test_ended_streams_are_told_for_seven_days(desk: Desk) -> None:
    """Then they are forgotten, with their tags and positions; active ones and their tags stay."""
    ids = [begin(desk, body_of(name=name, Tags={"a": "b"})) for name in ("one", "two")]
    desk.call("DELETE", ONE, name="cars", id=ids[0])
    until(desk.jobs.count, 1)  # whoever is at work would read the file
    desk.ledgers.position_file(ids[0]).touch()
    desk.clock.now_ms += KEPT_MS + 1
    assert 404 == desk.call("GET", ONE, name="cars", id=ids[0]).status
    assert 200 == desk.call("GET", ONE, name="cars", id=ids[1]).status
    arn = "arn:aws:qldb:us-east-1:000000000000:stream/cars/{}"
    assert 404 == desk.call("GET", TAGS, arn=arn.format(ids[0])).status
    assert {"a": "b"} == desk.call("GET", TAGS, arn=arn.format(ids[1])).body["Tags"]
    assert {} == desk.ledgers.metadata.tags(f"cars/{ids[0]}")
    assert not desk.ledgers.position_file(ids[0]).exists()


def test_deleting_a_ledger_ends_its_streams(desk: Desk, kinesis: Any, tmp_path: Path) -> None:
    """Nothing of them is left."""
    make_stream(kinesis, "deleted")
    begin(desk, body_of(stream="deleted", Tags={"a": "b"}))
    until(lambda: numbers_in(kinesis, "deleted"), [0, 1])
    desk.call("PATCH", "/ledgers/{name}", {"DeletionProtection": False}, name="cars")
    assert 200 == desk.call("DELETE", "/ledgers/{name}", name="cars").status
    assert 0 == desk.jobs.count()
    left = {file.name for file in tmp_path.iterdir()}
    assert {"qldb-stream-server.db"} == left - {"qldb-stream-server.db-journal"}
    desk.make_ledger()
    assert {"Streams": []} == desk.call("GET", STREAMS, name="cars").body


def test_a_killed_servers_stream_goes_on(desk: Desk, kinesis: Any) -> None:
    """From the position that it kept: what was acknowledged is not sent again."""
    make_stream(kinesis, "killed")
    arn = STREAM_ARN.format(name="killed")
    request = {
        "StreamName": "killed",
        "start_ms": 0,
        "end_ms": None,
        "RoleArn": ROLE,
        "KinesisConfiguration": {"StreamArn": arn, "AggregationEnabled": True},
    }
    job = Job("K" * 22, STREAM, "cars", desk.clock(), "ACTIVE", request)
    desk.ledgers.metadata.add_job(job)
    chosen = StreamChoice("killed", datetime(1970, 1, 1, tzinfo=UTC))
    plan = chosen.plan(desk.ledgers.open("cars").strand_id)
    StreamState(plan, job.id, created=True, next_block=1).save(desk.ledgers.position_file(job.id))
    desk.jobs.resume()
    until(lambda: len(list(read_stream(kinesis, "killed"))), 1)
    (record,) = read_stream(kinesis, "killed")
    events = events_of([record["Data"]])
    assert {1} == {event.address.sequence_no for event in events if hasattr(event, "address")}


def test_an_arn_that_is_none_is_refused(aws: str, tmp_path: Path) -> None:
    """The server asks first; whoever does not is told."""
    streams = KinesisStreams(aws)
    assert not streams.is_arn("arn:aws:kinesis:eu-west-1:1:stream/x")
    request = StreamRequest("S" * 22, "arn", moment(0), None, aggregated=True, position=tmp_path)
    with memory() as ledger, pytest.raises(UsageError, match="ARN"):
        streams.stream(ledger, request, environment(), lambda: True, lambda: None)
