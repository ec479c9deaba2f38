"""The app as a whole: its size, what it imports, what its synthesis says, what it names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack, aws_s3 as s3

from infra.tests.conftest import APP, DEPLOYMENTS, SERVER, resources

FILES = sorted(APP.glob("*.py")) + sorted(APP.glob("*/*.py"))
# Types whose names are unique in an account and region, and the property that holds the name.
NAMED = {
    "AliasName",
    "AlarmName",
    "BucketName",
    "FunctionName",
    "RoleName",
    "StreamName",
    "TableName",
}


def _imports(file: Path) -> Iterator[str]:
    """Give the modules that a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_sizes() -> None:
    """The app's face has at most 30 lines, and no file of it more than 300."""
    lengths = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}

    assert [] == [name for name, lines in lengths.items() if lines > 300]
    assert 30 >= lengths["app.py"]


def test_the_app_never_imports_the_package() -> None:
    """Nothing of the deployment imports qldb_stream: they share names, not code."""
    assert [] == [file.name for file in FILES if any("qldb_stream" in m for m in _imports(file))]


def test_the_command_is_the_pinned_one(outputs: dict[str, Path]) -> None:
    """The command that synthesized is the version of the lock, and what it wrote says so."""
    lock = json.loads((APP / "package-lock.json").read_text(encoding="utf-8"))
    installed = json.loads(
        (APP / "node_modules" / "aws-cdk" / "package.json").read_text(encoding="utf-8")
    )

    assert "2.1148.1" == lock["packages"]["node_modules/aws-cdk"]["version"]
    assert "2.1148.1" == installed["version"]
    assert (outputs["full"] / "manifest.json").is_file()


def _reports(folder: Path) -> dict[str, dict[str, Any]]:
    """Give what each of the checks had to say, by its name; one that found nothing is left out."""
    file = folder / "validation-report.json"
    if not file.is_file():
        return {}
    report = json.loads(file.read_text(encoding="utf-8"))
    return {each["pluginName"]: each for each in report["pluginReports"]}


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_nothing_is_left_to_acknowledge(outputs: dict[str, Path], name: str) -> None:
    """cdk-nag's AwsSolutions and the CDK's own checks end without an error or a warning."""
    reports = _reports(outputs[name])

    assert [] == [name for name, each in reports.items() if each["conclusion"] != "success"]
    assert [] == [found for each in reports.values() for found in each["violations"]]


def _acknowledged(folder: Path) -> Iterator[tuple[str, str]]:
    """Give each acknowledgement that the synthesis noted: the rule, and the reason."""
    for file in folder.glob("*.metadata.json"):
        noted = json.loads(file.read_text(encoding="utf-8"))
        for entries in noted.values():
            for entry in entries:
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    yield from entry["data"].items()


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_every_acknowledgement_has_a_reason(outputs: dict[str, Path], name: str) -> None:
    """What is accepted is accepted for a reason that is a sentence, wildcards one by one."""
    noted = [each for each in _acknowledged(outputs[name]) if "AwsSolutions" in each[0]]

    assert noted
    assert [] == [each for each in noted if len(each[1]) < 40 or not each[1].endswith(".")]
    assert [] == [rule for rule, _ in noted if re.search("IAM[45]$", rule)]


def test_cdk_nag_does_look(outputs: dict[str, Path]) -> None:
    """A bucket that breaks the rules, put into the same app, ends the synthesis."""
    from app import make_app

    settings = {**SERVER, "stream": "false", "qldb": "true", "server": "false"}
    app = make_app(App(context=settings))
    s3.Bucket(Stack(app, "Careless"), "Bucket")

    with pytest.raises(RuntimeError, match="AwsSolutions-S10"):
        app.synth()


def test_the_notice_of_the_retired_service(outputs: dict[str, Path]) -> None:
    """E3710 is acknowledged where QLDB is asked for, three times, and is said nowhere else."""
    found = {
        name: [
            each["ruleName"]
            for report in _reports(folder).values()
            for each in report["suppressedViolations"]
        ]
        for name, folder in outputs.items()
    }

    assert {"full": ["E3710"] * 3, "taken_over": ["E3710"] * 3, "plain": []} == found


def test_without_qldb_nothing_needs_it(templates: dict[str, dict[str, Any]]) -> None:
    """The default has no resource, role or right of the service that AWS retired."""
    text = json.dumps(templates["plain-stream"])

    assert {} == resources(templates["plain-stream"], "AWS::QLDB::Stream")
    assert [] == re.findall(r"qldb\.amazonaws|AWS::QLDB|\"qldb:[A-Z]", text)
    assert "plain-ledger" not in templates


def test_any_region_and_partition(templates: dict[str, dict[str, Any]]) -> None:
    """No template names a partition, a region or an account, but in what its owner gave."""
    given = {"arn:aws:secretsmanager:eu-west-1:123456789012:secret:server-AbCdEf"}
    given |= {"arn:aws:kms:eu-west-1:123456789012:key/1234abcd"}
    for name, template in templates.items():
        text = json.dumps(template["Resources"])
        for each in given:
            text = text.replace(each, "")
        found = re.findall(r"arn:aws[a-z-]*:|[a-z]{2}-[a-z]+-[0-9]\b|\b[0-9]{12}\b", text)
        assert [] == found, name


def _names(template: dict[str, Any]) -> Iterator[str]:
    """Give the names that a template chooses, which a second deployment could not have."""
    for resource in template["Resources"].values():
        for key, value in resource.get("Properties", {}).items():
            if key in NAMED and isinstance(value, str):
                yield value


def test_two_deployments_share_no_name(templates: dict[str, dict[str, Any]]) -> None:
    """Names derive from the stack: two deployments in one account and region do not meet."""
    one = {each for name, t in templates.items() if name.startswith("qldb-") for each in _names(t)}
    two = {each for name, t in templates.items() if name.startswith("plain") for each in _names(t)}

    assert one
    assert two
    assert set() == one & two


def test_descriptions(templates: dict[str, dict[str, Any]]) -> None:
    """Every stack says what it is."""
    assert [] == [name for name, each in templates.items() if not each.get("Description")]


def test_handlers(templates: dict[str, dict[str, Any]]) -> None:
    """Functions call the four handlers of the package, from one zip, on the chosen Python."""
    functions = [
        each["Properties"]
        for template in templates.values()
        for each in resources(template, "AWS::Lambda::Function").values()
        if each["Properties"]["Handler"].startswith("qldb_stream.")
    ]

    assert {
        "qldb_stream.aws.replay.handler",
        "qldb_stream.aws.replay.drain",
        "qldb_stream.aws.archive.handler",
        "qldb_stream.aws.tables.handler",
    } == {each["Handler"] for each in functions}
    assert {"python3.13"} == {each["Runtime"] for each in functions}
    assert {("arm64",)} == {tuple(each["Architectures"]) for each in functions}
    assert {"Active"} == {each["TracingConfig"]["Mode"] for each in functions}
