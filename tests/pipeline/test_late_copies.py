"""Redacted copies of blocks that sinks of an inbox have: looked at by all before they go."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import Block
from qldb_stream.inbox import MemoryInbox
from qldb_stream.report import ItemOutcome
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.typing import Item
from tests.pipeline.inboxes import ErasableSink, TestClock, delivery_of, make_pipeline


def test_redacted_copies_of_applied_blocks_reach_the_sink() -> None:
    """A sink that has the data is told to erase it when a redacted copy comes."""
    shape = JournalShape(redactions=0.3, erased=False)
    full = make_journal(77, blocks=40, shape=shape)
    erased = make_journal(77, blocks=40, shape=attrs.evolve(shape, erased=True))
    sink = ErasableSink()
    inbox = MemoryInbox()
    inbox.register("somebody slow")  # so that nothing is trimmed
    pipeline = make_pipeline(sink, inbox)
    pipeline.handle_batch(delivery_of(full))
    assert 40 == len(sink.blocks)
    pipeline.handle_batch(delivery_of(erased))
    redacted = [
        block.address.sequence_no
        for block in erased
        if any(r.kind.value == "redacted" for r in block.revisions)
    ]
    assert redacted
    assert redacted == sink.erased


def late_copy() -> tuple[list[Item], Block]:
    """A journal in full, and one of its blocks as it reads once it was redacted."""
    shape = JournalShape(redactions=0.3, erased=False)
    erased = make_journal(77, blocks=40, shape=attrs.evolve(shape, erased=True))
    copy = next(b for b in erased if any(r.kind.value == "redacted" for r in b.revisions))
    return delivery_of(make_journal(77, blocks=40, shape=shape)), copy


@pytest.mark.parametrize("goes_on", [True, False], ids=["same pipeline", "another process"])
@pytest.mark.parametrize("how", ["busy", "deadline", "away", "put alone"])
@pytest.mark.parametrize("others", [0, 1, 2], ids=["alone", "first", "last"])
def test_a_late_copy_waits_until_every_sink_has_looked(
    how: str, others: int, *, goes_on: bool
) -> None:
    """It is durable when it was acknowledged, and no sink lets it go for one that was away."""
    items, copy = late_copy()
    inbox, clock, sink, other = MemoryInbox(), TestClock(), ErasableSink(), ErasableSink()
    sinks = [{"a": sink}, {"a": sink, "b": other}, {"b": other, "a": sink}][others]
    pipeline = make_pipeline(sinks, inbox, clock=clock)
    pipeline.handle_batch(items)
    assert 0 == inbox.status().strands[0].records
    lease = inbox.lease(f"a/{copy.address.strand_id}", 30, clock.now_s()) if how == "busy" else None
    sink.is_away = how == "away"
    if how == "put alone":
        inbox.put([copy], 1.0)
    else:
        deadline_s = clock.now_s() if how == "deadline" else None
        result = pipeline.handle_batch([copy], deadline_s=deadline_s)
        assert {ItemOutcome.DURABLE} == set(result.outcomes)
    assert [] == sink.erased
    assert 0 < inbox.status().strands[0].records

    sink.is_away = False
    assert lease is None or inbox.release(lease)
    if not goes_on:
        pipeline = make_pipeline(sinks, inbox, clock=clock)
    assert pipeline.drain().ok
    number = copy.address.sequence_no
    assert [number] == sink.erased
    assert set(other.erased) <= {number}
    assert len(sinks) == len({*sink.erased}) + len({*other.erased})
    pipeline.drain()
    assert 0 == inbox.status().strands[0].records


def test_a_late_copy_is_looked_at_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came, so many blocks at a time go through one core."""
    monkeypatch.setattr("qldb_stream.pipeline._drain._ROUND_BLOCKS", 2)
    items, _copy = late_copy()
    shape = JournalShape(redactions=0.3, erased=True)
    copies = list(make_journal(77, blocks=40, shape=shape))
    inbox, sink = MemoryInbox(), ErasableSink()
    pipeline = make_pipeline(sink, inbox)
    pipeline.handle_batch(items)
    inbox.put(copies, 1.0)
    pipeline.drain()
    redacted = [
        b.address.sequence_no
        for b in copies
        if any(r.kind.value == "redacted" for r in b.revisions)
    ]
    assert len(redacted) > 2
    assert redacted == sink.erased
    assert 0 == inbox.status().strands[0].records
