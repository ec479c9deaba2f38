"""docs/archive.md and docs/reports.md: all in them runs, and schemas fit what is printed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.cli import main
from qldb_stream.ion import load_slice
from qldb_stream.testing import (
    Journal,
    edit_field,
    make_export,
    make_journal,
    records,
    write_archive,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"
ARCHIVE = (DOCS / "archive.md").read_text(encoding="utf-8")
REPORTS = (DOCS / "reports.md").read_text(encoding="utf-8")
PAGES = ("coverage.html", "verification.html", "evidence.zip")
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def examples(text: str) -> list[str]:
    """The Python in a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The commands in a page."""
    return [line.split() for line in re.findall(r"^qldb-stream (.*)$", text, re.MULTILINE)]


def run(code: str) -> None:
    """Run an example."""
    exec(compile(code, "docs", "exec"), {})  # noqa: S102 - our own text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_the_page_about_archives(capsys: pytest.CaptureFixture[str]) -> None:
    """Its archive has a hole, which coverage and verify find; documents are proven all the same."""
    make, ask = examples(ARCHIVE)
    run(make)
    run(ask)
    printed = capsys.readouterr().out
    codes = [(command[0], main(command)) for command in commands(ARCHIVE)]

    assert f"prints `{printed.strip()}`" in ARCHIVE
    assert {("coverage", 1), ("verify", 1), ("prove", 0), ("history", 0)} == set(codes)
    assert 10 == len(codes)
    assert all(Path(name).stat().st_size for name in PAGES)


def test_the_page_about_reports(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its commands and its example write pages of an archive that is whole."""
    write_archive(make_journal(7, blocks=20).iter_records(), folder / "archive")
    codes = {main(command) for command in commands(REPORTS)}
    capsys.readouterr()
    (example,) = examples(REPORTS)
    Path("coverage.html").unlink()
    run(example)

    assert {0} == codes
    assert "True 0\n" == capsys.readouterr().out
    assert "my program" in Path("coverage.html").read_text(encoding="utf-8")


def misfits(value: Any, schema: dict[str, Any], whole: dict[str, Any], at: str) -> Iterator[str]:
    """What in a value is not as a schema says; of JSON Schema no more than the schemas use."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from misfits(value, whole["$defs"][name], whole, at)
        return
    if "anyOf" in schema:
        found = [list(misfits(value, each, whole, at)) for each in schema["anyOf"]]
        yield from min(found, key=len)
        return
    if value not in schema.get("enum", [schema.get("const", value)]):
        yield f"{at}: {value!r}"
    kinds = schema.get("type", [])
    allowed = [t for kind in ([kinds] if isinstance(kinds, str) else kinds) for t in TYPES[kind]]
    if allowed and type(value) not in allowed:
        yield f"{at}: {type(value).__name__}"
    elif isinstance(value, dict):
        yield from members(value, schema, whole, at)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from misfits(each, schema["items"], whole, f"{at}[{number}]")
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{at}: {len(value)} items"
    elif isinstance(value, int) and value < schema.get("minimum", value):
        yield f"{at}: {value}"


def members(
    value: dict[str, Any], schema: dict[str, Any], whole: dict[str, Any], at: str
) -> Iterator[str]:
    """What in an object is not as its schema says."""
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    yield from (f"{at}.{name}: missing" for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        if name in properties:
            yield from misfits(each, properties[name], whole, f"{at}.{name}")
        elif isinstance(others, dict):
            yield from misfits(each, others, whole, f"{at}.{name}")
        elif not others:
            yield f"{at}.{name}: not documented"


def summaries(journal: Journal) -> list[bytes]:
    """The summaries of a journal's blocks."""
    return [records(block)[0] for block in journal]


def details(journal: Journal) -> list[bytes]:
    """The records of a journal's revisions that have a document."""
    return [
        record
        for block in journal
        for record in records(block)[1:]
        if load_slice(record).decode()["payload"]["revision"].get("data")
    ]


@pytest.mark.parametrize("command", ["coverage", "verify"])
def test_schemas(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """What a command prints is as its schema says, of sound and damaged archives and of none."""
    schema = json.loads((DOCS / "schemas" / f"{command}.schema.json").read_text(encoding="utf-8"))
    journal = make_journal(7, blocks=40)
    write_archive(journal.iter_records(), folder / "in")
    write_archive((r for b in [*journal][:30:2] for r in records(b)[:2]), folder / "holed")
    rival = make_journal(8, blocks=3, strand_id=journal.strand_id)
    write_archive(rival.iter_records(), folder / "rival")
    made = make_export(rival, object_blocks=1)
    made.write(folder / "rival", without=made.keys[1:])
    (folder / "noise").write_bytes(b"neither Ion nor KPL")
    first, *others = details(journal)
    changed = edit_field(first, "payload.revision.data.more", 1)
    write_archive([changed, *others, *summaries(journal)], folder / "changed")
    digest = ("--digest", base64.b64encode(journal.digest()).decode())
    for names in (
        *(("in",), ("holed",), ("in", "holed", "rival", "noise"), ("noise",), ("absent",)),
        *(("changed",), ("changed", "in"), *([("in", *digest)] if command == "verify" else [])),
    ):
        main([command, *names, "--json"])
        printed = json.loads(capsys.readouterr().out)
        assert [] == list(misfits(printed, schema, schema, command)), names


def test_a_schema_finds_what_is_not_as_it_says() -> None:
    """The check of schemas is no empty one: it finds each kind of misfit."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": {"const": 1},
            "b": {"$ref": "#/$defs/list"},
            "c": {"type": ["integer", "null"], "minimum": 0},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
        "$defs": {"list": {"type": "array", "items": {"type": "string"}, "maxItems": 1}},
    }
    expected = ["x.b: missing", "x.a: 2", "x.c: -1", "x.d: not documented"]

    assert expected == list(misfits({"a": 2, "c": -1, "d": 0}, schema, schema, "x"))
    assert ["x.b[0]: int", "x.b: 2 items"] == list(
        misfits({"a": 1, "b": [1, "s"], "c": None}, schema, schema, "x")
    )
