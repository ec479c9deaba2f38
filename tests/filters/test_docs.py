"""docs/filters.md: its example does what the page says in all three forms, and its commands run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from qldb_stream.cli import main
from qldb_stream.cli._filter_options import filter_options
from qldb_stream.events import Block, RevisionKind
from qldb_stream.filters import Filter, parse_filter
from qldb_stream.inbox import SqliteInbox
from qldb_stream.ledger import Ledger
from qldb_stream.testing import make_journal, write_archive

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")


def fenced(language: str, at: int = 0) -> str:
    """One of the page's blocks of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return str(found[at])


def test_the_example() -> None:
    """The example delivers clients with masked fields, and withholds those of its condition."""
    names: dict[str, Any] = {}
    exec(compile(fenced("python"), "docs/filters.md", "exec"), names)  # noqa: S102 - our own text
    blocks: list[Block] = names["blocks"]
    revisions = [r for block in blocks for r in block.revisions if r.table is not None]

    assert 40 == len(blocks)
    assert "clients" in {r.table.table_name for r in revisions if r.table}
    assert "Customers" not in {r.table.table_name for r in revisions if r.table}
    clients = [r for r in revisions if r.table and r.table.table_name == "clients"]
    shown = [r for r in clients if r.data is not None]
    assert {("name", "address.street", "remark")} == {r.masked for r in shown}
    assert {"(street)"} == {r.data["address"]["street"] for r in shown}
    assert all(r.data["name"].startswith("hmac-sha256:") for r in shown)
    assert all(r.data["credit"] > 0 for r in shown)
    assert any(r.kind is RevisionKind.WITHHELD for r in clients)


def test_the_three_forms_are_one() -> None:
    """The file and the options make the filter of the example."""
    names: dict[str, Any] = {}
    exec(compile(fenced("python"), "docs/filters.md", "exec"), names)  # noqa: S102 - our own text
    rules: Filter = names["rules"]
    given: list[Filter | None] = []

    @click.command()
    @filter_options
    def command(*, block_filter: Filter | None) -> None:
        given.append(block_filter)

    words = shlex.split(fenced("sh"))
    assert rules.salt is not None
    env = {"MASKING_SALT": rules.salt.decode()}
    CliRunner().invoke(command, words, env=env, standalone_mode=False)

    assert rules == parse_filter(tomllib.loads(fenced("toml")), salt=rules.salt)
    assert [rules] == given


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the page's commands succeeds, every rule meets something, and nothing else comes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKING_SALT", "sixteen bytes or more, and secret")
    journal = make_journal(3, blocks=40)
    write_archive(journal.iter_records(), Path("archive"))
    Path("rules.toml").write_text(fenced("toml"), encoding="utf-8")
    inbox = SqliteInbox("consumer.inbox")
    inbox.put(list(journal), 1.0)
    inbox.close()
    commands = [shlex.split(line)[1:] for line in fenced("sh", 1).splitlines()]

    assert [0, 0, 0] == [main(command) for command in commands]
    said = capsys.readouterr().out
    assert (True, 2, False) == (
        "nothing was written" in said,
        said.count("ok: 40 blocks applied"),
        "met nothing" in said,
    )
    assert Path("clients").is_dir()
    with Ledger.open("clients.ledger", read_only=True) as ledger:
        names = set(ledger.driver().list_tables())
    assert ("clients" in names, {"Orders", "Customers"} & names) == (True, set())
