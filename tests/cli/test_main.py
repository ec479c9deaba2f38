"""The command as a whole: its extra, its usage errors, its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qldb_stream.cli import main
from tests.cli.conftest import Run

COMMANDS = ("demo", "inspect", "verify", "replay", "ids", "compare")


def test_without_the_extra() -> None:
    """Without the extra `cli` the command prints one sentence that says what to install."""
    code = (
        "import sys; sys.modules['click'] = None\n"
        "from qldb_stream.cli import main\n"
        "sys.exit(main(['verify', 'nothing']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr == (
        "qldb-stream: the command line needs the extra `cli`: pip install 'qldb-stream[cli]'\n"
    )


@pytest.mark.parametrize("module", ["rich", "rich.console", "click"])
def test_without_the_extra_in_process(
    run: Run, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """Whichever part of the extra is missing, the sentence is the same."""
    for name in [name for name in sys.modules if name.startswith("qldb_stream.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    answer = run("demo")

    assert (2, "") == (answer.code, answer.out)
    assert "pip install 'qldb-stream[cli]'" in answer.err


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """A module of our own that is missing is a bug and says so, with its traceback."""
    for name in [name for name in sys.modules if name.startswith("qldb_stream.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "qldb_stream.pipeline", None)
    with pytest.raises(ModuleNotFoundError, match="qldb_stream"):
        run("demo")


def test_as_a_process(archive: Path) -> None:
    """`python -m qldb_stream` is the command, and its exit code is the process's."""
    command = [sys.executable, "-m", "qldb_stream", "verify", str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.splitlines()[-1].startswith("ok: 12 blocks")


def test_a_closed_pipe(archive: Path) -> None:
    """A reader that goes away, as `head` does, ends the command without a traceback."""
    command = f"{sys.executable} -m qldb_stream inspect {archive} {archive} | true"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(run: Run, command: str) -> None:
    """Each command's help says what it does and gives examples of itself."""
    answer = run(command, "--help")

    assert 0 == answer.code
    assert f"qldb-stream {command}" in answer.out.partition("Examples:")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_json(run: Run, command: str) -> None:
    """Each command offers --json."""
    assert "--json" in run(command, "--help").out


def test_version(run: Run) -> None:
    """--version names the package and its version."""
    assert "qldb-stream, version 0.1.0\n" == run("--version").out


def test_no_command(run: Run) -> None:
    """Without a command the help is printed, and it is wrong usage."""
    answer = run()

    assert 2 == answer.code
    assert "Commands:" in answer.out + answer.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("verify",), "qldb-stream verify: Missing argument 'FILE...'.\n"),
        (("verify", "--no-such"), "qldb-stream verify: No such option"),
        (("nonsense",), "qldb-stream: No such command 'nonsense'.\n"),
        (("replay", "x"), "qldb-stream replay: Missing option '--to'.\n"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    """Wrong usage is one sentence on standard error, and exit code 2."""
    answer = run(*arguments)

    assert (2, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
    assert answer.err.startswith(sentence.rstrip("\n"))


def test_wrong_usage_with_json(run: Run) -> None:
    """With --json wrong usage prints the whole object too, which says not ok and why."""
    answer = run("replay", "--json", "x")

    assert 2 == answer.code
    assert {
        "version": 1,
        "ok": False,
        "level": "partial",
        "blocks": 0,
        "revisions": 0,
        "redacted": 0,
        "not_checkable": {},
        "unchecked": [],
        "strands": [],
        "problems": [],
        "rebuilt": 0,
        "digests": [],
        "proves": [],
        "limits": [],
        "applied": 0,
        "skipped": 0,
        "documents": 0,
        "redactions_pending": [],
        "redacted_copies": [],
        "copies_erased": 0,
        "left_out": {},
        "before_start": 0,
        "strands_unmet": [],
        "parked": [],
        "not_atomic": [],
        "still_parked": 0,
        "given_up": 0,
        "rules_unmet": [],
        "error": "Missing option '--to'.",
    } == answer.json()


def test_interrupted(run: Run, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is a word and a shell's exit code, no traceback."""

    def interrupt(_path: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "is_file", interrupt)
    answer = run("ids", archive, "x")

    assert (130, "qldb-stream ids: interrupted") == (answer.code, answer.err.strip())


def test_help_without_arguments(run: Run) -> None:
    """A group of commands without one prints the same text as its --help."""
    assert run("--help").out == run().out


def test_a_broken_pipe_in_process(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When standard output is gone, what is left in the buffer goes nowhere."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        assert 141 == main(["verify", str(archive), "--json"])
