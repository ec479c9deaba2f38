"""
The template created in moto, and what really came into being counted.

moto says CREATE_COMPLETE for types that it leaves out, so its word is not taken: for each
service that it plays, the resources are asked for by that service's own API and compared with
the template. The types that it does not play are listed, so that one more is noticed; the
dashboard is taken out, because it refers to alarms, of which moto makes none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from infra.tests.conftest import resources
from infra.tests.moto_aws import Clients, serve_aws

# moto names in a warning what it leaves out; the test below says it too.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")

STACK = "plain-stream"
NOT_PLAYED = {
    "AWS::CDK::Metadata",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogStream",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
}


@pytest.fixture(scope="module")
def created(templates: dict[str, dict[str, Any]]) -> Iterator[Clients]:
    """A maker of clients of an AWS, after the creation of the plain deployment's stack."""
    template = json.loads(json.dumps(templates[STACK]))
    for name in resources(template, "AWS::CloudWatch::Dashboard"):
        del template["Resources"][name]
    with serve_aws() as clients:
        clients("cloudformation").create_stack(
            StackName=STACK, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
        )
        yield clients


def _really_there(clients: Clients) -> dict[str, int]:
    """Ask each service what it has; what was there before the stack is left out."""
    iam, kms, lambda_ = clients("iam"), clients("kms"), clients("lambda")
    roles = [each["RoleName"] for each in iam.list_roles()["Roles"]]
    inline = [
        policy for role in roles for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    buckets = [each["Name"] for each in clients("s3").list_buckets()["Buckets"]]
    aliases = [each["AliasName"] for each in kms.list_aliases()["Aliases"]]
    return {
        "AWS::DynamoDB::Table": len(clients("dynamodb").list_tables()["TableNames"]),
        "AWS::Events::Rule": len(clients("events").list_rules()["Rules"]),
        "AWS::IAM::Policy": len(inline),
        "AWS::IAM::Role": len(roles),
        "AWS::KMS::Alias": len([each for each in aliases if not each.startswith("alias/aws/")]),
        "AWS::KMS::Key": len(kms.list_keys()["Keys"]),
        "AWS::Kinesis::Stream": len(clients("kinesis").list_streams()["StreamNames"]),
        "AWS::Lambda::EventSourceMapping": len(
            lambda_.list_event_source_mappings()["EventSourceMappings"]
        ),
        "AWS::Lambda::Function": len(lambda_.list_functions()["Functions"]),
        "AWS::Logs::LogGroup": len(clients("logs").describe_log_groups()["logGroups"]),
        "AWS::S3::Bucket": len([each for each in buckets if not each.startswith("cdk-")]),
        "AWS::SNS::Topic": len(clients("sns").list_topics()["Topics"]),
    }


def test_what_really_came_into_being(
    created: Clients, templates: dict[str, dict[str, Any]]
) -> None:
    """All that moto can make is there, counted by each service's own API."""
    wanted = Counter(each["Type"] for each in templates[STACK]["Resources"].values())

    assert {kind: n for kind, n in wanted.items() if kind not in NOT_PLAYED} == {
        kind: n for kind, n in _really_there(created).items() if n
    }


def test_every_output_has_a_value(created: Clients) -> None:
    """CloudFormation resolves every output, and the names are of things that are there."""
    (stack,) = created("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    assert "CREATE_COMPLETE" == stack["StackStatus"]
    assert [outputs["StreamName"]] == created("kinesis").list_streams()["StreamNames"]
    (table,) = created("dynamodb").list_tables()["TableNames"]
    assert outputs["InboxUrl"].startswith(f"dynamodb:{table}?bucket=")


def test_the_inbox_is_as_the_template_says(created: Clients) -> None:
    """The table that was made has both keys; moto's CloudFormation makes no time to live."""
    dynamodb = created("dynamodb")
    (name,) = dynamodb.list_tables()["TableNames"]
    keys = dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]

    assert ["pk", "sk"] == [each["AttributeName"] for each in keys]


def test_functions_are_as_the_template_says(created: Clients) -> None:
    """The functions that were made know where their inbox and their sink are."""
    for function in created("lambda").list_functions()["Functions"]:
        variables = function["Environment"]["Variables"]
        assert variables["QLDB_STREAM_INBOX"].startswith("dynamodb:plain-stream")
        assert "jsonl:/tmp/journal" == variables["QLDB_STREAM_SINK"]
