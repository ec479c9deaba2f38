"""A scenario of refusals: every seventh block is parked, with all that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from qldb_stream.events import Block
from qldb_stream.report import Position
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._journals import everything
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._worker import Worker, position_after, without
from qldb_stream.typing import MentioningSink

__all__ = ["SCENARIOS"]

_EVERY: Final = 7
_FIRST: Final = 5  # block 5, 12, 19, ... of `everything`: none of them is DDL
_LOOK_AT: Final = (
    "a parked block comes later, alone, with a position that no longer names it; its number is "
    "below the position's: Position.pending tells that it is to be applied"
)


def _parked(bench: Bench) -> str:
    """Refuse every seventh block, park it and what follows from it, then requeue all of them."""
    blocks = everything()
    worker = bench.open(bench.place())
    try:
        parked = _deliver_and_park(worker, blocks)
        worker = bench.reopen(worker)
        _check_parked(bench, worker, parked)
        for block in parked:
            _requeue(bench, worker, block)
        worker = bench.reopen(worker)
        _check_parked(bench, worker, [])
        bench.check_same_set(worker, blocks, "parked blocks were requeued", _LOOK_AT)
    finally:
        worker.close()
    return f"{len(parked)} of {len(blocks)} blocks were parked and requeued"


def _deliver_and_park(worker: Worker, blocks: Sequence[Block]) -> list[Block]:
    """Deliver as a pipeline with on_refusal=park; give what was parked."""
    parked: list[Block] = []
    touched: set[str] = set()
    position: Position | None = None
    for block in blocks:
        position = position_after(block, position)
        documents = _documents(worker.sink, block)
        if block.address.sequence_no % _EVERY == _FIRST or documents & touched:
            parked.append(block)
            touched |= documents
            number = block.address.sequence_no
            position = attrs.evolve(position, parked=position.parked | {number})
            worker.apply([], position)
        else:
            worker.apply([block], position)
    return parked


def _documents(sink: Any, block: Block) -> set[str]:
    """Name the documents that a block changes, redacts or refers to."""
    redaction = block.summary.redaction_info
    found = {r.document_id for r in block.revisions if r.document_id is not None}
    found |= {r.document_id for r in redaction.revisions} if redaction else set()
    return found | (sink.mentions(block) if isinstance(sink, MentioningSink) else set())


def _requeue(bench: Bench, worker: Worker, block: Block) -> None:
    """Apply a parked block, twice: the second time changes nothing."""
    for _ in range(2):
        before = worker.position(block.address.strand_id)
        assert before is not None
        after = without(before, block.address.sequence_no)
        reached = worker.apply([block], after)
        bench.check(
            holds=reached.covers(after),
            problem=f"parked block {block.address.sequence_no} was not applied",
            expected=shown(after),
            found=reached,
            look_at=_LOOK_AT,
        )


def _check_parked(bench: Bench, worker: Worker, parked: Sequence[Block]) -> None:
    strand_id = everything()[0].address.strand_id
    position = worker.position(strand_id)
    expected = sorted(block.address.sequence_no for block in parked)
    found = [] if position is None else sorted(position.parked)
    bench.check(
        holds=expected == found,
        problem="the position does not name the blocks that are parked",
        expected=str(expected),
        found=str(found),
        look_at="keep all of the Position that apply was given, also of an empty run",
    )


SCENARIOS: Final = (
    Scenario("every seventh block parked", "requeued blocks are there", _parked, Needs.PARKING),
)
