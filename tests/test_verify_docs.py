"""docs/verify.md: its commands and its example run, and it names every code."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.hashing import merkle_proof
from qldb_stream.ion import to_slice, to_text
from qldb_stream.report import Claim, DigestState
from qldb_stream.testing import (
    edit_field,
    exported_block,
    make_export,
    make_journal,
    write_archive,
)
from qldb_stream.verification.diagnosis._losses import LOSSES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "verify.md"
TEXT = PAGE.read_text(encoding="utf-8")
JOURNAL = make_journal(7, blocks=20)
CODE = re.compile(r'Claim\(\s*"([A-Z_]+)"')


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them verifies a whole archive, or an answered block, some against a digest."""
    monkeypatch.chdir(tmp_path)
    write_archive(JOURNAL.iter_records(), Path("archive"))
    digest = base64.b64encode(JOURNAL.digest()).decode()
    Path("ledger-digest.json").write_text(f"{digest}@{JOURNAL.strand_id}:19")
    commands = re.findall(r"^qldb-stream (verify .*)$", TEXT, re.MULTILINE)
    make_export(list(JOURNAL)[:18]).write(Path("export"))
    for number in (18, 19):
        Path(f"block-{number}.json").write_text(answer(number))
    assert 6 == len(commands)
    for command in commands:
        assert 0 == main(command.split()), command


def answer(number: int) -> str:
    """Give what GetBlock answers of a block, with the proof up to the last one."""
    proof = merkle_proof([block.block_hash for block in JOURNAL], number)
    values = {"Block": exported_block(list(JOURNAL)[number]), "Proof": to_slice(list(proof))}
    return json.dumps({name: {"IonText": to_text(value)} for name, value in values.items()})


def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It tells the field that was changed."""
    monkeypatch.chdir(tmp_path)
    records = list(JOURNAL.iter_records())
    at = next(n for n, record in enumerate(records) if b"REVISION_DETAILS" in record)
    records[at] = edit_field(records[at], "payload.revision.metadata.version", 5)
    write_archive(records, Path("archive"))
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - our own text
    assert "REVISION_HASH metadata.version " in capsys.readouterr().out


def codes() -> Iterator[str]:
    """Give every code that a report may have beside those of problems."""
    package = PAGE.parent.parent / "qldb_stream"
    yield from (state.value for state in DigestState)
    yield from (loss.code for loss in LOSSES)
    yield from CODE.findall((package / "report" / "_claims.py").read_text(encoding="utf-8"))
    for file in (package / "verification" / "diagnosis").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        yield from re.findall(
            r'(?:Candidate\(|\(node, |path, |node\), |FieldChange\("hash", )"([A-Z_]+)"', text
        )


def test_every_code_is_named() -> None:
    """Whatever a digest's state, a claim's code or a loss may be is in the tables."""
    found = set(codes())
    assert found > {"ONE_BIT", "NAME", "NO_DIGEST", "HOLES", "CHAIN_FROM_START", "ADDED"}
    assert [] == sorted(code for code in found if f"`{code}`" not in TEXT)
    assert Claim("HOLES", "x").as_json() == {"code": "HOLES", "strand_id": None, "sentence": "x"}
