"""docs/exports.md: its examples and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.testing import make_export, make_journal, write_archive

PAGE = Path(__file__).resolve().parent.parent / "docs" / "exports.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with an export, and one with what Firehose left."""
    monkeypatch.chdir(tmp_path)
    journal = make_journal(7, blocks=20)
    make_export(journal, prefix="cars/").write(Path("export"))
    write_archive(journal.iter_records(), Path("firehose"))


def test_the_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The journal verifies, and both manifests are of one export."""
    for example in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - our own text
    expected = "True 20\nCompletedManifest True\nStartedManifest True\n"
    assert expected == capsys.readouterr().out


def test_the_commands_run() -> None:
    """Each of them takes an export for what it is."""
    commands = re.findall(r"^qldb-stream (.*)$", TEXT, re.MULTILINE)
    assert 4 == len(commands)
    for command in commands:
        assert 0 == main(command.split()), command
