"""`qldb-stream replay`: into a ledger, and what became of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from qldb_stream.plugins import open_sink
from qldb_stream.replay import POSITION_TABLE
from qldb_stream.testing import make_journal, records, write_archive
from tests.cli.conftest import Run


def _count_blocks(path: Path) -> int:
    with Ledger.open(path) as ledger:
        return ledger.digest().tip.sequence_no + 1


def test_into_a_ledger(run: Run, source: Path, recorded: Path, tmp_path: Path) -> None:
    """A journal is applied once, skipped the second time, and compares equal."""
    destination = tmp_path / "destination.ledger"
    blocks = _count_blocks(source)
    first = run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any", "--json")
    again = run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any", "--json")
    compared = run("compare", source, destination, "--json")

    assert (0, "", blocks, 0) == (
        first.code,
        first.err,
        first.json()["applied"],
        first.json()["skipped"],
    )
    assert (0, 0, blocks) == (again.code, again.json()["applied"], again.json()["skipped"])
    assert (0, True, blocks) == (
        compared.code,
        compared.json()["ok"],
        compared.json()["blocks"],
    )
    assert {"applied", "skipped", "documents", "redactions_pending"} <= first.json().keys()
    assert first.json()["documents"] > 0


def test_for_people(run: Run, source: Path, recorded: Path, tmp_path: Path) -> None:
    """People get what was applied as a table, and agreement as the last two lines."""
    destination = tmp_path / "destination.ledger"
    replayed = run("replay", recorded, "--to", f"ledger:{destination}?ids=any")
    compared = run("compare", source, destination)

    assert (0, 0) == (replayed.code, compared.code)
    assert "blocks applied" in replayed.out
    assert replayed.out.splitlines()[-1].startswith("ok: ")
    agreement = [line.partition(":")[0] for line in compared.out.splitlines()[-2:]]
    assert ["ok", "ok"] == agreement
    assert "block by block" in compared.out
    assert "document by document" in compared.out


def test_a_hole_stops_the_strand(run: Run, tmp_path: Path) -> None:
    """Blocks up to a hole are applied, none after it, and the exit code is 1."""
    blocks = [b for b in make_journal(5, blocks=12) if b.address.sequence_no != 4]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    url = f"ledger:{tmp_path / 'destination.ledger'}"
    as_json = run("replay", tmp_path / "in", "--to", url, "--start", "0", "--json")
    for_people = run("replay", tmp_path / "in", "--to", url)

    assert (1, False, 4) == (as_json.code, as_json.json()["ok"], as_json.json()["applied"])
    assert "GAP" in {problem["code"] for problem in as_json.json()["problems"]}
    assert for_people.out.splitlines()[-1].startswith("not ok: 0 blocks applied, 4 skipped")


def test_into_lines(run: Run, archive: Path, tmp_path: Path) -> None:
    """Another sink is another URL."""
    answer = run("replay", archive, "--to", f"jsonl:{tmp_path / 'out.jsonl'}", "--json")

    assert (0, 12) == (answer.code, answer.json()["applied"])
    assert (tmp_path / "out.jsonl").is_file()


@pytest.mark.parametrize("url", ["nonsense:x", "ledger", "ledger:x?no_such_option=1"])
def test_a_wrong_url(run: Run, archive: Path, url: str) -> None:
    """A URL that names no sink is wrong usage: one sentence, and the object on --json."""
    answer = run("replay", archive, "--to", url, "--json")

    assert (2, False, 0) == (answer.code, answer.json()["ok"], answer.json()["applied"])
    assert 1 == answer.err.count("\n")


def test_nothing_readable(run: Run, tmp_path: Path) -> None:
    """When nothing at all is readable the exit code is 2 and nothing is delivered."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    url = f"ledger:{tmp_path / 'destination.ledger'}"
    as_json = run("replay", tmp_path / "noise", "--to", url, "--json")
    for_people = run("replay", tmp_path / "noise", "--to", url)

    assert (2, False, 0) == (as_json.code, as_json.json()["ok"], as_json.json()["applied"])
    assert 2 == for_people.code
    assert "Delivered" not in for_people.out


def test_redactions_pending(run: Run, tmp_path: Path) -> None:
    """What cannot be redacted, as it never came, is named to people and programs alike."""
    from qldb_stream.testing import JournalShape

    journal = make_journal(3, blocks=60, shape=JournalShape(redactions=0.5))
    asking = [b.address.sequence_no for b in journal if b.summary.redaction_info is not None]
    write_archive(journal.iter_records(), tmp_path / "in")
    late = ("--start", str(asking[0]), "--base", "insert")
    as_json = run("replay", tmp_path / "in", "--to", f"ledger:{tmp_path / 'a'}", *late, "--json")
    for_people = run("replay", tmp_path / "in", "--to", f"ledger:{tmp_path / 'b'}", *late)
    whole = run("replay", tmp_path / "in", "--to", f"ledger:{tmp_path / 'c'}", "--json")

    pending = [block["sequence_no"] for block in as_json.json()["redactions_pending"]]
    assert asking[0] in pending
    assert set(pending) <= set(asking)
    assert f"redaction pending: block {journal.strand_id}/{asking[0]}" in for_people.out
    assert (True, []) == (whole.json()["ok"], whole.json()["redactions_pending"])


@pytest.mark.parametrize("command", [("ids", "LEDGER", "x"), ("compare", "LEDGER", "LEDGER")])
def test_a_ledger_that_is_not_there(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A ledger file that is not there is wrong usage, and none is made."""
    path = tmp_path / "absent.ledger"
    answer = run(*(str(path) if word == "LEDGER" else word for word in command))

    assert (2, f"qldb-stream {command[0]}: there is no ledger file {path}\n") == (
        answer.code,
        answer.err,
    )
    assert not path.exists()


def test_a_file_that_is_no_ledger(run: Run, tmp_path: Path) -> None:
    """A file of another kind is wrong usage, in one sentence."""
    path = tmp_path / "photo"
    path.write_bytes(b"\x89PNG" * 1000)
    answer = run("ids", path, "x")

    assert (2, 1) == (answer.code, answer.err.count("\n"))


@pytest.mark.parametrize("command", [("ids", "FILE", "x"), ("compare", "FILE", "FILE")])
def test_an_empty_file_stays_empty(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Commands that read make no ledger of an empty file, nor anything beside it."""
    path = tmp_path / "empty.ledger"
    path.touch()
    answer = run(*(str(path) if word == "FILE" else word for word in command))

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert [("empty.ledger", 0)] == [(p.name, p.stat().st_size) for p in tmp_path.iterdir()]


def test_beside_a_writer(run: Run, recorded: Path, tmp_path: Path) -> None:
    """A ledger that somebody writes can be compared, and its ids looked up."""
    destination = tmp_path / "destination.ledger"
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    with Ledger.open(destination):
        found = run("ids", destination, "0" * 22)
        assert (1, "") == (found.code, found.err)
        assert (0, "") == (run("compare", recorded, destination).code, found.err)


@pytest.mark.parametrize("command", [("ids", "LEDGER", "x"), ("compare", "LEDGER", "LEDGER")])
@pytest.mark.parametrize("begun", [False, True])
def test_a_ledger_never_replayed_into(
    run: Run, source: Path, command: tuple[str, ...], *, begun: bool
) -> None:
    """Where no block was ever replayed, that is said, and nothing about ids or differences."""
    if begun:
        with Ledger.open(source) as ledger:
            make = f"CREATE TABLE {POSITION_TABLE}"
            ledger.driver().execute_lambda(lambda txn: txn.execute_statement(make))
    arguments = [str(source) if word == "LEDGER" else word for word in command]
    answer = run(*arguments)
    as_json = run(*arguments, "--json")

    assert (2, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
    assert f"no replay has written to this ledger: {source}; name " in answer.err
    assert (2, False) == (as_json.code, as_json.json()["ok"])
    assert "no replay has written" in as_json.json()["error"]


@pytest.mark.parametrize("path", ["n" * 300, "/proc/self/mem"])
def test_a_file_that_cannot_be_read(
    run: Run, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A name that is too long, and a file that fails when read, are wrong usage, named."""
    if path.startswith("/") and not Path(path).exists():
        pytest.skip("only Linux has this file")
    monkeypatch.chdir(tmp_path)
    run("replay", recorded, "--to", "ledger:new")
    for command in (("ids", path, "x"), ("compare", "new", path), ("compare", path, "new")):
        answer = run(*command)
        assert (2, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
        assert path in answer.err


def test_a_declared_gap(run: Run, tmp_path: Path) -> None:
    """With a gap that its owner declares, a strand goes on behind it."""
    blocks = [b for b in make_journal(5, blocks=12) if b.address.sequence_no != 10]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    gap = f"{blocks[0].address.strand_id}:10-10"
    arguments = ("replay", tmp_path / "in", "--to", f"jsonl:{tmp_path / 'out'}", "--json")
    without = run(*arguments)
    declared = run(*arguments, "--accept-gap", gap, "--reason", "lost in 2023")

    assert (1, 10) == (without.code, without.json()["applied"])
    assert (0, 1, 10) == (declared.code, declared.json()["applied"], declared.json()["skipped"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--accept-gap", "s:1-2"), "--accept-gap and --reason belong together"),
        (("--reason", "lost"), "--accept-gap and --reason belong together"),
        (("--accept-gap", "1-2", "--reason", "lost"), "a gap is STRAND:FIRST-LAST"),
        (
            ("--accept-gap", "s:51-49", "--reason", "lost"),
            "s:51-49 ends before it begins: write 49-51",
        ),
    ],
)
def test_a_gap_that_is_none(
    run: Run, archive: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    """A gap without a reason, or of another shape, is wrong usage."""
    answer = run("replay", archive, "--to", f"jsonl:{tmp_path / 'out'}", *options)

    assert 2 == answer.code
    assert sentence in answer.err


def test_a_sink_that_refuses(run: Run, tmp_path: Path) -> None:
    """What a sink refuses ends the replay, named, after what it took before."""
    blocks = list(make_journal(5, blocks=40))[20:]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    url = f"ledger:{tmp_path / 'destination.ledger'}"
    answer = run("replay", tmp_path / "in", "--to", url, "--json")
    said = answer.json()

    assert (1, False, []) == (answer.code, said["ok"], said["problems"])
    assert said["applied"] < 20
    assert f"qldb-stream: {said['error']}\n" == answer.err

    told = run("replay", tmp_path / "in", "--to", url)
    assert 1 == told.code
    assert "not ok: " in told.out
    assert "then it broke off" in told.out


def test_a_replay_that_applies_nothing(run: Run, tmp_path: Path) -> None:
    """Undecodable, altered, late or refused from the first block on: no block more is there."""
    destination = tmp_path / "destination.ledger"
    with Ledger.open(destination) as ledger:
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE Mine"))
    blocks = list(make_journal(5, blocks=40))
    altered = bytearray(b"".join(records(blocks[0])))
    altered[len(altered) // 2] ^= 1
    (tmp_path / "altered").write_bytes(altered)
    (tmp_path / "noise").write_bytes(b"no record at all")
    updates = (b for b in blocks if any(r.metadata and r.metadata.version for r in b.revisions))
    write_archive(records(next(updates)), tmp_path / "late")
    for name, more in (("altered", ()), ("noise", ()), ("late", ()), ("late", ("--start", "0"))):
        answer = run("replay", tmp_path / name, "--to", f"ledger:{destination}", *more, "--json")
        assert 0 != answer.code
        assert 0 == answer.json()["applied"]
        assert 1 == _count_blocks(destination)


def test_another_rule_than_the_first_run(run: Run, recorded: Path, tmp_path: Path) -> None:
    """A second replay with another rule for ids is wrong usage, and says which one was first."""
    url = f"ledger:{tmp_path / 'destination.ledger'}"
    run("replay", recorded, "--to", url, "--ids", "any")
    answer = run("replay", recorded, "--to", url)
    assert 2 == answer.code
    assert "filled with ids=any, but this run has ids=keep" in answer.err


def test_a_start_that_leaves_a_hole(run: Run, archive: Path, tmp_path: Path) -> None:
    """A start behind what the sink has leaves a hole: it is not ok, and nothing is applied."""
    url = f"jsonl:{tmp_path / 'out'}"
    first = (record for b in list(make_journal(5, blocks=3)) for record in records(b))
    write_archive(first, tmp_path / "first")
    run("replay", tmp_path / "first", "--to", url)
    answer = run("replay", archive, "--to", url, "--start", "8", "--json")

    assert 0 != answer.code
    assert (False, 0) == (answer.json()["ok"], answer.json()["applied"])


def test_a_broken_ledger(run: Run, source: Path) -> None:
    """A ledger whose pages are damaged is refused in one sentence."""
    with source.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    answer = run("compare", source, source)

    assert answer.code in (1, 2)
    assert 1 == answer.err.count("\n")


@pytest.mark.parametrize("scheme", ["jsonl", "ledger"])
def test_older_blocks_come_too_late(run: Run, tmp_path: Path, scheme: str) -> None:
    """What a sink never had is not said to be there already: exit code 1, and why."""
    blocks = list(make_journal(5, blocks=9))
    write_archive((r for block in blocks[:4] for r in records(block)), tmp_path / "old")
    write_archive((r for block in blocks[4:] for r in records(block)), tmp_path / "new")
    url = f"{scheme}:{tmp_path / 'out'}" + ("?base=insert" if scheme == "ledger" else "")
    first = run("replay", tmp_path / "new", "--to", url, "--json")
    second = run("replay", tmp_path / "old", "--to", url, "--json")

    assert (0, 5) == (first.code, first.json()["applied"])
    said = second.json()
    assert (1, False, 0, 0) == (second.code, said["ok"], said["applied"], said["skipped"])
    (problem,) = said["problems"]
    assert ("GAP", 0) == (problem["code"], problem["sequence_no"])
    assert problem["message"].startswith("blocks 0 to 3 are older than the first block")


@pytest.mark.parametrize(("start", "code"), [("8", 0), ("99", 1)])
def test_what_a_start_leaves_out_is_said(
    run: Run, archive: Path, tmp_path: Path, start: str, code: int
) -> None:
    """Blocks before --start are counted; a start that nothing reaches is not ok."""
    arguments = ("replay", archive, "--start", start, "--to")
    for_people = run(*arguments, f"jsonl:{tmp_path / 'a'}")
    as_json = run(*arguments, f"jsonl:{tmp_path / 'b'}", "--json")

    assert (code, code) == (for_people.code, as_json.code)
    assert f"{min(int(start), 12)} blocks before --start left out" in for_people.out
    assert [99] * code == [problem["sequence_no"] for problem in as_json.json()["problems"]]
    assert min(int(start), 12) == as_json.json()["before_start"]


def test_a_gap_of_a_strand_that_never_came(run: Run, archive: Path) -> None:
    """A mistyped strand is said, and costs nothing."""
    arguments = ("replay", archive, "--to", "memory:", "--accept-gap", "xyz:49-51")
    shown = run(*arguments, "--reason", "lost")
    said = run(*arguments, "--reason", "lost", "--json").json()

    assert 0 == shown.code
    assert "gap declared in vain: nothing came of strand xyz" in shown.out
    assert (True, ["xyz"]) == (said["ok"], said["strands_unmet"])


@pytest.mark.parametrize("scheme", ["ledger", "jsonl"])
def test_a_destination_that_is_being_written(
    run: Run, archive: Path, tmp_path: Path, scheme: str
) -> None:
    """Whatever the sink, nothing is begun beside another writer: exit code 2."""
    url = f"{scheme}:{tmp_path / 'busy'}"
    with closing(open_sink(url)):
        answer = run("replay", archive, "--to", url, "--json")

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert (False, 0) == (answer.json()["ok"], answer.json()["applied"])


@pytest.mark.parametrize("scheme", ["sqlite", "ledger", "parquet"])
def test_a_sink_of_an_inbox_without_it(run: Run, tmp_path: Path, scheme: str) -> None:
    """What lacks is the inbox, not the strand: nobody else has that."""
    blocks = list(make_journal(5, blocks=20))
    for name, part in (("half", blocks[:10]), ("whole", blocks)):
        write_archive((r for block in part for r in records(block)), tmp_path / name)
    url, inbox = f"{scheme}:{tmp_path / 'x'}", tmp_path / "x.inbox"
    assert 0 == run("replay", tmp_path / "half", "--to", url, "--inbox", inbox).code

    without = run("replay", tmp_path / "whole", "--to", url)
    given = run("replay", tmp_path / "whole", "--to", url, "--inbox", inbox)

    assert (1, 0) == (without.code, given.code)
    assert "was filled through an inbox" in without.err
    assert "another worker" not in without.err


def test_a_name_that_is_taken_is_told(run: Run, tmp_path: Path) -> None:
    """Who has a table of the name finds the journal's under another, and reads which, once."""
    write_archive(make_journal(5, blocks=20).iter_records(), tmp_path / "in")
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE k_customers (mine)")
    command = ("replay", tmp_path / "in", "--to", f"sqlite:{path}?prefix=k_")

    first, again = run(*command), run(*command)

    assert (0, 0) == (first.code, again.code)
    assert "table Customers is called k_customers_2 there" in first.out
    assert "is called" not in again.out
    assert "Orders is called" not in first.out
