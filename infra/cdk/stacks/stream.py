"""The journal's way: Kinesis, the replay function, and the archive that Firehose writes."""

from __future__ import annotations

from aws_cdk import CfnOutput, Stack, aws_iam as iam, aws_s3 as s3
from constructs import Construct

from parts.archive import make_archive
from parts.buckets import make_archive_bucket, make_log_bucket
from parts.destination import Destination, any_sink, aws_ledger
from parts.inbox import Inbox
from parts.journal import feed_statements, make_qldb_stream, make_stream
from parts.keys import make_key
from parts.replay import Replay
from parts.stream_alarms import watch_stream
from parts.tables import make_tables
from parts.watch import Watch
from settings import Settings
from stacks.ledger_server import LedgerServerStack


class StreamStack(Stack):
    """Replay a journal into a destination in near real time, and archive it."""

    def __init__(
        self,
        scope: Construct,
        stack_id: str,
        settings: Settings,
        server: LedgerServerStack | None,
    ) -> None:
        """Make all of it; `server` is the ledger server, where there is one."""
        super().__init__(scope, stack_id, description="qldb-stream: replay and archive a journal")
        self._settings = settings
        logs = make_log_bucket(self, settings)
        stream_key = make_key(self, "kds", settings, settings.kds_kms_alias)
        archive_key = make_key(self, "s3", settings, settings.s3_kms_alias)
        inbox_key = make_key(self, "inbox", settings)

        stream = make_stream(self, settings, stream_key)
        bucket = make_archive_bucket(self, settings, key=archive_key, logs=logs)
        archive = make_archive(
            self,
            settings,
            stream=stream,
            stream_key=stream_key,
            bucket=bucket,
            bucket_key=archive_key,
        )
        if settings.qldb:
            make_qldb_stream(self, settings, stream, stream_key)
        if server:
            self._let_feed(server, feed_statements(stream, stream_key))

        destination = self._destination(server)
        replay = Replay(
            self,
            settings,
            destination=destination,
            inbox=Inbox(self, settings, key=inbox_key, logs=logs),
            stream=stream,
            stream_key=stream_key,
            failures_key=inbox_key,
            logs=logs,
        )
        if destination.ledger and settings.table_names:
            make_tables(self, settings, replay.functions, destination)
        watch_stream(Watch(self, settings, key=inbox_key), settings, stream, replay, archive)
        self._say(bucket, stream.stream_name, replay)

    def _destination(self, server: LedgerServerStack | None) -> Destination:
        """Say where the replay goes."""
        if self._settings.destination == "qldb":
            return aws_ledger(self, self._settings)
        if self._settings.destination == "server":
            assert server is not None
            return server.destination(self._settings.destination_ledger_name)
        return any_sink(self._settings, self._settings.destination)

    def _let_feed(self, server: LedgerServerStack, statements: list[iam.PolicyStatement]) -> None:
        """Let the ledger server put its journals on the stream; the policy is this stack's."""
        iam.Policy(self, "ServerFeeds", roles=[server.role], statements=statements)

    def _say(self, bucket: s3.Bucket, stream_name: str, replay: Replay) -> None:
        """Give as outputs what the documentation's commands need."""
        outputs = {
            "StreamName": stream_name,
            "ArchiveBucket": bucket.bucket_name,
            "FailuresBucket": replay.failures.bucket_name,
            "InboxUrl": replay.inbox.url,
            "ReplayFunction": replay.replay.function_name,
            "DrainFunction": replay.drain.function_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
