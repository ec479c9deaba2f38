"""`qldb-stream ledger check` on sound and on damaged ledgers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from tests.cli.conftest import Run
from tests.ledger.support import make_cars


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of five blocks."""
    made = tmp_path / "cars.ledger"
    with Ledger.open(made) as ledger:
        make_cars(ledger, "A", "B", "C")
    return made


def tamper(path: Path, statement: str) -> None:
    """Change the file behind the ledger's back."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_sound_ledger(run: Run, path: Path) -> None:
    """Exit code 0, the numbers, and a last line that says ok."""
    answer = run("ledger", "check", path)
    assert (0, "") == (answer.code, answer.err)
    assert "ok: 5 blocks, 3 revisions, 3 documents checked" == answer.out.strip()
    assert (True, 5) == (
        (said := run("ledger", "check", path, "--json").json())["ok"],
        said["blocks"],
    )


def test_a_damaged_ledger(run: Run, path: Path) -> None:
    """Exit code 1; the problem says where, which block, document and table."""
    tamper(path, "UPDATE revision SET data = (SELECT data FROM revision WHERE no = 1) WHERE no = 2")
    answer = run("ledger", "check", path)
    assert 1 == answer.code
    assert "revision.data" in answer.out
    assert "3 problems found in 5 blocks" in answer.out.splitlines()[-1]
    said = run("ledger", "check", path, "--json").json()
    assert (False, 3, "Car") == (
        said["ok"],
        said["problems"][0]["sequence_no"],
        said["problems"][0]["table"],
    )


def test_many_problems(run: Run, tmp_path: Path) -> None:
    """People see the first 25 and the number of the others; what cannot be checked is said."""
    path = tmp_path / "many.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, *map(str, range(30)))
    tamper(path, "UPDATE revision SET hash = zeroblob(32)")
    tamper(path, "UPDATE block SET summary = x'e00100ea' WHERE sequence_no = 15")
    answer = run("ledger", "check", path)
    assert 1 == answer.code
    assert "more: `--json` lists the first thousand" in answer.out
    assert "Not checkable" in answer.out


def test_what_is_no_ledger(run: Run, tmp_path: Path) -> None:
    """Exit code 2, and one sentence."""
    answer = run("ledger", "check", tmp_path / "none.ledger")
    assert 2 == answer.code
    assert "there is no ledger file" in answer.err
