"""docs/history.md: its commands run, its example runs, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.archive.history import INDEX_NAME
from qldb_stream.cli import main
from qldb_stream.report import Outcome
from qldb_stream.testing.stories import Story
from tests.archive.history.support import keep

PAGE = Path(__file__).resolve().parent.parent / "docs" / "history.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A document of a table Person, in a folder `archive` of the current one."""
    monkeypatch.chdir(tmp_path)
    story = Story(51)
    story.create_table("Person")
    found = story.insert("Person", {"name": "Ada", "age": 36})
    story.update(found, {"name": "Ada", "age": 37})
    keep(story.blocks(), Path("archive"))
    return found


def test_the_commands_run(document: str) -> None:
    """Each of them, with the ids of an archive that is there."""
    commands = re.findall(r"^qldb-stream (history .*)$", TEXT, re.MULTILINE)
    strand_id = Story(51).strand_id
    assert 5 == len(commands)
    for command in commands:
        ours = command.replace("5PLf9SXwndd63lPaSIa0O6", document)
        ours = ours.replace("Ad3B7NABCxT12W36o0d8v3:41", f"{strand_id}:2")
        assert 0 == main(ours.split()), command


@pytest.mark.usefixtures("document")
def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints is what the text says."""
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - our own text
    assert [
        "0 insert verified",
        "1 update verified",
        "('name', 0, ('INSERT INTO Person ?',))",
        "True True True",
    ] == capsys.readouterr().out.splitlines()


def test_what_there_is_is_named() -> None:
    """Every state, and the index by its name."""
    assert [] == [each.value for each in Outcome if f"| `{each.value}` |" not in TEXT]
    assert f"`{INDEX_NAME}`" in TEXT
