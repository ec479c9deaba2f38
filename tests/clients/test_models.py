"""The service models: what is sent and how answers are read (facts 6 and 7)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from qldb_stream.clients import MODELS, boto3_session
from tests.clients.support import Wire, make_client

TOKEN = "c2Vzc2lvbi0x"
TX = "7mNoPqRsTuVwXyZaBcDeF4"
ID = "1xYzAbCdEfGhIjKlMnOpQ3"
ROLE = "arn:aws:iam::000000000000:role/r"
STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
LEDGER_ARN = "arn:aws:qldb:us-east-1:000000000000:ledger/cars"
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
NOON_S = 1714996800
ADDRESS = {"IonText": '{strandId:"BlFTjlSXze9BIh1KOszcE3",sequenceNo:14}'}

TIMING = {"TimingInformation": {"ProcessingTimeMilliseconds": 14}}
IOS = {"ConsumedIOs": {"ReadIOs": 3, "WriteIOs": 2}}


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def wire() -> Wire:
    """Where requests end."""
    return Wire()


def _send(wire: Wire, answer: dict[str, Any], **command: Any) -> tuple[Any, dict[str, Any]]:
    wire.answer(answer)
    given = make_client("qldb-session", wire).send_command(**command)
    given.pop("ResponseMetadata")
    return wire.requests[0], given


def test_the_session_service_is_called_as_its_protocol_says(wire: Wire) -> None:
    """A command is a POST to /, JSON 1.0 with its target, signed for qldb, one member."""
    answer = {"StartSession": {"SessionToken": TOKEN, **TIMING}}
    request, given = _send(wire, answer, StartSession={"LedgerName": "cars"})

    assert ("POST", "/") == (request.method, request.path)
    assert "QLDBSession.SendCommand" == request.headers["X-Amz-Target"]
    assert "application/x-amz-json-1.0" == request.headers["Content-Type"]
    assert "/eu-west-1/qldb/aws4_request" in request.headers["Authorization"]
    assert {"StartSession": {"LedgerName": "cars"}} == request.body
    assert answer == given


def test_a_statement_and_its_page(wire: Wire) -> None:
    """Parameters go out and rows come in as base64 blobs; a page has a token."""
    answer = {
        "ExecuteStatement": {
            "FirstPage": {"Values": [{"IonBinary": _encode(b"row")}], "NextPageToken": "page"},
            **TIMING,
            **IOS,
        }
    }
    statement = {"TransactionId": TX, "Statement": "SELECT 1"}
    request, given = _send(
        wire,
        answer,
        SessionToken=TOKEN,
        ExecuteStatement={**statement, "Parameters": [{"IonBinary": b"one"}]},
    )

    parameters = [{"IonBinary": _encode(b"one")}]
    assert {
        "SessionToken": TOKEN,
        "ExecuteStatement": {**statement, "Parameters": parameters},
    } == request.body
    page = {"Values": [{"IonBinary": b"row"}], "NextPageToken": "page"}
    assert {"FirstPage": page, **TIMING, **IOS} == given["ExecuteStatement"]


def test_a_commit_echoes_its_digest(wire: Wire) -> None:
    """The digest is a blob in both directions."""
    answer = {"CommitTransaction": {"TransactionId": TX, "CommitDigest": _encode(b"d" * 32)}}
    request, given = _send(
        wire,
        answer,
        SessionToken=TOKEN,
        CommitTransaction={"TransactionId": TX, "CommitDigest": b"d" * 32},
    )

    assert answer | {"SessionToken": TOKEN} == request.body
    assert b"d" * 32 == given["CommitTransaction"]["CommitDigest"]


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("StartTransaction", {"TransactionId": TX, **TIMING}),
        ("AbortTransaction", TIMING),
        ("EndSession", TIMING),
    ],
)
def test_commands_without_members(wire: Wire, command: str, result: dict[str, Any]) -> None:
    """Three commands are empty structures, and are still sent."""
    request, given = _send(wire, {command: result}, SessionToken=TOKEN, **{command: {}})

    assert {"SessionToken": TOKEN, command: {}} == request.body
    assert {command: result} == given


def test_the_next_page(wire: Wire) -> None:
    """The last page has no token; it may be empty."""
    answer = {"FetchPage": {"Page": {"Values": []}, **TIMING, **IOS}}
    command = {"TransactionId": TX, "NextPageToken": "page"}
    request, given = _send(wire, answer, SessionToken=TOKEN, FetchPage=command)

    assert {"SessionToken": TOKEN, "FetchPage": command} == request.body
    assert answer == given


@pytest.mark.parametrize(
    ("name", "status", "members"),
    [
        ("BadRequestException", 400, {"Code": "412"}),
        ("InvalidSessionException", 400, {"Code": "Expired"}),
        ("OccConflictException", 400, {}),
        ("RateExceededException", 400, {}),
        ("LimitExceededException", 400, {}),
        ("CapacityExceededException", 503, {}),
    ],
)
def test_errors_of_the_session_service(
    wire: Wire, name: str, status: int, members: dict[str, str]
) -> None:
    """Each modelled error arrives as its own class, with message and HTTP status."""
    said = {"__type": name, "Message": "why", **members}
    wire.answer(said, status, x_amzn_ErrorType=name)
    client = make_client("qldb-session", wire)
    with pytest.raises(getattr(client.exceptions, name)) as caught:
        client.send_command(StartSession={"LedgerName": "cars"})
    response = caught.value.response

    assert (name, "why") == (response["Error"]["Code"], response["Error"]["Message"])
    assert status == response["ResponseMetadata"]["HTTPStatusCode"]


# --- the control plane --------------------------------------------------------------------

LEDGER = {
    "Name": "cars",
    "Arn": LEDGER_ARN,
    "State": "ACTIVE",
    "CreationDateTime": NOON,
    "DeletionProtection": True,
}
EXPORT = {
    "LedgerName": "cars",
    "ExportId": ID,
    "ExportCreationTime": NOON,
    "Status": "COMPLETED",
    "InclusiveStartTime": NOON,
    "ExclusiveEndTime": NOON,
    "S3ExportConfiguration": {
        "Bucket": "bucket",
        "Prefix": "p/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
    },
    "RoleArn": ROLE,
    "OutputFormat": "ION_BINARY",
}
STREAM = {
    "LedgerName": "cars",
    "CreationTime": NOON,
    "InclusiveStartTime": NOON,
    "RoleArn": ROLE,
    "StreamId": ID,
    "Arn": LEDGER_ARN,
    "Status": "ACTIVE",
    "KinesisConfiguration": {"StreamArn": STREAM_ARN, "AggregationEnabled": False},
    "StreamName": "s",
}
KEY = {"KmsKeyArn": LEDGER_ARN, "EncryptionStatus": "ENABLED"}
PERMISSIONS = {"PermissionsMode": "STANDARD"}
PROVEN = {"Proof": {"IonText": "[]"}}
DIGEST = {"Digest": b"d" * 32, "DigestTipAddress": ADDRESS}
PAGE = {"NextToken": "page"}

# operation, parameters in the address, other parameters, method, address, answer
OPERATIONS: list[tuple[str, dict[str, Any], dict[str, Any], str, str, dict[str, Any]]] = [
    (
        "create_ledger",
        {},
        {"Name": "cars", "Tags": {"a": "b"}, "DeletionProtection": False, **PERMISSIONS},
        "POST",
        "/ledgers",
        LEDGER | PERMISSIONS | {"KmsKeyArn": LEDGER_ARN},
    ),
    (
        "describe_ledger",
        {"Name": "cars"},
        {},
        "GET",
        "/ledgers/cars",
        LEDGER | PERMISSIONS | {"EncryptionDescription": KEY},
    ),
    (
        "list_ledgers",
        {"MaxResults": 2, "NextToken": "page"},
        {},
        "GET",
        "/ledgers?max_results=2&next_token=page",
        {"Ledgers": [{"Name": "cars", "State": "ACTIVE", "CreationDateTime": NOON}], **PAGE},
    ),
    (
        "update_ledger",
        {"Name": "cars"},
        {"DeletionProtection": False, "KmsKey": "AWS_OWNED_KMS_KEY"},
        "PATCH",
        "/ledgers/cars",
        LEDGER | {"EncryptionDescription": KEY},
    ),
    (
        "update_ledger_permissions_mode",
        {"Name": "cars"},
        PERMISSIONS,
        "PATCH",
        "/ledgers/cars/permissions-mode",
        {"Name": "cars", "Arn": LEDGER_ARN, **PERMISSIONS},
    ),
    ("delete_ledger", {"Name": "cars"}, {}, "DELETE", "/ledgers/cars", {}),
    ("get_digest", {"Name": "cars"}, {}, "POST", "/ledgers/cars/digest", DIGEST),
    (
        "get_block",
        {"Name": "cars"},
        {"BlockAddress": ADDRESS, "DigestTipAddress": ADDRESS},
        "POST",
        "/ledgers/cars/block",
        {"Block": {"IonText": "{}"}, **PROVEN},
    ),
    (
        "get_revision",
        {"Name": "cars"},
        {"BlockAddress": ADDRESS, "DocumentId": ID, "DigestTipAddress": ADDRESS},
        "POST",
        "/ledgers/cars/revision",
        {"Revision": {"IonText": "{}"}, **PROVEN},
    ),
    (
        "export_journal_to_s3",
        {"Name": "cars"},
        {
            "InclusiveStartTime": NOON,
            "ExclusiveEndTime": NOON,
            "S3ExportConfiguration": EXPORT["S3ExportConfiguration"],
            "RoleArn": ROLE,
            "OutputFormat": "JSON",
        },
        "POST",
        "/ledgers/cars/journal-s3-exports",
        {"ExportId": ID},
    ),
    (
        "describe_journal_s3_export",
        {"Name": "cars", "ExportId": ID},
        {},
        "GET",
        f"/ledgers/cars/journal-s3-exports/{ID}",
        {"ExportDescription": EXPORT},
    ),
    (
        "list_journal_s3_exports_for_ledger",
        {"Name": "cars"},
        {},
        "GET",
        "/ledgers/cars/journal-s3-exports",
        {"JournalS3Exports": [EXPORT], **PAGE},
    ),
    (
        "list_journal_s3_exports",
        {"MaxResults": 7},
        {},
        "GET",
        "/journal-s3-exports?max_results=7",
        {"JournalS3Exports": [EXPORT]},
    ),
    (
        "stream_journal_to_kinesis",
        {"LedgerName": "cars"},
        {
            "StreamName": "s",
            "RoleArn": ROLE,
            "InclusiveStartTime": NOON,
            "KinesisConfiguration": {"StreamArn": STREAM_ARN, "AggregationEnabled": True},
            "Tags": {"a": "b"},
        },
        "POST",
        "/ledgers/cars/journal-kinesis-streams",
        {"StreamId": ID},
    ),
    (
        "describe_journal_kinesis_stream",
        {"LedgerName": "cars", "StreamId": ID},
        {},
        "GET",
        f"/ledgers/cars/journal-kinesis-streams/{ID}",
        {"Stream": STREAM},
    ),
    (
        "cancel_journal_kinesis_stream",
        {"LedgerName": "cars", "StreamId": ID},
        {},
        "DELETE",
        f"/ledgers/cars/journal-kinesis-streams/{ID}",
        {"StreamId": ID},
    ),
    (
        "list_journal_kinesis_streams_for_ledger",
        {"LedgerName": "cars", "MaxResults": 1},
        {},
        "GET",
        "/ledgers/cars/journal-kinesis-streams?max_results=1",
        {"Streams": [STREAM], **PAGE},
    ),
    (
        "tag_resource",
        {"ResourceArn": LEDGER_ARN},
        {"Tags": {"a": "b"}},
        "POST",
        "/tags/arn%3Aaws%3Aqldb%3Aus-east-1%3A000000000000%3Aledger%2Fcars",
        {},
    ),
    (
        "untag_resource",
        {"ResourceArn": LEDGER_ARN, "TagKeys": ["a", "b"]},
        {},
        "DELETE",
        "/tags/arn%3Aaws%3Aqldb%3Aus-east-1%3A000000000000%3Aledger%2Fcars?tagKeys=a&tagKeys=b",
        {},
    ),
    (
        "list_tags_for_resource",
        {"ResourceArn": LEDGER_ARN},
        {},
        "GET",
        "/tags/arn%3Aaws%3Aqldb%3Aus-east-1%3A000000000000%3Aledger%2Fcars",
        {"Tags": {"a": "b"}},
    ),
]


def _as_json(value: Any) -> Any:
    """Write a value as the service does: times in seconds, blobs in base64."""
    if isinstance(value, dict):
        return {name: _as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_json(element) for element in value]
    if isinstance(value, bytes):
        return _encode(value)
    return NOON_S if value is NOON else value


@pytest.mark.parametrize(
    ("operation", "in_address", "in_body", "method", "address", "answer"),
    OPERATIONS,
    ids=[row[0] for row in OPERATIONS],
)
def test_operations(
    wire: Wire,
    operation: str,
    in_address: dict[str, Any],
    in_body: dict[str, Any],
    method: str,
    address: str,
    answer: dict[str, Any],
) -> None:
    """Each operation is sent to its address with its members, and its answer is read."""
    wire.answer(_as_json(answer))
    given = getattr(make_client("qldb", wire), operation)(**in_address, **in_body)
    given.pop("ResponseMetadata")
    request = wire.requests[0]

    assert (method, address) == (request.method, request.path)
    assert _as_json(in_body) == (request.body or {})
    assert answer == given


def test_the_table_has_every_operation() -> None:
    """The table above leaves out no operation of facts 7."""
    operations = make_client("qldb", Wire()).meta.service_model.operation_names

    assert 20 == len(operations) == len({row[0] for row in OPERATIONS})


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("InvalidParameterException", 400),
        ("LimitExceededException", 400),
        ("ResourceNotFoundException", 404),
        ("ResourceAlreadyExistsException", 409),
        ("ResourceInUseException", 409),
        ("ResourcePreconditionNotMetException", 412),
    ],
)
def test_errors_of_the_control_plane(wire: Wire, name: str, status: int) -> None:
    """Each modelled error arrives as its own class, with the status that the model says."""
    wire.answer({"Message": "why", "ResourceType": "Ledger"}, status, x_amzn_ErrorType=name)
    client = make_client("qldb", wire)
    with pytest.raises(getattr(client.exceptions, name), match="why"):
        client.delete_ledger(Name="cars")

    shape = client.meta.service_model.shape_for(name)
    assert status == shape.metadata["error"]["httpStatusCode"]


@pytest.mark.parametrize(
    ("operation", "members", "key"),
    [
        ("list_ledgers", {}, "Ledgers"),
        ("list_journal_s3_exports", {}, "JournalS3Exports"),
        ("list_journal_s3_exports_for_ledger", {"Name": "cars"}, "JournalS3Exports"),
        ("list_journal_kinesis_streams_for_ledger", {"LedgerName": "cars"}, "Streams"),
    ],
)
def test_lists_have_paginators(
    wire: Wire, operation: str, members: dict[str, str], key: str
) -> None:
    """A paginator follows the token to the last page."""
    wire.answer({key: [], "NextToken": "page"})
    wire.answer({key: []})
    pages = list(make_client("qldb", wire).get_paginator(operation).paginate(**members))

    assert 2 == len(pages)
    assert [False, True] == ["next_token=page" in request.path for request in wire.requests]


def test_an_unmodelled_failure_is_a_client_error(wire: Wire) -> None:
    """What no model names still arrives as botocore's own error."""
    wire.answer({"__type": "InternalFailure"}, 500)
    with pytest.raises(ClientError, match="InternalFailure"):
        make_client("qldb-session", wire).send_command(StartSession={"LedgerName": "cars"})


def test_the_models_are_beside_botocores_own() -> None:
    """Our folder is searched last, once, and the services of botocore stay."""
    session = boto3_session(region_name="us-east-1")
    again = boto3_session(session._session)  # noqa: SLF001 - boto3 has no way to ask for it
    paths = again._session.get_component("data_loader").search_paths  # noqa: SLF001 - as above

    assert 1 == paths.count(str(MODELS))
    assert {"kinesis", "qldb", "qldb-session"} <= set(again.get_available_services())


def test_sessions_share_what_was_read_of_data_files() -> None:
    """A second session reads nothing anew, and adds no path a second time."""
    loaders = [
        boto3_session(region_name="eu-west-1")._session.get_component("data_loader")  # noqa: SLF001 - not told otherwise
        for _ in range(2)
    ]
    assert loaders[0] is loaders[1]
    assert 1 == loaders[0].search_paths.count(str(MODELS))
    assert len(set(loaders[0].search_paths)) == len(loaders[0].search_paths)
