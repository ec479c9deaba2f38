"""README.md's examples run as they are printed, one after the other."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from qldb_stream.cli._app import app
from qldb_stream.plugins import BUILT_IN, load_plugins

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
README = Path(__file__).resolve().parent.parent / "README.md"


def test_examples(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The Python examples do what the text around them says, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    examples = PYTHON.findall(README.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(README), "exec"), names)  # noqa: S102 - our own text

    expected = "Vehicle insert 1N4AL11D75C109151\n1 Vehicle insert\n"
    assert expected == capsys.readouterr().out
    assert len(examples) >= 5
    assert (tmp_path / "restored.ledger").is_file()


def paths(group: click.Group) -> set[tuple[str, ...]]:
    """Every command below a group, by its words."""
    found: set[tuple[str, ...]] = set()
    for name, command in group.commands.items():
        is_group = isinstance(command, click.Group) and not command.invoke_without_command
        below = paths(command) if is_group and isinstance(command, click.Group) else {()}
        found |= {(name, *more) for more in below}
    return found


def test_commands() -> None:
    """Each line of the list is a command with options that it has, and no command is missing."""
    text = README.read_text(encoding="utf-8")
    lines = re.findall(r"^qldb-stream (.+)$", text, re.MULTILINE)
    shown: set[tuple[str, ...]] = set()
    known = paths(app)
    for line in lines:
        words = tuple(shlex.split(line, comments=True))
        (path,) = [path for path in known if words[: len(path)] == path]
        shown.add(path)
        command: click.Command = app
        for name in path:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options

    assert {path[0] for path in known} == {path[0] for path in shown}
    assert {path for path in known if path[0] == "ledger"} <= shown


def test_extras() -> None:
    """The table of extras has each that can be installed, but for the developers' own."""
    project = tomllib.loads((README.parent / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].keys() - {"dev"}
    text = README.read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| extra .*\n\| -.*\n((?:\|.*\n)+)", text, re.MULTILINE)

    assert extras == set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))


def test_sinks() -> None:
    """The table of sinks has each of our own, and no other."""
    rows = re.findall(r"^\| (`[a-z+]+:[^|]*) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    ours = {name for name, owner in load_plugins().owners.items() if owner in BUILT_IN}

    assert ours == {name for row in rows for name in re.findall(r"`([a-z+]+):", row)}
