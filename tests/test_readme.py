"""README.md's examples run as they are printed, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
README = Path(__file__).resolve().parent.parent / "README.md"


def test_examples(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The Python examples do what the text around them says, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    examples = PYTHON.findall(README.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(README), "exec"), names)  # noqa: S102 - our own text

    assert "Vehicle insert 1N4AL11D75C109151\n" == capsys.readouterr().out
    assert len(examples) >= 4
    assert (tmp_path / "restored.ledger").is_file()
