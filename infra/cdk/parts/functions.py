"""The Lambda functions: one zip, one way to make them, a role with what it is given alone."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import (
    Duration,
    Stack,
    aws_ec2 as ec2,
    aws_iam as iam,
    aws_lambda as lambda_,
    aws_logs as logs,
)
from constructs import Construct

from parts import grants
from parts.keys import removal
from parts.nag import accept, accept_wildcards
from settings import Settings, SettingsError

# Lambda mounts layers here.
_CA_BUNDLE = "/opt/ca-bundle.pem"


class Functions(Construct):
    """What all functions of a stack share: the code, a layer of certificates, a network."""

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        *,
        vpc: ec2.IVpc | None = None,
        security_group: ec2.ISecurityGroup | None = None,
    ) -> None:
        """
        Find the zip, and the certificates that the owner's servers are trusted by.

        Raises:
            SettingsError: a file is not there.

        """
        super().__init__(scope, "Functions")
        self._settings = settings
        self._vpc = vpc
        self._groups = [security_group] if security_group else None
        if not settings.lambda_zip.is_file():
            raise SettingsError(
                f"lambdaZip: {settings.lambda_zip} is not there; `make lambda` makes it"
            )
        self._code = lambda_.Code.from_asset(str(settings.lambda_zip))
        self._layers = [self._certificates(settings)] if settings.ca_bundle else []

    def make(
        self,
        purpose: str,
        handler: str,
        environment: Mapping[str, str],
        *,
        timeout: Duration,
        memory_mib: int = 1024,
    ) -> lambda_.Function:
        """Make one function, with its log group and its role. CloudFormation names it."""
        group = logs.LogGroup(
            self,
            f"{purpose}Logs",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=removal(self._settings),
        )
        role = self._role(purpose, group)
        function = lambda_.Function(
            self,
            purpose,
            description=f"{Stack.of(self).stack_name}: {handler}",
            handler=handler,
            code=self._code,
            layers=self._layers,
            runtime=lambda_.Runtime(
                f"python{self._settings.lambda_python}", lambda_.RuntimeFamily.PYTHON
            ),
            architecture=self._architecture(),
            memory_size=memory_mib,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            role=role,
            log_group=group,
            logging_format=lambda_.LoggingFormat.TEXT,
            environment=self._environment(environment),
            vpc=self._vpc,
            security_groups=self._groups,
        )
        accept(
            function,
            "The runtime is the newest Python that the package and its wheels are tested on.",
            "AwsSolutions-L1",
        )
        return function

    def _certificates(self, settings: Settings) -> lambda_.LayerVersion:
        """Make the layer that holds the certificates; a folder is an asset, so theirs is one."""
        bundle = settings.ca_bundle
        if bundle is None or not (bundle / "ca-bundle.pem").is_file():
            raise SettingsError(f"caBundle: {bundle} is no folder with a file ca-bundle.pem")
        return lambda_.LayerVersion(self, "Certificates", code=lambda_.Code.from_asset(str(bundle)))

    def _architecture(self) -> lambda_.Architecture:
        """Give the processor that the zip was made for."""
        if self._settings.lambda_architecture == "arm64":
            return lambda_.Architecture.ARM_64
        return lambda_.Architecture.X86_64

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Add what every function gets; an empty value is a variable left out."""
        every = {"QLDB_STREAM_LOG_LEVEL": "info"}
        if self._layers:
            every["AWS_CA_BUNDLE"] = _CA_BUNDLE
        return {key: value for key, value in {**every, **environment}.items() if value}

    def _role(self, purpose: str, group: logs.LogGroup) -> iam.Role:
        """Make a role that may log and trace, and in a network have its interfaces."""
        role = iam.Role(
            self,
            f"{purpose}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        # Streams of a log group are resources of their own, under the group's ARN.
        role.add_to_policy(grants.allow(grants.LOGS, group.log_group_arn))
        role.add_to_policy(grants.allow(grants.TRACES, "*"))
        if self._vpc:
            role.add_to_policy(grants.allow(grants.INTERFACES, "*"))
        accept_wildcards(
            role,
            "AWS knows no resource for traces, nor for the interfaces that Lambda makes in a VPC.",
            "*",
        )
        return role
