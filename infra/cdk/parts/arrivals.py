"""Objects that arrive in an archive: told by EventBridge, kept in a queue, read by a function."""

from __future__ import annotations

from typing import Any

from aws_cdk import (
    Duration,
    aws_events as events,
    aws_events_targets as targets,
    aws_kms as kms,
    aws_lambda as lambda_,
    aws_sqs as sqs,
)
from constructs import Construct

from settings import Settings

# How often an object is tried before it is put aside, and how long it stays aside.
_TRIES = 5


def make_arrivals(
    scope: Construct,
    settings: Settings,
    *,
    bucket_name: str,
    function: lambda_.Function,
    key: kms.Key,
) -> sqs.Queue:
    """
    Bring each new object of the bucket to the function; give the queue of those it could not take.

    EventBridge and not the bucket's own notifications: those belong to the bucket, which may
    be somebody's already, and one that is changed loses those it had.
    """
    aside = _queue(scope, "Aside", key, Duration.days(14))
    queue = _queue(
        scope,
        "Arrivals",
        key,
        Duration.days(7),
        # Six times the function's time, as Lambda asks for.
        visibility_timeout=Duration.minutes(90),
        dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=_TRIES, queue=aside),
    )
    detail: dict[str, object] = {"bucket": {"name": [bucket_name]}}
    if settings.archive_prefix:
        detail["object"] = {"key": [{"prefix": settings.archive_prefix}]}
    events.Rule(
        scope,
        "ObjectCreated",
        event_pattern=events.EventPattern(
            source=["aws.s3"], detail_type=["Object Created"], detail=detail
        ),
        targets=[targets.SqsQueue(queue, dead_letter_queue=aside)],
    )
    queue.grant_consume_messages(function)
    mapping = lambda_.CfnEventSourceMapping(
        scope,
        "FromQueue",
        function_name=function.function_name,
        event_source_arn=queue.queue_arn,
        batch_size=10,
        function_response_types=["ReportBatchItemFailures"],
        # One strand has one holder at a time; more at once would only wait for it.
        scaling_config=lambda_.CfnEventSourceMapping.ScalingConfigProperty(maximum_concurrency=2),
    )
    mapping.node.add_dependency(function.role)
    return aside


def _queue(scope: Construct, name: str, key: kms.Key, keep: Duration, **more: Any) -> sqs.Queue:
    """Make an encrypted queue that takes messages over TLS alone."""
    return sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=keep,
        **more,
    )
