"""A block's events, altered, and what an assembler makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import attrs

from qldb_stream.assembly import BlockAssembler
from qldb_stream.events import (
    Block,
    BlockSummary,
    Event,
    Need,
    Revision,
    RevisionDetails,
)
from qldb_stream.ion import to_slice
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.testing import JournalShape, make_journal

ARN: Final = "arn:aws:qldb:eu-west-1:123456789012:stream/s/x"
SHAPE: Final = JournalShape(least_revisions=2, empty=0.0, deletes=0.0, redactions=0.0, system=0.0)
BLOCKS: Final = [block for block in make_journal(7, blocks=20, shape=SHAPE) if block.revisions]
BLOCK: Final = next(block for block in BLOCKS if len(block.revisions) >= 2)
OTHER: Final = BLOCKS[BLOCKS.index(BLOCK) + 1]
FIRST: Final = BLOCK.revisions[0]


def events_of(*blocks: Block) -> list[Event]:
    """Take blocks apart into what a stream says of them."""
    events: list[Event] = []
    for block in blocks:
        events.append(block.summary)
        events += [RevisionDetails(ARN, found) for found in block.revisions if found.metadata]
    return events


def drain(assembler: BlockAssembler) -> list[Block]:
    """Ask until there is no more."""
    found: list[Block] = []
    while not isinstance(block := assembler.next_block(), Need):
        found.append(block)
    return found


def assemble(events: Iterable[Event], **options: Any) -> tuple[list[Block], list[Problem]]:
    """Assemble everything, in order of address, with all that is wrong as problems."""
    assembler = BlockAssembler(**options)
    blocks: list[Block] = []
    for event in events:
        assembler.feed(event)
        blocks += drain(assembler)
    assert () == assembler.close()
    blocks += drain(assembler)
    return sorted(blocks, key=lambda block: block.address), list(assembler.take_problems())


def details(revision: Revision) -> RevisionDetails:
    """Put a revision into a record."""
    return RevisionDetails(ARN, revision)


def with_data(revision: Revision, value: Any) -> Revision:
    """Give a revision another document under the hash that it has."""
    return attrs.evolve(revision, data_ion=to_slice(value))


def redacted(revision: Revision) -> Revision:
    """Redact a revision as QLDB does."""
    assert revision.data_ion is not None
    return attrs.evolve(revision, data_ion=None, data_hash=revision.data_ion.hash())


def elsewhere(revision: Revision) -> Revision:
    """Damage the address that a revision claims."""
    address = attrs.evolve(revision.address, sequence_no=revision.address.sequence_no ^ 1024)
    return attrs.evolve(revision, address=address)


def codes(problems: Iterable[Problem]) -> list[ProblemCode]:
    """List the codes of problems."""
    return [problem.code for problem in problems]


def orders(*events: Event) -> list[list[Event]]:
    """Give events in their order and in the opposite one."""
    return [list(events), list(events)[::-1]]


def with_summary(**changes: Any) -> BlockSummary:
    """Alter the block's summary."""
    return attrs.evolve(BLOCK.summary, **changes)
