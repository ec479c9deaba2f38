"""For those who hold an archive: read it back, into tables or into a ledger."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack, aws_kms as kms, aws_s3 as s3, aws_sqs as sqs
from constructs import Construct

from parts import grants
from parts.arrivals import make_arrivals
from parts.aurora import make_aurora
from parts.buckets import make_archive_bucket, make_log_bucket
from parts.destination import Destination, any_sink
from parts.functions import Functions
from parts.inbox import Inbox
from parts.keys import make_key
from parts.nag import accept_wildcards, any_object
from parts.restore_run import make_run
from parts.watch import Watch, Watched, errors
from settings import Settings
from stacks.ledger_server import LedgerServerStack

# Lambda's most; the function stops by itself before that and says where to go on.
_TIMEOUT = Duration.minutes(15)


class RestoreStack(Stack):
    """Deliver an archive, what is there and what arrives, to where the owner says."""

    def __init__(
        self,
        scope: Construct,
        stack_id: str,
        settings: Settings,
        server: LedgerServerStack | None,
    ) -> None:
        """Make the function, what tells it of objects, and the destination."""
        super().__init__(scope, stack_id, description="qldb-stream: restore an archive")
        self._settings = settings
        key = make_key(self, "restore", settings)
        logs = make_log_bucket(self, settings)
        bucket, bucket_key = self._archive(logs)
        destination = self._destination(server, key)
        inbox = Inbox(self, settings, key=key, logs=logs)
        functions = Functions(
            self, settings, vpc=destination.vpc, security_group=destination.security_group
        )
        function = functions.make(
            "Archive",
            "qldb_stream.aws.archive.handler",
            {
                "QLDB_STREAM_INBOX": inbox.url,
                "QLDB_STREAM_START": str(settings.start_block),
                "QLDB_STREAM_ON_REFUSAL": settings.on_refusal,
                **destination.environment,
            },
            timeout=_TIMEOUT,
            memory_mib=2048,
        )
        inbox.open_to(function)
        objects = bucket.arn_for_objects(f"{settings.archive_prefix}*")
        statements = [
            grants.allow(grants.READ_ARCHIVE, objects),
            grants.allow(grants.LIST_BUCKET, bucket.bucket_arn),
            *destination.statements,
        ]
        if bucket_key:
            s3_only = grants.through("s3", self)
            statements.append(grants.allow(grants.READ_KEY, bucket_key.key_arn, when=s3_only))
        for statement in statements:
            function.add_to_role_policy(statement)
        accept_wildcards(
            function.role or function,
            "Objects of an archive have names that nobody knows yet.",
            any_object(bucket, settings.archive_prefix),
        )
        aside = make_arrivals(
            self, settings, bucket_name=bucket.bucket_name, function=function, key=key
        )
        run = make_run(self, settings, function)
        self._watch(key, aside, functions_errors=errors("errors", "The function fails.", function))
        for name, value in {
            "ArchiveBucket": bucket.bucket_name,
            "RunArn": run.ref,
            "InboxUrl": inbox.url,
            "ArchiveFunction": function.function_name,
        }.items():
            CfnOutput(self, name, value=value)

    def _archive(self, logs: s3.IBucket) -> tuple[s3.IBucket, kms.IKey | None]:
        """Give the bucket that holds the archive, somebody's or a new one, and its key."""
        settings = self._settings
        if settings.archive_bucket:
            bucket = s3.Bucket.from_bucket_name(self, "Archive", settings.archive_bucket)
            arn = settings.archive_key_arn
            return bucket, kms.Key.from_key_arn(self, "ArchiveKey", arn) if arn else None
        key = make_key(self, "archive", settings, settings.s3_kms_alias)
        made = make_archive_bucket(self, settings, key=key, logs=logs)
        raw = made.node.default_child
        assert isinstance(raw, s3.CfnBucket)
        # The CDK's own way makes a function that may change any bucket.
        raw.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        return made, key

    def _destination(self, server: LedgerServerStack | None, key: kms.IKey) -> Destination:
        """Say where the archive goes."""
        if self._settings.restore == "aurora":
            return make_aurora(self, self._settings, key)
        if self._settings.restore == "server":
            assert server is not None
            return server.destination(self._settings.destination_ledger_name)
        return any_sink(self._settings, self._settings.restore)

    def _watch(self, key: kms.Key, aside: sqs.Queue, *, functions_errors: Watched) -> None:
        """Make the alarms and the dashboard."""
        waiting = aside.metric_approximate_number_of_messages_visible()
        watch = Watch(self, self._settings, key=key)
        watch.alarm(functions_errors)
        watch.alarm(
            Watched(
                name="objects-aside",
                metric=waiting,
                above=0,
                says="Objects of the archive could not be read or delivered.",
            )
        )
        watch.dashboard({"Objects put aside": [waiting], "Errors": [functions_errors.metric]})
