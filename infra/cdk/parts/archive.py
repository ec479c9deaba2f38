"""Firehose: the journal's records, as they come, into the bucket of the archive."""

from __future__ import annotations

from aws_cdk import (
    Stack,
    aws_iam as iam,
    aws_kinesis as kinesis,
    aws_kinesisfirehose as firehose,
    aws_kms as kms,
    aws_logs as logs,
    aws_s3 as s3,
)
from constructs import Construct

from parts import grants
from parts.keys import removal
from parts.nag import accept, accept_wildcards, any_object
from settings import Settings

_PREFIX = "journal/!{timestamp:yyyy/MM/dd/HH}/"
_FAILED = "failed/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"


def make_archive(
    scope: Construct,
    settings: Settings,
    *,
    stream: kinesis.IStream,
    stream_key: kms.IKey,
    bucket: s3.IBucket,
    bucket_key: kms.IKey,
) -> firehose.CfnDeliveryStream:
    """
    Make the delivery stream that writes the archive.

    Records are put one after the other with nothing between: Ion values end where they say,
    and a newline would be a NOP pad's header that swallows the ten bytes after it (facts 4).
    So there is no processor here, and must never be an AppendDelimiterToRecord.
    """
    group = logs.LogGroup(
        scope,
        "ArchiveLogs",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=removal(settings),
    )
    log_stream = logs.LogStream(
        scope, "ArchiveLogStream", log_group=group, removal_policy=removal(settings)
    )
    role = _role(scope, stream, stream_key, bucket, bucket_key, group)
    made = firehose.CfnDeliveryStream(
        scope,
        "ArchiveDelivery",
        delivery_stream_type="KinesisStreamAsSource",
        kinesis_stream_source_configuration=firehose.CfnDeliveryStream.KinesisStreamSourceConfigurationProperty(
            kinesis_stream_arn=stream.stream_arn, role_arn=role.role_arn
        ),
        extended_s3_destination_configuration=_destination(
            bucket, bucket_key, role, log_stream, group
        ),
    )
    # Firehose looks at its rights when it is made, and the policy is a resource of its own.
    made.node.add_dependency(role)
    accept(
        made,
        "Its source is a Kinesis stream with a customer's key, for which Firehose takes no "
        "encryption of its own; what it writes is encrypted with the bucket's key.",
        "AwsSolutions-KDF1",
    )
    return made


def _destination(
    bucket: s3.IBucket,
    bucket_key: kms.IKey,
    role: iam.IRole,
    log_stream: logs.ILogStream,
    group: logs.ILogGroup,
) -> firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty:
    """Say how objects are named, packed, encrypted and logged."""
    return firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
        bucket_arn=bucket.bucket_arn,
        role_arn=role.role_arn,
        prefix=_PREFIX,
        error_output_prefix=_FAILED,
        compression_format="GZIP",
        buffering_hints=firehose.CfnDeliveryStream.BufferingHintsProperty(
            interval_in_seconds=300, size_in_m_bs=64
        ),
        encryption_configuration=firehose.CfnDeliveryStream.EncryptionConfigurationProperty(
            kms_encryption_config=firehose.CfnDeliveryStream.KMSEncryptionConfigProperty(
                awskms_key_arn=bucket_key.key_arn
            )
        ),
        cloud_watch_logging_options=firehose.CfnDeliveryStream.CloudWatchLoggingOptionsProperty(
            enabled=True,
            log_group_name=group.log_group_name,
            log_stream_name=log_stream.log_stream_name,
        ),
    )


def _role(
    scope: Construct,
    stream: kinesis.IStream,
    stream_key: kms.IKey,
    bucket: s3.IBucket,
    bucket_key: kms.IKey,
    group: logs.ILogGroup,
) -> iam.Role:
    """Make Firehose's role: read the stream, write the bucket, say in the log what failed."""
    stack = Stack.of(scope)
    role = iam.Role(
        scope,
        "ArchiveRole",
        assumed_by=iam.ServicePrincipal(
            "firehose.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        ),
    )
    kinesis_only = grants.through("kinesis", stack)
    s3_only = grants.through("s3", stack)
    for statement in (
        grants.allow(grants.FIREHOSE_SOURCE, stream.stream_arn),
        grants.allow(grants.READ_KEY, stream_key.key_arn, when=kinesis_only),
        grants.allow(grants.FIREHOSE_BUCKET, bucket.bucket_arn),
        grants.allow(grants.FIREHOSE_OBJECTS, bucket.arn_for_objects("*")),
        grants.allow(grants.WRITE_KEY, bucket_key.key_arn, when=s3_only),
        grants.allow(("logs:PutLogEvents",), group.log_group_arn),
    ):
        role.add_to_policy(statement)
    accept_wildcards(
        role, "Objects of an archive have names that nobody knows yet.", any_object(bucket)
    )
    return role
