"""The stream's stack, property by property."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk.assertions import Match, Template

from infra.tests.conftest import resources


def test_stream(stream: Template, templates: dict[str, dict[str, Any]]) -> None:
    """It is on-demand, encrypted with a customer's key, and keeps records for a week."""
    stream.has_resource_properties(
        "AWS::Kinesis::Stream",
        {
            "StreamModeDetails": {"StreamMode": "ON_DEMAND"},
            "StreamEncryption": {"EncryptionType": "KMS", "KeyId": Match.any_value()},
            "RetentionPeriodHours": 168,
            "ShardCount": Match.absent(),
        },
    )
    Template.from_json(templates["other-stream"]).has_resource_properties(
        "AWS::Kinesis::Stream",
        {"ShardCount": 4, "StreamModeDetails": {"StreamMode": "PROVISIONED"}},
    )


def test_keys_rotate_and_have_aliases(
    stream: Template, templates: dict[str, dict[str, Any]]
) -> None:
    """Every key rotates; aliases are the stack's, or those that were given."""
    stream.all_resources_properties("AWS::KMS::Key", {"EnableKeyRotation": True})
    aliases = {
        name: {
            each["Properties"]["AliasName"]
            for each in resources(templates[name], "AWS::KMS::Alias").values()
        }
        for name in ("qldb-stream-stream", "other-stream")
    }

    assert {
        "alias/qldb-stream-stream-kds",
        "alias/qldb-stream-stream-s3",
        "alias/qldb-stream-stream-inbox",
    } == aliases["qldb-stream-stream"]
    assert {"alias/of-mine/kds", "alias/of-mine/s3"} <= aliases["other-stream"]


def test_the_stream_of_qldb(stream: Template) -> None:
    """With qldb=true the ledger is streamed from 2020-01-01, aggregated, by its own role."""
    stream.has_resource_properties(
        "AWS::QLDB::Stream",
        {
            "LedgerName": "vehicle-registration",
            "InclusiveStartTime": "2020-01-01T00:00:00Z",
            "KinesisConfiguration": {
                "AggregationEnabled": True,
                "StreamArn": {"Fn::GetAtt": [Match.string_like_regexp("^Journal"), "Arn"]},
            },
            "RoleArn": {"Fn::GetAtt": [Match.string_like_regexp("^QldbRole"), "Arn"]},
        },
    )


def test_the_archive_bucket(stream: Template) -> None:
    """It is versioned, locked, encrypted, private, grows cheaper, and is kept."""
    stream.has_resource(
        "AWS::S3::Bucket",
        {
            "DeletionPolicy": "Retain",
            "Properties": {
                "VersioningConfiguration": {"Status": "Enabled"},
                "ObjectLockEnabled": True,
                "ObjectLockConfiguration": {
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Days": 30, "Mode": "GOVERNANCE"}},
                },
                "LifecycleConfiguration": {
                    "Rules": [
                        Match.object_like(
                            {
                                "Status": "Enabled",
                                "Transitions": [
                                    {"StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 30}
                                ],
                                "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
                            }
                        )
                    ]
                },
            },
        },
    )


def test_every_bucket(templates: dict[str, dict[str, Any]]) -> None:
    """Every bucket blocks the public, encrypts, and refuses what comes without TLS 1.2."""
    buckets = 0
    for template in templates.values():
        policies = [
            json.dumps(each["Properties"])
            for each in resources(template, "AWS::S3::BucketPolicy").values()
        ]
        for name, bucket in resources(template, "AWS::S3::Bucket").items():
            properties = bucket["Properties"]
            mine = [each for each in policies if f'{{"Bucket": {{"Ref": "{name}"}}' in each]
            buckets += 1
            assert {True} == set(properties["PublicAccessBlockConfiguration"].values())
            assert 4 == len(properties["PublicAccessBlockConfiguration"])
            assert (
                "ServerSideEncryptionConfiguration" in json.dumps(properties)
                or properties["BucketEncryption"]
            )
            (policy,) = mine
            assert '"aws:SecureTransport": "false"' in policy
            assert '"s3:TlsVersion": 1.2' in policy

    assert 4 + 3 + 4 + 2 + 4 == buckets


def test_firehose(stream: Template) -> None:
    """It reads the stream and writes the bucket encrypted, and puts nothing between records."""
    stream.has_resource_properties(
        "AWS::KinesisFirehose::DeliveryStream",
        {
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": {
                "KinesisStreamARN": {"Fn::GetAtt": [Match.any_value(), "Arn"]},
            },
            "ExtendedS3DestinationConfiguration": {
                "CompressionFormat": "GZIP",
                "EncryptionConfiguration": {
                    "KMSEncryptionConfig": {"AWSKMSKeyARN": Match.any_value()}
                },
                "Prefix": Match.string_like_regexp("^journal/"),
                "ErrorOutputPrefix": Match.string_like_regexp("^failed/!{firehose:error-output"),
                "CloudWatchLoggingOptions": {"Enabled": True},
                "ProcessingConfiguration": Match.absent(),
                "DataFormatConversionConfiguration": Match.absent(),
            },
        },
    )
    assert "AppendDelimiterToRecord" not in json.dumps(stream.to_json())


def test_the_mapping(stream: Template) -> None:
    """The function is fed from the oldest record, in windows, bisected, record by record."""
    stream.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 1000,
            "MaximumBatchingWindowInSeconds": 2,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "MaximumRetryAttempts": -1,
            # An hour less than the stream keeps a record: the records themselves are kept.
            "MaximumRecordAgeInSeconds": 167 * 3600,
            "DestinationConfig": {
                "OnFailure": {
                    "Destination": {
                        "Fn::GetAtt": [Match.string_like_regexp("^ReplayFailures"), "Arn"]
                    }
                }
            },
        },
    )


def test_the_drain(stream: Template) -> None:
    """Once a minute a function delivers what no record would wake."""
    stream.has_resource_properties(
        "AWS::Events::Rule",
        {
            "ScheduleExpression": "rate(1 minute)",
            "Targets": [
                Match.object_like({"RetryPolicy": {"MaximumRetryAttempts": 0}}),
            ],
        },
    )
    stream.has_resource_properties(
        "AWS::Lambda::Function",
        {"Handler": "qldb_stream.aws.replay.drain", "TracingConfig": {"Mode": "Active"}},
    )


def test_environment(stream: Template, templates: dict[str, dict[str, Any]]) -> None:
    """Functions know sink, inbox and keys by names alone: no secret is in a template."""
    stream.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "qldb_stream.aws.replay.handler",
            "Environment": {
                "Variables": {
                    "AWS_CA_BUNDLE": "/opt/ca-bundle.pem",
                    "QLDB_STREAM_SINK": "qldb:vehicle-registration-copy"
                    "?endpoint=https://ledger.example.org",
                    "QLDB_STREAM_LEDGER_SECRET": Match.any_value(),
                    "QLDB_STREAM_INBOX": Match.any_value(),
                    "QLDB_STREAM_START": "0",
                    "QLDB_STREAM_ON_REFUSAL": "halt",
                    "QLDB_STREAM_LOG_LEVEL": "info",
                }
            },
            "VpcConfig": Match.any_value(),
        },
    )
    Template.from_json(templates["plain-stream"]).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "qldb_stream.aws.replay.handler",
            "Environment": {
                "Variables": {
                    "QLDB_STREAM_SINK": "jsonl:/tmp/journal",
                    "QLDB_STREAM_LEDGER_SECRET": Match.absent(),
                }
            },
            "VpcConfig": Match.absent(),
        },
    )


def test_inbox(stream: Template) -> None:
    """The inbox is a table on demand with two keys, a customer's key and a TTL, and no backup."""
    stream.has_resource(
        "AWS::DynamoDB::Table",
        {
            "DeletionPolicy": "Retain",
            "Properties": {
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "BillingMode": "PAY_PER_REQUEST",
                "DeletionProtectionEnabled": True,
                "PointInTimeRecoverySpecification": Match.absent(),
                "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS"},
                "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            },
        },
    )


def test_what_is_erased_stays_nowhere(templates: dict[str, dict[str, Any]]) -> None:
    """Buckets that content only passes through keep no old versions."""
    buckets = resources(templates["qldb-stream-stream"], "AWS::S3::Bucket")
    passing = {name: each for name, each in buckets.items() if name.startswith(("Inbox", "Replay"))}

    assert 2 == len(passing)
    assert [] == [n for n, e in passing.items() if "VersioningConfiguration" in e["Properties"]]


def test_tables(stream: Template, templates: dict[str, dict[str, Any]]) -> None:
    """The tables of the sample are made by default, in the destination, by the provider."""
    stream.has_resource_properties(
        "Custom::LedgerTables",
        {
            "LedgerName": "vehicle-registration-copy",
            "TableNames": ["VehicleRegistration", "Vehicle", "Person", "DriversLicense"],
            "Endpoint": "https://ledger.example.org",
        },
    )
    assert {} == resources(templates["plain-stream"], "Custom::LedgerTables")


def test_alarms(stream: Template) -> None:
    """Age, errors, stopped strands, gaps and parked blocks raise alarms, to a topic, and back."""
    alarms = stream.find_resources("AWS::CloudWatch::Alarm")
    names = {each["Properties"]["AlarmName"] for each in alarms.values()}
    shown = stream.find_resources("AWS::CloudWatch::Dashboard")

    assert {
        f"qldb-stream-stream-{name}"
        for name in (
            "archive-late",
            "errors",
            "gap",
            "iterator-age",
            "parked",
            "sink-away",
            "stopped",
        )
    } == names
    for each in alarms.values():
        assert each["Properties"]["AlarmActions"] == each["Properties"]["OKActions"]
        assert "docs/aws-operations.md" in each["Properties"]["AlarmDescription"]
    assert 1 == len(shown)
    stream.has_resource_properties("AWS::SNS::Topic", {"KmsMasterKeyId": Match.any_value()})
    stream.has_resource_properties("AWS::SNS::Subscription", {"Protocol": "email"})


def test_metrics_are_the_handlers(stream: Template) -> None:
    """What the handlers write is what the alarms read: name, namespace and dimension."""
    for name in ("StrandsStopped", "StrandsWaiting", "BlocksParkedNow", "StrandsFailed"):
        stream.has_resource_properties(
            "AWS::CloudWatch::Alarm",
            {
                "MetricName": name,
                "Namespace": "qldb-stream",
                "Dimensions": [{"Name": "FunctionName", "Value": Match.any_value()}],
                "TreatMissingData": "notBreaching",
            },
        )


def test_logs_end(stream: Template) -> None:
    """Logs are kept for three months, not for ever."""
    stream.all_resources_properties("AWS::Logs::LogGroup", {"RetentionInDays": 90})
