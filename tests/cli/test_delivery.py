"""`replay` to several sinks and with an inbox, `deliver`, and `parked`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from qldb_stream.errors import SinkRefusedError, SinkUnavailableError
from qldb_stream.events import Block
from qldb_stream.inbox import SqliteInbox
from qldb_stream.ledger import Ledger
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import ParkedBlock, ParkReason, Position
from qldb_stream.sinks._session import SessionSink
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import make_journal
from tests.cli.conftest import Run

JOURNAL = make_journal(5, blocks=12)  # that of the archive
STRAND = JOURNAL.strand_id
APPLY = SessionSink.apply


@pytest.fixture
def picky(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers of blocks that replays into ledgers refuse."""
    refused: set[int] = set()

    def apply(
        sink: SessionSink, blocks: Sequence[Block], position: Position, token: int
    ) -> Position:
        for block in blocks:
            if block.address.sequence_no in refused:
                number = block.address.sequence_no
                raise SinkRefusedError("ledger", position.strand_id, number, "it is full")
        return APPLY(sink, blocks, position, token)

    monkeypatch.setattr(LedgerSink, "apply", apply)
    return refused


def test_several_sinks_get_the_journal(run: Run, archive: Path, tmp_path: Path) -> None:
    """Each is reported by its URL; the second time each has everything."""
    urls = ["--to", f"jsonl:{tmp_path / 'a.jsonl'}", "--to", f"ledger:{tmp_path / 'b.ledger'}"]
    first = run("replay", archive, *urls, "--json")
    again = run("replay", archive, *urls)
    assert (0, [12, 12]) == (first.code, [s["applied"] for s in first.json()["sinks"]])
    assert (0, 2) == (again.code, again.out.count("Delivered to"))
    assert "0 blocks applied, 24 skipped" in again.out


def test_one_sink_of_several_fails(
    run: Run, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other gets everything; the command says what failed, and is not ok."""

    def away(*_arguments: object) -> Position:
        raise SinkUnavailableError("jsonl", "the disk is away")

    monkeypatch.setattr(JsonlSink, "apply", away)
    urls = ["--to", f"jsonl:{tmp_path / 'a.jsonl'}", "--to", f"ledger:{tmp_path / 'b.ledger'}"]
    found = run("replay", archive, *urls, "--retries", 0, "--retry-for", 1)
    assert 1 == found.code
    assert "the disk is away" in found.out
    assert "12 blocks applied" in found.out


def test_options_of_one_sink_are_not_for_several(run: Run, archive: Path, tmp_path: Path) -> None:
    """They belong into the URLs then; and one sink is named once."""
    url = f"ledger:{tmp_path / 'b.ledger'}"
    mixed = run("replay", archive, "--to", url, "--to", "memory:", "--ids", "any")
    twice = run("replay", archive, "--to", url, "--to", url)
    assert (2, 2) == (mixed.code, twice.code)
    assert "into the URLs" in mixed.err
    assert "twice" in twice.err


def test_a_dry_run_writes_nothing(run: Run, archive: Path, tmp_path: Path, picky: set[int]) -> None:
    """It says which tables and documents a replay would touch, and leaves no file."""
    path = tmp_path / "b.ledger"
    people = run("replay", archive, "--to", f"ledger:{path}", "--dry-run")
    program = run("replay", archive, "--to", f"ledger:{path}", "--dry-run", "--json")
    (plan,) = program.json()["dry_run"]
    assert (0, 0) == (people.code, program.code)
    assert not path.exists()
    assert 12 == plan["blocks"]
    assert 0 < sum(table["inserts"] for table in plan["tables"])
    assert "12 blocks to apply, 0 cannot be; nothing was written" in people.out


def test_parked_blocks_are_listed_shown_and_requeued(
    run: Run, archive: Path, tmp_path: Path, picky: set[int]
) -> None:
    """Contents are printed only when they are asked for; a requeue applies what was refused."""
    picky.add(11)
    inbox, url = tmp_path / "inbox", f"ledger:{tmp_path / 'b.ledger'}"
    replayed = run("replay", archive, "--to", url, "--inbox", inbox, "--on-refusal", "park")
    listed = run("parked", "list", inbox)
    entry = run("parked", "list", inbox, "--sink", url, "--json").json()["parked"][0]
    shown = run("parked", "show", inbox, f"{STRAND}/11")
    contents = run("parked", "show", inbox, f"{STRAND}/11", "--contents")
    again = run("parked", "requeue", inbox, f"{STRAND}/11", "--to", url)
    picky.clear()
    applied = run("parked", "requeue", inbox, "--all", "--to", url, "--json")
    nothing = run("parked", "requeue", inbox, "--all", "--to", url)

    assert (0, True) == (replayed.code, "11 blocks applied, 0 skipped, 1 parked" in replayed.out)
    assert f"{url}, {STRAND}/11: " in listed.out
    assert (1, 1) == (listed.out.count(url), listed.out.count("it is full"))
    assert f"`qldb-stream parked list {inbox}` says why" in replayed.out
    assert (11, "refused", STRAND) == (entry["sequence_no"], entry["reason"], entry["strand_id"])
    assert "recordType" not in shown.out
    assert "recordType" in contents.out
    assert (1, True) == (again.code, "is refused again" in again.out)
    assert (0, [11]) == (applied.code, applied.json()["strands"][STRAND]["applied"])
    assert (0, True) == (nothing.code, "nothing is parked" in nothing.out)
    with Ledger.open(tmp_path / "b.ledger") as ledger:
        assert ledger.digest().tip.sequence_no > 0


def test_a_parked_block_is_given_up(
    run: Run, archive: Path, tmp_path: Path, picky: set[int]
) -> None:
    """The reason stays in the sink's position."""
    picky.add(11)
    inbox, url = tmp_path / "inbox", f"ledger:{tmp_path / 'b.ledger'}"
    run("replay", archive, "--to", url, "--inbox", inbox, "--on-refusal", "park")
    skipped = run("parked", "skip", inbox, f"{STRAND}/11", "--to", url, "--reason", "too long")
    again = ("parked", "skip", inbox, f"{STRAND}/11", "--to", url, "--reason", "x", "--json")
    twice = run(*again)
    assert (0, "is given up" in skipped.out) == (skipped.code, True)
    assert (2, False) == (twice.code, twice.json()["ok"])
    sink = LedgerSink.open(tmp_path / "b.ledger")
    position = sink.position(STRAND)
    sink.close()
    assert position is not None
    assert ["too long"] == [gap.reason for gap in position.gaps]


def test_a_long_list_of_parked_blocks(run: Run, tmp_path: Path) -> None:
    """The first are shown, each once with its sink, and the others counted; causes may be gone."""
    inbox = SqliteInbox(tmp_path / "inbox")
    now = datetime.now(UTC)
    blocks = list(make_journal(6, blocks=40))
    for number, block in enumerate(blocks):
        cause = {7: 3, 8: 7}.get(number)
        reason = ParkReason.REFUSED if cause is None else ParkReason.FOLLOWS
        inbox.park(ParkedBlock("copy", block, reason, "it is full", now, because_of=cause))
    inbox.unpark("copy", blocks[0].address.strand_id, 3)
    inbox.close()
    out = run("parked", "list", tmp_path / "inbox").out

    assert 25 == out.count("copy, ")
    assert "it depends on block 3, which was parked, and is no more: requeue it" in out
    assert "it depends on block 7, which was parked (" in out
    assert "and 14 more parked: `--json` lists them all" in out
    assert "39 blocks parked" in out


def test_blocks_of_another_sink_are_not_overlooked(
    run: Run, archive: Path, tmp_path: Path, picky: set[int]
) -> None:
    """Who asks for a sink by another URL than the inbox has hears whose blocks there are."""
    picky.add(11)
    inbox, url = tmp_path / "inbox", f"ledger:{tmp_path / 'b.ledger'}"
    run("replay", archive, "--to", url, "--inbox", inbox, "--on-refusal", "park")
    other = f"ledger:{tmp_path}/./b.ledger"
    requeued = run("parked", "requeue", inbox, "--all", "--to", other, "--json")
    skipped = run("parked", "skip", inbox, f"{STRAND}/11", "--to", other, "--reason", "x")
    said = f"nothing is parked for {other}; there is for {url} (--sink names it)"
    assert (2, said) == (requeued.code, requeued.json()["error"])
    assert (2, True) == (skipped.code, said in skipped.err)
    absent = run("parked", "requeue", inbox, "--all", "--to", f"ledger:{tmp_path / 'c.ledger'}")
    assert (2, False) == (absent.code, (tmp_path / "c.ledger").exists())


def test_blocks_of_a_sink_with_a_name(run: Run, tmp_path: Path, picky: set[int]) -> None:
    """What a program's named sink has refused is requeued and given up by that name."""
    picky |= {2, 3}
    path, url = tmp_path / "inbox", f"ledger:{tmp_path / 'b.ledger'}"
    inbox = SqliteInbox(path)
    pipeline = Pipeline({"copy": url}, inbox=inbox, start=0, on_refusal="park")
    pipeline.handle_batch(list(JOURNAL)[:4])
    pipeline.close()
    inbox.close()
    picky.clear()
    nameless = run("parked", "requeue", path, "--all", "--to", url)
    named = ("--to", url, "--sink", "copy", "--json")
    wrong = run("parked", "requeue", path, "--all", "--to", url, "--sink", "cpoy")
    skipped = run("parked", "skip", path, f"{STRAND}/3", *named, "--reason", "too long")
    requeued = run("parked", "requeue", path, "--all", *named)

    assert (2, True) == (nameless.code, "there is for copy (--sink names it)" in nameless.err)
    assert (2, True) == (wrong.code, "nothing is parked for cpoy; there is for copy" in wrong.err)
    assert 0 == skipped.code
    assert [2] == requeued.json()["strands"][STRAND]["applied"]
    assert ["copy"] == run("status", path, "--json").json()["sinks"]


def test_what_waits_is_delivered(run: Run, tmp_path: Path) -> None:
    """An inbox is drained by hand; what it waits for is named."""
    inbox = SqliteInbox(tmp_path / "inbox")
    blocks = list(JOURNAL)
    inbox.put([*blocks[:5], *blocks[7:]], 1.0)
    inbox.close()
    url = f"ledger:{tmp_path / 'b.ledger'}"
    people = run("deliver", tmp_path / "inbox", "--to", url, "--start", 0)
    program = run("deliver", tmp_path / "inbox", "--to", url, "--json")
    (strand,) = program.json()["strands"]
    assert (0, 0) == (people.code, program.code)
    assert "nothing of block 5 has come" in people.out
    assert ("waiting", 5, 0) == (strand["state"], strand["waits_for"], strand["applied"])


def test_wrong_usage(run: Run, archive: Path, tmp_path: Path) -> None:
    """What makes no sense is said in a sentence, with exit code 2."""
    url = f"ledger:{tmp_path / 'b.ledger'}"
    inbox = tmp_path / "inbox"
    SqliteInbox(inbox).close()
    answers = [
        run("replay", archive, "--to", url, "--on-refusal", "park"),
        run("deliver", tmp_path / "none", "--to", url),
        run("parked", "show", inbox, f"{STRAND}/3"),
        run("parked", "show", inbox, "nonsense"),
        run("parked", "requeue", inbox, "--to", url),
        run("parked", "skip", inbox, f"{STRAND}/3", "--to", url, "--reason", "x"),
    ]
    assert [2] * 6 == [answer.code for answer in answers]
    assert Pipeline.__doc__
