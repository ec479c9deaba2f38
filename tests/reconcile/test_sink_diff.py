"""What a sink holds beside its source: all that is changed by hand is found, named, repaired."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import FilterError, SinkRefusedError, StaleTokenError, UsageError
from qldb_stream.events import Block
from qldb_stream.filters import parse_filter
from qldb_stream.inbox import SqliteInbox
from qldb_stream.pipeline import CheckpointedSink, FixedToken, Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import SinkDiff, Verified
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.testing import Story, make_journal
from qldb_stream.typing import Item
from tests.reconcile.contents import (
    BLOCKS,
    ERASED,
    SHAPE,
    STRAND,
    Work,
    by_hand,
    codes,
    compare,
    fill,
    filled,
    open_closing,
    position_at,
    repair,
    source_of,
    sql,
)


@pytest.mark.parametrize("scheme", ["sqlite", "parquet", "memory"])
@pytest.mark.parametrize("range_blocks", [1, 7, 500])
def test_what_was_delivered_agrees(tmp_path: Path, scheme: str, range_blocks: int) -> None:
    """After a clean run all agrees, whatever the size of ranges, and is verified to its end."""
    if scheme == "memory":
        blocks, url = ERASED, "memory:"  # which does not erase
    else:
        blocks, url = BLOCKS, f"{scheme}:{tmp_path / 'sink'}"
    with filled(url, blocks) as sink:
        report = compare(sink, source_of(tmp_path / "in", blocks), range_blocks=range_blocks)

    assert report.ok, report
    (strand,) = report.strands
    assert 60 == strand.blocks
    assert strand.documents
    assert strand.current_compared
    assert position_at(BLOCKS[-1]) == strand.verified_through
    assert () == strand.plan


@pytest.mark.parametrize("scheme", ["sqlite", "parquet"])
def test_an_erased_source_agrees_too(tmp_path: Path, scheme: str) -> None:
    """What the sink redacted by a later block is redacted in the source's later copy."""
    with filled(f"{scheme}:{tmp_path / 'sink'}") as sink:
        assert compare(sink, source_of(tmp_path / "in", ERASED)).ok


CHANGES: dict[str, tuple[Work, set[str]]] = {
    "a value in the history": (
        sql("UPDATE {0} SET name = 'nobody' WHERE qldb_version = 0 AND {first}"),
        {"altered"},
    ),
    "a value in the current state": (
        sql("UPDATE {1} SET name = 'nobody' WHERE {living}"),
        {"current_altered"},
    ),
    "a hash": (
        sql("UPDATE {0} SET qldb_hash = zeroblob(32) WHERE qldb_version = 1 AND {first}"),
        {"altered"},
    ),
    "a row less in the history": (
        sql("DELETE FROM {0} WHERE qldb_version = 0 AND {first}"),
        {"missing"},
    ),
    "a row less in the current state": (sql("DELETE FROM {1} WHERE {living}"), {"current_missing"}),
    "a value where one was erased": (
        sql("UPDATE {0} SET name = 'back' WHERE qldb_kind = 'redacted' AND {redacted}"),
        {"not_erased"},
    ),
    "another version": (
        sql("UPDATE {0} SET qldb_version = 77 WHERE qldb_version = 0 AND {first}"),
        {"wrong_version"},
    ),
    "another block": (
        sql(
            "UPDATE {0} SET qldb_sequence_no = qldb_sequence_no + 1 "
            "WHERE qldb_version = 0 AND {first}"
        ),
        {"wrong_block"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_by_hand_is_found_and_repaired(tmp_path: Path, what: str) -> None:
    """One change is one difference; the repair writes as few blocks as it needs."""
    path, source = tmp_path / "sink.db", source_of(tmp_path / "in")
    work, expected = CHANGES[what]
    with filled(f"sqlite:{path}"):
        pass
    by_hand(path, work)
    with open_closing(path) as sink:
        found, outcome, left = repair(sink, source)

    assert expected == codes(found)
    assert 1 == found.count, found.differences
    (strand,) = found.strands
    assert 0 == strand.not_repairable
    assert outcome.blocks == sum(last - first + 1 for first, last in strand.plan) <= 2
    assert left.ok, left


def copy_row(db: sqlite3.Connection, table: str, **changes: Any) -> None:
    """Write a row a second time, changed."""
    rows = db.execute(f"SELECT * FROM {table} ORDER BY qldb_sequence_no LIMIT 1")
    row = dict(zip([column[0] for column in rows.description], rows.fetchone(), strict=True))
    row |= changes
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" for _ in row)
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


@pytest.mark.parametrize(
    ("table", "expected"),
    [("customers_history", {"extra"}), ("customers", {"current_extra"})],
)
def test_a_row_more_is_found_and_removed(tmp_path: Path, table: str, expected: set[str]) -> None:
    """A document that the source has not is in the history, or in the current state alone."""
    path, source = tmp_path / "sink.db", source_of(tmp_path / "in")
    with filled(f"sqlite:{path}"):
        pass
    by_hand(path, lambda db: copy_row(db, table, qldb_document_id="0" * 22))
    with open_closing(path) as sink:
        found, _, left = repair(sink, source)

    assert expected == codes(found)
    assert left.ok, left


def test_a_row_beyond_the_position_is_found_and_left(tmp_path: Path) -> None:
    """No block of the source mends what stands where the sink has nothing yet."""
    path, source = tmp_path / "sink.db", source_of(tmp_path / "in")
    with filled(f"sqlite:{path}"):
        pass
    by_hand(path, lambda db: copy_row(db, "customers_history", qldb_sequence_no=5000))
    with open_closing(path) as sink:
        found, outcome, left = repair(sink, source)

    assert {"extra"} == codes(found) == codes(left)
    assert (1, ()) == (found.strands[0].not_repairable, found.strands[0].plan)
    assert 0 == outcome.blocks


def redacted_story() -> tuple[list[Block], str]:
    """A document with two versions, the first of which a later block redacts."""
    story = Story(3)
    story.create_table("T")
    document_id = story.insert("T", {"secret": "hush", "other": 1})
    story.update(document_id, {"secret": "fine", "other": 2})
    story.redact(document_id, 0)
    story.insert("T", {"secret": "last", "other": 3})
    return story.blocks(), document_id


def test_data_that_should_be_erased_are_found_and_erased(tmp_path: Path) -> None:
    """A sink that has a redacted document is told to redact it, and its source's copy stays out."""
    blocks, document_id = redacted_story()
    path, source = tmp_path / "sink.db", source_of(tmp_path / "in", blocks)
    with filled(f"sqlite:{path}", blocks):
        pass

    def undo(db: sqlite3.Connection) -> None:
        db.execute("DELETE FROM qldb_stream_redaction")
        db.execute(
            "UPDATE t_history SET secret = 'hush', other = 1, qldb_kind = 'insert' "
            "WHERE qldb_version = 0 AND qldb_document_id = ?",
            (document_id,),
        )

    by_hand(path, undo)
    with open_closing(path) as sink:
        found, _, left = repair(sink, source)

    assert {"not_erased"} == codes(found)
    assert left.ok, left
    assert b"hush" not in path.read_bytes()


def erased(block: Block) -> Block:
    """Give a block as it is when its only document is redacted."""
    (revision,) = block.revisions
    assert revision.data_ion is not None
    gone = attrs.evolve(revision, data_ion=None, data_hash=revision.data_ion.hash())
    return attrs.evolve(block, revisions=(gone,))


@pytest.mark.parametrize("range_blocks", [1, 500])
def test_a_sink_that_redacts_what_nobody_asked_for(tmp_path: Path, range_blocks: int) -> None:
    """Data that is gone is missing where no block redacts it; where one does, it had to go."""
    sink = MemorySink()
    blocks, _ = redacted_story()
    fill(sink, blocks)
    asked, *_, unasked = [n for n, block in enumerate(blocks) if block.revisions]
    for number in (asked, unasked):
        sink.blocks[number] = erased(blocks[number])
    source = source_of(tmp_path / "in", blocks)

    report = compare(sink, source, range_blocks=range_blocks)

    history = [d for d in report.differences if not d.code.value.startswith("current")]
    assert [("erased", unasked)] == [(d.code.value, d.sequence_no) for d in history]
    through = report.strands[0].verified_through
    assert (unasked - 1 if range_blocks == 1 else None) == (through and through.sequence_no)


# --- what is not compared --------------------------------------------------------------------


def test_a_filter_must_be_the_one_of_the_delivery(tmp_path: Path) -> None:
    """With it all agrees, without it what it hid is missing."""
    rules = parse_filter({"exclude_tables": ["Customers"], "mask": {"*": {"remark": "drop"}}})
    source = source_of(tmp_path / "in")
    with closing(open_sink(f"sqlite:{tmp_path / 'sink.db'}")) as sink:
        Pipeline(sink, filter=rules).run(source)
        filtered = compare(sink, source, filter=rules.apply)
        plain = compare(sink, source)

    assert filtered.ok, filtered
    assert {"missing"} <= codes(plain)


@pytest.mark.parametrize("scheme", ["sqlite", "parquet"])
def test_everything_gone_is_written_anew(tmp_path: Path, scheme: str) -> None:
    """A repair of every block of a filled sink leaves what was there."""
    source = source_of(tmp_path / "in")
    with filled(f"{scheme}:{tmp_path / 'sink'}") as sink:
        report = compare(sink, source)
        strand = attrs.evolve(report.strands[0], plan=((0, 59),))
        with SinkDiff(sink, source) as work:
            work.compare()
            outcome = work.repair(attrs.evolve(report, strands=(strand,)), FixedToken(0))
        assert compare(sink, source).ok

    assert (60, ()) == (outcome.blocks, outcome.refused)


class Refusing(MemorySink):
    """A sink that takes no repair."""

    def repair(self, blocks: Sequence[Block], token: int) -> None:
        """Refuse."""
        address = blocks[0].address
        raise SinkRefusedError("memory", address.strand_id, address.sequence_no, f"{token}")


def test_a_refused_repair_is_named(tmp_path: Path) -> None:
    """What the sink refuses stays as it is, and the others are repaired."""
    sink = Refusing()
    fill(sink, ERASED)
    number = next(n for n, block in enumerate(ERASED) if block.revisions)
    sink.blocks = [block for block in sink.blocks if block.address.sequence_no != number]

    _, outcome, left = repair(sink, source_of(tmp_path / "in", ERASED))

    assert (0, ((STRAND, number, number),)) == (outcome.blocks, outcome.refused)
    assert not left.ok


def test_a_repair_needs_the_newest_token(tmp_path: Path) -> None:
    """A sink that a worker fills with a higher token is not repaired behind his back."""
    source = source_of(tmp_path / "in")
    path = tmp_path / "sink.db"
    with open_closing(path) as sink:
        sink.apply(BLOCKS, position_at(BLOCKS[-1]), 9)
    by_hand(path, CHANGES["a hash"][0])
    with open_closing(path) as sink, pytest.raises(StaleTokenError):
        repair(sink, source)


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """Differences beyond the limit are counted; the plan has them all."""
    sink = MemorySink()
    fill(sink, ERASED)
    sink.blocks = []

    report = compare(sink, source_of(tmp_path / "in", ERASED), limit=5)

    assert 5 == len(report.differences)
    assert report.more
    planned = [n for a, b in report.strands[0].plan for n in range(a, b + 1)]
    written = [n for n, block in enumerate(ERASED) if any(r.metadata for r in block.revisions)]
    assert written == planned


def test_a_checkpointed_sink_is_read_itself(tmp_path: Path) -> None:
    """Where an inbox keeps the position, the sink in it is compared."""
    inbox = SqliteInbox(str(tmp_path / "inbox"))
    sink = CheckpointedSink(MemorySink(), inbox, "memory:")
    sink.apply(ERASED, position_at(ERASED[-1]), 1)

    assert compare(sink, source_of(tmp_path / "in", ERASED)).ok
    inbox.close()


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    """A sink that cannot tell what it holds, and numbers that make no sense."""
    source = source_of(tmp_path / "in")
    with closing(LedgerSink.open(tmp_path / "x")) as sink, pytest.raises(UsageError):
        SinkDiff(sink, source)
    with pytest.raises(UsageError):
        SinkDiff(MemorySink(), source, range_blocks=0)
    with pytest.raises(UsageError):
        SinkDiff(MemorySink(), source, limit=0)


def test_dropped_tables(tmp_path: Path) -> None:
    """Sinks that keep the rows of a dropped table and sinks that do not are both right."""
    story = Story(4)
    story.create_table("T")
    story.create_table("U")
    story.insert("T", {"a": 1})
    story.insert("U", {"a": 1})
    story.drop_table("T")
    blocks = story.blocks()
    for url in (f"sqlite:{tmp_path / 'db'}", f"parquet:{tmp_path / 'pq'}"):
        with filled(url, blocks) as sink:
            report = compare(sink, source_of(tmp_path / url[:6], blocks))
        assert report.ok, report


def test_what_a_filter_cannot_read_is_not_compared(tmp_path: Path) -> None:
    """Nobody can say what was delivered of such a block."""
    sink = MemorySink()
    fill(sink, ERASED)

    def rules(block: Block) -> Block:
        if block.address.sequence_no == 9:
            raise FilterError(STRAND, 9, "it is odd")
        return block

    report = compare(sink, source_of(tmp_path / "in", ERASED), filter=rules)

    (strand,) = report.strands
    assert [(9, 9, "the filter cannot read it")] == [
        (found.first, found.last, found.why) for found in strand.not_compared
    ]
    assert position_at(BLOCKS[8]) == strand.verified_through


def test_what_is_repaired_is_compared_again(tmp_path: Path) -> None:
    """The second time what agreed is passed over, and everything from the repair on is not."""
    sink = MemorySink()
    fill(sink, ERASED)
    number = next(n for n in range(30, 60) if ERASED[n].revisions)
    sink.blocks = [block for block in sink.blocks if block.address.sequence_no != number]

    found, _, left = repair(sink, source_of(tmp_path / "in", ERASED), range_blocks=1)

    assert (0, number) == (found.strands[0].passed_over, left.strands[0].passed_over)
    assert 60 - number == left.strands[0].blocks
    assert left.ok


def test_two_strands(tmp_path: Path) -> None:
    """Each strand is compared, planned and repaired by itself."""
    other = list(make_journal(8, blocks=30, shape=SHAPE).with_erased())
    sink = MemorySink()
    fill(sink, ERASED)
    fill(sink, other)
    source = source_of(tmp_path / "in", [*ERASED, *other])
    numbers = [n for n in range(30) if ERASED[n].revisions and other[n].revisions]
    sink.blocks = [block for block in sink.blocks if block.address.sequence_no not in numbers]

    found, outcome, left = repair(sink, source)

    assert 2 == len(found.strands)
    assert all(strand.plan for strand in found.strands)
    assert outcome.blocks >= 2 * len(numbers) - 2
    assert left.ok, left


def test_much_is_repaired_in_parts(tmp_path: Path) -> None:
    """More than a hundred blocks are given to the sink in several runs."""
    journal = list(make_journal(6, blocks=250).with_erased())
    sink = MemorySink()
    fill(sink, journal)
    sink.blocks = []

    _, outcome, left = repair(sink, source_of(tmp_path / "in", journal))

    assert outcome.blocks > 200
    assert left.ok


def test_a_source_without_an_end_and_a_sink_without_repair(tmp_path: Path) -> None:
    """Both are refused before anything is read or written."""

    class Endless:
        bounded = False

        def items(self) -> Iterator[Item]:
            return iter(())

    with pytest.raises(UsageError, match="without an end"):
        SinkDiff(MemorySink(), Endless())
    sink = ReadOnly()
    fill(sink.sink, ERASED)
    with SinkDiff(sink, source_of(tmp_path / "in", ERASED)) as work:
        report = work.compare()
        assert report.ok
        with pytest.raises(UsageError, match="cannot be repaired"):
            work.repair(report, FixedToken(0))


class ReadOnly:
    """A sink that tells what it holds, and cannot be repaired."""

    def __init__(self) -> None:
        self._own = MemorySink()
        self.position = self._own.position
        self.apply = self._own.apply
        self.close = self._own.close
        self.expect = self._own.expect
        self.history = self._own.history
        self.current = self._own.current

    @property
    def sink(self) -> MemorySink:
        """Give what is behind it."""
        return self._own


def test_a_history_that_is_further_than_the_whole(tmp_path: Path) -> None:
    """A run that did not come to its end is gone on with where the history ended."""
    sink = MemorySink()
    fill(sink, ERASED)
    verified = {STRAND: Verified(position_at(ERASED[10]), position_at(ERASED[40]))}

    report = compare(sink, source_of(tmp_path / "in", ERASED[5:]), verified=verified)

    (strand,) = report.strands
    assert report.ok, report
    assert (36, 19) == (strand.passed_over, strand.blocks)
    assert position_at(ERASED[-1]) == strand.verified_through
