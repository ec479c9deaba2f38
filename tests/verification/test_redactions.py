"""Redactions: each redacted revision is one that was asked for, or is told."""

from __future__ import annotations

from random import Random

import attrs
import pytest

from qldb_stream.events import Block, RedactionInfo, RevisionKind
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.verification import Redactions
from tests.verification.blocks import garbage

SHAPE = JournalShape(redactions=0.4)
ERASED = list(make_journal(5, blocks=60, shape=SHAPE).with_erased())
REDACTED = sum(one.kind is RevisionKind.REDACTED for block in ERASED for one in block.revisions)
UNASKED = "redacted without a request among the blocks at hand"


def feed(blocks: list[Block], redactions: Redactions | None = None) -> Redactions:
    """Feed verified blocks."""
    redactions = Redactions() if redactions is None else redactions
    for block in blocks:
        redactions.feed(block, is_verified=True)
    return redactions


def without_requests() -> list[Block]:
    """Give the journal without the blocks that redact."""
    return [block for block in ERASED if block.summary.redaction_info is None]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_asked_for_is_accounted_for(seed: int) -> None:
    """Whatever comes first, each redacted revision finds its request."""
    shuffled = list(ERASED)
    Random(seed).shuffle(shuffled)
    found = feed(shuffled)
    assert REDACTED > 3
    assert (REDACTED, {}) == (found.count, found.not_checkable())


def test_what_nobody_asked_for_is_told() -> None:
    """Without the blocks that ask nothing tells a redaction from a theft."""
    found = feed(without_requests())
    [(reason, times)] = found.not_checkable().items()
    assert (REDACTED, True) == (times, reason.startswith(UNASKED))


def test_a_request_is_for_one_version_of_one_document() -> None:
    """The document of another block stays unasked for."""
    block = next(b for b in ERASED if any(r.data_ion is not None for r in b.revisions))
    revision = next(one for one in block.revisions if one.data_ion is not None)
    assert revision.data_ion is not None
    stripped = attrs.evolve(revision, data_ion=None, data_hash=revision.data_ion.hash())
    changed = tuple(stripped if one is revision else one for one in block.revisions)
    forged = [attrs.evolve(b, revisions=changed) if b is block else b for b in ERASED]
    found = feed(forged)
    assert (REDACTED + 1, [1]) == (found.count, list(found.not_checkable().values()))


def test_requests_of_blocks_that_fail_count_for_nothing() -> None:
    """Whoever forges the request gains nothing by it."""
    redactions = Redactions()
    for block in ERASED:
        redactions.feed(block, is_verified=block.summary.redaction_info is None)
    assert [REDACTED] == list(redactions.not_checkable().values())


def test_a_request_that_cannot_be_read_asks_for_nothing() -> None:
    """It raises nothing either."""
    block = next(b for b in ERASED if b.summary.redaction_info is not None)
    info = RedactionInfo(garbage())
    damaged = attrs.evolve(block, summary=attrs.evolve(block.summary, redaction_info=info))
    assert {} == feed([damaged]).not_checkable()


def test_only_so_many_are_remembered() -> None:
    """Beyond the limit they are counted, with a reason of their own, and never as asked for."""
    found = feed(ERASED, Redactions(limit=0))
    assert [REDACTED] == list(found.not_checkable().values())
    assert not next(iter(found.not_checkable())).startswith(UNASKED)
    some = feed(without_requests(), Redactions(limit=2))
    assert [2, REDACTED - 2] == list(some.not_checkable().values())
