"""The custom resource that makes the tables of `tableNameList` in the destination ledger."""

from __future__ import annotations

from aws_cdk import CustomResource, Duration, custom_resources as cr
from constructs import Construct

from parts.destination import Destination, allow_many
from parts.functions import Functions
from parts.nag import accept, accept_wildcards, any_version
from settings import Settings


def make_tables(
    scope: Construct, settings: Settings, functions: Functions, destination: Destination
) -> CustomResource:
    """Make the tables, once; a deletion of the stack leaves them and what they hold alone."""
    handler = functions.make(
        "Tables",
        "qldb_stream.aws.tables.handler",
        {"QLDB_STREAM_LEDGER_SECRET": destination.environment.get("QLDB_STREAM_LEDGER_SECRET", "")},
        timeout=Duration.minutes(5),
        memory_mib=512,
    )
    for statement in destination.table_statements:
        handler.add_to_role_policy(statement)
    allow_many(handler, destination)
    provider = cr.Provider(scope, "TablesProvider", on_event_handler=handler)
    reason = (
        "The CDK's own function between CloudFormation and the handler: its role, its runtime "
        "and its right to call any version of the handler are the CDK's."
    )
    basic = "arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    accept(provider, reason, "AwsSolutions-L1", f"AwsSolutions-IAM4[Policy::{basic}]")
    accept_wildcards(provider, reason, any_version(handler))
    properties = {
        "LedgerName": destination.ledger,
        "TableNames": list(settings.table_names),
        **({"Endpoint": destination.endpoint} if destination.endpoint else {}),
    }
    return CustomResource(
        scope,
        "Tables",
        service_token=provider.service_token,
        resource_type="Custom::LedgerTables",
        properties=properties,
    )
