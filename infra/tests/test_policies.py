"""What functions may do is what their code calls: a table, function by function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.tests.conftest import resources
from infra.tests.rights import INTERFACES, RIGHTS, TRACES

Statement = dict[str, Any]

# What AWS gives no resource for; every other statement names what it is about.
WITHOUT_RESOURCE = (
    TRACES
    | INTERFACES
    | {"ec2:DescribeSnapshots", "ec2:DescribeVolumes", "ssm:UpdateInstanceInformation"}
    | {
        f"ec2messages:{each}"
        for each in (
            "AcknowledgeMessage",
            "DeleteMessage",
            "FailMessage",
            "GetEndpoint",
            "GetMessages",
            "SendReply",
        )
    }
    | {
        f"ssmmessages:{verb}{channel}Channel"
        for verb in ("Create", "Open")
        for channel in ("Control", "Data")
    }
    | {
        f"logs:{each}"
        for each in (
            "CreateLogDelivery",
            "DeleteLogDelivery",
            "DescribeLogGroups",
            "DescribeResourcePolicies",
            "GetLogDelivery",
            "ListLogDeliveries",
            "PutResourcePolicy",
            "UpdateLogDelivery",
        )
    }
)


def _actions(statement: Statement) -> set[str]:
    """Give a statement's actions, of which one is written without a list."""
    actions = statement["Action"]
    return {actions} if isinstance(actions, str) else set(actions)


def _statements(template: dict[str, Any]) -> Iterator[tuple[str, Statement]]:
    """Give the statements of all policies of roles, with the names of the roles."""
    for policy in resources(template, "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            for role in policy["Properties"]["Roles"]:
                yield json.dumps(role), statement
    for name, role in resources(template, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield json.dumps({"Ref": name}), statement


@pytest.mark.parametrize(("stack", "handler"), sorted(RIGHTS))
def test_rights(templates: dict[str, dict[str, Any]], stack: str, handler: str) -> None:
    """A function may call what its code calls: no less, no more."""
    template = templates[stack]
    (function,) = (
        each["Properties"]
        for each in resources(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"] == f"qldb_stream.aws.{handler}"
    )
    role = json.dumps({"Ref": function["Role"]["Fn::GetAtt"][0]})
    allowed = {
        action
        for of, statement in _statements(template)
        if of == role
        for action in _actions(statement)
    }

    assert RIGHTS[stack, handler] == allowed


def test_no_wildcard_where_a_resource_is_possible(templates: dict[str, dict[str, Any]]) -> None:
    """`*` is the resource of those calls alone for which AWS knows none."""
    wide = {
        (name, action)
        for name, template in templates.items()
        for _, statement in _statements(template)
        if statement["Resource"] == "*"
        for action in _actions(statement) - WITHOUT_RESOURCE
    }

    assert set() == wide


def test_no_wildcard_in_actions(templates: dict[str, dict[str, Any]]) -> None:
    """Every call is named."""
    wide = {
        (name, action)
        for name, template in templates.items()
        for _, statement in _statements(template)
        for action in _actions(statement)
        if "*" in action
    }

    assert set() == wide


def test_keys_are_used_through_services(templates: dict[str, dict[str, Any]]) -> None:
    """Functions and Firehose use keys only through the service that stores with them."""
    loose = {
        (name, role)
        for name, template in templates.items()
        for role, statement in _statements(template)
        if any(action.startswith("kms:") for action in _actions(statement))
        and "kms:ViaService" not in json.dumps(statement.get("Condition", {}))
    }
    # Kinesis's producers, who encrypt records themselves, and what SQS's poller does.
    fed = {each for each in loose if "Qldb" in each[1] or "ServerRole" in each[1]}
    polled = {each for each in loose if each[0].endswith("-restore") and "Archive" in each[1]}

    assert loose == fed | polled
