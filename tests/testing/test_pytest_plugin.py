"""`pytest --qldb-sink=URL` runs each scenario as a test of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCENARIO_COUNT = 31
READ_BACK = "tests.testing.kit.flawed:read_back"


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run pytest as an author does, in a folder of their own."""
    command = [sys.executable, "-m", "pytest", "-p", "qldb_stream.testing.pytest_plugin"]
    done = subprocess.run(
        [*command, "-p", "no:randomly", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_scenario_is_a_test(tmp_path: Path) -> None:
    """They are listed by their names, beside the author's own tests."""
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n")
    code, out = run(tmp_path, "--collect-only", "-q", "--qldb-sink=jsonl:{tmp}/x.jsonl")
    assert 0 == code
    assert SCENARIO_COUNT + 1 == sum("::" in line for line in out.splitlines())
    assert "qldb-sink::a redaction" in out


def test_what_is_chosen_runs(tmp_path: Path) -> None:
    """What passes passes, what the sink does not declare is skipped, and a badge is printed."""
    code, out = run(
        tmp_path,
        "--qldb-sink=memory:",
        "--qldb-read-back=tests.sinks.kit_read_backs:memory",
        "--qldb-without=durable",
        "-k",
        "empty or killed",
    )
    assert 0 == code
    assert "3 passed, 1 skipped" in out
    assert "memory:  [ exactly once" in out


def test_a_finding_is_a_failure(tmp_path: Path) -> None:
    """It says what was expected, what was found and what to look at, without a traceback."""
    sink = "--qldb-sink=tests.testing.kit.flawed:IgnoresToken"
    code, out = run(tmp_path, sink, f"--qldb-read-back={READ_BACK}", "-k", "old")
    assert 1 == code
    assert "a worker with a lower token was let in" in out
    assert "look at:" in out
    assert "Traceback" not in out


def test_what_makes_no_sense_is_said(tmp_path: Path) -> None:
    """Unknown words, and URLs that lead to one place only, are usage errors."""
    for arguments, said in (
        (["--qldb-sink=jsonl:x"], "{tmp}"),
        (["--qldb-sink=memory:", "--qldb-without=hope"], "there is only parking"),
    ):
        code, out = run(tmp_path, *arguments)
        assert (4, True) == (code, said in out)


def test_it_is_found_by_its_entry_point() -> None:
    """Installing the package is enough."""
    from importlib.metadata import entry_points

    (found,) = (e for e in entry_points(group="pytest11") if e.name == "qldb-stream")
    assert "qldb_stream.testing.pytest_plugin" == found.value
