"""Restoring a whole prefix: a state machine that calls the archive function until it is done."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_iam as iam,
    aws_lambda as lambda_,
    aws_logs as logs,
    aws_stepfunctions as sfn,
)
from constructs import Construct

from parts import grants
from parts.keys import removal
from parts.nag import accept_wildcards
from settings import Settings


def make_run(
    scope: Construct, settings: Settings, function: lambda_.IFunction
) -> sfn.CfnStateMachine:
    """
    Make the state machine. Its input is `{"bucket": ..., "prefix": ...}`.

    The function stops before its time is up and answers where to go on; that answer is the
    next call's input, until it says `done`. What fails for a while is tried again; what needs
    a person ends the run, whose last input says where to go on.
    """
    group = logs.LogGroup(
        scope,
        "RunLogs",
        retention=logs.RetentionDays.THREE_MONTHS,
        removal_policy=removal(settings),
    )
    role = iam.Role(scope, "RunRole", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
    role.add_to_policy(grants.allow(("lambda:InvokeFunction",), function.function_arn))
    role.add_to_policy(grants.allow(grants.TRACES, "*"))
    role.add_to_policy(
        grants.allow(
            (
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ),
            "*",
        )
    )
    accept_wildcards(
        role, "Traces, and the delivery of a state machine's log, take no resource.", "*"
    )
    machine = sfn.CfnStateMachine(
        scope,
        "Run",
        role_arn=role.role_arn,
        definition=_definition(),
        definition_substitutions={"Function": function.function_arn},
        tracing_configuration=sfn.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        logging_configuration=sfn.CfnStateMachine.LoggingConfigurationProperty(
            level="ALL",
            # Bucket, prefix and counts are all that is said: no contents.
            include_execution_data=True,
            destinations=[
                sfn.CfnStateMachine.LogDestinationProperty(
                    cloud_watch_logs_log_group=sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                        log_group_arn=group.log_group_arn
                    )
                )
            ],
        ),
    )
    machine.node.add_dependency(role)
    return machine


def _definition() -> dict[str, object]:
    """Give the loop in Amazon States Language."""
    soon = Duration.seconds(10).to_seconds()
    return {
        "Comment": "Call the archive function until it says that it is done",
        "StartAt": "Deliver",
        "States": {
            "Deliver": {
                "Type": "Task",
                "Resource": "${Function}",
                "Retry": [
                    {
                        "ErrorEquals": ["States.ALL"],
                        "IntervalSeconds": soon,
                        "MaxAttempts": 6,
                        "BackoffRate": 2,
                        "MaxDelaySeconds": 300,
                        "JitterStrategy": "FULL",
                    }
                ],
                "Next": "Look",
            },
            "Look": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.ok", "BooleanEquals": False, "Next": "Stopped"},
                    {"Variable": "$.done", "BooleanEquals": True, "Next": "Done"},
                ],
                "Default": "Deliver",
            },
            "Done": {"Type": "Succeed"},
            "Stopped": {
                "Type": "Fail",
                "Error": "Stopped",
                "Cause": "A strand stopped, and a person must look: docs/aws-operations.md",
            },
        },
    }
