"""
The deployment, synthesized once for all tests, as its owner would: by the CDK's own command.

Three deployments are made at the same time: `full` has every stack, through `cdk synth`
(with everything that could reach a network led nowhere); `taken_over` reads an archive that
exists and replays into AWS's own ledger; `plain` has the default and a sink's URL.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template

REPOSITORY = Path(__file__).resolve().parents[2]
APP = REPOSITORY / "infra" / "cdk"
sys.path.insert(0, str(APP))

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:server-AbCdEf"
SERVER = {"serverDomain": "ledger.example.org", "serverSecretArn": SECRET}
DEPLOYMENTS: dict[str, dict[str, str]] = {
    "full": {**SERVER, "qldb": "true", "restore": "aurora", "alarmEmail": "me@example.org"},
    "taken_over": {
        **SERVER,
        "name": "other",
        "qldb": "true",
        "destination": "qldb",
        "restore": "server",
        "archiveBucket": "an-archive",
        "archiveKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd",
        "archivePrefix": "journal/",
        "shards": "4",
        "kdsKmsAlias": "of-mine/kds",
        "s3KmsAlias": "of-mine/s3",
        "retain": "false",
    },
    "plain": {"name": "plain", "destination": "jsonl:/tmp/journal", "sinkSecretArn": SECRET},
}


def _environment(context: dict[str, str], out: Path) -> dict[str, str]:
    """Give an environment without credentials, from which no network is found."""
    nowhere = "http://127.0.0.1:9"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    given = json.loads((APP / "cdk.json").read_text(encoding="utf-8"))["context"]
    return {
        **kept,
        "HTTPS_PROXY": nowhere,
        "HTTP_PROXY": nowhere,
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "CDK_CONTEXT_JSON": json.dumps({**given, **context}),
        "CDK_OUTDIR": str(out),
    }


def _stand_ins(folder: Path) -> dict[str, str]:
    """Make what a deployment uploads, small: a zip, a wheel, certificates."""
    code = folder / "lambda.zip"
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("qldb_stream/__init__.py", "")
    for name in ("server", "certificates"):
        (folder / name).mkdir()
    (folder / "server" / "qldb_stream-0-py3-none-any.whl").write_bytes(b"")
    (folder / "certificates" / "ca-bundle.pem").write_text("")
    return {"lambdaZip": str(code), "serverBundle": str(folder / "server")}


def _command(name: str, context: dict[str, str], out: Path) -> list[str]:
    """Give the command that synthesizes: the CDK's own for one, the app alone for the others."""
    if name != "full":
        return [sys.executable, "app.py"]
    settings = [word for key, value in context.items() for word in ("-c", f"{key}={value}")]
    cdk = str(APP / "node_modules" / ".bin" / "cdk")
    flags = ["--quiet", "--no-notices", "--app", f"{sys.executable} app.py"]
    return [cdk, "synth", *flags, "--output", str(out), *settings]


@pytest.fixture(scope="session")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of templates of each deployment."""
    folder = tmp_path_factory.mktemp("cdk")
    files = _stand_ins(folder)
    running: dict[str, tuple[subprocess.Popen[str], Path]] = {}
    for name, chosen in DEPLOYMENTS.items():
        context = {**chosen, **files}
        if name == "full":
            context["caBundle"] = str(folder / "certificates")
        out = folder / name
        # The command hands its own context on: what the environment says would be doubled.
        environment = _environment({} if name == "full" else context, out)
        if name == "full":
            del environment["CDK_CONTEXT_JSON"], environment["CDK_OUTDIR"]
        running[name] = (
            subprocess.Popen(
                _command(name, context, out),
                cwd=APP,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ),
            out,
        )
    return {name: _finished(name, process, out) for name, (process, out) in running.items()}


def _finished(name: str, process: subprocess.Popen[str], out: Path) -> Path:
    """Wait for a synthesis, and show all that it said if it failed."""
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, f"{name}: {said}"
    (out / "said.txt").write_text(said, encoding="utf-8")
    return out


def load(folder: Path, stack: str) -> dict[str, Any]:
    """Read one template."""
    (file,) = folder.glob(f"*-{stack}.template.json")
    template: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return template


def resources(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Give the resources of one type, by their names in the template."""
    return {name: each for name, each in template["Resources"].items() if each["Type"] == kind}


@pytest.fixture(scope="session")
def templates(outputs: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """Every template of every deployment, by the stack's name."""
    return {
        file.name.removesuffix(".template.json"): json.loads(file.read_text(encoding="utf-8"))
        for folder in outputs.values()
        for file in sorted(folder.glob("*.template.json"))
    }


@pytest.fixture(scope="session")
def stream(templates: dict[str, dict[str, Any]]) -> Template:
    """The stream's stack of the full deployment."""
    return Template.from_json(templates["qldb-stream-stream"])


@pytest.fixture(scope="session")
def server(templates: dict[str, dict[str, Any]]) -> Template:
    """The ledger server's stack of the full deployment."""
    return Template.from_json(templates["qldb-stream-server"])


@pytest.fixture(scope="session")
def restore(templates: dict[str, dict[str, Any]]) -> Template:
    """The restore stack of the full deployment, into Aurora."""
    return Template.from_json(templates["qldb-stream-restore"])
