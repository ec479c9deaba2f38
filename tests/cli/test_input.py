"""`-` is standard input: piped, spooled, beside files, and never a terminal."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from qldb_stream.testing import make_journal, write_archive
from qldb_stream.testing.deliveries import firehose_object
from tests.cli.conftest import Run
from tests.rights import no_rights

RECORDS = list(make_journal(5, blocks=12).iter_records())
DATA = firehose_object(RECORDS)


class Stream(io.BytesIO):
    """Bytes that come in pieces, and may fail; as a terminal would say, it may be one."""

    def __init__(self, data: bytes, *, is_terminal: bool = False, fails: bool = False) -> None:
        super().__init__(data)
        self._is_terminal = is_terminal
        self._fails = fails

    def isatty(self) -> bool:
        """Say whether a person types."""
        return self._is_terminal

    def read(self, size: int | None = -1, /) -> bytes:
        """Give a part of what was asked for."""
        if self._fails:
            raise OSError(5, "Input/output error")
        return super().read(min(size or 0, 1_000))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pipe(monkeypatch: pytest.MonkeyPatch, stream: io.BytesIO) -> None:
    """Let a stream be standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))


@pytest.mark.parametrize("data", [DATA, gzip.compress(DATA)])
@pytest.mark.parametrize(
    "command", [("verify", "--json"), ("inspect",), ("replay", "--to", "memory:", "--json")]
)
def test_piped(
    run: Run,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    data: bytes,
) -> None:
    """What is piped into a command is what it reads; no copy of it is left."""
    pipe(monkeypatch, Stream(data))
    answer = run(*command, "-")
    (temporary.parent / "file").write_bytes(DATA)

    assert (0, "") == (answer.code, answer.err)
    assert run(*command, temporary.parent / "file").out == answer.out
    assert [] == list(temporary.iterdir())


def test_beside_files(run: Run, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input and files are one journal; naming it twice reads it once."""
    path = temporary.parent / "half"
    path.write_bytes(firehose_object(RECORDS[: len(RECORDS) // 2]))
    pipe(monkeypatch, Stream(firehose_object(RECORDS[len(RECORDS) // 2 :])))
    answer = run("verify", "-", path, "-", "--json")

    assert (0, 12) == (answer.code, answer.json()["blocks"])


@pytest.mark.usefixtures("temporary")
def test_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left waiting for somebody to type records."""
    pipe(monkeypatch, Stream(DATA, is_terminal=True))
    answer = run("verify", "-", "--json")

    assert (2, False) == (answer.code, answer.json()["ok"])
    assert "expected records on standard input, found a terminal" in answer.err


@pytest.mark.usefixtures("temporary")
@pytest.mark.parametrize("command", [("verify",), ("inspect",), ("replay", "--to", "memory:")])
def test_empty(run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """Nothing on standard input is nothing readable."""
    pipe(monkeypatch, Stream(b""))
    answer = run(*command, "-")

    assert 2 == answer.code
    assert answer.err.endswith("nothing readable in standard input\n")


def test_messages_name_it(run: Run, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in standard input is said to be there, not in a copy of it."""
    pipe(monkeypatch, Stream(b"neither Ion nor KPL"))
    answer = run("verify", "-", "--json")

    assert answer.json()["problems"][0]["message"].startswith("standard input at byte 0, ")
    assert str(temporary) not in answer.out + answer.err


def test_closed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without standard input says so."""
    monkeypatch.setattr(sys, "stdin", None)

    assert "cannot read standard input: it is closed" in run("verify", "-").err


def test_a_stream_that_fails(run: Run, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read is wrong usage, and no copy is left."""
    pipe(monkeypatch, Stream(DATA, fails=True))
    answer = run("verify", "-")

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert "cannot read standard input: Input/output error" in answer.err
    assert [] == list(temporary.iterdir())


def test_no_room(run: Run, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes no copy is told as such, and no part of one is left."""
    pipe(monkeypatch, Stream(DATA))
    # The limit counts for this process alone: the system then refuses to let files grow.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        answer = run("verify", "-")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)

    assert (1, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
    assert f"standard input has no room in {temporary}: File too large" in answer.err
    assert [] == list(temporary.iterdir())


@pytest.mark.usefixtures("temporary")
def test_files_are_looked_for_first(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there is told before anything is read."""
    stream = Stream(DATA)
    pipe(monkeypatch, stream)
    answer = run("verify", "-", "absent")

    assert 2 == answer.code
    assert "absent" in answer.err
    assert 0 == stream.tell()


def test_as_a_process(tmp_path: Path) -> None:
    """A pipe of the system's own, and a file of that name, which is written `./-`."""
    (tmp_path / "-").write_bytes(DATA)
    command = [sys.executable, "-m", "qldb_stream", "verify"]
    piped = subprocess.run([*command, "-"], input=DATA, capture_output=True, check=False)
    named = subprocess.run(
        [*command, os.path.join(".", "-")],  # noqa: PTH118 - a Path would drop the dot
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert (0, b"") == (piped.returncode, piped.stderr)
    assert piped.stdout == named.stdout


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("names_all", [False, True])
def test_one_file_that_may_not_be_read(run: Run, open_folder: Path, *, names_all: bool) -> None:
    """The rest is read, the one is a problem with its name, and the exit code is 1."""
    write_archive(make_journal(5, blocks=12).iter_records(), open_folder / "in", file_bytes=2000)
    files = sorted((open_folder / "in").iterdir())
    (open_folder / "in").chmod(0o755)
    for file in files:
        file.chmod(0o644)
    arguments = files if names_all else [open_folder / "in"]
    with no_rights(files[-1]):
        verified = run("verify", *arguments, "--json")
        inspected = run("inspect", *arguments, "--json")
        alone = run("verify", files[-1], "--json")
    problem = verified.json()["problems"][0]
    *_, first_line = reversed(inspected.out.splitlines())

    assert len(files) > 2
    assert (1, 1, 2) == (verified.code, inspected.code, alone.code)
    assert verified.json()["blocks"] > 3
    assert "UNDECODABLE" == problem["code"]
    expected = "it cannot be read: Permission denied; what is in it is missing here"
    assert str(files[-1]) in problem["message"]
    assert expected in problem["message"]
    assert {"UNDECODABLE", expected} <= set(json.loads(first_line).values())
    assert expected in alone.json()["error"]
