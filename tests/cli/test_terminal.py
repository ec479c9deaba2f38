"""The shell's terminal: keys in, what is done and kept out."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from qldb_stream.cli._connections import Connection, open_file
from qldb_stream.cli._shell_session import ShellSession
from qldb_stream.cli._terminal import _Completer, converse

END = "\x04"  # Ctrl-D
DROP = "\x03"  # Ctrl-C


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """A keyboard, in front of a terminal that shows nothing."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """A new ledger in a file."""
    with open_file(str(tmp_path / "cars.ledger"), create=True, name="cars") as connection:
        yield connection


def _type(keys: PipeInput, connection: Connection, text: str, history: str = "-") -> None:
    keys.send_text(text)
    converse(connection, "ion", history)


def test_a_conversation(
    keys: PipeInput, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is typed runs when it is complete; Enter before that begins another line."""
    _type(
        keys,
        connection,
        "CREATE TABLE Car;\rINSERT INTO Car\r{'vin': 'a'};\rSELECT *\rFROM Car\r\rexit\r",
    )
    out = capsys.readouterr().out

    assert out.startswith("ledger cars; HELP lists what there is\n")
    assert '{vin:"a"}\n1 row' in out


def test_what_was_typed_can_be_dropped(
    keys: PipeInput, connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C drops what was typed; Ctrl-D leaves, and aborts a transaction that is open."""
    _type(keys, connection, f"SELECT nonsense{DROP}begin\r{END}")

    assert "aborted" in capsys.readouterr().out


def test_input_is_kept(keys: PipeInput, connection: Connection, tmp_path: Path) -> None:
    """Input goes to the history file, which its owner alone can read."""
    history = tmp_path / "state" / "history"
    _type(keys, connection, f"help\r{END}", str(history))

    assert "+help\n" in history.read_text(encoding="utf-8")
    assert 0o600 == stat.S_IMODE(history.stat().st_mode)


def test_the_usual_history(
    keys: PipeInput, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a name the history is in the user's folder for state."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keys.send_text(END)
    converse(connection, "ion", None)

    assert (tmp_path / "state" / "qldb-stream" / "history").is_file()


def test_a_history_that_cannot_be_kept(
    keys: PipeInput, connection: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the history cannot be written, that is said, and the shell works."""
    _type(keys, connection, f"\\timing off\r{END}", str(tmp_path))

    assert "input is not kept" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("SELECT * FROM ca", "Car"),
        ("SELECT * FROM od", '"odd name"'),
        ("SELECT v", "vin"),
        ("sel", "select"),
        ("SEL", "SELECT"),
        ("sta", "start transaction"),
        ("\\f", "\\format table"),
        ("SELECT ", None),
        ("SELECT nothingbeginsso", None),
    ],
)
def test_completion(connection: Connection, text: str, first: str | None) -> None:
    """Tables, fields that were seen, PartiQL's words and the shell's complete, in any case."""
    session = ShellSession(connection, lambda _: None)
    session.read("CREATE TABLE Car; INSERT INTO Car {'vin': 'a'};")
    session.tables = ["Car", "odd name"]
    session.read("SELECT * FROM Car;")
    found = _Completer(session).get_completions(Document(text), CompleteEvent())

    assert first == next((completion.text for completion in found), None)


def test_the_command_itself(tmp_path: Path) -> None:
    """At a real terminal the command opens the ledger, answers and leaves."""
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "qldb_stream", "ledger", "shell"]
    with subprocess.Popen(
        [*command, str(tmp_path / "cars.ledger"), "--create", "--history", "-"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "dumb"},
    ) as shell:
        os.close(terminal)
        os.write(keyboard, b"CREATE TABLE Car;\rSHOW TABLES;\rexit\r")
        shown = _read_all(keyboard)
        os.close(keyboard)

    assert 0 == shell.returncode
    assert b"ACTIVE" in shown


def _read_all(file: int) -> bytes:
    shown = b""
    try:
        while data := os.read(file, 65536):
            shown += data
    except OSError:
        pass  # how Linux says that the other side has closed
    return shown
