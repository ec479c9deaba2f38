"""The restore stack: an archive, new or somebody's, into Aurora, a ledger server or any sink."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk.assertions import Match, Template

from infra.tests.conftest import resources

_ADDRESS = ":5433/journal?sslmode=verify-full&sslrootcert=/opt/ca-bundle.pem"


def test_aurora(restore: Template) -> None:
    """It is Serverless v2, encrypted, protected, TLS only, with a password that RDS keeps."""
    restore.has_resource(
        "AWS::RDS::DBCluster",
        {
            "DeletionPolicy": "Snapshot",
            "Properties": {
                "Engine": "aurora-postgresql",
                "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8},
                "StorageEncrypted": True,
                "KmsKeyId": Match.any_value(),
                "DeletionProtection": True,
                "ManageMasterUserPassword": True,
                "MasterUserPassword": Match.absent(),
                "BackupRetentionPeriod": 14,
            },
        },
    )
    restore.all_resources_properties(
        "AWS::RDS::DBInstance",
        {"DBInstanceClass": "db.serverless", "PubliclyAccessible": False},
    )
    restore.has_resource_properties(
        "AWS::RDS::DBClusterParameterGroup", {"Parameters": {"rds.force_ssl": "1"}}
    )
    restore.resource_count_is("AWS::EC2::InternetGateway", 0)


def test_the_function_reaches_aurora(restore: Template) -> None:
    """The function knows where, and by which secret; the certificates come in a layer."""
    restore.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "qldb_stream.aws.archive.handler",
            "Timeout": 900,
            "Layers": [Match.any_value()],
            "VpcConfig": Match.any_value(),
            "Environment": {
                "Variables": {
                    "QLDB_STREAM_SINK_SECRET": {
                        "Fn::GetAtt": ["Cluster", "MasterUserSecret.SecretArn"]
                    },
                    "QLDB_STREAM_SINK": {
                        "Fn::Join": [
                            "",
                            Match.array_with(
                                [":5433/journal?sslmode=verify-full&sslrootcert=/opt/ca-bundle.pem"]
                            ),
                        ]
                    },
                }
            },
        },
    )


def test_arrivals(restore: Template) -> None:
    """New objects are told by EventBridge, queued, tried five times and then put aside."""
    restore.has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [Match.any_value()]}},
            }
        },
    )
    restore.has_resource_properties(
        "AWS::SQS::Queue",
        {
            "RedrivePolicy": {"maxReceiveCount": 5, "deadLetterTargetArn": Match.any_value()},
            "VisibilityTimeout": 5400,
            "KmsMasterKeyId": Match.any_value(),
        },
    )
    restore.has_resource_properties(
        "AWS::Lambda::EventSourceMapping",
        {
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": 2},
        },
    )
    restore.has_resource_properties(
        "AWS::S3::Bucket",
        {"NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}},
    )


def test_a_whole_prefix(restore: Template) -> None:
    """
    A state machine calls the function with its own answer until that says it is done.

    What fails is tried again, but for a prefix below which there is nothing.
    """
    (machine,) = restore.find_resources("AWS::StepFunctions::StateMachine").values()
    states = machine["Properties"]["Definition"]["States"]

    assert "Deliver" == states["Look"]["Default"]
    assert [("$.ok", "Stopped"), ("$.done", "Done")] == [
        (each["Variable"], each["Next"]) for each in states["Look"]["Choices"]
    ]
    assert [(["EmptyPrefixError"], 0), (["States.ALL"], 6)] == [
        (rule["ErrorEquals"], rule["MaxAttempts"]) for rule in states["Deliver"]["Retry"]
    ]
    assert machine["Properties"]["TracingConfiguration"]["Enabled"]


def test_an_archive_that_exists(templates: dict[str, dict[str, Any]]) -> None:
    """Somebody's bucket is read below its prefix, with its key, and is not changed."""
    template = templates["other-restore"]
    text = json.dumps(template)

    assert {"SpillBucket", "AccessLogs"} >= {
        "AccessLogs" if name.startswith("AccessLogs") else "SpillBucket"
        for name in resources(template, "AWS::S3::Bucket")
    }
    assert ":s3:::an-archive/journal/*" in text
    assert "s3:PutBucketNotification" not in text
    Template.from_json(template).has_resource_properties(
        "AWS::Events::Rule",
        {
            "EventPattern": {
                "detail": {
                    "bucket": {"name": ["an-archive"]},
                    "object": {"key": [{"prefix": "journal/"}]},
                }
            }
        },
    )


def test_into_the_ledger_server(templates: dict[str, dict[str, Any]]) -> None:
    """With restore=server the function delivers to the server's ledger, in its network."""
    Template.from_json(templates["other-restore"]).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {
                "Variables": {
                    "QLDB_STREAM_SINK": "qldb:vehicle-registration-copy"
                    "?endpoint=https://ledger.example.org"
                }
            },
            "VpcConfig": Match.any_value(),
        },
    )
