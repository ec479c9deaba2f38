"""The sink `ledger:PATH?mode=mirror`: position, runs, refusals, and its options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream import Pipeline
from qldb_stream.errors import (
    ConflictError,
    LedgerFileError,
    QldbStreamError,
    ReplayRefusedError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.record import parse_record
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap, Position, SinkSummary
from qldb_stream.sinks._mirror import MirrorSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import ErasingSink
from tests.ledger.chains import chain, ddl, linked
from tests.ledger.support import memory, run
from tests.replay.blocks import STRAND, block

JOURNAL = list(make_journal(11, blocks=40, shape=JournalShape(redactions=0.2)))
CREATED = ddl(0, "CREATE TABLE Things", "CREATE INDEX ON Things (a)", "CREATE INDEX ON Things (b)")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty ledger in memory."""
    with memory() as opened:
        yield opened


def after(one: Block, gaps: tuple[Gap, ...] = ()) -> Position:
    """The position after a block."""
    return Position(one.address.strand_id, one.address.sequence_no, one.block_hash, gaps=gaps)


def test_the_position_is_the_journals_own(ledger: Ledger) -> None:
    """It is None before the first block, the last block's afterwards, and starts at 0."""
    sink = MirrorSink(ledger)
    assert sink.position(JOURNAL[0].address.strand_id) is None
    assert after(JOURNAL[9]) == sink.apply(JOURNAL[:10], after(JOURNAL[9]), 1)
    found = sink.position(JOURNAL[0].address.strand_id)
    assert found is not None
    assert (after(JOURNAL[9]), 0) == (found, found.start)
    assert sink.position(STRAND) is None


def test_a_run_with_a_block_that_is_refused_keeps_what_came_before(ledger: Ledger) -> None:
    """The position reached is the last good block's; the refusal comes when it is first."""
    sink = MirrorSink(ledger)
    run_of = [*JOURNAL[:3], JOURNAL[4]]
    assert after(JOURNAL[2]) == sink.apply(run_of, after(JOURNAL[4]), 1)
    with pytest.raises(ReplayRefusedError, match="needs block 3 next"):
        sink.apply(run_of[3:], after(JOURNAL[4]), 1)
    assert after(JOURNAL[2]) == sink.position(JOURNAL[0].address.strand_id)


def test_declared_gaps_are_refused(ledger: Ledger) -> None:
    """A digest is over all blocks, so none may be missing."""
    (first,) = chain(CREATED)
    with pytest.raises(ReplayRefusedError, match="a mirror has no gaps"):
        MirrorSink(ledger).apply([first], after(first, (Gap(1, 2, "lost"),)), 1)


def test_the_summary_counts_what_is_durable(ledger: Ledger) -> None:
    """Revisions, indexes that were kept; no redaction is pending, because all are done."""
    drop = 'DROP INDEX "0000000000000000000000" ON Things WITH (purge = true)'
    sink = MirrorSink(ledger)
    blocks = chain(CREATED, ddl(1, drop))
    sink.apply(blocks, after(blocks[1]), 1)
    assert SinkSummary(indexes_kept=((STRAND, 1, "Things"),)) == sink.summary()
    sink.apply(blocks, after(blocks[1]), 1)
    assert 1 == len(sink.summary().indexes_kept)


def test_fields_that_cannot_be_kept_are_counted(ledger: Ledger) -> None:
    """What parsers did not hand over is told, by name."""
    (first,) = chain(CREATED)
    odd = Block(attrs.evolve(first.summary, unknown_fields=("more", "other")))
    sink = MirrorSink(ledger)
    sink.apply([odd], after(odd), 1)
    assert {"field more": 1, "field other": 1} == sink.summary().left_out


def test_a_source_that_starts_later_is_named_by_the_pipeline(tmp_path: Path) -> None:
    """A run that begins at a later block ends with the mirror's own sentence."""
    records = [r for n, rs in enumerate(_records()) for r in rs if n >= 5]
    with pytest.raises(ReplayRefusedError, match="a mirror begins at block 0"):
        Pipeline(f"ledger:{tmp_path / 'm.ledger'}?mode=mirror", start=5).run(
            [parse_record(record) for record in records]
        )


def _records() -> Iterator[list[bytes]]:
    return make_journal(11, blocks=40).iter_block_records()


def test_a_pipeline_mirrors_and_goes_on(tmp_path: Path) -> None:
    """Started again, it passes over what is there; then a local block ends it, by name."""
    journal = make_journal(3, blocks=30)
    url = f"ledger:{tmp_path / 'm.ledger'}?mode=mirror"
    items = [parse_record(record) for record in journal.iter_records()]
    first = Pipeline(url, start=0).run(items)
    again = Pipeline(url).run(items)
    assert (30, 0, 0, 30) == (first.applied, first.skipped, again.applied, again.skipped)
    assert () == first.redactions_pending
    with Ledger.open(tmp_path / "m.ledger") as mirror:
        assert journal.digest() == mirror.digest().digest
        run(mirror, "CREATE TABLE More")
    longer = make_journal(3, blocks=31)
    last = list(longer)[29]
    with Ledger.open(tmp_path / "m.ledger") as mirror:
        sink = MirrorSink(mirror)
        following = linked(last, block(30))
        with pytest.raises(ReplayRefusedError, match="blocks of its own from block 30 on"):
            sink.apply([following], after(following), 1)


def test_options_are_checked_before_a_file_is_made(tmp_path: Path) -> None:
    """Nothing in documents is changed, so neither ids nor base make sense."""
    path = tmp_path / "m.ledger"
    for option in ("ids=any", "base=insert"):
        with pytest.raises(UsageError, match="mode=mirror changes nothing"):
            open_sink(f"ledger:{path}?mode=mirror&{option}")
    with pytest.raises(UsageError, match="mode is one of"):
        open_sink(f"ledger:{path}?mode=copy")
    with pytest.raises(UsageError, match="needs a path"):
        open_sink("ledger:?mode=mirror")
    assert [] == list(tmp_path.iterdir())


def test_a_mirror_that_was_made_for_nothing_is_gone_again(tmp_path: Path) -> None:
    """A source that is refused leaves no empty ledger; closing twice does nothing."""
    sink = MirrorSink.open(tmp_path / "m.ledger")
    with pytest.raises(ReplayRefusedError):
        sink.apply(JOURNAL[5:6], after(JOURNAL[5]), 1)
    sink.close()
    sink.close()
    assert [] == list(tmp_path.iterdir())
    kept = MirrorSink(Ledger.open(tmp_path / "m.ledger"))
    kept.close()
    assert (tmp_path / "m.ledger").exists()


def test_a_mirror_is_not_replayed_into_by_mistake(tmp_path: Path) -> None:
    """Whoever wants that says so, because the mirror takes no more blocks afterwards."""
    path = tmp_path / "m.ledger"
    sink = open_sink(f"ledger:{path}", mode="mirror")
    assert isinstance(sink, MirrorSink)
    sink.apply(JOURNAL[:3], after(JOURNAL[2]), 1)
    sink.close()
    with pytest.raises(UsageError, match="is a mirror: go on with mode=mirror"):
        open_sink(f"ledger:{path}")
    replaying = open_sink(f"ledger:{path}?mode=replay")
    assert isinstance(replaying, LedgerSink)
    replaying.close()
    with pytest.raises(LedgerFileError):
        replaying.apply([JOURNAL[0]], after(JOURNAL[0]), 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 39), st.integers(1, 12), st.booleans()), min_size=1, max_size=8
    )
)
@settings(max_examples=25)
def test_any_course_of_events_ends_like_one_clean_run(
    events: list[tuple[int, int, bool]],
) -> None:
    """Repeats, runs of any length and restarts end in the state of one clean run (law 6)."""
    strand_id = JOURNAL[0].address.strand_id
    with TemporaryDirectory() as folder:
        path = Path(folder) / "copy.ledger"
        sink = MirrorSink(Ledger.open(path))
        for first, size, restart in [*events, (0, 40, False)]:
            if restart:
                sink.close()
                sink = MirrorSink(Ledger.open(path))
            reached = sink.position(strand_id)
            known = -1 if reached is None else reached.sequence_no
            run_of = JOURNAL[min(first, known + 1) : known + 1 + size]
            sink.apply(run_of, after(run_of[-1]), 1)
        assert clean() == stored(sink.ledger)
        sink.close()


def clean() -> list[object]:
    """What one clean run leaves."""
    with memory() as ledger:
        MirrorSink(ledger).apply(JOURNAL, after(JOURNAL[-1]), 1)
        return stored(ledger)


def stored(ledger: Ledger) -> list[object]:
    """All that a journal decides: blocks, tables, documents."""
    tables = run(ledger, "SELECT t.name, t.status FROM information_schema.user_tables AS t")
    documents = [run(ledger, f"SELECT i, d FROM {table['name']} AS d BY i") for table in tables]
    return [ledger.digest(), list(ledger.blocks()), tables, documents]


def test_another_block_of_a_number_that_is_there_is_a_conflict(ledger: Ledger) -> None:
    """Two different blocks with one address are never a silent choice (law 2)."""
    sink = MirrorSink(ledger)
    sink.apply(JOURNAL[:3], after(JOURNAL[2]), 1)
    other = linked(None, ddl(0, "CREATE TABLE Others"))
    with pytest.raises(ConflictError) as caught:
        sink.apply([other], after(other), 1)
    assert isinstance(caught.value, QldbStreamError)
    assert (STRAND, 0) == (caught.value.strand_id, caught.value.sequence_no)


def test_late_copies_erase(ledger: Ledger) -> None:
    """What a copy shows as redacted goes; other strands, and blocks to come, are passed over."""
    shape = JournalShape(redactions=0.5)
    full = list(make_journal(3, blocks=30, shape=shape))
    late = list(make_journal(3, blocks=30, shape=shape).with_erased())
    doomed = [number for number, one in enumerate(late) if one.revisions != full[number].revisions]
    assert doomed
    sink = MirrorSink(ledger)
    sink.erase(late, 1)
    has = doomed[-1] + 1
    sink.apply(full[:has], after(full[has - 1]), 1)
    sink.erase([*chain(CREATED), *late], 1)
    sink.apply(full[has:], after(full[-1]), 1)
    sink.erase(late, 1)
    assert [one.revisions for one in late] == [one.revisions for one in ledger.blocks()]
    assert isinstance(sink, ErasingSink)
    with pytest.raises(StaleTokenError):
        sink.erase(late[:1], 0)
