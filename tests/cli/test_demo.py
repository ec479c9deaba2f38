"""`qldb-stream demo`: the whole way on a ledger of its own."""

from __future__ import annotations

from pathlib import Path

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


def test_keep(run: Run, tmp_path: Path) -> None:
    """What --keep keeps can be verified and compared again."""
    folder = tmp_path / "kept"
    kept = run("demo", "--vehicles", "3", "--keep", folder)
    verified = run("verify", folder / "records")
    compared = run("compare", folder / "source.ledger", folder / "destination.ledger")

    assert (0, 0, 0) == (kept.code, verified.code, compared.code)
    assert f"qldb-stream verify {folder}/records" in kept.out


def test_a_folder_in_use(run: Run, tmp_path: Path) -> None:
    """A folder that holds something is refused, and keeps it."""
    (tmp_path / "mine").write_text("mine")
    answer = run("demo", "--keep", tmp_path)

    assert (2, ["mine"]) == (answer.code, [path.name for path in tmp_path.iterdir()])
    assert "is not empty" in answer.err
