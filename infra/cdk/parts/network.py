"""A network without a way out: private subnets, and AWS's services through endpoints."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack, aws_ec2 as ec2, aws_iam as iam, aws_logs as logs
from constructs import Construct

from parts import grants
from parts.nag import accept
from settings import Settings

# What functions and server call over the network; DynamoDB and S3 come by gateways, for nothing.
_SERVICES = {
    "SecretsManager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Kinesis": ec2.InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
    "Ssm": ec2.InterfaceVpcEndpointAwsService.SSM,
    "SsmMessages": ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES,
    "Ec2Messages": ec2.InterfaceVpcEndpointAwsService.EC2_MESSAGES,
    "Ec2": ec2.InterfaceVpcEndpointAwsService.EC2,
}


def make_network(scope: Construct, settings: Settings, *services: str) -> ec2.Vpc:
    """
    Make a VPC of two zones with private subnets only, and endpoints for `services`.

    It has no internet gateway and no NAT: nothing in it reaches anything but AWS's services
    that are named here, and nothing outside reaches into it.
    """
    vpc = ec2.Vpc(
        scope,
        "Network",
        ip_addresses=ec2.IpAddresses.cidr(settings.vpc_cidr),
        max_azs=2,
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(
                name="private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26
            )
        ],
        gateway_endpoints={
            "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            "DynamoDb": ec2.GatewayVpcEndpointOptions(
                service=ec2.GatewayVpcEndpointAwsService.DYNAMODB
            ),
        },
    )
    _log_flows(vpc)
    group = ec2.SecurityGroup(
        scope, "Endpoints", vpc=vpc, description="AWS services", allow_all_outbound=False
    )
    group.add_ingress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.tcp(443), "from inside")
    accept(
        group,
        "The rule's network is the VPC's own, an intrinsic that cdk-nag cannot read.",
        "AwsSolutions-EC23",
    )
    for name in services:
        vpc.add_interface_endpoint(
            name, service=_SERVICES[name], security_groups=[group], open=False
        )
    return vpc


def _log_flows(vpc: ec2.Vpc) -> None:
    """Keep who spoke to whom for three months."""
    group = logs.LogGroup(
        vpc,
        "Flows",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=RemovalPolicy.DESTROY,
    )
    role = iam.Role(
        vpc, "FlowsRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com")
    )
    role.add_to_policy(grants.allow((*grants.LOGS, "logs:DescribeLogStreams"), group.log_group_arn))
    ec2.CfnFlowLog(
        vpc,
        "FlowLog",
        resource_id=vpc.vpc_id,
        resource_type="VPC",
        traffic_type="ALL",
        log_group_name=group.log_group_name,
        deliver_logs_permission_arn=role.role_arn,
        tags=[{"key": "Name", "value": Stack.of(vpc).stack_name}],
    )
