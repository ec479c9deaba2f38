"""
Restoring a whole prefix: a state machine that calls the archive function until it is done.

The loop itself is in restore_run.json, in Amazon States Language: the project's end-to-end run
carries it out as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from aws_cdk import (
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

_DEFINITION: Final = Path(__file__).with_suffix(".json")


def make_run(
    scope: Construct, settings: Settings, function: lambda_.IFunction
) -> sfn.CfnStateMachine:
    """
    Make the state machine. Its input is `{"bucket": ..., "prefix": ...}`.

    The function stops before its time is up and answers where to go on; that answer is the
    next call's input, until it says `done`. What fails for a while is tried again; what needs
    a person ends the run, whose last input says where to go on. A prefix below which there is
    nothing ends it at once.
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
        definition=json.loads(_DEFINITION.read_text(encoding="utf-8")),
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
