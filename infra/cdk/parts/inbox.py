"""The inbox that functions share: a DynamoDB table, and a bucket for what a table cannot hold."""

from __future__ import annotations

from aws_cdk import (
    Stack,
    aws_dynamodb as dynamodb,
    aws_kms as kms,
    aws_lambda as lambda_,
    aws_s3 as s3,
)
from constructs import Construct

from parts import grants
from parts.buckets import make_passing_bucket
from parts.keys import removal
from parts.nag import accept, accept_wildcards, any_object
from settings import Settings

# As qldb_stream.inbox.dynamodb documents its table; a test of the project compares.
PARTITION_KEY = "pk"
SORT_KEY = "sk"
EXPIRES = "expires_at"


class Inbox(Construct):
    """Where records wait, durably, until every sink has them."""

    def __init__(
        self, scope: Construct, settings: Settings, *, key: kms.IKey, logs: s3.IBucket
    ) -> None:
        """Make the table and the bucket, both encrypted with `key`."""
        super().__init__(scope, "Inbox")
        self._key = key
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(
                name=PARTITION_KEY, type=dynamodb.AttributeType.STRING
            ),
            sort_key=dynamodb.Attribute(name=SORT_KEY, type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=EXPIRES,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=key,
            deletion_protection=settings.retain,
            removal_policy=removal(settings),
        )
        accept(
            self.table,
            "What waits here is still in the stream, and what a redaction erases must be gone: "
            "a point-in-time backup would keep it for 35 days.",
            "AwsSolutions-DDB3",
        )
        # Longer than a stream keeps records; the inbox deletes its objects itself.
        self.spill = make_passing_bucket(self, "Spill", settings, key=key, logs=logs, days=400)

    @property
    def url(self) -> str:
        """The inbox as qldb_stream is told of it."""
        return f"dynamodb:{self.table.table_name}?bucket={self.spill.bucket_name}"

    def open_to(self, function: lambda_.Function) -> None:
        """Let a function use the inbox."""
        stack = Stack.of(self)
        for service in ("dynamodb", "s3"):
            only = grants.through(service, stack)
            calls = grants.TABLE_KEY if service == "dynamodb" else grants.WRITE_KEY
            function.add_to_role_policy(grants.allow(calls, self._key.key_arn, when=only))
        function.add_to_role_policy(grants.allow(grants.INBOX_TABLE, self.table.table_arn))
        function.add_to_role_policy(grants.allow(grants.INBOX_BUCKET, self.spill.bucket_arn))
        function.add_to_role_policy(
            grants.allow(grants.INBOX_SPILL, self.spill.arn_for_objects("*"))
        )
        accept_wildcards(
            function.role or function,
            "Items too big for the table become objects, with names that nobody knows yet.",
            any_object(self.spill),
        )
