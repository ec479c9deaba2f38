"""docs/kinesis.md: its commands and its example do what the text around them says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.cli import main
from qldb_stream.cli._app import app
from tests.sources.kinesis.support import Fed

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "kinesis.md").read_text(encoding="utf-8")


@pytest.fixture
def cars(
    feed: Callable[..., Fed], aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Fed:
    """A stream of some blocks, found under its name by who is told no endpoint."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KINESIS", aws)
    fed = feed()
    fed.write(3)
    return fed


def test_commands(cars: Fed) -> None:
    """Those that end by themselves run; the others have arguments that there are."""
    lines = re.findall(r"^qldb-stream (.+)$", DOCS, re.MULTILINE)
    ran = 0
    for line in lines:
        words = [
            word.replace("//cars", f"//{cars.name}") for word in shlex.split(line, comments=True)
        ]
        if "--until-caught-up" in words:
            assert 0 == main(words)
            ran += 1
        else:
            command = app.commands[words[0]]
            command.make_context(words[0], words[1:])
    assert (4, 2) == (len(lines), ran)


def test_example(cars: Fed, tmp_path: Path) -> None:
    """The example delivers what is on the stream."""
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(example.replace("//cars", f"//{cars.name}"), names)  # noqa: S102 - our own text
    names["inbox"].close()

    assert (True, 4) == (names["report"].ok, names["report"].applied)
    assert (tmp_path / "copy.ledger").is_file()
