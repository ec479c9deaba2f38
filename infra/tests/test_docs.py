"""docs/aws.md and docs/aws-operations.md say what the deployment is, and their commands work."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import picture
from infra.tests.conftest import REPOSITORY, resources
from settings import context_keys

DEPLOYMENT = (REPOSITORY / "docs" / "aws.md").read_text(encoding="utf-8")
OPERATIONS = (REPOSITORY / "docs" / "aws-operations.md").read_text(encoding="utf-8")
# What a shell does with no account: everything before one is needed.
LOCAL = ("openssl ", "mkdir ", "cat ", "python3 ")
NEEDS_ACCOUNT = ("aws ", "npx cdk ")


def _find(command: str) -> str:
    """Give the path of a command."""
    path = shutil.which(command)
    assert path, command
    return path


def _commands() -> list[str]:
    """Give the lines of all shell blocks of the deployment's page, without remarks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", DEPLOYMENT, re.MULTILINE | re.DOTALL)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_picture_is_drawn_from_the_templates(outputs: dict[str, Path]) -> None:
    """The picture is what the templates of all stacks are drawn as."""
    drawn = picture.draw(picture.read(outputs["full"]))

    assert DEPLOYMENT == picture.with_picture(DEPLOYMENT, drawn)
    assert 25 < drawn.count("\n")


def test_every_command_is_of_a_kind_that_is_tested() -> None:
    """A command runs here, is a target of make, or needs an account; there is no other."""
    others = [
        line for line in _commands() if not line.startswith((*LOCAL, *NEEDS_ACCOUNT, "make "))
    ]

    assert ["cd infra/cdk", "rm private-key.pem server-secret.json"] == others


def test_targets_of_make() -> None:
    """Every target that is named is one."""
    for line in _commands():
        if line.startswith("make "):
            command = [_find("make"), "-n", *line.split()[1:]]
            done = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True)
            assert 0 == done.returncode, done.stderr


def test_local_commands(tmp_path: Path) -> None:
    """Certificate, bundle and secret come out of the commands as they are written."""
    folder = tmp_path / "infra" / "cdk"
    folder.mkdir(parents=True)
    (tmp_path / ".venv-cdk").symlink_to(REPOSITORY / ".venv-cdk")
    for line in _commands():
        if line.startswith(LOCAL):
            command = [_find("bash"), "-euc", line]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
    secret = json.loads((folder / "server-secret.json").read_text(encoding="utf-8"))
    bundle = (folder / "certificates" / "ca-bundle.pem").read_text(encoding="utf-8")

    assert {"certificate", "private_key", "keys"} == secret.keys()
    assert "BEGIN PRIVATE KEY" in secret["private_key"]
    assert bundle.endswith(secret["certificate"])
    assert 50 < bundle.count("BEGIN CERTIFICATE")


def test_stacks_and_settings_of_commands(templates: dict[str, dict[str, Any]]) -> None:
    """Commands of the CDK name stacks and settings that there are."""
    stacks = set(re.findall(r"cdk (?:deploy|destroy) ([a-z]+[a-z-]+)", DEPLOYMENT))
    given = set(re.findall(r"-c ([a-z][a-zA-Z0-9]+)=", DEPLOYMENT + OPERATIONS))
    written = set(re.findall(r'^"([a-zA-Z0-9]+)":', DEPLOYMENT, re.MULTILINE))

    assert stacks
    assert stacks <= templates.keys()
    assert given | written <= context_keys().keys()


def test_defaults() -> None:
    """The table of settings gives each default as it is."""
    rows = re.findall(r"^\| `([a-zA-Z0-9]+)` \|([^|]*)\|", DEPLOYMENT, re.MULTILINE)
    said = {key: default.strip(" `") for key, default in rows}
    written = {
        key: value
        for key, field in context_keys().items()
        if isinstance(value := field.default, str | int | bool)
    }

    for key, value in written.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        assert said[key] == text or (not text and said[key].startswith("NAME-")), key


@pytest.mark.parametrize(
    "stack", ["qldb-stream-stream", "qldb-stream-server", "qldb-stream-restore"]
)
def test_every_alarm_has_its_section(templates: dict[str, dict[str, Any]], stack: str) -> None:
    """Who is told of an alarm finds a heading with its name in the operations page."""
    names = {
        each["Properties"]["AlarmName"].removeprefix(f"{stack}-")
        for each in resources(templates[stack], "AWS::CloudWatch::Alarm").values()
    }

    assert names
    assert names <= set(re.findall(r"^### ([a-z-]+)$", OPERATIONS, re.MULTILINE))


def test_outputs_that_commands_need(templates: dict[str, dict[str, Any]]) -> None:
    """Each name in capitals in a command is an output's, or plain from its context."""
    outputs = {
        name.upper() for template in templates.values() for name in template.get("Outputs", {})
    }

    for name in ("INBOXURL", "ARCHIVEBUCKET", "FAILURESBUCKET", "REPLAYFUNCTION", "RUNARN"):
        assert name in OPERATIONS
        assert name in outputs
