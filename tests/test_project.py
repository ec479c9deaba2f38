"""Rules of the house that no tool of pyproject.toml checks."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "qldb_stream"
SANS_IO = (
    "errors",
    "ion",
    "hashing",
    "events",
    "report",
    "formulas",
    "statements",
    "records",
    "differences",
    "typing",
    "parsers",
    "assembly",
    "ordering",
    "verification",
    "hookspecs",
    "partiql",
    "replay",
    "filters",
)
# It travels alone in a bundle of evidence, so it is one file.
ALONE = PACKAGE / "archive" / "evidence" / "verify.py"
HEAVY = ("boto3", "botocore", "click", "pyqldb", "rich", "sqlite3")


def _iter_functions(file: Path) -> Iterator[tuple[str, int]]:
    """Give the name and the length in lines of every function of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield f"{file.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_sans_io_contract_names_every_room() -> None:
    """The second import contract names every room from errors to filters that stands."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    standing = {
        f"qldb_stream.{room}"
        for room in SANS_IO
        if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()
    }

    assert standing == set(contracts[1]["source_modules"])


def test_sizes() -> None:
    """No function of the package has more than 60 lines, and no file more than 500, one apart."""
    files = sorted(PACKAGE.rglob("*.py"))
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    long_files = [f.name for f, lines in lengths.items() if lines > (1100 if f == ALONE else 500)]
    long_functions = [name for file in files for name, lines in _iter_functions(file) if lines > 60]

    assert ([], []) == (long_files, long_functions)


def test_the_commands_face_is_light() -> None:
    """Importing the command's face loads nothing that an extra brings."""
    code = f"import sys, qldb_stream.cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )

    assert "[]\n" == done.stdout
