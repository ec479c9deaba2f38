"""The embedded ledger as a service: one instance, its volume, and a load balancer inside."""

from __future__ import annotations

from aws_cdk import (
    CfnOutput,
    CfnWaitCondition,
    CfnWaitConditionHandle,
    Duration,
    Stack,
    aws_autoscaling as autoscaling,
    aws_ec2 as ec2,
    aws_elasticloadbalancingv2 as elb,
    aws_route53 as route53,
    aws_route53_targets as route53_targets,
    aws_secretsmanager as secretsmanager,
)
from constructs import Construct

from parts import grants
from parts.destination import Destination
from parts.instance import (
    PORT,
    birth,
    make_bundle,
    make_group,
    make_role,
    make_snapshots,
    make_volume,
)
from parts.keys import make_key, removal
from parts.nag import accept
from parts.network import make_network
from parts.watch import Watch, Watched
from settings import Settings, SettingsError

_HTTPS = ec2.Port.tcp(443)
# Booting, installing from S3 and starting took minutes; CloudFormation gives up after this.
_BIRTH_S = 1800


class LedgerServerStack(Stack):
    """Serve ledgers to QLDB's drivers at https://`serverDomain`, inside one network."""

    def __init__(self, scope: Construct, stack_id: str, settings: Settings) -> None:
        """
        Make the network, the server, its load balancer and its alarms.

        Raises:
            SettingsError: the folder of wheels is not there.

        """
        super().__init__(scope, stack_id, description="qldb-stream: the ledger server")
        if not settings.server_bundle.is_dir():
            raise SettingsError(
                f"serverBundle: {settings.server_bundle} is not there; "
                "`make server-bundle` makes it"
            )
        self._settings = settings
        self.vpc = make_network(
            self,
            settings,
            "SecretsManager",
            "Kinesis",
            "Ec2",
            "Ssm",
            "SsmMessages",
            "Ec2Messages",
        )
        self._key = make_key(self, "ledgers", settings)
        self.replay_key = self._make_replay_key()
        self._balancer_group = self._group("Balancer", "who may call the ledger server")
        self._balancer_group.add_ingress_rule(
            ec2.Peer.ipv4(self.vpc.vpc_cidr_block), _HTTPS, "clients inside"
        )
        accept(
            self._balancer_group,
            "The rule's network is the VPC's own, an intrinsic that cdk-nag cannot read.",
            "AwsSolutions-EC23",
        )
        self.clients = self._group("Clients", "functions that call the ledger server")
        self.clients.add_egress_rule(ec2.Peer.any_ipv4(), _HTTPS, "server and AWS services")
        self._serve()

    def destination(self, ledger: str) -> Destination:
        """Say how a function in another stack delivers to a ledger of this server."""
        endpoint = f"https://{self._settings.server_domain}"
        secret = self.replay_key.secret_arn
        allowed = (
            grants.allow(grants.SECRET, secret),
            grants.allow(
                grants.READ_KEY,
                self._key.key_arn,
                when=grants.through("secretsmanager", self),
            ),
        )
        return Destination(
            environment={
                "QLDB_STREAM_SINK": f"qldb:{ledger}?endpoint={endpoint}",
                "QLDB_STREAM_LEDGER_SECRET": secret,
            },
            statements=allowed,
            table_statements=allowed,
            vpc=self.vpc,
            security_group=self.clients,
            ledger=ledger,
            endpoint=endpoint,
        )

    def _make_replay_key(self) -> secretsmanager.Secret:
        """Make the key that functions sign their requests with; nobody ever sees it."""
        secret = secretsmanager.Secret(
            self,
            "ReplayKey",
            description="What qldb-stream's functions sign requests to the ledger server with",
            encryption_key=self._key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"access_key": "QLDBSTREAMREPLAY"}',
                generate_string_key="secret_key",
                password_length=40,
                exclude_punctuation=True,
            ),
            removal_policy=removal(self._settings),
        )
        accept(
            secret,
            "The server reads its keys when it starts: docs/aws-operations.md says how to change "
            "this one, which takes a restart of the service.",
            "AwsSolutions-SMG4",
        )
        return secret

    def _group(self, name: str, description: str) -> ec2.SecurityGroup:
        """Make a security group that lets nothing out by itself."""
        return ec2.SecurityGroup(
            self, name, vpc=self.vpc, description=description, allow_all_outbound=False
        )

    def _serve(self) -> None:
        """Make the instance and what stands around it."""
        settings = self._settings
        subnet = self.vpc.isolated_subnets[0]
        volume = make_volume(self, settings, key=self._key, zone=subnet.availability_zone)
        make_snapshots(self, settings, volume)
        secrets = {
            "QLDB_LEDGER_SECRET": settings.server_secret_arn,
            "QLDB_LEDGER_REPLAY_KEY": self.replay_key.secret_arn,
        }
        self.role = make_role(self, volume=volume, volume_key=self._key, secrets=secrets)
        self.role.add_to_policy(
            grants.allow(
                grants.READ_KEY,
                self._key.key_arn,
                when=grants.through("secretsmanager", self),
            )
        )
        bundle = make_bundle(self, settings, self.role)
        handle = CfnWaitConditionHandle(self, "Born")
        environment = {
            **secrets,
            "AWS_DEFAULT_REGION": self.region,
            "QLDB_LEDGER_VOLUME": volume.volume_id,
            "QLDB_LEDGER_BUNDLE": bundle.s3_object_url,
            "QLDB_LEDGER_NAMES": f"{settings.ledger_name} {settings.destination_ledger_name}",
            "QLDB_LEDGER_WAIT_URL": handle.ref,
        }
        inside = self._group("Server", "the ledger server")
        inside.add_egress_rule(ec2.Peer.any_ipv4(), _HTTPS, "AWS services")
        inside.add_ingress_rule(self._balancer_group, ec2.Port.tcp(PORT), "from the balancer")
        self._balancer_group.add_egress_rule(inside, ec2.Port.tcp(PORT), "to the server")
        group = make_group(
            self,
            settings,
            vpc=self.vpc,
            subnet=subnet,
            role=self.role,
            security_group=inside,
            user_data=birth(environment),
        )
        accept(
            group,
            "One instance, replaced by the group itself; the alarm watches what matters, "
            "whether the server answers. Before a replacement there is no message to wait for.",
            "AwsSolutions-AS3",
        )
        targets = self._balance(group)
        born = CfnWaitCondition(
            self, "ServerAnswers", handle=handle.ref, timeout=str(_BIRTH_S), count=1
        )
        born.node.add_dependency(group)
        self._watch(targets)

    def _balance(self, group: autoscaling.AutoScalingGroup) -> elb.NetworkTargetGroup:
        """Put a load balancer and a name before the server; TLS ends at the server itself."""
        balancer = elb.NetworkLoadBalancer(
            self,
            "LoadBalancer",
            vpc=self.vpc,
            internet_facing=False,
            cross_zone_enabled=True,
            security_groups=[self._balancer_group],
            deletion_protection=self._settings.retain,
            vpc_subnets=ec2.SubnetSelection(subnets=self.vpc.isolated_subnets),
        )
        accept(
            balancer,
            "A network load balancer logs TLS listeners only, and TLS ends at the server, which "
            "logs each request; the VPC's flow log has the connections.",
            "AwsSolutions-ELB2",
        )
        listener = balancer.add_listener("Https", port=443, protocol=elb.Protocol.TCP)
        targets = listener.add_targets(
            "Targets",
            port=PORT,
            protocol=elb.Protocol.TCP,
            targets=[group],
            deregistration_delay=Duration.seconds(30),
            health_check=elb.HealthCheck(
                protocol=elb.Protocol.HTTPS,
                path="/health",
                healthy_http_codes="200",
                interval=Duration.seconds(10),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )
        zone = route53.PrivateHostedZone(
            self, "Zone", zone_name=self._settings.server_domain, vpc=self.vpc
        )
        route53.ARecord(
            self,
            "Name",
            zone=zone,
            target=route53.RecordTarget.from_alias(route53_targets.LoadBalancerTarget(balancer)),
        )
        CfnOutput(self, "Endpoint", value=f"https://{self._settings.server_domain}")
        CfnOutput(self, "LoadBalancerName", value=balancer.load_balancer_dns_name)
        CfnOutput(self, "GroupName", value=group.auto_scaling_group_name)
        return targets

    def _watch(self, targets: elb.NetworkTargetGroup) -> None:
        """Raise an alarm when nobody answers for three minutes."""
        watch = Watch(self, self._settings, key=self._key)
        unhealthy = targets.metrics.un_healthy_host_count(
            statistic="Maximum", period=Duration.minutes(1)
        )
        watch.alarm(
            Watched(
                name="server-down",
                metric=unhealthy,
                above=0,
                periods=3,
                says="The ledger server does not answer its health check.",
            )
        )
        healthy = targets.metrics.healthy_host_count(period=Duration.minutes(1))
        watch.dashboard({"Servers that answer": [healthy], "Servers that do not": [unhealthy]})
