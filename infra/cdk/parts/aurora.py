"""Aurora PostgreSQL Serverless v2, for a journal that is restored into tables."""

from __future__ import annotations

from typing import Final

from aws_cdk import RemovalPolicy, Stack, aws_ec2 as ec2, aws_kms as kms, aws_rds as rds
from constructs import Construct

from parts import grants
from parts.destination import Destination
from parts.network import make_network
from settings import Settings

# Not the port that everybody tries, which cdk-nag asks for too.
_PORT: Final = 5433
_DATABASE: Final = "journal"
_VERSION: Final = "16.6"
_HTTPS: Final = ec2.Port.tcp(443)


def make_aurora(scope: Construct, settings: Settings, key: kms.IKey) -> Destination:
    """
    Make a cluster in a network without a way out, and say how functions deliver to it.

    RDS makes the password, keeps it in Secrets Manager and changes it every seven days by
    itself; no function of ours rotates it, and no template holds it.
    """
    vpc = make_network(scope, settings, "SecretsManager")
    clients, inside = _groups(scope, vpc)
    cluster = _cluster(scope, settings, key, vpc, inside)
    for number in range(1, 3):
        rds.CfnDBInstance(
            scope,
            f"Instance{number}",
            db_cluster_identifier=cluster.ref,
            db_instance_class="db.serverless",
            engine="aurora-postgresql",
            auto_minor_version_upgrade=True,
            enable_performance_insights=True,
            performance_insights_kms_key_id=key.key_arn,
            publicly_accessible=False,
        )
    stack = Stack.of(scope)
    secret = cluster.attr_master_user_secret_secret_arn
    mode = (
        "sslmode=verify-full&sslrootcert=/opt/ca-bundle.pem"
        if settings.ca_bundle
        else "sslmode=require"
    )
    url = f"postgresql://{cluster.attr_endpoint_address}:{_PORT}/{_DATABASE}?{mode}"
    return Destination(
        environment={"QLDB_STREAM_SINK": url, "QLDB_STREAM_SINK_SECRET": secret},
        statements=(
            grants.allow(grants.SECRET, secret),
            grants.allow(
                grants.READ_KEY,
                key.key_arn,
                when=grants.through("secretsmanager", stack),
            ),
        ),
        vpc=vpc,
        security_group=clients,
    )


def _groups(scope: Construct, vpc: ec2.IVpc) -> tuple[ec2.SecurityGroup, ec2.SecurityGroup]:
    """Make two security groups: of those who call the database, and the database's own."""
    clients = ec2.SecurityGroup(
        scope, "Clients", vpc=vpc, description="call the database", allow_all_outbound=False
    )
    inside = ec2.SecurityGroup(
        scope, "Database", vpc=vpc, description="the database", allow_all_outbound=False
    )
    clients.add_egress_rule(ec2.Peer.any_ipv4(), _HTTPS, "AWS services")
    clients.add_egress_rule(inside, ec2.Port.tcp(_PORT), "database")
    inside.add_ingress_rule(clients, ec2.Port.tcp(_PORT), "from functions")
    return clients, inside


def _cluster(
    scope: Construct,
    settings: Settings,
    key: kms.IKey,
    vpc: ec2.IVpc,
    group: ec2.SecurityGroup,
) -> rds.CfnDBCluster:
    """Make the cluster: encrypted, backed up, TLS only, asleep when nobody uses it."""
    subnets = rds.CfnDBSubnetGroup(
        scope,
        "Subnets",
        db_subnet_group_description="The database's subnets",
        subnet_ids=vpc.select_subnets(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED).subnet_ids,
    )
    parameters = rds.CfnDBClusterParameterGroup(
        scope,
        "Parameters",
        description="TLS only",
        family=f"aurora-postgresql{_VERSION.split('.')[0]}",
        parameters={"rds.force_ssl": "1"},
    )
    cluster = rds.CfnDBCluster(
        scope,
        "Cluster",
        engine="aurora-postgresql",
        engine_version=_VERSION,
        database_name=_DATABASE,
        port=_PORT,
        master_username="qldb_stream",
        manage_master_user_password=True,
        master_user_secret=rds.CfnDBCluster.MasterUserSecretProperty(kms_key_id=key.key_arn),
        serverless_v2_scaling_configuration=rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
            min_capacity=0.5, max_capacity=8
        ),
        storage_encrypted=True,
        kms_key_id=key.key_arn,
        db_subnet_group_name=subnets.ref,
        db_cluster_parameter_group_name=parameters.ref,
        vpc_security_group_ids=[group.security_group_id],
        backup_retention_period=14,
        copy_tags_to_snapshot=True,
        deletion_protection=settings.retain,
        enable_iam_database_authentication=True,
        enable_cloudwatch_logs_exports=["postgresql"],
    )
    # Without deletion protection nobody wants to keep it, but a snapshot costs little.
    cluster.apply_removal_policy(RemovalPolicy.SNAPSHOT)
    return cluster
