"""Worlds for the system's tests: a source ledger, Kinesis, a deployed zip, a destination."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import boto3
import pytest

from tests.inbox.tables import serve_aws
from tests.system.functions import Deployment
from tests.system.worlds import World

REPOSITORY = Path(__file__).resolve().parents[2]

# What Lambda's runtime for Python brings, and what that needs.
RUNTIME = (
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "six",
    "urllib3",
)


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployed zip, unpacked as Lambda does it."""
    return make_once(tmp_path_factory, "task", unpack_zip)


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with boto3 and what it needs, as they are installed here."""
    return make_once(tmp_path_factory, "runtime", copy_runtime)


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Make a folder that all processes of a test run share: the first one does, others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / f"system-{name}"
    with (root / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = root / f"{folder.name}.unfinished"
            unfinished.mkdir(exist_ok=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


def unpack_zip(folder: Path) -> None:
    """Build the zip and unpack it."""
    out = folder.with_name("lambda.zip")
    version = ".".join(map(str, sys.version_info[:2]))
    arch = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    script = REPOSITORY / "scripts" / "build_lambda.py"
    options = ("--python", version, "--arch", arch, "--out", str(out))
    subprocess.run([sys.executable, str(script), *options], check=True, cwd=REPOSITORY)
    with zipfile.ZipFile(out) as packed:
        packed.extractall(folder)


def copy_runtime(folder: Path) -> None:
    """Copy the packages that Lambda's runtime brings."""
    for name in RUNTIME:
        for file in importlib.metadata.files(name) or ():
            if file.parts[0] == ".." or "__pycache__" in file.parts:
                continue
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(file.locate())), target)


@pytest.fixture(scope="session")
def serial_aws() -> Iterator[str]:
    """Where DynamoDB is: transactions need a moto that does one request after the other."""
    with serve_aws() as url:
        yield url


@pytest.fixture
def make_world(
    tmp_path: Path,
    aws: str,
    serial_aws: str,
    task: Path,
    runtime: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., World]]:
    """Make the world of a test, with services of its own names; all of it ends with the test."""
    urls = {"dynamodb": serial_aws, "kinesis": aws, "s3": aws}
    for name, url in urls.items():
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name.upper()}", url)
    session = boto3.Session(region_name="eu-west-1")
    clients = {name: session.client(name, endpoint_url=url) for name, url in urls.items()}
    name = "".join(c if c.isalnum() else "-" for c in request.node.name).lower()[-40:].strip("-")
    with ExitStack() as left:

        def make(*, vehicles: int = 12) -> World:
            variables = {key: value for key, value in os.environ.items() if key[:4] == "AWS_"}
            base = Deployment(task, runtime, "", variables)
            world = World(tmp_path, name, clients, base, vehicles)
            left.callback(world.close)
            return world

        yield make
