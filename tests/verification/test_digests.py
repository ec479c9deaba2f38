"""Saved digests beside a journal: confirmed, or why not."""

from __future__ import annotations

import attrs
import pytest

from qldb_stream.events import BlockAddress
from qldb_stream.hashing import merkle_root
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.pipeline import Checks, verify_source
from qldb_stream.report import DigestState, ProblemCode
from qldb_stream.testing import make_journal

BLOCKS = list(make_journal(3, blocks=12))
STRAND = BLOCKS[0].address.strand_id


def root(tip: int) -> bytes:
    """Give the digest at a block."""
    return merkle_root([block.block_hash for block in BLOCKS[: tip + 1]])


@pytest.mark.parametrize(
    ("numbers", "saved", "state"),
    [
        (range(12), SavedDigest(root(11), BlockAddress(STRAND, 11)), DigestState.CONFIRMED),
        (range(12), SavedDigest(root(0), BlockAddress(STRAND, 0)), DigestState.CONFIRMED),
        (range(12), SavedDigest(root(11)), DigestState.CONFIRMED),
        (range(12), SavedDigest(root(7)), DigestState.NO_TIP),
        (range(12), SavedDigest(root(7), BlockAddress(STRAND, 8)), DigestState.DIFFERS),
        (range(8), SavedDigest(root(11), BlockAddress(STRAND, 11)), DigestState.BEYOND_LAST_BLOCK),
        (range(3, 12), SavedDigest(root(11), BlockAddress(STRAND, 11)), DigestState.STARTS_LATER),
        (
            [*range(5), *range(7, 12)],
            SavedDigest(root(6), BlockAddress(STRAND, 6)),
            DigestState.HOLES,
        ),
        (
            [*range(5), *range(7, 12)],
            SavedDigest(root(4), BlockAddress(STRAND, 4)),
            DigestState.CONFIRMED,
        ),
        (range(12), SavedDigest(root(3), BlockAddress("B" * 22, 3)), DigestState.OTHER_STRAND),
    ],
)
def test_each_state(numbers: list[int], saved: SavedDigest, state: DigestState) -> None:
    """What is not confirmed is a problem, and says why by its state and its sentence."""
    report = verify_source([BLOCKS[n] for n in numbers], checks=Checks(digests=[saved]))
    [found] = report.digests
    problems = [p.message for p in report.problems if p.code is ProblemCode.DIGEST]
    assert (state, [] if found.ok else [found.message]) == (found.state, problems)


def test_a_block_0_that_names_a_predecessor_has_no_root() -> None:
    """Whatever is compared with it, there is nothing to compare with."""
    first = attrs.evolve(BLOCKS[0].summary, previous_block_hash=bytes(range(32)))
    blocks = [attrs.evolve(BLOCKS[0], summary=first), *BLOCKS[1:]]
    saved = SavedDigest(root(5), BlockAddress(STRAND, 5))
    [found] = verify_source(blocks, checks=Checks(digests=[saved])).digests
    assert DigestState.NO_ROOT is found.state


def test_a_digest_without_tip_is_found_at_the_end_of_any_strand() -> None:
    """Then the strand and the block that it is the digest of are told."""
    other = list(make_journal(4, blocks=5))
    saved = SavedDigest(root(11))
    [found] = verify_source([*other, *BLOCKS], checks=Checks(digests=[saved])).digests
    assert (STRAND, 11) == (found.strand_id, found.sequence_no)
