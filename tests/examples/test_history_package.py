"""The example sink package, installed by pip into an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest

from qldb_stream.testing import make_journal, write_archive

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = REPOSITORY / "examples" / "qldb-stream-history"


def run(folder: Path, *command: str | Path) -> str:
    """Run a program of the environment, without anything that this process has on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs, where library and example are installed."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    packages = (f"{REPOSITORY}[cli]", f"{EXAMPLE}[test]")
    run(folder, programs / "python", "-m", "pip", "install", "--quiet", *packages)
    return programs


def test_it_is_found_and_listed(programs: Path, tmp_path: Path) -> None:
    """`qldb-stream sinks` names the package, and describes its option."""
    said = json.loads(run(tmp_path, programs / "qldb-stream", "sinks", "--json"))
    described = json.loads(
        run(tmp_path, programs / "qldb-stream", "sinks", "describe", "history", "--json")
    )

    assert ["history (qldb-stream-history 0.1.0)"] == [
        sink["owner"] for sink in said["sinks"] if sink["scheme"] == "history"
    ]
    assert ["timeout_s"] == [option["name"] for option in described["options"]]


def test_it_is_used(programs: Path, tmp_path: Path) -> None:
    """A replay into it applies each block once."""
    write_archive(make_journal(3, blocks=20).iter_records(), tmp_path / "archive")
    replay = (programs / "qldb-stream", "replay", "archive", "--to", "history:cars.db", "--json")

    first, second = json.loads(run(tmp_path, *replay)), json.loads(run(tmp_path, *replay))

    assert (20, 0) == (first["applied"], first["skipped"])
    assert (0, 20) == (second["applied"], second["skipped"])
    assert [] == first["redactions_pending"]


@pytest.mark.timeout(600)
def test_it_passes_the_kit(programs: Path, tmp_path: Path) -> None:
    """Its own tests, and the kit's scenarios one by one, as its README says."""
    python = (programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    read_back = "--qldb-read-back=qldb_stream_history:read_back"

    assert "1 passed" in run(tmp_path, *python, EXAMPLE / "tests")
    out = run(tmp_path, *python, "--qldb-sink=history:{tmp}/x.db", read_back)
    assert "failed" not in out
    assert "[ exactly once · in order · erases" in out


def test_the_docs_show_this_module() -> None:
    """docs/sinks.md has the module as it is."""
    page = (REPOSITORY / "docs" / "sinks.md").read_text(encoding="utf-8")
    assert f"```python\n{(EXAMPLE / 'qldb_stream_history.py').read_text()}```\n" in page
