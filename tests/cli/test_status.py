"""`qldb-stream status` says what each sink has, needs and holds back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.inbox import SqliteInbox
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Gap, ParkedBlock, ParkReason, Position
from qldb_stream.testing import JournalShape, make_journal
from tests.cli.conftest import Run

JOURNAL = make_journal(
    5, blocks=12, shape=JournalShape(tables=1, least_revisions=2, most_revisions=3)
)
STRAND = JOURNAL.strand_id
RECORDS = [list(map(parse_record, records)) for records in JOURNAL.iter_block_records()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An inbox of blocks 0 to 9 in which block 4 lacks its summary and block 6 is not there."""
    path = tmp_path / "a.inbox"
    inbox = SqliteInbox(path)
    for number, events in enumerate(RECORDS[:10]):
        if number != 6:
            inbox.put(events[1:] if number == 4 else events, time.time() - 50)
    inbox.close()
    return path


def waits(run: Run, path: Path) -> list[dict[str, Any]]:
    """What sinks wait for."""
    answer = run("status", path, "--json")
    assert (0, True) == (answer.code, answer.json()["ok"])
    found: list[dict[str, Any]] = answer.json()["waits"]
    return found


def set_position(path: Path, sink: str, number: int, *gaps: Gap) -> None:
    """Say what a sink has."""
    inbox = SqliteInbox(path)
    inbox.store_position(sink, Position(STRAND, number, bytes(32), gaps=gaps), 1)
    inbox.close()


@pytest.mark.parametrize(
    ("number", "gaps", "expected"),
    [
        (2, (), (3, "ready", 7)),
        (3, (), (4, "incomplete", 6)),
        (5, (), (6, "missing", 4)),
        (5, (Gap(6, 6, "lost"),), (7, "ready", 3)),
        (9, (), (10, "nothing", 0)),
    ],
)
def test_what_is_needed(
    run: Run, path: Path, number: int, gaps: tuple[Gap, ...], expected: tuple[object, ...]
) -> None:
    """The next number is named, and whether it is here, in part, or not."""
    assert len(RECORDS[4]) > 1
    set_position(path, "a", number, *gaps)
    (wait,) = waits(run, path)

    assert expected == (wait["next"], wait["state"], wait["behind"])
    assert wait["lag_s"] is None if number == 9 else 50 <= wait["lag_s"] < 100


def test_retention(run: Run, path: Path) -> None:
    """What one sink alone still needs is named; a sink without a position holds everything."""
    set_position(path, "a", 7)
    set_position(path, "b", 2)
    assert [("a", None), ("b", [3, 7])] == [(w["sink"], w["holds"]) for w in waits(run, path)]
    inbox = SqliteInbox(path)
    inbox.forget("b")
    inbox.register("c")
    inbox.close()

    found = [(w["sink"], w["state"], w["holds"]) for w in waits(run, path)]
    assert [("a", "ready", None), ("c", "unknown", [0, 7])] == found


def test_for_people(run: Run, path: Path) -> None:
    """The tables name strands, sinks, leases and parked blocks; passwords are masked."""
    set_position(path, "postgresql://me:secret@host/db", 5)
    inbox = SqliteInbox(path)
    inbox.lease("shard-7", 60.0, time.time())
    block = list(JOURNAL)[1]
    inbox.park(ParkedBlock("other", block, ParkReason.REFUSED, "", datetime.now(UTC)))
    inbox.close()
    answer = run("status", path)
    records = sum(map(len, RECORDS[:10])) - len(RECORDS[6]) - 1

    assert 0 == answer.code
    assert "secret" not in answer.out + run("status", path, "--json").out
    assert all(word in answer.out for word in (STRAND, "missing", "shard-7", "other"))
    assert f"{records} records stored for 1 sink, 1 block parked" in answer.out
    assert "what is needed next is not whole here 1 time" in answer.out


def test_positions_without_records(run: Run, archive: Path, tmp_path: Path) -> None:
    """A replay of files leaves positions in an inbox, and they are shown."""
    path, url = tmp_path / "b.inbox", f"jsonl:{tmp_path / 'b.jsonl'}"
    run("replay", archive, "--to", url, "--inbox", path)
    answer = run("status", path)
    (row,) = [line for line in answer.out.splitlines() if STRAND in line]

    assert ["11", "-", "nothing", "0"] == row.replace("│", " ").split()[-6:-2]
    assert "0 records stored for 1 sink" in answer.out


def test_an_empty_one(run: Run, tmp_path: Path) -> None:
    """Of an inbox to which nothing came there is nothing to say."""
    SqliteInbox(tmp_path / "a").close()
    answer = run("status", tmp_path / "a")

    assert 0 == answer.code
    assert "0 records stored for 0 sinks" in answer.out


def test_one_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """Looking makes no file; that there is none is wrong usage."""
    answer = run("status", tmp_path / "a")

    assert (2, []) == (answer.code, list(tmp_path.iterdir()))
    assert "there is no such file" in answer.err


def test_a_strand_that_was_trimmed(run: Run, path: Path) -> None:
    """Of a strand that every sink has nothing is stored, and nothing is behind."""
    set_position(path, "a", 20)
    inbox = SqliteInbox(path)
    inbox.trim(STRAND)
    inbox.close()
    said = run("status", path, "--json").json()

    assert [(0, None, None)] == [(s["records"], s["first"], s["last"]) for s in said["strands"]]
    assert [(21, "nothing", 0, None)] == [
        (w["next"], w["state"], w["behind"], w["holds"]) for w in said["waits"]
    ]
