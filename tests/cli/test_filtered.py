"""`qldb-stream replay` and `deliver` with a filter, to real sinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.inbox import SqliteInbox
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


def test_a_dry_run_counts_what_is_withheld(run: Run, archive: Path) -> None:
    """Documents that a condition does not admit are told apart; all others count as before."""
    command = ("replay", archive, "--to", "memory:", "--dry-run")
    answer = run(*command, "--json")
    (plain,) = answer.json()["dry_run"]
    table = next(found for found in plain["tables"] if found["updates"])

    some = run(*command, "--where", f"{table['name']}: 1 = 2", "--json").json()["dry_run"][0]
    said = run(*command, "--where", f"{table['name']}: 1 = 2")

    expected = table | {"inserts": 0, "updates": 0}
    expected["withheld"] = table["inserts"] + table["updates"]
    assert expected in some["tables"]
    assert [t for t in plain["tables"] if t != table] == [
        t for t in some["tables"] if t != expected
    ]
    assert "withheld" in said.out


def test_a_dry_run_names_the_rules_that_met_nothing(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    """That is where a slip of the pen can be seen before anything is delivered."""
    command = ("replay", archive, "--to", f"ledger:{tmp_path / 'd'}", "--tables", "Nowhere")

    said, as_json = run(*command, "--dry-run"), run(*command, "--dry-run", "--json")

    assert "the filter's table Nowhere met nothing" in said.out
    assert ["table Nowhere"] == as_json.json()["rules_unmet"]


def test_where_nothing_was_delivered_no_rule_is_named(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    """A sink that has everything says nothing of how the rules are spelt."""
    command = ("replay", archive, "--to", f"ledger:{tmp_path / 'e'}", "--tables", "Nowhere")

    first, again = run(*command, "--json").json(), run(*command, "--json").json()

    assert first["error"].startswith("no table of the filter is in the source (Nowhere)")
    assert not first["ok"]
    assert again["ok"]
    assert (["table Nowhere"], []) == (first["rules_unmet"], again["rules_unmet"])
    assert (0, 60) == (again["applied"], again["skipped"])


def test_a_delivery_names_them_too(run: Run, tmp_path: Path) -> None:
    """What waits in an inbox goes through the same rules."""
    for name in ("one", "two"):
        inbox = SqliteInbox(tmp_path / name)
        inbox.put(list(make_journal(3, blocks=10)), 1.0)
        inbox.close()
    options = ("--start", "0", "--mask", "*.nosuch=drop")

    said = run("deliver", tmp_path / "one", "--to", f"ledger:{tmp_path / 'f'}", *options)
    url = f"ledger:{tmp_path / 'g'}"
    as_json = run("deliver", tmp_path / "two", "--to", url, *options, "--json")

    assert (0, 0) == (said.code, as_json.code)
    assert "the filter's mask *.nosuch met nothing" in said.out
    assert ["mask *.nosuch"] == as_json.json()["rules_unmet"]
    assert 10 == as_json.json()["applied"]


def test_a_mirror_takes_no_filter(run: Run, archive: Path, tmp_path: Path) -> None:
    """Its blocks must be the source's; nothing is left behind of the attempt."""
    path = tmp_path / "mirror.ledger"

    answer = run(
        "replay", archive, "--to", f"ledger:{path}", "--mode", "mirror", "--tables", "People"
    )

    assert (2, True) == (answer.code, "filter" in answer.err)
    assert not path.exists()
