"""`qldb-stream replay` and `deliver` with a filter, to real sinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from qldb_stream.testing import make_journal, write_archive
from tests.cli.conftest import Answer, Run


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with a journal of several tables."""
    folder = tmp_path / "archive"
    write_archive(make_journal(3, blocks=60).iter_records(), folder)
    return folder


def tables(path: Path) -> set[str]:
    """Name the tables of a ledger, those of the replay apart."""
    with Ledger.open(path, read_only=True) as ledger:
        names = ledger.driver().list_tables()
    return {name for name in names if not name.startswith("qldb_stream_")}


def planned(answer: Answer) -> set[str]:
    """Name the tables of a dry run."""
    return {table["name"] for plan in answer.json()["dry_run"] for table in plan["tables"]}


def test_tables_are_left_out_and_renamed(run: Run, archive: Path, tmp_path: Path) -> None:
    """What the options say is what the destination has."""
    assert 0 == run("replay", archive, "--to", f"ledger:{tmp_path / 'all'}").code
    first, second, *_ = sorted(tables(tmp_path / "all"))
    url = f"ledger:{tmp_path / 'some'}"

    answer = run("replay", archive, "--to", url, "--tables", first, "--rename", f"{first}=Renamed")

    assert 0 == answer.code, answer.err
    assert {"Renamed"} == tables(tmp_path / "some")
    assert second not in answer.out


def test_a_rule_that_met_nothing_is_told(run: Run, archive: Path, tmp_path: Path) -> None:
    """A misspelt rule changes nothing, so people and programs are told."""
    mask = ("--mask", "*.no_such_field=drop")
    options = ("--exclude-tables", "Nowhere", *mask)

    said = run("replay", archive, "--to", f"ledger:{tmp_path / 'a'}", *options)
    as_json = run("replay", archive, "--to", f"ledger:{tmp_path / 'b'}", *options, "--json")

    assert (0, 0) == (said.code, as_json.code)
    assert "the filter's table Nowhere met nothing" in " ".join(said.out.split())
    unmet = as_json.json()["rules_unmet"]
    assert "table Nowhere" in unmet
    assert any("no_such_field" in rule for rule in unmet)


def test_a_filter_and_an_archive_do_not_go_together(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    """What an archive keeps must verify, so it refuses a filter before anything is written."""
    path = tmp_path / "archive.jsonl"

    answer = run("replay", archive, "--to", f"jsonl:{path}", "--exclude-tables", "X")

    assert 2 == answer.code
    assert "filter" in answer.err
    assert not path.exists()


def test_dry_run_knows_the_filter(run: Run, archive: Path, tmp_path: Path) -> None:
    """The plan is that of what would be delivered."""
    answer = run("replay", archive, "--to", f"ledger:{tmp_path / 'c'}", "--dry-run", "--json")
    first = min(planned(answer))

    less = run(
        "replay",
        archive,
        "--to",
        f"ledger:{tmp_path / 'c'}",
        "--exclude-tables",
        first,
        "--dry-run",
        "--json",
    )

    assert 0 == less.code
    assert planned(answer) - {first} == planned(less)
    assert not (tmp_path / "c").exists()
