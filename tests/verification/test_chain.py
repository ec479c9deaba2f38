"""The chain: links, holes, strands, digests."""

from __future__ import annotations

import itertools
import json
from base64 import b64decode
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress, RevisionKind
from qldb_stream.hashing import merkle_root
from qldb_stream.report import Check, DeleteRule, Outcome, Position, ProblemCode, StrandReport
from qldb_stream.testing import Journal, JournalShape, make_journal
from qldb_stream.testing.strategies import journals
from qldb_stream.verification import ChainVerifier

JOURNAL = make_journal(5, blocks=40, shape=JournalShape(deletes=0.4))
BLOCKS = list(JOURNAL)
STRAND = JOURNAL.strand_id


def link(verifier: ChainVerifier, block: Block) -> Check:
    """Feed a block, give its CHAIN check."""
    [check] = [c for c in verifier.feed(block).checks if c.name is ProblemCode.CHAIN]
    return check


def fed(*numbers: int) -> ChainVerifier:
    """Give a verifier that was fed these blocks of the journal."""
    verifier = ChainVerifier()
    for number in numbers:
        verifier.feed(BLOCKS[number])
    return verifier


@settings(max_examples=25)
@given(journals(most_blocks=12))
def test_a_sound_journal_is_linked_from_its_first_block(journal: Journal) -> None:
    """Every link holds, nothing is missing, and the digest is the journal's."""
    verifier = ChainVerifier()
    for block in journal:
        assert Outcome.VERIFIED is link(verifier, block).outcome
    last = len(journal) - 1
    report = StrandReport(journal.strand_id, 0, last, (), journal.digest())
    assert ((report,) if len(journal) else ()) == verifier.strands()


def test_a_broken_link_names_the_field() -> None:
    """A block whose predecessor is another one fails in CHAIN only."""
    verifier = fed(0, 1)
    other = attrs.evolve(BLOCKS[2].summary, previous_block_hash=bytes(32))
    found = verifier.feed(Block(other, BLOCKS[2].revisions))
    assert [("CHAIN", 2, "previousBlockHash")] == [
        (p.code.value, p.sequence_no, p.field)
        for p in found.problems
        if p.code is ProblemCode.CHAIN
    ]


def test_the_first_block_seen_has_nothing_before_it() -> None:
    """A journal that starts in the middle is linked from its second block on."""
    verifier = ChainVerifier()
    outcomes = [link(verifier, block).outcome for block in BLOCKS[7:10]]
    assert [Outcome.NOT_CHECKABLE, Outcome.VERIFIED, Outcome.VERIFIED] == outcomes
    assert (StrandReport(STRAND, 7, 9),) == verifier.strands()
    assert None is verifier.digest(STRAND)


def test_block_0_may_name_nothing_or_zeros_before_it() -> None:
    """Anything else in its previousBlockHash is not known, and said so (facts 1.3)."""
    outcomes = {
        previous: link(
            ChainVerifier(),
            Block(attrs.evolve(BLOCKS[0].summary, previous_block_hash=previous)),
        ).outcome
        for previous in (b"", bytes(32), bytes(31) + b"x")
    }
    assert [Outcome.VERIFIED, Outcome.VERIFIED, Outcome.NOT_CHECKABLE] == list(outcomes.values())


@pytest.mark.parametrize("previous", [b"x", bytes(31) + b"x"])
def test_a_block_0_that_names_a_predecessor_leaves_no_root(previous: bytes) -> None:
    """It may be a later block, renumbered: no digest is given of what may be a part."""
    verifier = ChainVerifier()
    verifier.feed(Block(attrs.evolve(BLOCKS[0].summary, previous_block_hash=previous)))
    verifier.feed(BLOCKS[1])
    assert (StrandReport(STRAND, 0, 1),) == verifier.strands()
    assert Outcome.NOT_CHECKABLE is verifier.check_digest(STRAND, bytes(32), at(1)).outcome


def test_holes_are_written_down_and_the_chain_goes_on_after_them() -> None:
    """Each hole is a range, both ends included; the block after it stands alone."""
    verifier = fed(0, 1)
    assert Outcome.NOT_CHECKABLE is link(verifier, BLOCKS[4]).outcome
    assert Outcome.VERIFIED is link(verifier, BLOCKS[5]).outcome
    assert Outcome.NOT_CHECKABLE is link(verifier, BLOCKS[7]).outcome
    assert (StrandReport(STRAND, 0, 7, ((2, 3), (6, 6))),) == verifier.strands()


@pytest.mark.parametrize("number", [0, 3])
def test_blocks_are_fed_in_rising_order(number: int) -> None:
    """An older block, or the same again, is the caller's mistake and changes nothing."""
    verifier = fed(2, 3)
    before = verifier.strands()
    with pytest.raises(UsageError, match="rising order"):
        verifier.feed(BLOCKS[number])
    assert before == verifier.strands()
    assert Outcome.VERIFIED is link(verifier, BLOCKS[4]).outcome


def test_strands_do_not_touch_each_other() -> None:
    """Two strands fed by turns are each as if they were alone, in order of their ids."""
    other = make_journal(6, blocks=10)
    verifier = ChainVerifier()
    for one, two in itertools.zip_longest(BLOCKS[:6], other):
        for block in (one, two):
            assert block is None or verifier.feed(block).ok
    digest = merkle_root([block.block_hash for block in BLOCKS[:6]])
    expected = [
        StrandReport(STRAND, 0, 5, (), digest),
        StrandReport(other.strand_id, 0, 9, (), other.digest()),
    ]
    assert tuple(sorted(expected, key=lambda report: report.strand_id)) == verifier.strands()


def test_a_delete_rule_is_remembered_for_its_strand() -> None:
    """A misfit fails after a rule has fitted, and is not checkable before."""
    deletes = [b for b in BLOCKS if any(r.kind is RevisionKind.DELETE for r in b.revisions)]
    first, second = deletes[:2]

    def misfit(block: Block) -> Block:
        """Alter the metadata of each delete."""
        revisions = []
        for revision in block.revisions:
            if revision.kind is RevisionKind.DELETE and revision.metadata is not None:
                ion = BLOCKS[2].revisions[0].metadata
                assert ion is not None
                metadata = attrs.evolve(revision.metadata, ion=ion.ion)
                revision = attrs.evolve(revision, metadata=metadata)  # noqa: PLW2901 - the altered one
            revisions.append(revision)
        return attrs.evolve(block, revisions=tuple(revisions))

    assert ChainVerifier().feed(misfit(second)).ok
    verifier = ChainVerifier()
    assert DeleteRule.METADATA_ONLY is verifier.feed(first).delete_rule
    assert not verifier.feed(misfit(second)).ok
    resumed = ChainVerifier()
    position = Position(STRAND, first.address.sequence_no, first.block_hash)
    resumed.resume(STRAND, position, delete_rule=DeleteRule.METADATA_ONLY)
    assert not resumed.feed(misfit(second)).ok


# --- going on later -------------------------------------------------------------------------


def test_a_resumed_strand_is_linked_to_its_position() -> None:
    """The next block is checked against the position's hash; there is no digest."""
    verifier = ChainVerifier()
    verifier.resume(STRAND, Position(STRAND, 9, BLOCKS[9].block_hash))
    assert () == verifier.strands()
    assert Outcome.VERIFIED is link(verifier, BLOCKS[10]).outcome
    assert (StrandReport(STRAND, 10, 10),) == verifier.strands()


def test_a_resumed_strand_has_holes_too() -> None:
    """What is missing between the position and the first block is written down."""
    verifier = ChainVerifier()
    verifier.resume(STRAND, Position(STRAND, 9, BLOCKS[9].block_hash))
    assert Outcome.NOT_CHECKABLE is link(verifier, BLOCKS[12]).outcome
    assert ((10, 11),) == verifier.strands()[0].missing


def test_a_resumed_strand_that_does_not_fit_is_broken() -> None:
    """A position with another hash does not link the next block."""
    verifier = ChainVerifier()
    verifier.resume(STRAND, Position(STRAND, 9, bytes(32)))
    assert Outcome.FAILED is link(verifier, BLOCKS[10]).outcome


def test_a_strand_is_resumed_before_it_is_fed_and_by_its_own_position() -> None:
    """Anything else is the caller's mistake."""
    position = Position(STRAND, 9, BLOCKS[9].block_hash)
    with pytest.raises(UsageError, match="cannot be resumed"):
        fed(0).resume(STRAND, position)
    with pytest.raises(UsageError, match="cannot be resumed"):
        ChainVerifier().resume("another", position)


# --- saved digests --------------------------------------------------------------------------


def at(number: int) -> BlockAddress:
    """Give the address of a block of the journal."""
    return BlockAddress(STRAND, number)


@given(st.integers(0, 30))
def test_a_saved_digest_is_verified_at_its_tip(tip: int) -> None:
    """The digest at an earlier block is kept when it is asked for in time."""
    verifier = ChainVerifier()
    verifier.keep_digest(at(tip))
    for block in BLOCKS[:31]:
        verifier.feed(block)
    expected = merkle_root([block.block_hash for block in BLOCKS[: tip + 1]])
    assert Outcome.VERIFIED is verifier.check_digest(STRAND, expected, at(tip)).outcome
    assert Outcome.FAILED is verifier.check_digest(STRAND, bytes(32), at(tip)).outcome


def test_a_digest_at_the_last_block_needs_no_asking() -> None:
    """The running root is at hand."""
    check = fed(0, 1, 2).check_digest(
        STRAND, merkle_root([b.block_hash for b in BLOCKS[:3]]), at(2)
    )
    assert (ProblemCode.DIGEST, Outcome.VERIFIED) == (check.name, check.outcome)


@pytest.mark.parametrize(
    ("numbers", "tip", "reason"),
    [
        ((0, 1), at(5), "the digest reaches beyond the last block"),
        ((0, 1), at(0), "the digest's block went by and nothing was kept"),
        ((3, 4), at(4), "the strand does not start at block 0 or has holes"),
        ((0, 2), at(2), "the strand does not start at block 0 or has holes"),
        ((0, 1), BlockAddress("another", 1), "the digest is of a strand that is not at hand"),
        ((), at(0), "the digest is of a strand that is not at hand"),
    ],
)
def test_a_digest_that_cannot_be_compared_says_why(
    numbers: tuple[int, ...], tip: BlockAddress, reason: str
) -> None:
    """Not checkable is no failure."""
    check = fed(*numbers).check_digest(STRAND, bytes(32), tip)
    assert (Outcome.NOT_CHECKABLE, reason) == (check.outcome, check.detail)


def test_a_kept_digest_of_a_strand_with_holes_is_not_known() -> None:
    """Asked for in time, and still there is no root over blocks that were never seen."""
    verifier = ChainVerifier()
    verifier.keep_digest(at(2))
    for number in (0, 2, 3):
        verifier.feed(BLOCKS[number])
    assert Outcome.NOT_CHECKABLE is verifier.check_digest(STRAND, bytes(32), at(2)).outcome


def test_a_block_hash_that_is_no_digest_leaves_no_root() -> None:
    """The block fails, and the digest is not known from there on."""
    verifier = fed(0)
    assert not verifier.feed(Block(attrs.evolve(BLOCKS[1].summary, block_hash=b"short"))).ok
    assert None is verifier.digest(STRAND)


def test_the_published_digest_is_reached_from_its_proof(vectors: Path) -> None:
    """The real block's proof leads from its hash to the digest at tip 123 (facts 2.7)."""
    from qldb_stream.hashing import fold_proof
    from qldb_stream.ion import iter_text

    answer = json.loads((vectors / "block-100/block.json").read_text())
    digest = json.loads((vectors / "block-100/digest.json").read_text())["Digest"]
    [block] = iter_text(answer["Block"]["IonText"])
    [proof] = iter_text(answer["Proof"]["IonText"])
    assert b64decode(digest) == fold_proof(block.decode()["blockHash"], proof.decode())
