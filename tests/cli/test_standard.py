"""Standard output and error that are closed, full or read by nobody: real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.cli._standard import complain, is_output_broken

COMMAND = f"{sys.executable} -m qldb_stream"
FULL = Path("/dev/full")  # takes no byte; it is only opened and written to


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh."""
    return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", ["inspect {}", "inspect {} --json", "verify {}", "verify {} --json", "--help"]
)
def test_whoever_read_the_output_went_away(archive: Path, arguments: str) -> None:
    """The exit code of the process is 141, and nothing is said: click and rich would make it 1."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "qldb_stream", *arguments.format(archive).split()]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)

    assert (141, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize("arguments", ["inspect {}", "verify {}", "verify nothing --json"])
def test_a_full_output_is_a_sentence(archive: Path, arguments: str) -> None:
    """What cannot be written ends the command with 1 and the reason."""
    assert FULL.is_char_device()
    done = shell(f"{COMMAND} {arguments.format(archive)} >{FULL}")

    assert 1 == done.returncode
    name = f"qldb-stream {arguments.split(maxsplit=1)[0]}"
    assert f"{name}: cannot write standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("errors", "expected"), [("", "\\xe9"), (":replace", "?")])
def test_an_output_of_few_letters(tmp_path: Path, errors: str, expected: str) -> None:
    """What its encoding has no letter for is an escape, unless the caller chose otherwise."""
    statements = "CREATE TABLE T; INSERT INTO T {'a': '\u00e9'}; SELECT VALUE t.a FROM T AS t"
    arguments = f'{tmp_path / "a"} --create "{statements}" --format ion'
    done = shell(f"PYTHONIOENCODING=ascii{errors} {COMMAND} ledger query {arguments}")
    assert (0, f'"{expected}"') == (done.returncode, done.stdout.splitlines()[-1])


def test_a_closed_output_is_wrong_usage(archive: Path) -> None:
    """Where nothing can be answered, nothing is begun."""
    done = shell(f"{COMMAND} verify {archive} >&-")

    expected = "qldb-stream verify: cannot write standard output: it is closed; redirect it to "
    assert (2, f"{expected}/dev/null\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("where", ["2>&-", f"2>{FULL}"])
@pytest.mark.parametrize(("file", "code"), [("{}", 0), ("nothing", 2)])
def test_without_standard_error_a_command_goes_on(
    archive: Path, where: str, file: str, code: int
) -> None:
    """The exit code says what no sentence can, and standard output is as ever."""
    done = shell(f"{COMMAND} verify {file.format(archive)} {where}")

    assert (code, "") == (done.returncode, done.stderr)
    assert ("ok: 12 blocks" in done.stdout) is (code == 0)


def test_with_everything_closed_only_the_code_is_left(archive: Path) -> None:
    """All three streams closed are no traceback and no file with their numbers."""
    done = shell(f"{COMMAND} verify {archive} --json <&- >&- 2>&-")

    assert (2, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_sound_output_is_not_blamed(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug's OSError stays one: standard output still takes a line."""
    assert not is_output_broken()
    complain("a sentence")

    assert ("\n", "a sentence\n") == tuple(capsys.readouterr())


def test_an_interrupt_while_the_command_loads(tmp_path: Path) -> None:
    """Ctrl-C in the first second, among imports, is a word and 130."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    code = "import sys; from qldb_stream.cli import main; sys.exit(main(['verify', 'x']))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert (130, "", "qldb-stream: interrupted\n") == (done.returncode, done.stdout, done.stderr)


def test_completion_is_what_click_offers(archive: Path) -> None:
    """The scripts of click's shell completion get an answer."""
    done = shell(f"_QLDB_STREAM_COMPLETE=bash_source {COMMAND}")

    assert 0 == done.returncode
    assert "_QLDB_STREAM_COMPLETE=bash_complete" in done.stdout


def test_full_streams_in_process(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both streams full the exit code is left, and what is written later goes nowhere."""
    with FULL.open("w") as output, FULL.open("w") as error:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(sys, "stderr", error)
        code = main(["verify", str(archive)])
        output.write("more")
        output.flush()
        error.write("more")
        error.flush()

    assert 1 == code
