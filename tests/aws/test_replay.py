"""The functions of `qldb_stream.aws.replay`, with an inbox in a file and sinks in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from qldb_stream.aws import replay
from qldb_stream.aws._deployment import deployment, forget_deployment
from qldb_stream.errors import UsageError
from qldb_stream.inbox import open_inbox
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.record import parse_record
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.server import Server
from qldb_stream.testing import make_journal
from tests.aws.events import Context, failures, kinesis_event, metric_lines

JOURNAL = make_journal(21, blocks=12)
RECORDS = list(JOURNAL.iter_records())
TIP = 11
Deploy = Callable[..., None]


def test_a_stream_is_replayed(deploy: Deploy, tmp_path: Path) -> None:
    """Batches in any order, each twice, end in a ledger equal to the source."""
    deploy(SINK=f"ledger:{tmp_path / 'copy.ledger'}?ids=any")
    batches = [kinesis_event(RECORDS[n : n + 7], n) for n in range(0, len(RECORDS), 7)]
    with metric_lines() as lines:
        answers = [replay.handler(event, Context()) for event in (batches + batches)[::-1]]

    assert [failures({}, None)] * len(answers) == answers
    assert 12 == sum(line["BlocksApplied"] for line in lines)
    assert 2 * len(RECORDS) == sum(line["Records"] for line in lines)
    assert 0 == lines[-1]["StrandsWaiting"]
    forget_deployment()
    with Ledger.open(tmp_path / "copy.ledger") as copy:
        assert compare_ledgers(iter(JOURNAL), copy).ok


def test_the_container_keeps_what_it_made(deploy: Deploy, tmp_path: Path) -> None:
    """One container makes inbox and pipeline once; another environment makes them anew."""
    deploy(SINK="memory:")
    first = deployment()

    assert first is deployment()
    deploy(SINK=f"jsonl:{tmp_path / 'a.jsonl'}")
    assert first is not deployment()


def test_foreign_bytes_are_kept(deploy: Deploy, tmp_path: Path) -> None:
    """A record of foreign bytes is acknowledged and kept; the rest flows."""
    deploy(SINK="memory:")
    with metric_lines() as lines:
        answer = replay.handler(kinesis_event([b"foreign", *RECORDS]), Context())

    assert failures({}, None) == answer
    assert (1, 12) == (lines[0]["RecordsQuarantined"], lines[0]["BlocksApplied"])
    inbox = open_inbox(str(tmp_path / "test.inbox"))
    assert [b"foreign"] == [found.item.data for found in inbox.quarantined()]
    inbox.close()


def test_a_damaged_record_stops_its_strand(deploy: Deploy) -> None:
    """A damaged copy stops the strand and is named; a good copy lets it go on."""
    deploy(SINK="memory:")
    spoilt = [_spoil(record, 5) for record in RECORDS]
    with metric_lines() as lines:
        answer = replay.handler(kinesis_event(spoilt), Context())
        replay.handler(kinesis_event(RECORDS), Context())

    assert failures({}, None) == answer
    (strand,) = lines[0]["strands"]
    assert (5, 1) == (lines[0]["BlocksApplied"], lines[0]["StrandsStopped"])
    assert ("stopped", 5) == (strand["state"], strand["waits_for"])
    assert (7, 0) == (lines[1]["BlocksApplied"], lines[1]["StrandsStopped"])


def _spoil(record: bytes, number: int) -> bytes:
    """Flip a bit of the document in a block's first revision."""
    event = parse_record(record)
    address = getattr(event, "address", None)
    revision = getattr(event, "revision", None)
    if address is None or address.sequence_no != number or revision is None:
        return record
    data = revision.data_ion
    at = record.index(data.buf[data.start : data.end]) + (data.end - data.start) - 1
    return record[:at] + bytes([record[at] ^ 1]) + record[at + 1 :]


def test_what_is_nowhere_durable_comes_again(deploy: Deploy) -> None:
    """With an inbox in memory only whole, applied blocks are acknowledged."""
    deploy(SINK="memory:", INBOX="memory:")
    event = kinesis_event(RECORDS[:-1])
    last = parse_record(RECORDS[-1])
    first_of_last = next(
        n for n, record in enumerate(RECORDS) if _number(record) == _number(RECORDS[-1])
    )

    assert last is not None
    assert failures(event, first_of_last) == replay.handler(event, Context())


def _number(record: bytes) -> int | None:
    address = getattr(parse_record(record), "address", None)
    return None if address is None else address.sequence_no


def test_no_time_is_no_loss(deploy: Deploy) -> None:
    """Without time nothing is delivered, all is acknowledged, and a drain delivers it."""
    deploy(SINK="memory:")
    with metric_lines() as lines:
        answer = replay.handler(kinesis_event(RECORDS), Context(0))
        drained = replay.drain({"source": "aws.events"}, Context())

    assert failures({}, None) == answer
    assert (0, 12) == (lines[0]["BlocksApplied"], lines[1]["BlocksApplied"])
    assert (True, 12, 0) == (drained["ok"], drained["applied"], lines[1]["BlocksParkedNow"])
    assert json.dumps(drained)


def test_parked_blocks_are_counted(deploy: Deploy, tmp_path: Path) -> None:
    """A block that the sink refuses is parked, and the drain counts it."""
    deploy(SINK=f"ledger:{tmp_path / 'copy.ledger'}", ON_REFUSAL="park", START="6")
    with metric_lines() as lines:
        replay.handler(kinesis_event(RECORDS), Context())
        replay.drain(None, Context())

    assert lines[0]["BlocksParked"] == lines[1]["BlocksParkedNow"] > 0


def test_tables_are_filtered(deploy: Deploy, tmp_path: Path) -> None:
    """The table filter of the environment holds."""
    table = next(r.table.table_name for b in JOURNAL for r in b.revisions if r.table is not None)
    deploy(SINK=f"ledger:{tmp_path / 'copy.ledger'}?ids=any", TABLES=table)
    replay.handler(kinesis_event(RECORDS), Context())

    forget_deployment()
    with Ledger.open(tmp_path / "copy.ledger") as copy:
        names = set(copy.driver().list_tables())
    assert {table} == {name for name in names if not name.startswith("qldb_stream_")}


def test_metrics_have_cloudwatchs_form(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line declares its metrics, with the function's name as dimension."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "replay-cars")
    deploy(SINK="memory:", LOG_LEVEL="off")
    with metric_lines() as lines:
        replay.handler(kinesis_event(RECORDS), Context())

    (line,) = lines
    (declared,) = line["_aws"]["CloudWatchMetrics"]
    assert ("qldb-stream", [["FunctionName"]]) == (declared["Namespace"], declared["Dimensions"])
    assert "replay-cars" == line["FunctionName"]
    assert all(isinstance(line[metric["Name"]], int | float) for metric in declared["Metrics"])
    assert line["LagSeconds"] >= 0


def test_a_wrong_environment_says_so(deploy: Deploy) -> None:
    """A wrong environment fails the invocation with what is wrong, before anything is read."""
    deploy(SINK="memory:", MODE="fast")

    with pytest.raises(UsageError, match="QLDB_STREAM_MODE"):
        replay.handler({}, Context())


def test_a_sink_that_is_away(deploy: Deploy, tmp_path: Path) -> None:
    """While the sink is away records are acknowledged; it is named, and gets them later."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    with Server(folder) as server:
        port = int(server.url.rpartition(":")[2])
    deploy(SINK=f"qldb:copy?endpoint=http://127.0.0.1:{port}&ids=any", RETRIES="0")
    with metric_lines() as lines:
        answer = replay.handler(kinesis_event(RECORDS), Context())
        Ledger.open(folder / "copy.ledger", name="copy").close()
        with Server(folder, port=port):
            replay.drain(None, Context())
            forget_deployment()

    assert failures({}, None) == answer
    assert (1, 0) == (lines[0]["StrandsFailed"], lines[0]["BlocksApplied"])
    assert (12, 0) == (lines[1]["BlocksApplied"], lines[1]["StrandsFailed"])


def test_a_secret_holds_the_sink(
    deploy: Deploy, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink's URL comes out of a secret, once for a container."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    client: Any = boto3.client("secretsmanager")
    secret = client.create_secret(Name="sink", SecretString=f"sqlite:{tmp_path / 'copy.db'}")
    deploy(SINK_SECRET=secret["ARN"])
    try:
        with metric_lines() as lines:
            replay.handler(kinesis_event(RECORDS), Context())
    finally:
        client.delete_secret(SecretId="sink", ForceDeleteWithoutRecovery=True)

    assert 12 == lines[0]["BlocksApplied"]
    assert (tmp_path / "copy.db").is_file()


def test_credentials_that_failed_are_read_again(
    deploy: Deploy, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sink with a secret failed the next event reads it anew; it is the same sink then."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    client: Any = boto3.client("secretsmanager")
    away = f"qldb:copy?endpoint=http://127.0.0.1:{_closed_port(tmp_path)}"
    client.create_secret(Name="rotated", SecretString=away)
    deploy(SINK_SECRET="rotated", RETRIES="0", MODE="replay")
    try:
        with metric_lines() as lines:
            replay.handler(kinesis_event(RECORDS), Context())
            client.put_secret_value(SecretId="rotated", SecretString=f"sqlite:{tmp_path}/copy.db")
            replay.drain(None, Context())
    finally:
        client.delete_secret(SecretId="rotated", ForceDeleteWithoutRecovery=True)

    assert [1, 0] == [line["StrandsFailed"] for line in lines]
    assert [0, 12] == [line["BlocksApplied"] for line in lines]
    assert "127.0.0.1" not in "".join(strand["sink"] for strand in lines[0]["strands"])
    with closing(open_inbox(str(tmp_path / "test.inbox"))) as inbox:
        assert ("secret:rotated",) == inbox.status().sinks


def _closed_port(tmp_path: Path) -> str:
    """A port at which nobody listens any more."""
    folder = tmp_path / "closed"
    folder.mkdir()
    with Server(folder) as server:
        return server.url.rpartition(":")[2]


def test_pipelines_that_make_no_sense_leave_no_inbox_open(deploy: Deploy, tmp_path: Path) -> None:
    """What only the pipeline finds out is an error too, and the inbox can be opened again."""
    gap = '[{"strand_id": "s", "first": 5, "last": 3, "reason": "backwards"}]'
    deploy(SINK="memory:", ACCEPT_GAPS=gap)
    with pytest.raises(UsageError):
        replay.handler(kinesis_event(RECORDS), Context())
    deploy(SINK="memory:", ACCEPT_GAPS="[]")

    assert failures({}, None) == replay.handler(kinesis_event(RECORDS), Context())
    assert (tmp_path / "test.inbox").is_file()
