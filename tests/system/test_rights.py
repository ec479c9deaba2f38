"""
What the functions call on AWS is what they may call: recorded, call by call, in a whole run.

The rights are those of the table in infra/tests/rights.py, to which the tests beside it hold the
synthesized templates. So nothing is missing, and nothing is granted that no call needs, but for
what `NOT_CALLED` gives the reason of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import attrs
import boto3
import pytest

from infra.tests.rights import RIGHTS
from qldb_stream.ledger import Ledger
from tests.system.firehose import deliver_to_s3, event_of
from tests.system.functions import Deployment
from tests.system.worlds import ARCHIVE, DRAIN, REPLAY, World

MakeWorld: TypeAlias = Callable[..., World]
Call: TypeAlias = Mapping[str, Any]

TABLES = "qldb_stream.aws.tables.handler"
TABLE = "Letter"
RETIRED = ("other-stream",)  # deploys AWS's own ledgers, which nobody can call any more

# Granted, and called by nobody's code here; the documentation of AWS is why.
NOT_CALLED = {
    "the runtime of Lambda writes logs and traces": {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    },
    "Lambda connects a function with a VPC": {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    },
    "Lambda's poller reads the stream and keeps what failed, with the function's role": {
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    },
    "Lambda's poller reads the queue of events, with the function's role": {
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
    },
    "DynamoDB, S3, SQS and Secrets Manager use the customer's key for the caller": {
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    },
    "S3 says that an object is gone to those alone who may list": {"s3:ListBucket"},
}
PARTS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}


def rights_of(call: Call) -> set[str]:
    """Give the rights that a call needs (Service Authorization Reference)."""
    service, operation, on = call["service"], call["operation"], call["on"]
    if operation == "TransactWriteItems":
        return {PARTS[kind] for kind, _ in call["parts"]}
    if service != "s3":
        return {f"{service}:{operation}"}
    versioned = "Version" if "VersionId" in on else ""
    names = {"ListObjectsV2": "ListBucket", "ListObjectVersions": "ListBucketVersions"}
    return {f"s3:{names.get(operation, operation + versioned)}"}


@attrs.define
class Recorder:
    """Deploys functions whose calls are written down, by handler."""

    world: World
    folder: Path
    variables: Mapping[str, str]
    base: Deployment = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.base = self.world.base

    def deploy(self, handler: str, variables: Mapping[str, str]) -> Any:
        """Deploy a handler with variables of its own besides those that all have."""
        self.world.base = attrs.evolve(self.base, calls=self.folder / f"{handler}.calls")
        return self.world.deploy(handler, {**self.variables, **variables})

    def rights(self, handler: str) -> set[str]:
        """Give the rights that the calls of a handler so far have needed."""
        return set().union(*map(rights_of, _calls(self.folder / f"{handler}.calls")))

    def resources(self) -> set[tuple[str, str]]:
        """Give what was called upon by anybody, objects by the bucket and the first folder."""
        found: set[tuple[str, str]] = set()
        for path in self.folder.glob("*.calls"):
            for call in _calls(path):
                found |= set(_resources(call))
        return found

    def expected_resources(self) -> set[tuple[str, str]]:
        """Give what the policies name: the table, two buckets, of one a prefix, and the secret."""
        name = self.world.name
        return {
            ("dynamodb", name),
            ("s3", f"{name}-spill/spill"),
            ("s3", f"{name}/journal"),
            ("s3", f"{name}/"),
            ("secretsmanager", self.variables["QLDB_STREAM_LEDGER_SECRET"]),
        }


def _calls(path: Path) -> list[Call]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _resources(call: Call) -> Iterator[tuple[str, str]]:
    """Give what a call is about."""
    service, on = call["service"], call["on"]
    if service == "s3":
        key = on.get("Key", on.get("Prefix", ""))
        yield service, f"{on['Bucket']}/{key.partition('/')[0]}"
    for name in ("TableName", "SecretId"):
        if name in on:
            yield service, on[name]
    for _, table in call.get("parts", ()):
        yield service, table


@pytest.fixture
def run(
    make_world: MakeWorld, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> Recorder:
    """A world with a secret, and a bucket for what is too long for a table."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws)
    world = make_world(vehicles=4)
    region = {"LocationConstraint": "eu-west-1"}
    spill = f"{world.name}-spill"
    world.clients["s3"].create_bucket(Bucket=spill, CreateBucketConfiguration=region)
    secrets = boto3.client("secretsmanager", endpoint_url=aws)
    keys = json.dumps({"access_key_id": "local", "secret_access_key": "local"})
    secret = secrets.create_secret(Name=f"keys-{tmp_path.name}", SecretString=keys)["ARN"]
    variables = {
        "QLDB_STREAM_LEDGER_SECRET": secret,
        "QLDB_STREAM_INBOX": f"dynamodb:{world.name}?bucket={spill}&prefix=spill/",
        "QLDB_STREAM_START": "0",
    }
    return Recorder(world, tmp_path, variables)


def test_every_call_has_its_right_and_every_right_its_call(run: Recorder) -> None:
    """What handlers call, from a stream to redactions, parked blocks and an archive, is granted."""
    make_tables(run)
    replay(run)
    restore(run)

    called = {handler: run.rights(handler) for handler in (TABLES, REPLAY, DRAIN, ARCHIVE)}
    granted = {handler: granted_to(handler) for handler in called}
    # One delivery works in three functions, so what one of them was seen to call is used in all.
    used = set().union(*called.values(), *NOT_CALLED.values())
    for handler, rights in granted.items():
        assert (handler, set(), set()) == (handler, called[handler] - rights, rights - used)
    assert run.expected_resources() == run.resources()


def granted_to(handler: str) -> set[str]:
    """Give what a function may call in any of the deployments that need nothing retired."""
    name = handler.removeprefix("qldb_stream.aws.")
    of_all = [
        rights for (stack, of), rights in RIGHTS.items() if of == name and "other" not in stack
    ]
    assert of_all
    return set().union(*of_all)


def make_tables(run: Recorder) -> None:
    """Let the custom resource make a table, which has a document when the replay comes to it."""
    properties = {"LedgerName": "copy", "TableNames": [TABLE], "Endpoint": run.world.server.url}
    event = {"RequestType": "Create", "ResourceProperties": properties}
    assert run.deploy(TABLES, {}).invoke(event)["Data"]["Created"] == TABLE
    with run.world.copy() as copy:
        execute(copy, f"INSERT INTO {TABLE} ?", {"text": "there before"})


def replay(run: Recorder) -> None:
    """
    Deliver a story with redactions, and blocks that are parked and too long for an item.

    The destination is down at first, so that records wait; the table that the source makes has a
    document there, so that the block is refused, and all that follow it in this table.
    """
    world = run.world
    world.tell()
    redact_an_owner(world.source)
    execute(world.source, f"CREATE TABLE {TABLE}")
    world.source.driver().execute_lambda(write_long)
    world.stream()
    variables = {"QLDB_STREAM_SINK": world.sink_url, "QLDB_STREAM_ON_REFUSAL": "park"}
    mapping = world.map(run.deploy(REPLAY, variables))
    with world.destination_down():
        world.run(mapping)
    run.deploy(DRAIN, variables).invoke({"source": "aws.events"})
    assert [] == mapping.failures


def execute(ledger: Ledger, text: str, *parameters: object) -> list[Any]:
    """Execute one statement in a transaction of its own."""
    return ledger.driver().execute_lambda(
        lambda txn: list(txn.execute_statement(text, *parameters))
    )


def write_long(transaction: Any) -> None:
    """Let a block's summary have half a megabyte, in statements that do not compress."""
    for number in range(6):
        text = Random(number).randbytes(45_000).hex()
        list(transaction.execute_statement(f"SELECT * FROM {TABLE} WHERE text = '{text}'"))
    transaction.execute_statement(f"INSERT INTO {TABLE} ?", {"text": "kept"})


def redact_an_owner(ledger: Ledger) -> None:
    """Write a person anew, and have the old revision redacted."""
    (person, *_) = execute(ledger, "SELECT blockAddress, metadata FROM _ql_committed_Person")
    document_id = person["metadata"]["id"]
    execute(ledger, "UPDATE Person AS p BY id SET p.FirstName = 'N.' WHERE id = ?", document_id)
    (table_id,) = execute(
        ledger, "SELECT VALUE tableId FROM information_schema.user_tables WHERE name = 'Person'"
    )
    place = (person["blockAddress"], table_id, document_id)
    execute(ledger, "EXEC REDACT_REVISION ?, ?, ?", *place)


def restore(run: Recorder) -> None:
    """Let the archive's function mirror what Firehose wrote: one version of an object, then all."""
    world = run.world
    s3 = world.clients["s3"]
    s3.put_bucket_versioning(Bucket=world.name, VersioningConfiguration={"Status": "Enabled"})
    keys = deliver_to_s3(world.clients["kinesis"], s3, world.name, world.name)
    event = event_of(world.name, keys[0])
    version = s3.head_object(Bucket=world.name, Key=keys[0])["VersionId"]
    event["Records"][0]["s3"]["object"]["versionId"] = version
    path = run.folder / "third.ledger"
    third = {"QLDB_STREAM_SINK": f"ledger:{path}", "QLDB_STREAM_MODE": "mirror"}
    function = run.deploy(ARCHIVE, third)
    function.invoke(event)
    assert function.invoke({"bucket": world.name, "prefix": ""})["done"]
    function.close()
    with Ledger.open(path, read_only=True) as restored:
        assert world.source.digest().digest == restored.digest().digest
