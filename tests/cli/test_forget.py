"""Sinks that an inbox keeps everything for: none by mistake, and none for longer than one wants."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qldb_stream.inbox import SqliteInbox
from qldb_stream.report import ParkedBlock, ParkReason, Position
from qldb_stream.testing import make_journal
from tests.cli.conftest import Run

JOURNAL = make_journal(5, blocks=12)
STRAND = JOURNAL.strand_id
BLOCKS = list(JOURNAL)
URL = "postgresql://me:secret@host/db"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An inbox of blocks 0 to 9 of which sink `a` has those up to 7."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    inbox.put(BLOCKS[:10], 1.0)
    inbox.store_position("a", Position(STRAND, 7, bytes(32)), 1)
    inbox.close()
    return path


def sinks(run: Run, path: Path) -> list[str]:
    """For whom everything is kept."""
    found: list[str] = run("status", path, "--json").json()["sinks"]
    return found


def test_a_delivery_that_cannot_begin_registers_nobody(
    run: Run, path: Path, tmp_path: Path
) -> None:
    """Whatever was misspelt or not said, the inbox keeps as little as before."""
    url = f"jsonl:{tmp_path / 'oops.jsonl'}"
    begun = run("deliver", path, "--to", url)
    skipped = run("parked", "skip", path, f"{STRAND}/3", "--to", url, "--reason", "x")
    run("parked", "requeue", path, "--all", "--to", url)
    assert (2, 2) == (begun.code, skipped.code)
    assert ["a"] == sinks(run, path)


def test_status_names_who_holds_records(run: Run, path: Path) -> None:
    """Also where several hold the same, and how to give one up."""
    assert "kept from block 8 on for a\n" in run("status", path).out
    inbox = SqliteInbox(path)
    inbox.register("b")
    inbox.register(URL)
    inbox.close()
    out = run("status", path).out
    assert f"{STRAND}: kept from block 0 on for b, postgresql://me:***@host/db, " in out
    assert f"qldb-stream forget {path} SINK" in out
    inbox = SqliteInbox(path)
    for name in ("a", "b", URL):
        inbox.store_position(name, Position(STRAND, 9, bytes(32)), 1)
    inbox.close()
    assert "kept from" not in run("status", path).out


def test_forget(run: Run, path: Path) -> None:
    """It is found whatever its password, and what the inbox knew of it is told."""
    inbox = SqliteInbox(path)
    inbox.register(URL)
    inbox.close()
    people = run("forget", path, "postgresql://me:other@host/db")
    program = run("forget", path, "a", "--json")
    assert (0, 0) == (people.code, program.code)
    assert "postgresql://me:***@host/db is forgotten" in people.out
    expected = {"version": 1, "ok": True, "sink": "a", "positions": {STRAND: 7}, "parked": 0}
    assert expected == program.json()
    assert [] == sinks(run, path)


def test_what_nobody_else_needs_goes(run: Run, path: Path, tmp_path: Path) -> None:
    """Once a sink is forgotten, the next delivery to the others trims."""
    inbox = SqliteInbox(path)
    inbox.forget("a")
    inbox.register("oops")
    inbox.close()
    deliver = ("deliver", path, "--to", f"jsonl:{tmp_path / 'b.jsonl'}", "--start", 0)
    run(*deliver)
    (held,) = run("status", path, "--json").json()["strands"]
    assert 0 == run("forget", path, "oops").code
    run(*deliver)
    (left,) = run("status", path, "--json").json()["strands"]
    assert (0, None) == (held["first"], left["first"])


def test_parked_blocks_are_not_lost_by_the_way(run: Run, path: Path) -> None:
    """They keep a sink from being forgotten until somebody says that they may go."""
    inbox = SqliteInbox(path)
    inbox.park(ParkedBlock("a", BLOCKS[3], ParkReason.REFUSED, "", datetime.now(UTC)))
    inbox.close()
    refused = run("forget", path, "a")
    assert (2, True) == (refused.code, "1 block parked for a would be lost" in refused.err)
    assert ["a"] == sinks(run, path)
    lost = run("forget", path, "a", "--yes")
    assert (0, True) == (lost.code, "1 parked block lost" in lost.out)
    assert [] == run("parked", "list", path, "--json").json()["parked"]


def test_who_cannot_be_forgotten(run: Run, path: Path) -> None:
    """A sink that nobody knows, or that is delivered to just now."""
    unknown = run("forget", path, "sqlite:other.db")
    inbox = SqliteInbox(path)
    inbox.lease(f"a/{STRAND}", 60.0, time.time())
    inbox.close()
    busy = run("forget", path, "a", "--json")
    assert (2, True) == (unknown.code, "it knows a\n" in unknown.err)
    assert (2, True) == (busy.code, "somebody delivers to a" in busy.json()["error"])
    assert ["a"] == sinks(run, path)
