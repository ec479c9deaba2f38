"""docs/reconcile.md: its example and its commands run, and it names every kind of difference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.reconcile import DiffCode
from qldb_stream.testing import make_journal, write_archive

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reconcile.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A block less is found, and written anew."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - our own text
    assert "False ['current_altered', 'missing']\nTrue\n" == capsys.readouterr().out


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them finds a sink that agrees."""
    monkeypatch.chdir(tmp_path)
    write_archive(make_journal(7, blocks=20).iter_records(), Path("archive"))
    assert 0 == main(["replay", "archive/", "--to", "sqlite:cars.db"])
    commands = re.findall(r"^qldb-stream (diff .*)$", TEXT, re.MULTILINE)
    assert 4 == len(commands)
    for command in commands:
        assert 0 == main(command.split()), command


def test_every_kind_of_difference_is_named() -> None:
    """Whatever `what` may be is in the table."""
    assert [] == [code.value for code in DiffCode if f"`{code.value}`" not in TEXT]
