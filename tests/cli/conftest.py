"""What the tests of the commands share: the command itself, and a journal in files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.cli import main
from qldb_stream.ledger import Ledger
from qldb_stream.testing import make_delivery, make_journal, write_archive
from qldb_stream.testing.vehicle_registration import tell_story


@attrs.frozen
class Answer:
    """What a run of the command came to."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read standard output as one JSON value."""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, run in this process: `run("verify", path, "--json")`."""

    def call(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with a journal of 12 blocks, shuffled, repeated and aggregated."""
    folder = tmp_path / "archive"
    records = make_journal(5, blocks=12).iter_records()
    write_archive(make_delivery(records, seed=5, most_in_frame=4), folder)
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A ledger that holds a small vehicle-registration story."""
    path = tmp_path / "source.ledger"
    with Ledger.open(path) as ledger:
        list(tell_story(ledger.driver(), vehicles=4))
    return path


@pytest.fixture
def recorded(source: Path, tmp_path: Path) -> Path:
    """The journal of that ledger in files, shuffled and repeated."""
    with Ledger.open(source) as ledger:
        write_archive(make_delivery(ledger.stream_records(), seed=2), tmp_path / "recorded")
    return tmp_path / "recorded"
