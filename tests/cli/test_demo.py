"""`qldb-stream demo`: the whole way on a ledger of its own."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_last_lines(run: Run) -> None:
    """The last lines say that source and destination agree, both ways."""
    answer = run("demo", "--vehicles", "4")

    assert (0, "") == (answer.code, answer.err)
    by_block, by_document = answer.out.splitlines()[-2:]
    assert by_block.startswith("ok: source and destination agree, block by block: ")
    assert by_document.startswith("ok: source and destination agree, document by document: ")


def test_json(run: Run) -> None:
    """--json prints one object with every part of the way, each of them ok."""
    said = run("demo", "--vehicles", "4", "--json").json()
    parts = ("verification", "replay", "source", "destination", "comparison")

    assert said["ok"]
    assert [True] * 5 == [said[part]["ok"] for part in parts]
    assert said["source"]["blocks"] == said["replay"]["applied"] == said["comparison"]["blocks"]
    assert said["source"]["digest"] == said["verification"]["strands"][0]["digest"]


@pytest.mark.parametrize("name", ["kept", "my demo's 100% [x]?", "-kept"])
def test_keep(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What --keep keeps is named, and each command that is printed works as it is printed."""
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()  # an empty one is as good as none
    kept = run("demo", "--vehicles", "3", "--keep", name)
    tries = [line.split("try: ", 1)[1] for line in kept.out.splitlines() if "try: " in line]
    words = [shlex.split(line) for line in tries]

    assert 0 == kept.code
    assert ["inspect", "verify", "compare", "compare", "ids"] == [word for _, word, *_ in words]
    assert [(0, "")] * 5 == [(a.code, a.err) for a in (run(*line[1:]) for line in words)]
    assert all(f"{name}/{file}" in kept.out for file in ("source.ledger", "records"))
    assert {"source.ledger", "destination.ledger", "records"} == {
        path.name for path in Path(name).iterdir()
    }


def test_keep_as_json(run: Run, tmp_path: Path) -> None:
    """With --json the paths are in the object, null where nothing is kept."""
    folder = tmp_path / "kept"
    said = run("demo", "--vehicles", "3", "--keep", folder, "--json").json()
    paths = [said["kept"][name] for name in ("source", "destination", "records")]

    assert None is run("demo", "--vehicles", "3", "--json").json()["kept"]
    assert str(folder) == said["kept"]["folder"]
    assert sorted(paths) == sorted(str(path) for path in folder.iterdir())


def test_keep_twice(run: Run, tmp_path: Path) -> None:
    """A folder with an earlier demo is refused, said to be one, and left as it is."""
    folder = tmp_path / "kept"
    run("demo", "--vehicles", "3", "--keep", folder)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    answer = run("demo", "--vehicles", "3", "--keep", folder)

    assert (2, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
    assert "it holds an earlier demo, which is left as it is" in answer.err
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_keep_in_a_file(run: Run, tmp_path: Path) -> None:
    """A file is no folder, and says so."""
    (tmp_path / "mine").touch()
    answer = run("demo", "--keep", tmp_path / "mine")

    assert 2 == answer.code
    assert "mine is no folder; name an empty one" in answer.err


def test_a_folder_in_use(run: Run, tmp_path: Path) -> None:
    """A folder that holds something is refused, and keeps it."""
    (tmp_path / "mine").write_text("mine")
    answer = run("demo", "--keep", tmp_path)

    assert (2, ["mine"]) == (answer.code, [path.name for path in tmp_path.iterdir()])
    assert "is not empty" in answer.err
