from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import attrs
import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from qldb_stream.errors import (
    QldbStreamError,
    SinkRefusedError,
    SinkUnavailableError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.events._aws import translated
from qldb_stream.sinks.events._channels import Bus, NotTaken
from qldb_stream.sinks.events._envelope import Event
from qldb_stream.sinks.events._settings import Settings
from qldb_stream.sinks.events._sink import EventsSink
from qldb_stream.testing import Story
from qldb_stream.testing.journals import JournalShape, make_journal
from tests.sinks.events.channels import FIFO, arn_of, fresh_name, make_queue, receive

BLOCKS = list(make_journal(3, blocks=20, shape=JournalShape(redactions=0.3, deletes=0.2)))
REVISIONS = [r for block in BLOCKS for r in block.revisions if r.metadata is not None]


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, block.address.sequence_no, block.block_hash)


def check_events(found: Sequence[Any]) -> None:
    """Hold events against the journal: each revision once, as CloudEvents 1.0 has it."""
    assert {"1.0"} == {event["specversion"] for event in found}
    by_id = {event["id"]: event for event in found}
    assert len(found) == len(by_id)
    for revision in REVISIONS:
        event = by_id[revision.hash.hex()]
        assert revision.metadata is not None
        assert (f"qldb.revision.{revision.kind.value}", "qldb-stream", revision.metadata.id) == (
            event["type"],
            event["source"],
            event["subject"],
        )
        assert revision.metadata.version == event["data"]["version"]
        assert (revision.data_ion is None) == (event["data"]["data"] is None)
        assert event["time"].endswith("Z")
    others = [event for event in found if event["type"] == "qldb.redaction"]
    asked = [b.summary.redaction_info for b in BLOCKS if b.summary.redaction_info is not None]
    assert len(others) == sum(len(info.revisions) for info in asked)


def test_sqs() -> None:
    """A queue has each event once, those of a document in order; a repeat falls out."""
    name = f"{fresh_name()}.fifo"
    queue = make_queue(name, **FIFO)
    for target in (name, queue):
        report = Pipeline(f"events:sqs/{target}", batch_blocks=7).run(BLOCKS)
        assert report.ok
    found = receive(queue)
    check_events(found)
    order: dict[str, list[int]] = {}
    for event in found:
        if event["type"].startswith("qldb.revision"):
            order.setdefault(event["partitionkey"], []).append(event["data"]["version"])
    assert [sorted(versions) for versions in order.values()] == list(order.values())
    redactions = [b.address for b in BLOCKS if b.summary.redaction_info is not None]
    assert [(a.strand_id, a.sequence_no) for a in redactions] == list(report.redactions_pending)


def test_sns() -> None:
    """Subscribers of a topic have each event, FIFO or not."""
    for suffix, attributes in ((".fifo", {"FifoTopic": "true"}), ("", {})):
        sns = boto3.client("sns")
        arn = sns.create_topic(Name=f"{fresh_name()}{suffix}", Attributes=attributes)["TopicArn"]
        queue = make_queue(f"{fresh_name()}{suffix}", **(FIFO if suffix else {}))
        sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=arn_of(queue),
            Attributes={"RawMessageDelivery": "true"},
        )
        assert Pipeline(f"events:sns/{arn}").run(BLOCKS).ok
        check_events(receive(queue))


def test_eventbridge() -> None:
    """A rule of a bus finds each event by source and type."""
    client, bus = boto3.client("events"), fresh_name()
    client.create_event_bus(Name=bus)
    queue = make_queue(fresh_name())
    pattern = {"source": ["qldb-stream"], "detail-type": [{"prefix": "qldb."}]}
    client.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps(pattern))
    client.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn_of(queue)}])
    assert Pipeline(f"events:eventbridge/{bus}").run(BLOCKS).ok
    found = receive(queue)
    assert {event["detail-type"] for event in found} == {e["detail"]["type"] for e in found}
    check_events([event["detail"] for event in found])


def test_large_documents() -> None:
    """They are refused, or wait in a bucket until a redaction takes them away."""
    story = Story(2)
    story.create_table("Vehicle")
    document_id = story.insert("Vehicle", {"text": "x" * 9000})
    story.update(document_id, {"text": "y" * 9000})
    story.redact(document_id, 0)
    blocks = story.blocks()
    queue = make_queue(f"{fresh_name()}.fifo", **FIFO)
    url = f"events:sqs/{queue}?max_bytes=4096"
    with pytest.raises(SinkRefusedError, match="is too large; see the option claims") as caught:
        Pipeline(url).run(blocks)
    assert 1 == caught.value.sequence_no

    bucket, s3 = fresh_name(), boto3.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    sink = open_sink(f"{url}&claims=s3://{bucket}/cars/")
    sink.apply(blocks[:3], position_at(blocks[2]), 0)
    keys = [f"cars/{document_id}/{version}.json" for version in (0, 1)]
    texts = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    assert [{"text": "x" * 9000}, {"text": "y" * 9000}] == [json.loads(text) for text in texts]
    told = receive(queue)
    assert [f"s3://{bucket}/{key}" for key in keys] == [event["dataref"] for event in told]
    assert not any("data" in event["data"] for event in told)
    sink.apply(blocks, position_at(blocks[-1]), 0)  # the redacted one comes again before
    sink.close()
    assert keys[1:] == [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]]


def test_a_redaction_takes_all_versions_of_a_large_document() -> None:
    """In a bucket that keeps versions, a document that came twice is gone too, and no other."""
    story = Story(2)
    story.create_table("Vehicle")
    document_id = story.insert("Vehicle", {"text": "x" * 9000})
    story.update(document_id, {"text": "y" * 9000})
    story.redact(document_id, 0)
    blocks = story.blocks()
    queue, bucket, s3 = make_queue(f"{fresh_name()}.fifo", **FIFO), fresh_name(), boto3.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    sink = open_sink(f"events:sqs/{queue}?max_bytes=4096&claims=s3://{bucket}/cars/")
    for _ in range(2):
        sink.apply(blocks[:3], position_at(blocks[2]), 0)
    sink.apply(blocks[3:], position_at(blocks[-1]), 0)
    sink.close()

    found = s3.list_object_versions(Bucket=bucket)
    assert [f"cars/{document_id}/1.json"] * 2 == [v["Key"] for v in found["Versions"]]
    assert [] == found.get("DeleteMarkers", [])


# --- batches that are taken in part ----------------------------------------------------------


@attrs.define
class Picky:
    """A channel that says of each batch what it does not take."""

    answers: list[list[NotTaken] | QldbStreamError] = attrs.field(factory=list)
    batches: list[list[Event]] = attrs.field(factory=list)
    is_ordered: bool = True

    def size(self, event: Event) -> int:
        """Give the body's bytes."""
        return event.size

    def send(self, events: Sequence[Event]) -> list[NotTaken]:
        """Take note of a batch."""
        self.batches.append(list(events))
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, QldbStreamError):
            raise answer
        return answer


def make_sink(channel: Picky, slept: list[float] | None = None) -> EventsSink:
    """Open a sink of such a channel."""
    sleep = (slept if slept is not None else []).append
    return EventsSink(Settings("sqs", "x.fifo"), channel, sleep)


def story_of(*documents: str) -> list[Block]:
    """Give a block for each document's name: the first is an insert, the next are updates."""
    story = Story(1)
    story.create_table("T")
    ids: dict[str, str] = {}
    for name in documents:
        if name in ids:
            story.update(ids[name], {"name": name})
        else:
            ids[name] = story.insert("T", {"name": name})
    return story.blocks()[1:]


def test_batches_have_ten_events_and_a_document_once() -> None:
    """Where order counts; where it does not, a document may come twice."""
    blocks = story_of(*"abcab", *"defghijklmno")
    ordered, loose = Picky(), Picky(is_ordered=False)
    for channel in (ordered, loose):
        make_sink(channel).apply(blocks, position_at(blocks[-1]), 0)
    assert [3, 10, 4] == [len(batch) for batch in ordered.batches]
    assert [10, 7] == [len(batch) for batch in loose.batches]


def test_what_was_not_taken_is_sent_again_first() -> None:
    """After growing waits, and before anything that comes later."""
    blocks = story_of(*"abca")
    throttled = NotTaken(1, "ThrottlingException", may_pass=True)
    channel, slept = Picky([[throttled], [attrs.evolve(throttled, index=0)]]), list[float]()
    make_sink(channel, slept).apply(blocks, position_at(blocks[-1]), 0)
    keys = [[e.id for e in batch] for batch in channel.batches]
    hashes = [block.revisions[0].hash.hex() for block in blocks]
    assert [hashes[:3], hashes[1:2], hashes[1:2], hashes[3:]] == keys
    assert [0.1, 0.2] == slept


def test_after_some_tries_it_ends() -> None:
    """Blocks before it are applied; the next call tells."""
    blocks = story_of(*"abca")
    never = [NotTaken(0, "InternalFailure", may_pass=True)]
    channel = Picky([[], *[never] * 10])
    sink = make_sink(channel)
    assert position_at(blocks[2]) == sink.apply(blocks, position_at(blocks[-1]), 0)
    assert 3 == sink.summary().documents
    with pytest.raises(SinkUnavailableError, match="1 events are not taken: InternalFailure"):
        sink.apply(blocks[3:], position_at(blocks[-1]), 0)


@pytest.mark.parametrize(
    ("code", "expected"),
    [("InvalidMessageContents", SinkRefusedError), ("KmsAccessDenied", UsageError)],
)
def test_what_is_never_taken(code: str, expected: type[Exception]) -> None:
    """An event is refused by its block's number; denied access stops everything."""
    blocks = story_of(*"ab")
    channel = Picky([[NotTaken(0, code, may_pass=False)]])
    with pytest.raises(expected, match=code):
        make_sink(channel).apply(blocks, position_at(blocks[-1]), 0)


def test_a_block_that_is_refused_ends_the_run_before_it() -> None:
    """Nothing of it is sent."""
    channel = Picky()
    sink = EventsSink(Settings("sqs", "x.fifo", max_bytes=900), channel)
    story = Story(4)
    story.create_table("T")
    story.insert("T", {"a": 1})
    story.insert("T", {"a": "x" * 1000})
    told = story.blocks()
    assert position_at(told[1]) == sink.apply(told, position_at(told[2]), 0)
    assert 1 == sum(map(len, channel.batches))
    with pytest.raises(SinkRefusedError):
        sink.apply(told[2:], position_at(told[2]), 0)


def test_eventbridge_answers_entry_by_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes stand in the order of entries; another number of them is no answer."""
    bus = Bus(Settings("eventbridge", "default"))
    answers: list[Any] = [
        {"Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]},
        {"Entries": [{"ErrorCode": "MalformedDetail"}, {"EventId": "2"}]},
        {"Entries": []},
    ]
    client = attrs.make_class("Client", ["put_events"])(lambda **_: answers.pop(0))
    monkeypatch.setattr(bus, "_client", client)
    events = [Event("1", "qldb.x", "g", "{}"), Event("2", "qldb.x", "g", "{}")]
    assert [NotTaken(1, "ThrottlingException", may_pass=True)] == bus.send(events)
    assert [NotTaken(0, "MalformedDetail", may_pass=False)] == bus.send(events)
    with pytest.raises(UsageError, match="another number of events"):
        bus.send(events)


# --- errors and settings --------------------------------------------------------------------


def client_error(code: str, status: int = 400) -> ClientError:
    """Make what botocore raises."""
    said = {"Code": code, "Message": "Value '[Entry(detail={\"a\": \"secret\"})]' at 'entries'"}
    answer = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "SendMessageBatch")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("ThrottlingException"), SinkUnavailableError),
        (client_error("OddFailure", 500), SinkUnavailableError),
        (client_error("AccessDenied", 403), UsageError),
        (client_error("QueueDoesNotExist"), UsageError),
        (EndpointConnectionError(endpoint_url="x"), SinkUnavailableError),
        (ReadTimeoutError(endpoint_url="x"), SinkUnavailableError),
        (NoCredentialsError(), UsageError),
    ],
)
def test_errors_of_aws(error: Exception, expected: type[Exception]) -> None:
    """What may pass is tried again, what somebody has to put right is not; nothing is quoted."""
    with pytest.raises(expected) as info, translated("events:"):
        raise error
    assert "secret" not in str(info.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("events:", "write events:eventbridge/BUS"),
        ("events:mqtt/x", "write events:eventbridge/BUS"),
        ("events:sqs/", "write events:eventbridge/BUS"),
        ("events:sqs/x", "is no FIFO queue"),
        ("events:sns/x", "is no ARN of a topic"),
        ("events:eventbridge/x?source=aws.s3", "source has 1 to 256 characters"),
        ("events:eventbridge/x?max_bytes=1", "max_bytes is a number from 4096"),
        ("events:eventbridge/x?max_bytes=x", "max_bytes is a number from 4096"),
        ("events:eventbridge/x?claims=bucket", "claims is s3://BUCKET/PREFIX"),
        ("events:sqs/nobody-made-this.fifo", "check that it is there"),
    ],
)
def test_what_makes_no_sense_is_told(url: str, problem: str) -> None:
    """When the sink is opened."""
    with pytest.raises(UsageError, match=problem):
        open_sink(url)


def test_without_boto3_or_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named, and so is what is missing."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="no client of events can be made"):
        open_sink("events:eventbridge/x")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UsageError, match=r"qldb-stream\[aws\]"):
        open_sink("events:eventbridge/x")
