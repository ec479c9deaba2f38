"""`qldb-stream diff`: what it says, what it repairs, and what it remembers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from qldb_stream.cli._diff import _named
from qldb_stream.filters import parse_filter
from qldb_stream.inbox import SqliteInbox
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap
from qldb_stream.testing import make_journal, records, write_archive
from tests.cli.conftest import Run
from tests.reconcile.contents import BLOCKS, STRAND, by_hand, position_at

SECRET = "Nobody-But-Me"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """A folder with a journal and a sink of it."""
    monkeypatch.chdir(tmp_path)
    write_archive((record for block in BLOCKS for record in records(block)), tmp_path / "in")
    assert 0 == run("replay", "in", "--to", "sqlite:x.db").code
    return tmp_path


def alter(path: Path) -> None:
    """Put a name into a current row, and take a row out of a history."""

    def work(db: sqlite3.Connection) -> None:
        where = "rowid = (SELECT rowid FROM {} WHERE qldb_kind = 'insert' LIMIT 1)"
        table, history = "customers", "customers_history"
        db.execute(f"UPDATE {table} SET name = ? WHERE {where.format(table)}", (SECRET,))
        db.execute(f"DELETE FROM {history} WHERE {where.format(history)}")

    by_hand(path, work)


@pytest.mark.usefixtures("folder")
def test_a_sink_that_agrees(run: Run) -> None:
    """All is compared, for people and for programs."""
    said, as_json = [run("diff", "in", "--with", "sqlite:x.db", *o) for o in ((), ("--json",))]

    assert (0, 0) == (said.code, as_json.code)
    assert "source and sink agree: 60 blocks" in said.out
    found = as_json.json()
    assert found["ok"]
    assert found["repair"] is None
    assert 59 == found["strands"][0]["verified_through"]["sequenceNo"]


def test_what_differs_is_named_and_repaired(run: Run, folder: Path) -> None:
    """Differences by table, document and field, never by value; then none."""
    alter(folder / "x.db")

    said = run("diff", "in", "--with", "sqlite:x.db")
    repaired = run("diff", "in", "--with", "sqlite:x.db", "--repair", "--json")
    again = run("diff", "in", "--with", "sqlite:x.db")

    assert (1, 0, 0) == (said.code, repaired.code, again.code)
    for word in ("current_altered", "missing", "data.name", "Customers", "--repair"):
        assert word in said.out
    assert SECRET not in said.out + said.err + repaired.out
    assert "2 differences" in said.out
    found = repaired.json()
    assert found["ok"]
    assert (2, [], 1) == (
        found["repair"]["found"],
        found["repair"]["refused"],
        found["repair"]["rounds"],
    )


def test_a_repair_is_told(run: Run, folder: Path) -> None:
    """People read what was found and how much was written anew."""
    alter(folder / "x.db")

    said = run("diff", "in", "--with", "sqlite:x.db", "--repair")

    assert 0 == said.code
    assert "written anew" in said.out
    assert "source and sink agree" in said.out


def test_what_no_block_mends_is_told(run: Run, folder: Path) -> None:
    """A position that names another block is left to people."""
    with closing(sqlite3.connect(folder / "x.db")) as db, db:
        db.execute("UPDATE qldb_stream_position SET block_hash = zeroblob(32)")
        text = json.loads(db.execute("SELECT position FROM qldb_stream_position").fetchone()[0])
        text["blockHash"] = "A" * 43 + "="
        db.execute("UPDATE qldb_stream_position SET position = ?", (json.dumps(text),))

    said = run("diff", "in", "--with", "sqlite:x.db", "--repair")

    assert 1 == said.code
    assert "other_block" in said.out
    assert "no block of the source mends" in said.out


@pytest.mark.usefixtures("folder")
def test_it_remembers_what_agreed(run: Run) -> None:
    """The second time the blocks are passed over; other rules and --anew begin anew."""
    command = ("diff", "in", "--with", "sqlite:x.db", "--state", "state")
    first = run(*command, "--json").json()
    second = run(*command, "--json").json()
    said = run(*command)
    anew = run(*command, "--anew", "--json").json()

    passed = [found["strands"][0]["passed_over"] for found in (first, second, anew)]
    assert [0, 60, 0] == passed
    assert "60 blocks passed over" in said.out


def test_a_filter_is_the_deliverys(run: Run, folder: Path) -> None:
    """With the rules of the delivery all agrees, and a state of other rules is not used."""
    options = ("--exclude-tables", "Customers", "--mask", "*.no_such=drop")
    assert 0 == run("replay", "in", "--to", "sqlite:y.db", *options).code

    said = run("diff", "in", "--with", "sqlite:y.db", *options, "--state", "state")
    plain = run("diff", "in", "--with", "sqlite:y.db", "--state", "state", "--json")

    assert (0, 1) == (said.code, plain.code)
    assert "no_such" in said.out
    assert 0 == plain.json()["strands"][0]["passed_over"]
    assert (folder / "state").exists()


def test_rules_have_a_name_without_their_salt() -> None:
    """The same rules in another order have one name, whatever the secret; others another."""
    one = parse_filter({"tables": ["A", "B"], "mask": {"A": {"x": "hash"}}}, salt=b"s" * 16)
    two = parse_filter({"tables": ["B", "A"], "mask": {"A": {"x": "hash"}}}, salt=b"t" * 16)

    assert _named(one) == _named(two)
    assert len({_named(one), _named(parse_filter({"tables": ["A"]})), _named(None)}) == 3
    assert _named(parse_filter({"exclude_tables": ["A"]}))


def test_a_sink_of_an_inbox_is_repaired_with_its_lease(run: Run, folder: Path) -> None:
    """A sink with a token of an inbox is repaired by whoever has the lease, and by nobody else."""
    assert 0 == run("replay", "in", "--to", "sqlite:z.db", "--inbox", "inbox").code
    alter(folder / "z.db")
    command = ("diff", "in", "--with", "sqlite:z.db", "--repair")

    refused = run(*command)
    repaired = run(*command, "--inbox", "inbox")

    assert (1, 0) == (refused.code, repaired.code)
    assert "filled through an inbox" in refused.err
    assert "--inbox" in refused.err
    assert "another worker" not in refused.err
    with closing(SqliteInbox("inbox")) as inbox:
        assert () == tuple(inbox.status().leases)


@pytest.mark.usefixtures("folder")
def test_what_the_sink_lacks_is_told(run: Run) -> None:
    """Parked blocks, a sink that is behind, holes of the source: each has its sentence."""
    shorter = [block for block in BLOCKS if block.address.sequence_no < 40]
    write_archive((r for b in shorter for r in records(b)), Path("short"))
    holed = [block for block in BLOCKS if block.address.sequence_no not in {20, 21}]
    write_archive((r for b in holed for r in records(b)), Path("holed"))
    assert 0 == run("replay", "short", "--to", "sqlite:short.db").code

    behind = run("diff", "in", "--with", "sqlite:short.db")
    ends = run("diff", "short", "--with", "sqlite:x.db")
    hole = run("diff", "holed", "--with", "sqlite:x.db")
    empty = run("diff", "in", "--with", "sqlite:new.db")

    assert (1, 0, 1, 1) == (behind.code, ends.code, hole.code, empty.code)
    assert "the sink has still to get 20 blocks" in behind.out
    assert "not compared: 40-59: the source ends before it" in ends.out
    assert "not compared: 20-21: the source has it not" in hole.out
    assert "the source does not verify" in hole.out
    assert STRAND in empty.out


@pytest.mark.usefixtures("folder")
def test_wrong_usage(run: Run) -> None:
    """Sinks that cannot be compared, sources that are nothing: two, and a sentence."""
    Path("noise").write_bytes(b"neither Ion nor KPL")
    write_archive(make_journal(9, blocks=3).iter_records(), Path("other"))

    ledger = run("diff", "in", "--with", "ledger:copy")
    archive = run("diff", "in", "--with", "jsonl:copy", "--json")
    noise = run("diff", "noise", "--with", "sqlite:x.db")
    other = run("diff", "other", "--with", "memory:")

    assert (2, 2, 2, 1) == (ledger.code, archive.code, noise.code, other.code)
    assert "qldb-stream compare" in ledger.err
    assert not archive.json()["ok"]
    assert "nothing readable" in noise.err
    assert not Path("copy").exists()


def test_parked_blocks_and_gaps_are_told(run: Run, folder: Path) -> None:
    """They are known, and no difference of the history."""
    with closing(open_sink("sqlite:parked.db")) as sink:
        blocks = [b for b in BLOCKS if b.address.sequence_no not in {58, 59}]
        at = position_at(BLOCKS[-1])
        gaps = (Gap(59, 59, "lost"),)
        sink.apply(blocks, attrs.evolve(at, parked=frozenset({58}), gaps=gaps), 0)

    said = run("diff", "in", "--with", "sqlite:parked.db")

    assert "parked: blocks 58" in said.out
    assert "in declared gaps of the sink: blocks 59" in said.out
    assert folder.exists()


def test_many_differences_are_counted(run: Run, folder: Path) -> None:
    """People see the first ones; programs a thousand."""

    def work(db: sqlite3.Connection) -> None:
        for table in ("customers", "orders", "products"):
            db.execute(f"DELETE FROM {table}_history")

    by_hand(folder / "x.db", work)

    said = run("diff", "in", "--with", "sqlite:x.db")

    assert 1 == said.code
    assert " more" in said.out


def test_what_is_masked_in_the_sink_is_not_written_in_clear(run: Run, folder: Path) -> None:
    """Without the filter of the delivery a repair is refused, and not recommended."""
    options = ("--mask", "Customers.name=drop", "--where", "Customers:name IS NULL")
    for number, given in enumerate((options[:2], options[2:])):
        url = f"sqlite:hidden{number}.db"
        assert 0 == run("replay", "in", "--to", url, *given).code

        said = run("diff", "in", "--with", url)
        refused = run("diff", "in", "--with", url, "--repair")
        again = run("diff", "in", "--with", url, *given)

        assert (1, 2, 0) == (said.code, refused.code, again.code)
        assert "masked or withheld in the sink" in said.out
        assert "writes anew" not in said.out
        assert "give the filter" in refused.err
    assert folder.exists()
