"""The replay: a function fed by the stream, and the same delivery once a minute for what waits."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    Stack,
    aws_events as events,
    aws_events_targets as targets,
    aws_kinesis as kinesis,
    aws_kms as kms,
    aws_lambda as lambda_,
    aws_s3 as s3,
)
from constructs import Construct

from parts import grants
from parts.buckets import make_passing_bucket
from parts.destination import Destination, allow_many
from parts.functions import Functions
from parts.inbox import Inbox
from parts.nag import accept_wildcards, any_object
from settings import Settings

# Lambda's own maximum for a batch, and AWS's for the age of a record: 7 days.
_BATCH_RECORDS = 1000
_BATCH_WINDOW_S = 2
_OLDEST_S = 604_800
_TIMEOUT = Duration.minutes(5)


class Replay(Construct):
    """The functions that deliver, what feeds them, and where goes what nobody could take in."""

    def __init__(  # noqa: PLR0913 - what a replay stands between, by name
        self,
        scope: Construct,
        settings: Settings,
        *,
        destination: Destination,
        inbox: Inbox,
        stream: kinesis.IStream,
        stream_key: kms.IKey,
        failures_key: kms.IKey,
        logs: s3.IBucket,
    ) -> None:
        """Make the functions and join them to the stream and the clock."""
        super().__init__(scope, "Replay")
        self.inbox = inbox
        self.functions = Functions(
            self,
            settings,
            vpc=destination.vpc,
            security_group=destination.security_group,
        )
        environment = {
            "QLDB_STREAM_INBOX": inbox.url,
            "QLDB_STREAM_START": str(settings.start_block),
            "QLDB_STREAM_ON_REFUSAL": settings.on_refusal,
            **destination.environment,
        }
        self.replay = self.functions.make(
            "Replay", "qldb_stream.aws.replay.handler", environment, timeout=_TIMEOUT
        )
        self.drain = self.functions.make(
            "Drain", "qldb_stream.aws.replay.drain", environment, timeout=_TIMEOUT
        )
        for function in (self.replay, self.drain):
            inbox.open_to(function)
            for statement in destination.statements:
                function.add_to_role_policy(statement)
            allow_many(function, destination)
        self.failures = make_passing_bucket(
            self, "Failures", settings, key=failures_key, logs=logs, days=90
        )
        self.mapping = self._map(settings, stream, stream_key, failures_key)
        self._schedule()

    def _map(
        self,
        settings: Settings,
        stream: kinesis.IStream,
        stream_key: kms.IKey,
        failures_key: kms.IKey,
    ) -> lambda_.CfnEventSourceMapping:
        """
        Feed the function from the stream's oldest record on.

        It is tried again until an hour before the stream would let go of a record (Lambda's
        most is 7 days): then the records themselves, not only their numbers, go to the bucket
        of failures.
        """
        self._let_poll(stream, stream_key, failures_key)
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "FromStream",
            function_name=self.replay.function_name,
            event_source_arn=stream.stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=_BATCH_RECORDS,
            maximum_batching_window_in_seconds=_BATCH_WINDOW_S,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=-1,
            maximum_record_age_in_seconds=min(settings.retention_hours * 3600 - 3600, _OLDEST_S),
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=lambda_.CfnEventSourceMapping.OnFailureProperty(
                    destination=self.failures.bucket_arn
                )
            ),
        )
        # Lambda looks at the role's rights when the mapping is made.
        mapping.node.add_dependency(self.replay.role)
        return mapping

    def _let_poll(
        self, stream: kinesis.IStream, stream_key: kms.IKey, failures_key: kms.IKey
    ) -> None:
        """Let Lambda's poller read the stream and keep failures, with the function's role."""
        stack = Stack.of(self)
        kinesis_only = grants.through("kinesis", stack)
        s3_only = grants.through("s3", stack)
        for statement in (
            grants.allow(grants.POLL_STREAM, stream.stream_arn),
            grants.allow(grants.READ_KEY, stream_key.key_arn, when=kinesis_only),
            grants.allow(grants.KEEP_FAILURES, self.failures.arn_for_objects("*")),
            grants.allow(grants.LIST_BUCKET, self.failures.bucket_arn),
            grants.allow(grants.WRITE_KEY, failures_key.key_arn, when=s3_only),
        ):
            self.replay.add_to_role_policy(statement)
        accept_wildcards(
            self.replay.role or self.replay,
            "What could not be taken in becomes objects, with names that nobody knows yet.",
            any_object(self.failures),
        )

    def _schedule(self) -> None:
        """Deliver each minute what no new record would wake; a miss is made up a minute later."""
        events.Rule(
            self,
            "EachMinute",
            schedule=events.Schedule.rate(Duration.minutes(1)),
            targets=[
                targets.LambdaFunction(
                    self.drain, retry_attempts=0, max_event_age=Duration.minutes(1)
                )
            ],
        )
