"""
A scenario of refusals: every seventh block is parked, with all that follows from it.

A block that only redacts a parked one does not wait for it, as in a pipeline: the park has its
documents no more when the redaction is delivered. So the sink is asked to redact what it has
not got yet, and gets it later in its redacted form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from qldb_stream.events import Block, RedactedRevision, Revision
from qldb_stream.formulas import without_data
from qldb_stream.report import Position
from qldb_stream.testing.kit._bench import Bench
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._journals import everything
from qldb_stream.testing.kit._scenario import Needs, Scenario
from qldb_stream.testing.kit._worker import Worker, position_after, without
from qldb_stream.typing import MentioningSink

__all__ = ["SCENARIOS"]

_EVERY: Final = 7
_FIRST: Final = 2  # block 2, 9, 16, ... of `everything`: none of them is DDL, and 33 redacts 30
_LOOK_AT: Final = (
    "a parked block comes later, alone, with a position that no longer names it; its number is "
    "below the position's: Position.pending tells that it is to be applied"
)


def _parked(bench: Bench) -> str:
    """Refuse every seventh block, park it and what follows from it, then requeue all of them."""
    blocks = everything()
    worker = bench.open(bench.place())
    try:
        parked, delivered = _deliver_and_park(worker, blocks)
        worker = bench.reopen(worker)
        _check_parked(bench, worker, parked)
        for block in parked:
            _requeue(bench, worker, block)
        worker = bench.reopen(worker)
        _check_parked(bench, worker, [])
        bench.check_same_set(worker, delivered, "parked blocks were requeued", _LOOK_AT)
    finally:
        worker.close()
    return f"{len(parked)} of {len(blocks)} blocks were parked and requeued"


def _deliver_and_park(
    worker: Worker, blocks: Sequence[Block]
) -> tuple[list[Block], tuple[Block, ...]]:
    """Deliver as a pipeline with on_refusal=park; give what was parked, and all as it was given."""
    parked: dict[int, Block] = {}
    touched: set[str] = set()
    position: Position | None = None
    for block in blocks:
        position = position_after(block, position)
        _erase(parked, block)
        documents = _documents(worker.sink, block)
        if block.address.sequence_no % _EVERY == _FIRST or documents & touched:
            number = block.address.sequence_no
            parked[number] = block
            touched |= documents
            position = attrs.evolve(position, parked=position.parked | {number})
            worker.apply([], position)
        else:
            worker.apply([block], position)
    given = tuple([parked.get(block.address.sequence_no, block) for block in blocks])
    return list(parked.values()), given


def _erase(parked: dict[int, Block], block: Block) -> None:
    """Take out of the park what a block redacts, as an inbox does before the block is delivered."""
    redaction = block.summary.redaction_info
    for asked in () if redaction is None else redaction.revisions:
        number = asked.block_address.sequence_no
        if number in parked:
            revisions = [_redacted(revision, asked) for revision in parked[number].revisions]
            parked[number] = attrs.evolve(parked[number], revisions=tuple(revisions))


def _redacted(revision: Revision, asked: RedactedRevision) -> Revision:
    metadata, wanted = revision.metadata, (asked.document_id, asked.version)
    is_asked = metadata is not None and (metadata.id, metadata.version) == wanted
    return without_data(revision) if is_asked else revision


def _documents(sink: Any, block: Block) -> set[str]:
    """Name the documents that a block changes or refers to."""
    found = {r.document_id for r in block.revisions if r.document_id is not None}
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
