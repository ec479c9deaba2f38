"""What tests of functions share: an environment of their own, and nothing left in the container."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qldb_stream.aws._deployment import forget_deployment
from tests.aws.zips import Zip, build, make_runtime

Deploy = Callable[..., None]


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deploy]:
    """Set a function's environment: SINK="..." for QLDB_STREAM_SINK; an inbox is there."""
    for name in [name for name in os.environ if name.startswith("QLDB_STREAM_")]:
        monkeypatch.delenv(name)

    def set_all(**variables: str) -> None:
        given = {"INBOX": str(tmp_path / "test.inbox"), "START": "0", **variables}
        for name, value in given.items():
            monkeypatch.setenv(f"QLDB_STREAM_{name}", value)

    yield set_all
    forget_deployment()
    # A secret's keys are put there by the function itself.
    for name in [name for name in os.environ if name.startswith("QLDB_STREAM_LEDGER_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def lambda_zip(tmp_path_factory: pytest.TempPathFactory) -> Zip:
    """The zip for this Python and this machine, built once, and unpacked as Lambda does."""
    folder = tmp_path_factory.mktemp("lambda")
    path, packages = folder / "lambda.zip", folder / "packages"
    build(path, packages)
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder / "task")  # our own
    return Zip(path, folder / "task", make_runtime(folder / "runtime"), packages)
