"""A command that fails before it applied anything leaves nothing that was not there before."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from qldb_stream.events import Block, RevisionKind
from qldb_stream.ledger import Ledger
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.testing import make_journal, records, write_archive
from tests.cli.conftest import Run


def seen(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the bytes of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def _updates(block: Block) -> bool:
    return any(revision.kind is RevisionKind.UPDATE for revision in block.revisions)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: noise, a photo, an empty file, a ledger, a late journal."""
    monkeypatch.chdir(tmp_path)
    Path("nothing.bin").write_bytes(b"neither Ion nor KPL")
    Path("photo").write_bytes(b"\x89PNG" * 1000)
    Path("empty").touch()
    Ledger.open("old.ledger").close()
    sqlite3.connect("other.db").executescript("CREATE TABLE t (x)")
    late = next(block for block in make_journal(5, blocks=40) if _updates(block))
    write_archive(records(late), tmp_path / "late")
    whole = make_journal(5, blocks=3).iter_records()
    write_archive(whole, tmp_path / "whole")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing.bin", "--to", "ledger:new"),
        ("nothing.bin", "--to", "jsonl:new"),
        ("nothing.bin", "--to", "ledger:empty"),
        ("nothing.bin", "--to", "jsonl:empty"),
        ("nothing.bin", "--to", "memory:"),
        ("absent", "--to", "ledger:new"),
        ("absent", "--to", "jsonl:new"),
        ("whole", "--to", "ledger:new", "--start", "99"),
        ("whole", "--to", "jsonl:new", "--start", "99"),
        ("whole", "--to", "ledger:new", "--ids", "wrong"),
        ("whole", "--to", "ledger:new", "--base", "wrong"),
        ("whole", "--to", "jsonl:new", "--ids", "any"),
        ("whole", "--to", "ledger:new?such=1"),
        ("whole", "--to", "jsonl:new?such=1"),
        ("whole", "--to", "ledger:new", "--accept-gap", "s:1-2"),
        ("whole", "--to", "ledger:photo"),
        ("whole", "--to", "jsonl:photo"),
        ("whole", "--to", "ledger:other.db"),
        ("whole", "--to", "jsonl:other.db"),
        ("whole", "--to", "jsonl:old.ledger"),
        ("whole", "--to", "ledger:late"),
        ("whole", "--to", "jsonl:late"),
        ("whole", "--to", "ledger:no/such"),
        ("whole", "--to", "jsonl:no/such"),
        ("whole", "--to", "ledger:"),
        ("whole", "--to", "jsonl:"),
        ("whole", "--to", "memory:new"),
        ("whole", "--to", "new"),
        ("late", "--to", "ledger:new"),
        ("nothing.bin", "--to", "ledger:old.ledger"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_replay(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Whatever keeps a replay from applying a block, its folder is as it was."""
    before = seen(tmp_path)
    answer = run("replay", *arguments)

    assert answer.code in (1, 2)
    assert before.keys() == seen(tmp_path).keys()
    assert before == seen(tmp_path) | {"old.ledger": before["old.ledger"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("whole", "--to", "wrong"),
        ("whole", "--to", "ledger:photo"),
        ("whole", "--to", "ledger:new", "--dry-run"),
        ("nothing.bin", "--to", "ledger:new"),
        ("absent", "--to", "jsonl:new"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_an_inbox(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Nor is an inbox left that was made for a replay that did nothing."""
    before = seen(tmp_path)
    answer = run("replay", *arguments, "--inbox", "zz.inbox")

    assert ("--dry-run" in arguments) == (answer.code == 0)
    assert before.keys() == seen(tmp_path).keys()


@pytest.mark.parametrize("scheme", ["ledger", "jsonl"])
def test_a_sink_in_use(run: Run, folder: Path, scheme: str) -> None:
    """A sink that somebody else writes is theirs: nothing of it is taken away."""
    holder = Ledger.open("held") if scheme == "ledger" else JsonlSink("held")
    before = seen(folder).keys()
    answer = run("replay", "whole", "--to", f"{scheme}:held")

    assert answer.code in (1, 2)
    assert before == seen(folder).keys()
    holder.close()


@pytest.mark.parametrize("scheme", ["ledger", "jsonl"])
def test_what_was_applied_is_one_file(run: Run, folder: Path, scheme: str) -> None:
    """A replay that went well leaves its file and nothing beside it."""
    before = seen(folder).keys()
    answer = run("replay", "whole", "--to", f"{scheme}:new")

    assert 0 == answer.code
    assert {"new"} == seen(folder).keys() - before


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "absent"),
        ("inspect", "nothing.bin"),
        ("compare", "whole", "absent"),
        ("compare", "absent", "old.ledger"),
        ("compare", "photo", "old.ledger"),
        ("compare", "old.ledger", "photo"),
        ("compare", "old.ledger", "other.db"),
        ("compare", "old.ledger", "empty"),
        ("ids", "other.db", "x"),
        ("ids", "old.ledger", "x"),
        ("demo", "--keep", "photo"),
        ("demo", "--keep", "whole"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_commands_that_read(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Commands that only read leave everything as it was, whatever is wrong."""
    before = seen(tmp_path)
    answer = run(*arguments)

    assert answer.code in (1, 2)
    assert before == seen(tmp_path)
