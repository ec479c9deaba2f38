"""What infra/cdk and the package share: names of handlers, variables, keys, metrics, options."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qldb_stream import aws
from qldb_stream.aws._settings import parse_settings
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE
from qldb_stream.ledger import Ledger
from qldb_stream.server._keys import parse_keys

APP = Path(__file__).resolve().parent.parent / "infra" / "cdk"
SOURCE = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("parts", "stacks")
    for file in sorted((APP / folder).glob("*.py"))
)
GRANTS = (APP / "parts" / "grants.py").read_text(encoding="utf-8")
PACKAGE = APP.parents[1] / "qldb_stream"
# Operations of boto3, and the right that each needs; a transaction needs those of its parts.
CALLS = {
    "batch_get_item": "dynamodb:BatchGetItem",
    "batch_write_item": "dynamodb:BatchWriteItem",
    "delete_item": "dynamodb:DeleteItem",
    "get_item": "dynamodb:GetItem",
    "put_item": "dynamodb:PutItem",
    "query": "dynamodb:Query",
    "transact_write_items": "",
    "update_item": "dynamodb:UpdateItem",
    "delete_object": "s3:DeleteObjectVersion",
    "get_object": "s3:GetObject",
    "list_object_versions": "s3:ListBucketVersions",
    "list_objects_v2": "s3:ListBucket",
    "put_object": "s3:PutObject",
}
COMMAND = Path(sys.executable).parent / "qldb-stream"


def _constants(file: Path) -> dict[str, Any]:
    """Give the plain constants of a module that cannot be imported here."""
    found = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            (target,) = node.targets
            assert isinstance(target, ast.Name)
            found[target.id] = node.value.value
    return found


@pytest.fixture(scope="module")
def prepare() -> ModuleType:
    """The server's prepare.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("prepare", APP / "server" / "prepare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_handlers() -> None:
    """Every handler that a function is made with is a function of the package."""
    handlers = set(re.findall(r'"(qldb_stream\.aws\.[a-z.]+)"', SOURCE))

    assert 4 == len(handlers)
    for handler in handlers:
        module, _, name = handler.rpartition(".")
        assert inspect.isfunction(getattr(importlib.import_module(module), name)), handler


def test_variables() -> None:
    """The handlers know every variable that the stacks set."""
    samples = {
        "QLDB_STREAM_SINK": "qldb:copy?endpoint=https://ledger.example.org",
        "QLDB_STREAM_SINK_SECRET": "arn",
        "QLDB_STREAM_LEDGER_SECRET": "arn",
        "QLDB_STREAM_INBOX": "dynamodb:table?bucket=spill",
        "QLDB_STREAM_START": "0",
        "QLDB_STREAM_ON_REFUSAL": "park",
        "QLDB_STREAM_LOG_LEVEL": "info",
    }

    assert samples.keys() == set(re.findall(r'"(QLDB_STREAM_[A-Z_]+)"', SOURCE))
    parse_settings(samples)


def test_the_inbox_table() -> None:
    """The table that the stack makes has the keys and the TTL attribute that the inbox uses."""
    made = _constants(APP / "parts" / "inbox.py")

    assert (HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE) == (
        made["PARTITION_KEY"],
        made["SORT_KEY"],
        made["EXPIRES"],
    )


def _operations(file: Path) -> set[str]:
    """Give the operations of boto3 that a module's source calls or names."""
    words = r"(?:[a-z]+_)+(?:items?|object|versions|v2)|query"
    return set(re.findall(rf"(?:_client\.|\")({words})\b", file.read_text(encoding="utf-8")))


def _granted(name: str) -> set[str]:
    """Give the calls in a row of the table that policies are made from."""
    (row,) = re.findall(rf"^{name}: Final = \((.*?)\)", GRANTS, re.MULTILINE | re.DOTALL)
    return set(re.findall(r'"([a-z0-9]+:[A-Za-z]+)"', row))


def test_the_inbox_may_call_what_it_calls() -> None:
    """The rights to table and bucket of an inbox are what its code calls: no less, no more."""
    inbox = PACKAGE / "inbox" / "dynamodb"
    called = {CALLS[each] for each in _operations(inbox / "_table.py")}
    # The parts of a transaction are rights of their own, and so is what it only looks at.
    called |= {"dynamodb:ConditionCheckItem"}
    called -= {"dynamodb:BatchWriteItem"}  # gives a sink up, which is a person's command

    assert called - {""} == _granted("INBOX_TABLE")
    assert {CALLS[each] for each in _operations(inbox / "_objects.py")} | {
        "s3:ListBucket"  # so that a missing object is told from a forbidden one
    } == _granted("INBOX_SPILL") | _granted("INBOX_BUCKET")


def test_the_archive_function_may_call_what_it_calls() -> None:
    """The rights to an archive's bucket are what the function reads with."""
    called = {CALLS[each] for each in _operations(PACKAGE / "clients" / "s3_objects.py")}

    assert called | {"s3:GetObjectVersion"} == _granted("READ_ARCHIVE") | _granted("LIST_BUCKET")


def test_metrics() -> None:
    """Alarms and charts read metrics that the handlers write."""
    read = set(re.findall(r'of_function\([a-z.]+, "([A-Za-z]+)"', SOURCE))
    written = "".join(
        file.read_text(encoding="utf-8") for file in Path(aws.__file__).parent.glob("*.py")
    )

    assert {"StrandsStopped", "StrandsWaiting", "BlocksParkedNow"} <= read
    assert [] == [name for name in read if f'"{name}"' not in written]
    assert f'"{_constants(APP / "parts" / "watch.py")["NAMESPACE"]}"' in written


def test_the_unit_starts_the_server_with_options_that_it_has() -> None:
    """Every option of the systemd unit is one of `qldb-stream ledger serve`."""
    unit = (APP / "server" / "qldb-ledger.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    help_text = subprocess.run(
        [str(COMMAND), "ledger", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout

    options = re.findall(r"--[a-z-]+", start)
    assert options
    assert [] == [each for each in options if f"{each} " not in help_text]


def test_commands_of_the_operations_page() -> None:
    """Every command of ours that the page shows is one, with options that it has."""
    text = (APP.parents[1] / "docs" / "aws-operations.md").read_text(encoding="utf-8")
    lines = [
        line.partition("  #")[0] for line in re.findall("^qldb-stream .*$", text, re.MULTILINE)
    ]

    assert lines
    for line in lines:
        words = line.split()[1:]
        words = words[: 2 if words[0] == "parked" else 1]
        done = subprocess.run(
            [str(COMMAND), *words, "--help"], capture_output=True, text=True, check=True
        )
        options = re.findall(r"--[a-z-]+", line)
        assert [] == [each for each in options if each not in done.stdout], line


def test_the_script_is_bash() -> None:
    """The script that sets an instance up has no mistake that bash sees."""
    bash = shutil.which("bash")
    assert bash
    subprocess.run([bash, "-n", str(APP / "server" / "set-up.sh")], check=True)


def test_the_servers_keys(prepare: ModuleType, tmp_path: Path) -> None:
    """The server takes the file of keys that is written: the applications' and the replay's."""
    owner = {
        "certificate": "PEM",
        "private_key": "PEM of a key",
        "keys": [
            {
                "access_key": "APP",
                "secret_key": "a secret of an application",
                "permission": "read-only",
            }
        ],
    }
    replay = {"access_key": "QLDBSTREAMREPLAY", "secret_key": "0123456789abcdef" * 2}
    prepare.write_secrets(tmp_path, owner, replay)
    keys = parse_keys((tmp_path / "keys.json").read_bytes())

    assert {"APP", "QLDBSTREAMREPLAY"} == keys.keys()
    assert ["PEM", "PEM of a key"] == [
        (tmp_path / name).read_text() for name in ("certificate.pem", "private-key.pem")
    ]
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}


def test_a_secret_that_lacks_something(prepare: ModuleType, tmp_path: Path) -> None:
    """A secret without certificate or key is refused by name, and nothing of it is shown."""
    with pytest.raises(SystemExit) as error:
        prepare.write_secrets(tmp_path, {"certificate": "", "keys": []}, {})

    assert "prepare: the server's secret lacks certificate, private_key" == str(error.value)


def test_a_start(tmp_path: Path) -> None:
    """As the unit starts it, with a stand-in of the aws command, ledgers and files are there."""
    secrets = {
        "arn:owner": {"certificate": "C", "private_key": "K"},
        "arn:replay": {"access_key": "R", "secret_key": "0123456789abcdef"},
    }
    stand_in = tmp_path / "bin" / "aws"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"print(json.dumps({secrets!r}[sys.argv[sys.argv.index('--secret-id') + 1]]))\n"
    )
    stand_in.chmod(0o755)
    for name in ("run", "ledgers"):
        (tmp_path / name).mkdir()
    environment = {
        "PATH": f"{stand_in.parent}:/usr/bin:/bin",
        "QLDB_LEDGER_SECRET": "arn:owner",
        "QLDB_LEDGER_REPLAY_KEY": "arn:replay",
        "QLDB_LEDGER_NAMES": "cars cars-copy",
        "QLDB_LEDGER_COMMAND": str(COMMAND),
    }
    command = [sys.executable, str(APP / "server" / "prepare.py")]
    for _ in range(2):  # a second start finds its ledgers
        subprocess.run(
            [*command, str(tmp_path / "run"), str(tmp_path / "ledgers")],
            env=environment,
            check=True,
            capture_output=True,
        )

    assert {"certificate.pem", "private-key.pem", "keys.json"} == {
        file.name for file in (tmp_path / "run").iterdir()
    }
    assert ["R"] == [
        each["access_key"]
        for each in json.loads((tmp_path / "run" / "keys.json").read_text())["keys"]
    ]
    for name in ("cars", "cars-copy"):
        with Ledger.open(tmp_path / "ledgers" / f"{name}.ledger", read_only=True) as ledger:
            assert name == ledger.name
