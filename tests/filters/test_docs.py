"""docs/filters.md: its example does what the page says, in all three forms."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from qldb_stream.cli._filter_options import filter_options
from qldb_stream.events import Block, RevisionKind
from qldb_stream.filters import Filter, parse_filter

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")


def fenced(language: str) -> str:
    """The page's only block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


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
