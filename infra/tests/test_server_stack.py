"""The ledger server's stack: one instance, behind a balancer, in a network without a way out."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk.assertions import Match, Template

from infra.tests.conftest import resources


def test_network(server: Template) -> None:
    """Subnets are private, and nothing leads to the internet."""
    for kind in ("InternetGateway", "NatGateway", "EIP"):
        server.resource_count_is(f"AWS::EC2::{kind}", 0)
    server.all_resources_properties("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": False})
    server.resource_count_is("AWS::EC2::Subnet", 2)
    server.has_resource_properties("AWS::EC2::FlowLog", {"TrafficType": "ALL"})


def test_instance(server: Template) -> None:
    """It is a Graviton, has IMDSv2 alone, an encrypted disk, recovers by itself, and no SSH key."""
    server.has_resource_properties(
        "AWS::EC2::LaunchTemplate",
        {
            "LaunchTemplateData": {
                "InstanceType": "t4g.medium",
                "ImageId": Match.any_value(),
                "KeyName": Match.absent(),
                "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
                "MaintenanceOptions": {"AutoRecovery": "default"},
                "BlockDeviceMappings": [
                    {
                        "DeviceName": "/dev/xvda",
                        "Ebs": {"Encrypted": True, "VolumeSize": 16, "VolumeType": "gp3"},
                    }
                ],
            }
        },
    )
    text = json.dumps(server.to_json())
    assert "amazon-linux-latest/al2023-ami-kernel" in text
    assert "arm64" in text


def test_one_instance(server: Template) -> None:
    """A group replaces it when it does not answer, the old one first: a volume is attached once."""
    server.has_resource(
        "AWS::AutoScaling::AutoScalingGroup",
        {
            "Properties": {
                "MinSize": "1",
                "MaxSize": "1",
                "HealthCheckType": "ELB",
                "VPCZoneIdentifier": [Match.any_value()],
            },
            "UpdatePolicy": {
                "AutoScalingRollingUpdate": {"MaxBatchSize": 1, "MinInstancesInService": 0}
            },
        },
    )


def test_volume(server: Template) -> None:
    """Ledgers are on an encrypted gp3 volume of which a snapshot remains."""
    server.has_resource(
        "AWS::EC2::Volume",
        {
            "DeletionPolicy": "Snapshot",
            "Properties": {
                "Encrypted": True,
                "KmsKeyId": Match.any_value(),
                "Size": 100,
                "VolumeType": "gp3",
            },
        },
    )


def test_snapshots(server: Template, templates: dict[str, dict[str, Any]]) -> None:
    """A snapshot is taken each night of the volume that has the stack's tag, and 14 are kept."""
    server.has_resource_properties(
        "AWS::DLM::LifecyclePolicy",
        {
            "State": "ENABLED",
            "PolicyDetails": {
                "ResourceTypes": ["VOLUME"],
                "TargetTags": [{"Key": "qldb-stream:server", "Value": "qldb-stream-server"}],
                "Schedules": [
                    Match.object_like(
                        {
                            "CreateRule": {"Interval": 24, "IntervalUnit": "HOURS"},
                            "RetainRule": {"Count": 14},
                        }
                    )
                ],
            },
        },
    )
    (volume,) = resources(templates["qldb-stream-server"], "AWS::EC2::Volume").values()
    assert {"Key": "qldb-stream:server", "Value": "qldb-stream-server"} in volume["Properties"][
        "Tags"
    ]


def test_balancer(server: Template) -> None:
    """It is inside, asks the server for its health over TLS, and has the certificate's name."""
    server.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::LoadBalancer", {"Scheme": "internal", "Type": "network"}
    )
    server.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "Port": 8765,
            "Protocol": "TCP",
            "HealthCheckPath": "/health",
            "HealthCheckProtocol": "HTTPS",
        },
    )
    server.has_resource_properties(
        "AWS::ElasticLoadBalancingV2::Listener", {"Port": 443, "Protocol": "TCP"}
    )
    server.has_resource_properties(
        "AWS::Route53::HostedZone", {"Name": "ledger.example.org.", "VPCs": Match.any_value()}
    )


def test_nobody_comes_in(server: Template) -> None:
    """Only the balancer reaches the server, only HTTPS the balancer, and no port is SSH's."""
    template = server.to_json()
    groups = resources(template, "AWS::EC2::SecurityGroup")
    lone = resources(template, "AWS::EC2::SecurityGroupIngress").values()
    rules = [each["Properties"] for each in lone]
    for group in groups.values():
        rules += group["Properties"].get("SecurityGroupIngress", [])

    assert {443, 8765} == {rule["ToPort"] for rule in rules}
    assert [] == [rule for rule in rules if rule.get("CidrIp") == "0.0.0.0/0"]


def test_secrets(server: Template) -> None:
    """The replay's key is made by Secrets Manager and the owner's secret is read by its ARN."""
    server.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {
            "KmsKeyId": Match.any_value(),
            "GenerateSecretString": {
                "GenerateStringKey": "secret_key",
                "PasswordLength": 40,
            },
        },
    )


def test_birth(server: Template) -> None:
    """User data carries the files as they are and no secret; the stack waits until it answers."""
    text = json.dumps(server.to_json())

    for part in ("qldb-ledger.service", "set-up.sh", "prepare.py", "QLDB_LEDGER_WAIT_URL"):
        assert part in text
    server.has_resource_properties(
        "AWS::CloudFormation::WaitCondition", {"Count": 1, "Timeout": "1800"}
    )


def test_user_data_fits(server: Template) -> None:
    """What the instance is told at its birth is under EC2's 16 KB, with room for names."""
    (template,) = server.find_resources("AWS::EC2::LaunchTemplate").values()
    parts = template["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Join"][1]

    assert 14_000 > sum(len(each) if isinstance(each, str) else 150 for each in parts)


def test_alarm(server: Template) -> None:
    """A server that does not answer raises an alarm."""
    server.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {"AlarmName": "qldb-stream-server-server-down", "MetricName": "UnHealthyHostCount"},
    )


def test_the_server_may_feed_the_stream(templates: dict[str, dict[str, Any]]) -> None:
    """The stream's stack lets the server's role put records, on its stream alone."""
    policies = resources(templates["qldb-stream-stream"], "AWS::IAM::Policy")
    (feed,) = (each for name, each in policies.items() if name.startswith("ServerFeeds"))
    statements = feed["Properties"]["PolicyDocument"]["Statement"]

    assert "kinesis:PutRecords" in statements[0]["Action"]
    assert {"Fn::GetAtt": ["JournalAE8C44B2", "Arn"]} == statements[0]["Resource"]
