"""
The stacks besides the stream's, created in moto, and what really came into being counted.

As in test_moto.py moto's word is not taken: each service is asked what it has more than before.
What is taken out of a template, or not counted, is named with the reason; the tests of each stack
look at the properties of these.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from infra.tests.moto_aws import Clients, serve_aws

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")

EXPORT = "arn:aws:iam::123456789012:role/an-export"
# By stack, what moto's CloudFormation ends at: the dashboard refers to alarms, and it makes none;
# of load balancers it knows those for HTTP ("protocol 'TCP' must be one of 'HTTP, HTTPS'"). It
# makes no Aurora cluster either: the restore into one is looked at in test_restore_stack.py alone.
TAKEN_OUT = {
    "qldb-stream-server": {
        "AWS::CloudWatch::Dashboard",
        "AWS::ElasticLoadBalancingV2::Listener",
    },
    "other-restore": {"AWS::CloudWatch::Dashboard"},
}
# What moto accepts and leaves out, or has no list of.
NOT_COUNTED = {
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitCondition",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::CloudWatch::Alarm",
    "AWS::DLM::LifecyclePolicy",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::Lambda::Permission",
    "AWS::Route53::RecordSet",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
}


def _inline_policies(iam: Any) -> list[str]:
    roles = [each["RoleName"] for each in iam.list_roles()["Roles"]]
    return [name for role in roles for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]


def _own_keys(kms: Any) -> list[str]:
    """Give the customer's keys; moto makes one of AWS's for a volume."""
    aliases = kms.list_aliases()["Aliases"]
    of_aws = {a.get("TargetKeyId") for a in aliases if a["AliasName"].startswith("alias/aws/")}
    return [each["KeyId"] for each in kms.list_keys()["Keys"] if each["KeyId"] not in of_aws]


# Each type that moto makes, and how its service is asked for all of it.
ASKED: Mapping[str, tuple[str, Callable[[Any], list[Any]]]] = {
    "AWS::AutoScaling::AutoScalingGroup": (
        "autoscaling",
        lambda c: c.describe_auto_scaling_groups()["AutoScalingGroups"],
    ),
    "AWS::DynamoDB::Table": ("dynamodb", lambda c: c.list_tables()["TableNames"]),
    "AWS::EC2::FlowLog": ("ec2", lambda c: c.describe_flow_logs()["FlowLogs"]),
    "AWS::EC2::LaunchTemplate": ("ec2", lambda c: c.describe_launch_templates()["LaunchTemplates"]),
    "AWS::EC2::SecurityGroup": (
        "ec2",  # each VPC brings one of its own
        lambda c: [
            each
            for each in c.describe_security_groups()["SecurityGroups"]
            if each["GroupName"] != "default"
        ],
    ),
    "AWS::EC2::RouteTable": (
        "ec2",  # likewise
        lambda c: [
            each
            for each in c.describe_route_tables()["RouteTables"]
            if not any(link.get("Main") for link in each["Associations"])
        ],
    ),
    "AWS::EC2::Subnet": ("ec2", lambda c: c.describe_subnets()["Subnets"]),
    "AWS::EC2::VPC": ("ec2", lambda c: c.describe_vpcs()["Vpcs"]),
    "AWS::EC2::VPCEndpoint": ("ec2", lambda c: c.describe_vpc_endpoints()["VpcEndpoints"]),
    "AWS::EC2::Volume": (
        "ec2",  # those of the instances that the group started apart
        lambda c: [v for v in c.describe_volumes()["Volumes"] if not v["Attachments"]],
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": (
        "elbv2",
        lambda c: c.describe_load_balancers()["LoadBalancers"],
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": (
        "elbv2",
        lambda c: c.describe_target_groups()["TargetGroups"],
    ),
    "AWS::Events::Rule": ("events", lambda c: c.list_rules()["Rules"]),
    "AWS::IAM::InstanceProfile": ("iam", lambda c: c.list_instance_profiles()["InstanceProfiles"]),
    "AWS::IAM::Policy": ("iam", _inline_policies),
    "AWS::IAM::Role": ("iam", lambda c: c.list_roles()["Roles"]),
    "AWS::KMS::Alias": (
        "kms",
        lambda c: [
            each
            for each in c.list_aliases()["Aliases"]
            if not each["AliasName"].startswith("alias/aws/")
        ],
    ),
    "AWS::KMS::Key": ("kms", _own_keys),
    "AWS::Lambda::EventSourceMapping": (
        "lambda",
        lambda c: c.list_event_source_mappings()["EventSourceMappings"],
    ),
    "AWS::Lambda::Function": ("lambda", lambda c: c.list_functions()["Functions"]),
    "AWS::Logs::LogGroup": ("logs", lambda c: c.describe_log_groups()["logGroups"]),
    "AWS::Route53::HostedZone": ("route53", lambda c: c.list_hosted_zones()["HostedZones"]),
    "AWS::S3::Bucket": ("s3", lambda c: c.list_buckets()["Buckets"]),
    "AWS::SNS::Topic": ("sns", lambda c: c.list_topics()["Topics"]),
    "AWS::SQS::Queue": ("sqs", lambda c: c.list_queues().get("QueueUrls", [])),
    "AWS::StepFunctions::StateMachine": (
        "stepfunctions",
        lambda c: c.list_state_machines()["stateMachines"],
    ),
}


@pytest.fixture
def clients() -> Iterator[Clients]:
    """A maker of clients of an AWS that is empty."""
    with serve_aws() as client:
        yield client


@pytest.mark.parametrize("stack", sorted(TAKEN_OUT))
def test_what_really_came_into_being(
    clients: Clients, templates: dict[str, dict[str, Any]], stack: str
) -> None:
    """All that moto can make of a stack is there, counted by each service's own API."""
    template = _standing_alone(templates[stack], TAKEN_OUT[stack])
    before = _count(clients)
    cloudformation = clients("cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    wanted = Counter(each["Type"] for each in template["Resources"].values())

    assert {kind: n for kind, n in wanted.items() if kind not in NOT_COUNTED} == dict(
        _count(clients) - before
    )


def _standing_alone(template: dict[str, Any], taken_out: set[str]) -> dict[str, Any]:
    """Give a template without some types, and with names for what other stacks export."""
    made: dict[str, Any] = json.loads(
        json.dumps(template),
        object_hook=lambda each: EXPORT if each.keys() == {"Fn::ImportValue"} else each,
    )
    made["Resources"] = {
        name: each for name, each in made["Resources"].items() if each["Type"] not in taken_out
    }
    return made


def _count(clients: Clients) -> Counter[str]:
    """Ask each service how much of each type it has."""
    return Counter({kind: len(ask(clients(service))) for kind, (service, ask) in ASKED.items()})
