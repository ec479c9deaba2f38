"""Law 6: a sink with crashes, repeats and restarts at any point ends as after one clean run."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import Comparison, compare_ledgers, compare_mirror
from qldb_stream.report import Position, ReplayReport
from qldb_stream.sinks._relational import RelationalSink
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source
from qldb_stream.testing import Journal, JournalShape, make_delivery, make_journal
from qldb_stream.typing import Item, ReadableSink, Sink
from tests.sinks import kit_read_backs

BLOCKS = 12


class CrashError(BaseException):
    """The process dies here; like a kill, it is nothing that the library may catch."""


class FragileSink:
    """A sink whose process dies before or after it has applied what it was given."""

    def __init__(self, sink: Sink, fate: Iterator[str]) -> None:
        self._sink = sink
        self._fate = fate

    def position(self, strand_id: str) -> Position | None:
        """Give the sink's own position."""
        return self._sink.position(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """Apply, or die before, or die when it is done and nobody has heard."""
        fate = next(self._fate, "live")
        if fate == "die before":
            raise CrashError
        reached = self._sink.apply(blocks, position, token)
        if fate == "die after":
            raise CrashError
        return reached

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()


@cache
def journal(seed: int) -> Journal:
    """Make a journal with a bit of everything."""
    return make_journal(seed, blocks=BLOCKS, shape=JournalShape(redactions=0.2, deletes=0.2))


def items(seed: int, delivery: int) -> list[Item]:
    """Give the journal's events as one of many deliveries brings them."""
    records = journal(seed).iter_records()
    return [parse_record(record) for record in make_delivery(records, seed=delivery)]


def run_to_the_end(
    open_sink: Callable[[], Sink], seed: int, fates: Sequence[str], batch_blocks: int
) -> ReplayReport:
    """Run again and again, each time with another delivery, until no crash ends the run."""
    fate = iter(fates)
    for delivery in itertools.count():
        sink = open_sink()
        try:
            pipeline = Pipeline(FragileSink(sink, fate), start=0, batch_blocks=batch_blocks)
            return pipeline.run(items(seed, delivery))
        except CrashError:
            continue
        finally:
            sink.close()
    raise AssertionError("never reached")


fates = st.lists(st.sampled_from(["live", "die before", "die after"]), max_size=8)
seeds = st.integers(0, 5)
sizes = st.sampled_from([1, 2, 5, 100])


@settings(max_examples=30)
@given(seeds, fates, sizes)
def test_memory_holds_each_block_once(seed: int, fate: list[str], batch_blocks: int) -> None:
    """Every block is there, in order, as often as in one clean run."""
    sink = MemorySink()
    report = run_to_the_end(lambda: sink, seed, fate, batch_blocks)
    assert report.ok
    assert list(journal(seed)) == sink.blocks


def read_lines(file: Path) -> list[bytes]:
    """Read the lines that hold records, as far as a POSITION line closes them."""
    position = b'{"recordType":"POSITION"'
    lines = file.read_bytes().splitlines(keepends=True)
    while lines and not lines[-1].startswith(position):
        lines.pop()
    return [line for line in lines if not line.startswith(position)]


@cache
def clean_lines(seed: int) -> list[bytes]:
    """Give the lines that one clean run writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clean.jsonl"
        run_to_the_end(lambda: JsonlSink(file), seed, [], 100)
        return read_lines(file)


@settings(max_examples=25)
@given(seeds, fates, sizes, st.binary(max_size=30))
def test_json_lines_hold_each_block_once(
    seed: int, fate: list[str], batch_blocks: int, torn: bytes
) -> None:
    """Half-written lines that a crash leaves behind are never believed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "archive.jsonl"

        def open_torn() -> JsonlSink:
            if file.exists():
                with file.open("ab") as out:
                    out.write(torn)
            return JsonlSink(file)

        report = run_to_the_end(open_torn, seed, fate, batch_blocks)
        assert report.ok
        assert clean_lines(seed) == read_lines(file)


@settings(max_examples=15)
@given(seeds, fates, sizes)
def test_an_archive_in_ion_holds_each_block_once(
    seed: int, fate: list[str], batch_blocks: int
) -> None:
    """Read back, it is the journal with its redactions carried out."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"ion:{folder}/archive.ion"
        assert run_to_the_end(lambda: open_sink(url), seed, fate, batch_blocks).ok
        found = MemorySink()
        assert Pipeline(found).run(open_source(f"{folder}/archive.ion")).ok
        assert list(journal(seed).with_erased()) == found.blocks


@settings(max_examples=10)
@given(seeds, fates, sizes, st.sampled_from(["close", "apply"]))
def test_tables_in_parquet_hold_each_revision_once(
    seed: int, fate: list[str], batch_blocks: int, current: str
) -> None:
    """History and current state are what the journal says, its redactions carried out."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"parquet:{folder}/tables?current={current}"
        assert run_to_the_end(lambda: open_sink(url), seed, fate, batch_blocks).ok
        sink = open_sink(url)
        assert isinstance(sink, ReadableSink)
        expected = list(sink.expect(journal(seed).with_erased()))
        assert expected == list(sink.history(journal(seed).strand_id, 0, BLOCKS))
        newest = {stored.document_id: stored for stored in expected}
        there = {i: stored for i, stored in newest.items() if stored.data is not None}
        current_ = sink.current(journal(seed).strand_id)
        assert there == {stored.document_id: stored for stored in current_}
        sink.close()


@cache
def clean_tables(seed: int) -> Any:
    """Give what one clean run leaves in a database, read block by block."""
    with tempfile.TemporaryDirectory() as folder:
        return deliver_to_tables(f"sqlite:{folder}/clean.db", seed, [], 1)


def deliver_to_tables(url: str, seed: int, fate: Sequence[str], batch_blocks: int) -> Any:
    """Deliver into a database; give what it holds when it is opened anew."""
    assert run_to_the_end(lambda: open_sink(url), seed, fate, batch_blocks).ok
    sink = open_sink(url)
    assert isinstance(sink, RelationalSink)
    assert () == sink.summary().redactions_pending
    found = kit_read_backs.relational(sink)
    expected = list(sink.expect(journal(seed).with_erased()))
    sink.close()
    assert expected == found["history"]
    return found


@settings(max_examples=8)
@given(seeds, fates, sizes)
def test_tables_in_sqlite_hold_each_revision_once(
    seed: int, fate: list[str], batch_blocks: int
) -> None:
    """History, current state and tables are those of one clean run, redactions carried out."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:{folder}/tables.db"
        assert clean_tables(seed) == deliver_to_tables(url, seed, fate, batch_blocks)


@settings(max_examples=10)
@given(seeds, fates, sizes, st.sampled_from(["keep", "any"]))
def test_a_ledger_holds_each_block_once(
    seed: int, fate: list[str], batch_blocks: int, ids: str
) -> None:
    """The destination equals the source, and its journal is as long as after a clean run."""
    assert replay(seed, [], 100, ids) == replay(seed, fate, batch_blocks, ids)


@settings(max_examples=10)
@given(seeds, fates, sizes)
def test_a_mirror_holds_each_block_once(seed: int, fate: list[str], batch_blocks: int) -> None:
    """The mirror equals the source, digest included, and its documents are those of a clean run."""
    assert mirror(seed, [], 100) == mirror(seed, fate, batch_blocks)


def mirror(seed: int, fate: Sequence[str], batch_blocks: int) -> Comparison:
    """Mirror into a ledger; say what was found equal."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"ledger:{Path(folder) / 'mirror.ledger'}"
        report = run_to_the_end(lambda: open_sink(url, mode="mirror"), seed, fate, batch_blocks)
        assert report.ok
        with Ledger.open(Path(folder) / "mirror.ledger") as ledger:
            assert journal(seed).digest() == ledger.digest().digest
            comparison = compare_mirror(journal(seed), ledger)
            assert () == comparison.differences
            return comparison


def replay(seed: int, fate: Sequence[str], batch_blocks: int, ids: str) -> Any:
    """Replay into a ledger; give how long its journal is, when it equals its source."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "destination.ledger"
        report = run_to_the_end(lambda: LedgerSink.open(file, ids=ids), seed, fate, batch_blocks)
        assert report.ok
        with Ledger.open(file) as ledger:
            comparison = compare_ledgers(journal(seed), ledger)
            assert () == comparison.differences
            return len(list(ledger.blocks()))


@pytest.mark.parametrize("batch_blocks", [1, 4])
def test_a_second_run_repeats_nothing(tmp_path: Path, batch_blocks: int) -> None:
    """What the sink has is passed over, and the report says so."""
    file = tmp_path / "archive.jsonl"
    counts = []
    written = []
    for _ in range(2):
        sink = JsonlSink(file)
        report = Pipeline(sink, batch_blocks=batch_blocks).run(items(1, 0))
        sink.close()
        counts.append((report.applied, report.skipped))
        written.append(file.read_bytes())
    assert [(BLOCKS, 0), (0, BLOCKS)] == counts
    assert written[0] == written[1]
