"""Where a function delivers: the ledger server, AWS's ledger, Aurora, or the URL of any sink."""

from __future__ import annotations

from attrs import frozen
from aws_cdk import Stack, aws_ec2 as ec2, aws_iam as iam, aws_lambda as lambda_
from constructs import Construct

from parts import grants
from parts.nag import accept_wildcards
from settings import Settings

_NAG_ARN = "arn:<AWS::Partition>"


@frozen(kw_only=True)
class Destination:
    """
    What a function must know, may do and can reach, to deliver.

    `environment` are the variables that name the sink; `wildcards` are resources of the
    statements that stand for many, as cdk-nag writes them; `ledger` and `endpoint` say of a
    ledger which it is and where (empty: AWS's own), so that its tables can be made.
    """

    environment: dict[str, str]
    statements: tuple[iam.PolicyStatement, ...] = ()
    table_statements: tuple[iam.PolicyStatement, ...] = ()
    vpc: ec2.IVpc | None = None
    security_group: ec2.ISecurityGroup | None = None
    wildcards: tuple[str, ...] = ()
    ledger: str = ""
    endpoint: str = ""


def allow_many(function: lambda_.IFunction, destination: Destination) -> None:
    """Accept that the destination's tables have ids that nobody knows yet."""
    if destination.wildcards:
        accept_wildcards(
            function.role or function,
            "Tables of one ledger; their ids are made when the tables are.",
            *destination.wildcards,
        )


def aws_ledger(scope: Construct, settings: Settings) -> Destination:
    """Deliver to a ledger of AWS's own service, with the function's role."""
    name = settings.destination_ledger_name
    stack = Stack.of(scope)
    ledger = stack.format_arn(service="qldb", resource="ledger", resource_name=name)
    tables = f"{ledger}/table/*"
    catalog = f"{ledger}/information_schema/user_tables"
    session = grants.allow(grants.LEDGER, ledger)
    return Destination(
        environment={"QLDB_STREAM_SINK": f"qldb:{name}"},
        statements=(session, grants.allow(grants.LEDGER_TABLES, tables, catalog)),
        table_statements=(session, grants.allow(grants.CREATE_TABLES, tables, catalog)),
        wildcards=(f"{_NAG_ARN}:qldb:<AWS::Region>:<AWS::AccountId>:ledger/{name}/table/*",),
        ledger=name,
    )


def any_sink(settings: Settings, url: str) -> Destination:
    """
    Deliver to any sink by its URL; its password comes from the secret `sinkSecretArn`.

    What else the sink calls (a table of DynamoDB, say) the owner allows: the roles are named
    in the stack's outputs.
    """
    secret = settings.sink_secret_arn
    return Destination(
        environment={"QLDB_STREAM_SINK": url, "QLDB_STREAM_SINK_SECRET": secret},
        statements=(grants.allow(grants.SECRET, secret),) if secret else (),
    )
