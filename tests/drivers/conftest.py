"""What the tests of AWS's own drivers share: a server on loopback, and Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from qldb_stream.clients import boto3_session
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server

NODE: Final = Path(__file__).resolve().parent / "node"
IN_CI: Final = os.environ.get("CI", "").lower() in {"1", "true"}
# Longer than any story takes on a busy machine, shorter than pytest's own limit.
PATIENCE_S: Final = 240

# Who asks a server that asks for no signature.
NOBODY: Final = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}

Story = Callable[..., Any]

_left_out: list[pytest.Item] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs Node where there is none; in CI it then fails instead."""
    if IN_CI or (shutil.which("node") and shutil.which("npm")):
        return
    _left_out.extend(item for item in items if item.get_closest_marker("node"))
    items[:] = [item for item in items if item not in _left_out]
    config.hook.pytest_deselected(items=_left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and why."""
    if _left_out:
        terminalreporter.write_line(
            f"{len(_left_out)} tests of AWS's Node driver left out: there is no node or no npm"
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the server's ledgers: one, named cars."""
    Ledger.open(tmp_path / "cars.ledger", name="cars").close()
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """A server on loopback, with QLDB's limits."""
    with Server(folder) as server:
        yield server


@pytest.fixture
def control(server: Server) -> Any:
    """A client of the server's control plane."""
    return boto3_session(**NOBODY).client("qldb", endpoint_url=server.url)


@pytest.fixture(scope="session")
def node_modules() -> None:
    """AWS's Node driver, installed from the lock file; again only when that has changed."""
    lock = (NODE / "package-lock.json").read_text(encoding="utf-8")
    stamp = NODE / "node_modules" / ".set-up"
    if stamp.is_file() and lock == stamp.read_text(encoding="utf-8"):
        return
    npm = shutil.which("npm")
    assert npm, "npm is needed: these tests must run in CI"
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert 0 == done.returncode, done.stderr
    stamp.write_text(lock, encoding="utf-8")


@pytest.fixture
def story(node_modules: None, server: Server) -> Story:
    """Runs a story of node/life.js on the ledger cars, and gives what it tells."""
    node = shutil.which("node")
    assert node, "node is needed: these tests must run in CI"

    def run(name: str, number: int = 0) -> Any:
        done = subprocess.run(
            [node, str(NODE / "life.js"), name, server.url, "cars", str(number)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr)
        return json.loads(done.stdout)

    return run
