"""
What the code calls, and so what it may call: the table that every policy here is made from.

Each row names the calls of one part of qldb_stream. A call that the code does not make has no
place here; the project's end-to-end run records the calls and compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from aws_cdk import Stack, aws_iam as iam

# The inbox on DynamoDB: qldb_stream.inbox.dynamodb. A transaction needs the rights of its parts.
# BatchWriteItem is for `qldb-stream forget` alone, which a person runs.
INBOX_TABLE: Final = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
# Its items beyond DynamoDB's 400 KB. An object is deleted by its version, which is `null` here.
INBOX_SPILL: Final = ("s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject")
# ListBucket makes S3 say that an object is gone, where it would only say "denied".
INBOX_BUCKET: Final = ("s3:ListBucket", "s3:ListBucketVersions")
# What DynamoDB asks of a caller whose table has a customer's key.
TABLE_KEY: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
READ_KEY: Final = ("kms:Decrypt",)
WRITE_KEY: Final = ("kms:Decrypt", "kms:GenerateDataKey")
# A destination that is AWS's own ledger, through pyqldb: a session, and the statements of a replay.
LEDGER: Final = ("qldb:SendCommand",)
LEDGER_TABLES: Final = (
    "qldb:PartiQLCreateIndex",
    "qldb:PartiQLCreateTable",
    "qldb:PartiQLDelete",
    "qldb:PartiQLDropIndex",
    "qldb:PartiQLDropTable",
    "qldb:PartiQLHistoryFunction",
    "qldb:PartiQLInsert",
    "qldb:PartiQLSelect",
    "qldb:PartiQLUndropTable",
    "qldb:PartiQLUpdate",
)
# tables.handler asks which tables there are and makes those that are missing.
CREATE_TABLES: Final = ("qldb:PartiQLCreateTable", "qldb:PartiQLSelect")
SECRET: Final = ("secretsmanager:GetSecretValue",)
# Lambda's own poller, with the function's role.
POLL_STREAM: Final = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
KEEP_FAILURES: Final = ("s3:PutObject",)
LIST_BUCKET: Final = ("s3:ListBucket",)
# What QLDB wrote streams with, and what the embedded ledger's server writes them with.
FEED_STREAM: Final = (
    "kinesis:DescribeStream",
    "kinesis:ListShards",
    "kinesis:PutRecord",
    "kinesis:PutRecords",
)
# archive.handler; a version is read when the event names one.
READ_ARCHIVE: Final = ("s3:GetObject", "s3:GetObjectVersion")
# Firehose, with its role.
FIREHOSE_SOURCE: Final = (
    "kinesis:DescribeStream",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
FIREHOSE_BUCKET: Final = (
    "s3:GetBucketLocation",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
)
FIREHOSE_OBJECTS: Final = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
LOGS: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
# These two take no resource: AWS knows none for traces, and Lambda makes the interfaces itself.
TRACES: Final = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
INTERFACES: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


def allow(
    calls: Iterable[str], *resources: str, when: Mapping[str, Any] | None = None
) -> iam.PolicyStatement:
    """Allow calls on resources, under conditions if there are any."""
    return iam.PolicyStatement(
        actions=sorted(calls), resources=list(resources), conditions=dict(when) if when else None
    )


def through(service: str, stack: Stack) -> dict[str, Any]:
    """
    Restrict the use of a key to what one service does for the caller.

    Both names, because it is not documented which of them KMS compares in China; elsewhere
    they are the same.
    """
    names = [f"{service}.{stack.region}.{each}" for each in ("amazonaws.com", stack.url_suffix)]
    return {"StringEquals": {"kms:ViaService": names}}
