"""The one instance that serves ledgers: what it may do, how it is born, and its volume."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aws_cdk import (
    CfnTag,
    Duration,
    RemovalPolicy,
    Size,
    Stack,
    Tags,
    aws_autoscaling as autoscaling,
    aws_dlm as dlm,
    aws_ec2 as ec2,
    aws_iam as iam,
    aws_kms as kms,
    aws_s3_assets as assets,
)
from constructs import Construct

from parts import grants
from parts.nag import accept_wildcards
from settings import Settings

PORT: Final = 8765
_FILES: Final = Path(__file__).resolve().parent.parent / "server"
_SCRIPTS: Final = "/usr/local/lib/qldb-ledger"
# The tag by which instance, volume and snapshots know that they belong together.
TAG: Final = "qldb-stream:server"


def make_volume(scope: Construct, settings: Settings, *, key: kms.IKey, zone: str) -> ec2.Volume:
    """Make the volume of the ledgers: encrypted gp3; a snapshot remains when it goes."""
    volume = ec2.Volume(
        scope,
        "Ledgers",
        availability_zone=zone,
        size=Size.gibibytes(settings.volume_gib),
        volume_type=ec2.EbsDeviceVolumeType.GP3,
        encrypted=True,
        encryption_key=key,
        removal_policy=RemovalPolicy.SNAPSHOT if settings.retain else RemovalPolicy.DESTROY,
    )
    Tags.of(volume).add(TAG, Stack.of(scope).stack_name)
    return volume


def make_snapshots(
    scope: Construct, settings: Settings, volume: ec2.Volume
) -> dlm.CfnLifecyclePolicy:
    """Take a snapshot each night; `snapshotDays` of them are kept."""
    stack = Stack.of(scope)
    snapshots = stack.format_arn(service="ec2", account="", resource="snapshot", resource_name="*")
    volume_arn = stack.format_arn(service="ec2", resource="volume", resource_name=volume.volume_id)
    role = iam.Role(scope, "SnapshotsRole", assumed_by=iam.ServicePrincipal("dlm.amazonaws.com"))
    for statement in (
        grants.allow(("ec2:CreateSnapshot",), volume_arn, snapshots),
        grants.allow(("ec2:CreateTags", "ec2:DeleteSnapshot"), snapshots),
        grants.allow(("ec2:DescribeSnapshots", "ec2:DescribeVolumes"), "*"),
    ):
        role.add_to_policy(statement)
    accept_wildcards(
        role,
        "Snapshots have names that nobody knows yet, and describing takes no resource.",
        "*",
        "arn:<AWS::Partition>:ec2:<AWS::Region>::snapshot/*",
    )
    return dlm.CfnLifecyclePolicy(
        scope,
        "Snapshots",
        description=f"{stack.stack_name} ledgers each night",
        state="ENABLED",
        execution_role_arn=role.role_arn,
        policy_details=dlm.CfnLifecyclePolicy.PolicyDetailsProperty(
            policy_type="EBS_SNAPSHOT_MANAGEMENT",
            resource_types=["VOLUME"],
            target_tags=[CfnTag(key=TAG, value=stack.stack_name)],
            schedules=[
                dlm.CfnLifecyclePolicy.ScheduleProperty(
                    name="nightly",
                    copy_tags=True,
                    create_rule=dlm.CfnLifecyclePolicy.CreateRuleProperty(
                        interval=24, interval_unit="HOURS", times=["03:00"]
                    ),
                    retain_rule=dlm.CfnLifecyclePolicy.RetainRuleProperty(
                        count=settings.snapshot_days
                    ),
                )
            ],
        ),
    )


def make_role(
    scope: Construct, *, volume: ec2.Volume, volume_key: kms.IKey, secrets: dict[str, str]
) -> iam.Role:
    """Make the instance's role: its volume, its secrets, and a way in for SSM. No more."""
    stack = Stack.of(scope)
    mine = {"StringEquals": {f"aws:ResourceTag/{TAG}": stack.stack_name}}
    instances = stack.format_arn(service="ec2", resource="instance", resource_name="*")
    its_volume = stack.format_arn(service="ec2", resource="volume", resource_name=volume.volume_id)
    disks = grants.through("ec2", stack)
    role = iam.Role(scope, "ServerRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    for statement in (
        grants.allow(("ec2:AttachVolume",), instances, its_volume, when=mine),
        grants.allow(
            ("kms:CreateGrant",),
            volume_key.key_arn,
            when={**disks, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
        grants.allow(
            ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext"),
            volume_key.key_arn,
            when=disks,
        ),
        grants.allow(grants.SECRET, *secrets.values()),
        grants.allow(_SESSION_MANAGER, "*"),
    ):
        role.add_to_policy(statement)
    accept_wildcards(
        role,
        "Session Manager's calls take no resource; the instance has a name that nobody knows "
        "yet, and only one with the stack's tag may have the volume.",
        "*",
        "arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:instance/*",
    )
    return role


# What the SSM agent needs for a shell and a command, out of AmazonSSMManagedInstanceCore.
_SESSION_MANAGER: Final = (
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


def birth(environment: dict[str, str]) -> ec2.UserData:
    """
    Write what the instance does when it is born: three files and an environment, then set-up.

    The files are in infra/cdk/server; nothing in them is replaced. No secret is here: user
    data can be read by whoever may describe the instance.
    """
    data = ec2.UserData.for_linux()
    data.add_commands("set -euo pipefail", f"mkdir -p {_SCRIPTS}")
    variables = "\n".join(f"{key}={_quote(value)}" for key, value in environment.items())
    _add_file(data, "/etc/qldb-ledger.env", variables)
    for name in ("set-up.sh", "prepare.py"):
        _add_file(data, f"{_SCRIPTS}/{name}", (_FILES / name).read_text(encoding="utf-8"))
    unit = (_FILES / "qldb-ledger.service").read_text(encoding="utf-8")
    _add_file(data, "/etc/systemd/system/qldb-ledger.service", unit)
    data.add_commands(f"bash {_SCRIPTS}/set-up.sh")
    return data


def _quote(value: str) -> str:
    """Quote for both readers of the file, bash and systemd; a value has no quotes itself."""
    assert not set(value) & set("\"'\\`\n"), value
    return f'"{value}"'


def _add_file(data: ec2.UserData, path: str, text: str) -> None:
    """Add a command that writes a file as it is."""
    data.add_commands(f"cat >{path} <<'END-OF-FILE'\n{text.rstrip()}\nEND-OF-FILE")


def make_group(
    scope: Construct,
    settings: Settings,
    *,
    vpc: ec2.IVpc,
    subnet: ec2.ISubnet,
    role: iam.Role,
    security_group: ec2.ISecurityGroup,
    user_data: ec2.UserData,
) -> autoscaling.AutoScalingGroup:
    """
    Make the group of exactly one instance, in the zone of its volume.

    A group, so that an instance that fails is replaced, and a new image or version is put in
    place: the old one goes first, because a volume is attached once. There is no SSH key; who
    must get in uses Session Manager.
    """
    template = ec2.LaunchTemplate(
        scope,
        "Template",
        machine_image=ec2.MachineImage.latest_amazon_linux2023(
            cpu_type=ec2.AmazonLinuxCpuType.ARM_64
        ),
        instance_type=ec2.InstanceType(settings.instance_type),
        role=role,
        security_group=security_group,
        user_data=user_data,
        require_imdsv2=True,
        http_put_response_hop_limit=1,
        detailed_monitoring=True,
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/xvda",
                volume=ec2.BlockDeviceVolume.ebs(
                    16, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
                ),
            )
        ],
    )
    raw = template.node.default_child
    assert isinstance(raw, ec2.CfnLaunchTemplate)
    raw.add_property_override("LaunchTemplateData.MaintenanceOptions", {"AutoRecovery": "default"})
    group = autoscaling.AutoScalingGroup(
        scope,
        "Group",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnets=[subnet]),
        launch_template=template,
        min_capacity=1,
        max_capacity=1,
        health_checks=autoscaling.HealthChecks.with_additional_checks(
            additional_types=[autoscaling.AdditionalHealthCheckType.ELB],
            grace_period=Duration.minutes(15),
        ),
        update_policy=autoscaling.UpdatePolicy.rolling_update(
            max_batch_size=1, min_instances_in_service=0
        ),
    )
    Tags.of(group).add(TAG, Stack.of(scope).stack_name)
    return group


def make_bundle(scope: Construct, settings: Settings, role: iam.Role) -> assets.Asset:
    """Upload the folder of wheels, and let the instance fetch it."""
    bundle = assets.Asset(scope, "Bundle", path=str(settings.server_bundle))
    objects = bundle.bucket.arn_for_objects(bundle.s3_object_key)
    role.add_to_policy(grants.allow(("s3:GetObject",), objects))
    return bundle
