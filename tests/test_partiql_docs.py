"""docs/partiql.md: its example runs, and it names the extensions that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.partiql._clauses import _EXTENSIONS

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "partiql.md"


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the group, the way by the index, and one document read."""
    (example,) = PYTHON.findall(PAGE.read_text("utf-8"))
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - our own text
    assert [
        "[{'make': 'Audi', 'n': 2}]",
        "Select",
        "  INDEX(vin) Car AS Car, vin IN ...; conditions: 2",
        "IOUsage(read_ios=1, write_ios=0)",
    ] == capsys.readouterr().out.splitlines()


def test_extensions_are_named() -> None:
    """Each clause that an extension allows stands on the page."""
    text = PAGE.read_text("utf-8")
    for name in (*_EXTENSIONS.values(), "OFFSET", "DISTINCT", "CASE"):
        assert f"`{name}`" in text
