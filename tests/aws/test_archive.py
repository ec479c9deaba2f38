"""The function that takes journals out of S3, against moto's S3 over real HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest

from qldb_stream.aws import archive
from qldb_stream.aws._deployment import forget_deployment
from qldb_stream.aws._object_events import read_messages, read_objects, read_prefix_run
from qldb_stream.errors import EmptyPrefixError, QldbStreamError, UndeliveredError, UsageError
from qldb_stream.inbox import open_inbox
from qldb_stream.report import Gap, Position, StrandDelivery, StrandState
from qldb_stream.testing import make_export, make_journal
from tests.aws.events import Context, metric_lines
from tests.sinks.webhook.server import SECRET, Said, run_receiver
from tests.system.functions import FunctionError
from tests.system.states import run_machine

STATES = Path(__file__).resolve().parents[2] / "infra" / "cdk" / "parts" / "restore_run.json"
JOURNAL = make_journal(21, blocks=12)
RECORDS = list(JOURNAL.iter_records())
THIRDS = [RECORDS[n::3] for n in range(3)]
Deploy = Callable[..., None]
_NUMBERS = iter(range(1_000_000))


@pytest.fixture
def bucket(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of moto's, where boto3 looks for S3."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    archive._buckets.clear()  # noqa: SLF001 - the container's client
    name = f"archive-{next(_NUMBERS)}"
    client = s3()
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield name
    archive._buckets.clear()  # noqa: SLF001 - the container's client


def s3() -> Any:
    """A client of S3."""
    return boto3.client("s3")


def put(bucket: str, key: str, data: bytes) -> None:
    """Put an object."""
    s3().put_object(Bucket=bucket, Key=key, Body=data)


def put_thirds(bucket: str) -> list[str]:
    """Put the journal as three objects, each with every third record, one of them gzipped."""
    keys = [f"2020/01/01/0{n}/cars-{n} a+b.gz" for n in range(3)]
    for n, key in enumerate(keys):
        data = b"".join(THIRDS[n])
        put(bucket, key, gzip.compress(data) if n else data)
    return keys


def s3_event(bucket: str, *keys: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """A notification of S3's own, keys as in a form."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": name,
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": quote_plus(key, safe="/"), "size": 1, "sequencer": "0"},
                },
            }
            for key in keys
        ]
    }


def event_bridge(bucket: str, key: str) -> dict[str, Any]:
    """The same as EventBridge tells it."""
    return {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key, "version-id": ""}},
    }


def sqs_event(*bodies: object) -> dict[str, Any]:
    """A batch of SQS with these bodies."""
    return {
        "Records": [
            {"messageId": f"m{n}", "eventSource": "aws:sqs", "body": json.dumps(body)}
            for n, body in enumerate(bodies)
        ]
    }


def test_objects_of_every_form_of_event(deploy: Deploy, bucket: str, tmp_path: Path) -> None:
    """Objects come by S3, EventBridge and SQS, in any order; the whole journal is delivered."""
    deploy(SINK=f"sqlite:{tmp_path / 'copy.db'}")
    keys = put_thirds(bucket)
    with metric_lines() as lines:
        last = archive.handler(s3_event(bucket, keys[2]), Context())
        archive.handler(event_bridge(bucket, keys[1]), Context())
        answer = archive.handler(
            sqs_event(s3_event(bucket, keys[0]), {"Service": "Amazon S3", "Event": "s3:TestEvent"}),
            Context(),
        )

    assert {"objects": 1, "missing": 0, "applied": 0} == last
    assert {"batchItemFailures": []} == answer
    assert 12 == sum(line["BlocksApplied"] for line in lines)
    assert [1, 1, 0] == [line["StrandsWaiting"] for line in lines]


def test_a_whole_prefix(deploy: Deploy, bucket: str) -> None:
    """Everything below a prefix is taken, hidden names apart, and foreign bytes are kept."""
    deploy(SINK="memory:")
    keys = put_thirds(bucket)
    put(bucket, "2020/.position.json", b"{}")
    put(bucket, "2020/01/", b"")
    put(bucket, "2020/02/foreign.bin", b"something else altogether")
    put(bucket, "2021/more", b"not below the prefix")
    with metric_lines() as lines:
        answer = archive.handler({"bucket": bucket, "prefix": "2020/"}, Context())

    assert answer["done"]
    assert answer["ok"]
    assert (4, 12, 0) == (answer["objects"], answer["applied"], answer["missing"])
    assert "2020/02/foreign.bin" > keys[-1]
    assert "2020/02/foreign.bin" == answer["after"]
    assert 1 == lines[0]["RecordsQuarantined"]
    assert json.dumps(answer)


@pytest.mark.parametrize("prefix", ["2020", "2021/", "/2020/"])
def test_a_prefix_without_objects(deploy: Deploy, bucket: str, prefix: str) -> None:
    """A run that would find nothing is an error that names the prefix; folder marks are nothing."""
    deploy(SINK="memory:")
    put(bucket, "2020/01/", b"")
    put(bucket, "2020/.position.json", b"{}")
    with metric_lines(), pytest.raises(EmptyPrefixError) as caught:
        archive.handler({"bucket": bucket, "prefix": prefix}, Context())

    assert EmptyPrefixError(bucket, prefix) == caught.value
    assert f"s3://{bucket}/{prefix}: expected objects" in str(caught.value)


def test_a_run_that_goes_on_may_find_nothing_more(deploy: Deploy, bucket: str) -> None:
    """A run that was told to begin behind a key is done where nothing comes behind it."""
    deploy(SINK="memory:")
    put_thirds(bucket)
    given = {"bucket": bucket, "prefix": "2020/"}
    with metric_lines():
        behind = archive.handler({**given, "after": "2020/02"}, Context())
        again = archive.handler(archive.handler(given, Context()), Context())

    assert (True, True, 0) == (behind["done"], behind["ok"], behind["objects"])
    assert (True, True, 3) == (again["done"], again["ok"], again["objects"])


def test_a_prefix_of_json_alone(deploy: Deploy, bucket: str) -> None:
    """What is left for the second round is there, though the first takes nothing."""
    deploy(SINK="memory:")
    for key, data in make_export(JOURNAL, "json", prefix="cars/").objects.items():
        if key.endswith(".json"):
            put(bucket, key, data)
    with metric_lines():
        answer = archive.handler({"bucket": bucket, "prefix": "cars/"}, Context())

    assert (True, 12) == (answer["done"], answer["applied"])


def test_the_deployed_machine_calls_once_for_a_prefix_without_objects(
    deploy: Deploy, bucket: str
) -> None:
    """It tries again what may pass, six times, and not what a misspelt prefix comes to."""
    deploy(SINK="memory:")
    put_thirds(bucket)
    calls: list[Any] = []

    def task(event: Any) -> Any:
        calls.append(event)
        try:
            return archive.handler(event, Context())
        except QldbStreamError as exc:
            raise FunctionError(f"{type(exc).__name__}: {exc}") from exc

    definition = json.loads(STATES.read_text(encoding="utf-8"))
    given = {"bucket": bucket, "prefix": "misspelt/"}
    with metric_lines(), pytest.raises(FunctionError, match="EmptyPrefixError"):
        run_machine(definition, task, given)
    assert [given] == calls
    with metric_lines(), pytest.raises(FunctionError, match="UsageError"):
        run_machine(definition, task, {"bucket": f"{bucket}-not"})
    assert 1 + 7 == len(calls)


def test_a_prefix_in_many_calls(
    deploy: Deploy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is cut, within objects too, goes on where it was until all is done."""
    deploy(SINK="memory:")
    put_thirds(bucket)
    monkeypatch.setattr(archive, "_BATCH_ITEMS", 5)
    over: Iterator[bool] = iter(())
    monkeypatch.setattr(archive._Taking, "is_over", property(lambda _self: next(over, True)))  # noqa: SLF001 - time
    answer: dict[str, Any] = {"bucket": bucket}
    calls, skipped = 0, 0
    while not answer.get("done"):
        over = iter((False, False))  # two looks at the time, then it is over
        answer = json.loads(json.dumps(archive.handler(answer, Context())))
        skipped += answer["skip"] > 0
        calls += 1

    assert (3, 12) == (answer["objects"], answer["applied"])
    assert calls > 3
    assert skipped


def test_a_run_without_time_goes_on_nevertheless(
    deploy: Deploy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call takes something, however short its time, so that a run has an end."""
    monkeypatch.setattr(archive, "_BATCH_ITEMS", 5)
    deploy(SINK="memory:")
    put_thirds(bucket)
    answer: dict[str, Any] = {"bucket": bucket, "prefix": "2020/"}
    places = set()
    with metric_lines():
        while answer.get("objects", 0) < 3:
            answer = archive.handler(answer, Context(0))
            place = (answer["after"], answer["skip"], answer["objects"])
            assert place not in places
            places.add(place)
        answer = archive.handler(answer, Context())

    assert (True, 12) == (answer["done"], answer["applied"])


def test_a_drain_that_is_cut_is_not_done(deploy: Deploy, bucket: str) -> None:
    """Without time to deliver a run is not done, though every object is taken."""
    deploy(SINK="memory:")
    put_thirds(bucket)
    with metric_lines():
        cut = archive.handler({"bucket": bucket}, Context(0))
        whole = archive.handler(cut, Context())

    assert (False, 1) == (cut["done"], cut["objects"])
    assert (True, 3, 12) == (whole["done"], whole["objects"], whole["applied"])


def test_a_run_whose_sink_is_away_is_tried_again(deploy: Deploy, bucket: str) -> None:
    """What may pass fails the call, and the machine repeats it; the rest is delivered then."""
    put_thirds(bucket)
    run = {"bucket": bucket, "prefix": "2020/"}
    with run_receiver() as receiver:
        url = f"webhook+http://127.0.0.1:{receiver.port}/cars"
        deploy(SINK=url, WEBHOOK_SECRET=SECRET, RETRIES="0")
        receiver.answers = [Said(503)] * 3
        with metric_lines(), pytest.raises(UndeliveredError, match="HTTP 503"):
            archive.handler(run, Context())
        with metric_lines():
            answer = archive.handler(run, Context())

        assert (True, True) == (answer["ok"], answer["done"])
        assert list(range(12)) == [body["data"]["sequenceNo"] for body in receiver.bodies("/cars")]


@pytest.mark.parametrize("status", [503, 422])
def test_an_object_that_is_not_delivered_comes_again(
    deploy: Deploy, bucket: str, status: int
) -> None:
    """Nothing else would wake what waits in the inbox, nor tell anybody that it does."""
    keys = put_thirds(bucket)
    event = sqs_event(*[s3_event(bucket, key) for key in keys])
    with run_receiver() as receiver:
        url = f"webhook+http://127.0.0.1:{receiver.port}/cars"
        deploy(SINK=url, WEBHOOK_SECRET=SECRET, RETRIES="0")
        receiver.answers = [Said(status)] * 99
        with metric_lines():
            answer = archive.handler(event, Context())
        assert "m2" in [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        with pytest.raises(UndeliveredError, match=f"HTTP {status}"):
            archive.handler(s3_event(bucket, keys[2]), Context())
        receiver.answers = []
        with metric_lines():
            assert {"batchItemFailures": []} == archive.handler(event, Context())

        assert 12 == len(receiver.bodies("/cars"))


def test_a_run_that_a_person_must_look_at_says_so(deploy: Deploy, bucket: str) -> None:
    """A strand that has stopped is told in the answer, which ends the run."""
    put_thirds(bucket)
    with run_receiver() as receiver:
        url = f"webhook+http://127.0.0.1:{receiver.port}/cars"
        deploy(SINK=url, WEBHOOK_SECRET=SECRET, RETRIES="0")
        receiver.answers = [Said(422)] * 99
        with metric_lines():
            answer = archive.handler({"bucket": bucket, "prefix": "2020/"}, Context())

    assert not answer["ok"]
    assert ["stopped"] == [strand["state"] for strand in answer["strands"]]


def test_an_answer_fits_into_a_state_machine() -> None:
    """However much was parked, and however many strands there are, it has less than 256 KB."""
    numbers = range(10**6, 10**6 + 50_000)
    gaps = tuple(Gap(n, n, "lost") for n in numbers[:5_000])
    position = Position("s" * 22, numbers[-1], bytes(32), frozenset(numbers), gaps)
    strand = StrandDelivery(
        "x" * 500,
        "s" * 22,
        StrandState.STOPPED,
        position=position,
        detail="y" * 5_000,
        not_atomic=tuple(numbers),
    )
    briefs = [archive._brief(strand)] * archive._MOST_STRANDS  # noqa: SLF001 - what an answer has

    assert len(json.dumps(briefs)) < 256 << 10
    assert 100 == len(briefs[0]["position"]["parked"])
    assert briefs[0]["position"]["parked_more"]
    assert briefs[0]["not_atomic_more"]


def test_objects_that_are_gone(
    deploy: Deploy, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object that is gone is counted and told, and is no failure."""
    deploy(SINK="memory:")
    answer = archive.handler(s3_event(bucket, "gone"), Context())

    assert {"objects": 0, "missing": 1, "applied": 0} == answer
    assert f"s3://{bucket}/gone" in capsys.readouterr().err


def test_messages_fail_one_by_one(deploy: Deploy, bucket: str) -> None:
    """Of a batch of SQS only the messages that failed come again."""
    deploy(SINK="memory:")
    (key, *_) = put_thirds(bucket)
    event = sqs_event(s3_event(bucket, key), {"neither": 1}, s3_event(f"{bucket}-not", key))

    answer = archive.handler(event, Context())
    assert ["m1", "m2"] == [each["itemIdentifier"] for each in answer["batchItemFailures"]]
    assert {"batchItemFailures": [{"itemIdentifier": "m0"}]} == archive.handler(
        sqs_event(s3_event(bucket, key)), Context(0)
    )


def test_no_time_for_an_object_is_an_error(deploy: Deploy, bucket: str) -> None:
    """An event for which there was no time comes again."""
    deploy(SINK="memory:")
    (key, *_) = put_thirds(bucket)

    with pytest.raises(UndeliveredError, match="time was over"):
        archive.handler(s3_event(bucket, key), Context(0))


def test_what_the_inbox_refuses_comes_again(deploy: Deploy, bucket: str) -> None:
    """An object of which a part is nowhere durable fails."""
    deploy(SINK="memory:", INBOX="memory:")
    keys = put_thirds(bucket)

    with pytest.raises(UndeliveredError):
        archive.handler(s3_event(bucket, keys[1]), Context())


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "no json",
        {"neither": 1},
        {"Records": [{"s3": {"bucket": {"name": ""}, "object": {"key": "k"}}}]},
        {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {}}}]},
        {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "k" * 1025}}}]},
        {"Records": [None]},
        {"Records": [{}] * 10_001},
        {"detail-type": "Object Created", "detail": "x"},
    ],
)
def test_other_events(event: Any) -> None:
    """Another event is refused with what was expected."""
    with pytest.raises(UsageError, match="expected"):
        read_objects(event)


def test_events_of_no_interest() -> None:
    """Removals and other news name no objects."""
    assert () == read_objects(s3_event("b", "k", name="ObjectRemoved:Delete"))
    assert () == read_objects({"detail-type": "Object Deleted", "detail": {}})
    assert () == read_objects({"Event": "s3:TestEvent"})
    assert None is read_messages({"Records": []})
    with pytest.raises(UsageError, match="messageId"):
        read_messages({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]})


@pytest.mark.parametrize(
    "event",
    [{"bucket": ""}, {"bucket": 1}, {"bucket": "b", "skip": -1}, {"bucket": "b", "skip": True}],
)
def test_wrong_runs(event: dict[str, Any]) -> None:
    """An order to take a prefix has its types."""
    with pytest.raises(UsageError, match="run over a prefix"):
        read_prefix_run(event)


def test_an_inbox_is_shared_with_the_stream(deploy: Deploy, bucket: str, tmp_path: Path) -> None:
    """What objects and a stream bring meets in one inbox."""
    from qldb_stream.aws import replay
    from tests.aws.events import kinesis_event

    deploy(SINK="memory:")
    keys = put_thirds(bucket)
    with metric_lines() as lines:
        archive.handler(s3_event(bucket, keys[0], keys[1]), Context())
        replay.handler(kinesis_event(THIRDS[2]), Context())
    forget_deployment()

    assert 12 == sum(line["BlocksApplied"] for line in lines)
    inbox = open_inbox(str(tmp_path / "test.inbox"))
    assert [0] == [strand.records for strand in inbox.status().strands]
    inbox.close()


def test_a_prefix_of_exports(deploy: Deploy, bucket: str, tmp_path: Path) -> None:
    """Objects of an export are delivered like any other; its manifests are passed over."""
    deploy(SINK=f"sqlite:{tmp_path / 'copy.db'}")
    blocks = list(JOURNAL)
    parts = [
        make_export(blocks[:8], "ion-binary", object_blocks=3, prefix="cars/a/"),
        make_export(blocks[6:], "ion-text", object_blocks=3, prefix="cars/b/", gzipped=True),
        make_export(blocks[4:], "json", object_blocks=3, prefix="cars/json/"),
    ]
    for part in parts:
        for key, data in part.objects.items():
            put(bucket, key, data)

    answer = archive.handler({"bucket": bucket, "prefix": "cars/"}, Context())
    again = archive.handler({"bucket": bucket, "prefix": "cars/"}, Context())

    assert (True, True, 12) == (answer["done"], answer["ok"], answer["applied"])
    assert (True, True, 0) == (again["done"], again["ok"], again["applied"])


def test_json_alone_stays_known_in_the_inbox(deploy: Deploy, bucket: str, tmp_path: Path) -> None:
    """What JSON lost is no failure, also where blocks wait as records before they are checked."""
    deploy(SINK=f"sqlite:{tmp_path / 'copy.db'}")
    made = make_export(JOURNAL, "json", object_blocks=4)
    keys = list(made.objects)
    for key in keys:
        put(bucket, key, made.objects[key])
    answers = [archive.handler(s3_event(bucket, key), Context()) for key in reversed(keys)]

    assert 12 == sum(answer["applied"] for answer in answers)
