"""The Kinesis stream that a journal flows through, and QLDB's stream into it."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    Stack,
    aws_iam as iam,
    aws_kinesis as kinesis,
    aws_kms as kms,
    aws_qldb as qldb,
)
from constructs import Construct

from parts import grants
from parts.keys import removal
from parts.nag import accept
from parts.retired import accept_retired
from settings import Settings


def make_stream(scope: Construct, settings: Settings, key: kms.IKey) -> kinesis.Stream:
    """Make the stream: encrypted with `key`, on-demand or with the number of shards asked for."""
    on_demand = settings.shards == 0
    stream = kinesis.Stream(
        scope,
        "Journal",
        encryption=kinesis.StreamEncryption.KMS,
        encryption_key=key,
        stream_mode=kinesis.StreamMode.ON_DEMAND if on_demand else kinesis.StreamMode.PROVISIONED,
        shard_count=None if on_demand else settings.shards,
        retention_period=Duration.hours(settings.retention_hours),
        removal_policy=removal(settings),
    )
    accept(
        stream,
        "A key of the customer's own, so that access to the journal can be granted, seen and "
        "taken away; it costs a dollar a month.",
        "AwsSolutions-KDS3",
    )
    return stream


def feed_statements(stream: kinesis.IStream, key: kms.IKey) -> list[iam.PolicyStatement]:
    """Give what whoever feeds the stream may do: QLDB's role, or the ledger server's."""
    return [
        grants.allow(grants.FEED_STREAM, stream.stream_arn),
        grants.allow(grants.WRITE_KEY, key.key_arn),
    ]


def make_qldb_stream(
    scope: Construct, settings: Settings, stream: kinesis.IStream, key: kms.IKey
) -> qldb.CfnStream:
    """Make QLDB's stream of the source ledger, from `inclusiveStartTime` on, aggregated."""
    role = iam.Role(
        scope,
        "QldbRole",
        assumed_by=iam.ServicePrincipal(
            "qldb.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        ),
        inline_policies={"feed": iam.PolicyDocument(statements=feed_statements(stream, key))},
    )
    made = qldb.CfnStream(
        scope,
        "QldbStream",
        ledger_name=settings.ledger_name,
        stream_name=f"{Stack.of(scope).stack_name}-journal",
        role_arn=role.role_arn,
        inclusive_start_time=settings.inclusive_start_time,
        kinesis_configuration=qldb.CfnStream.KinesisConfigurationProperty(
            stream_arn=stream.stream_arn, aggregation_enabled=True
        ),
    )
    accept_retired(made)
    return made
