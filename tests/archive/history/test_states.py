"""How far each revision is proven: its own hash, its block, and the block's link."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from qldb_stream.archive.history import HistoryEntry, RevisionState, open_archive
from qldb_stream.archive.history._states import UNASKED
from qldb_stream.events import Block, BlockAddress
from qldb_stream.hashing import merkle_root
from qldb_stream.ion import iter_elements, read_struct, to_slice
from qldb_stream.report import Outcome
from qldb_stream.testing import JournalShape, make_journal
from qldb_stream.testing.stories import Story
from qldb_stream.verification import Redactions
from tests.archive.history.support import keep

FINE, FAILED, OPEN = Outcome.VERIFIED, Outcome.FAILED, Outcome.NOT_CHECKABLE


def tell() -> tuple[Story, list[str]]:
    """Two documents of one block, 1; one of them is changed in block 2."""
    story = Story(11)
    story.create_table("T")
    with story.transaction():
        ids = [story.insert("T", {"n": 1}), story.insert("T", {"n": 2})]
    story.update(ids[0], {"n": 3})
    return story, ids


def ask(blocks: Sequence[Block], folder: Path) -> list[HistoryEntry]:
    """Ask twice, with and without an index of earlier; both say the same."""
    keep(blocks, folder)
    with open_archive(folder) as archive:
        fresh = list(archive.history())
        assert archive.is_fresh
    with open_archive(folder) as archive:
        assert fresh == list(archive.history())
        assert not archive.is_fresh
    return fresh


def outcomes(entry: HistoryEntry) -> tuple[Outcome, Outcome, Outcome]:
    """What is said of the revision, of its block, and of the chain."""
    return entry.state.revision, entry.state.block, entry.state.chain


def with_data(block: Block, index: int, data: object) -> Block:
    """Put other data into a revision, all else as it was."""
    changed = attrs.evolve(block.revisions[index], data_ion=to_slice(data))
    return attrs.evolve(
        block, revisions=(*block.revisions[:index], changed, *block.revisions[index + 1 :])
    )


def test_what_is_sound_is_verified(tmp_path: Path) -> None:
    """Nothing is wrong, nothing is left open, and there is no reason to give."""
    story, _ = tell()
    found = ask(story.blocks(), tmp_path)
    assert [RevisionState(FINE, FINE, FINE)] * 3 == [entry.state for entry in found]


def test_a_changed_document_fails_and_its_neighbour_does_not(tmp_path: Path) -> None:
    """The revision whose data was changed fails; block, chain and the other one hold."""
    story, _ = tell()
    blocks = story.blocks()
    blocks[1] = with_data(blocks[1], 0, {"n": 9})
    found = ask(blocks, tmp_path)
    assert [(FAILED, FINE, FINE), (FINE, FINE, FINE), (FINE, FINE, FINE)] == [
        outcomes(entry) for entry in found
    ]
    assert found[0].state.reasons
    assert found[0].state.outcome is FAILED
    assert "failed" == found[0].state.as_json()["outcome"]


def test_a_changed_block_fails_with_all_it_holds(tmp_path: Path) -> None:
    """A block whose entries were changed fails, and the one after it does not link to it."""
    story, _ = tell()
    blocks = story.blocks()
    entries = (bytes(32), *blocks[1].summary.entries_hash_list[1:])
    summary = attrs.evolve(
        blocks[1].summary, entries_hash_list=entries, entries_hash=merkle_root(entries)
    )
    blocks[1] = attrs.evolve(blocks[1], summary=summary)
    found = ask(blocks, tmp_path)
    assert [(FINE, FAILED, FINE)] * 2 + [(FINE, FINE, FINE)] == [outcomes(e) for e in found]


def test_a_chain_that_does_not_hold_is_told(tmp_path: Path) -> None:
    """A block of another journal in the place of one: the next does not link to it."""
    story, _ = tell()
    blocks = story.blocks()
    summary = attrs.evolve(blocks[1].summary, block_hash=bytes(32))
    blocks[1] = attrs.evolve(blocks[1], summary=summary)
    found = ask(blocks, tmp_path)
    assert [FAILED, FAILED, FINE] == [entry.state.block for entry in found]
    assert [FINE, FINE, FAILED] == [entry.state.chain for entry in found]


def test_without_the_block_before_the_link_is_open(tmp_path: Path) -> None:
    """The first block at hand, and one behind a hole, cannot be linked to anything."""
    story, _ = tell()
    blocks = story.blocks()
    assert [OPEN, OPEN, FINE] == [e.state.chain for e in ask(blocks[1:], tmp_path / "later")]
    (entry,) = ask([blocks[0], blocks[2]], tmp_path / "hole")
    assert (FINE, FINE, OPEN) == outcomes(entry)
    assert ("the block before it is not at hand",) == entry.state.reasons


def test_two_different_blocks_with_one_address_fail(tmp_path: Path) -> None:
    """Whatever copy is told, that there is another one is told with it."""
    story, _ = tell()
    other = Story(11)
    other.create_table("T")
    with other.transaction():
        other.insert("T", {"n": 5})
        other.insert("T", {"n": 6})
    found = ask([*story.blocks(), other.blocks()[1]], tmp_path)
    failed = [entry for entry in found if entry.address.sequence_no == 1]
    assert failed
    assert {FAILED} == {entry.state.block for entry in failed}
    assert any("two different blocks" in r for entry in failed for r in entry.state.reasons)


def test_an_asked_redaction_is_verified_and_another_is_open(tmp_path: Path) -> None:
    """A redaction that a later block asked for is proven; a document that just lacks is not."""
    story, ids = tell()
    story.redact(ids[0], 0)
    asked = ask(story.blocks(erased=True), tmp_path / "asked")
    assert [(FINE, FINE, FINE)] * 3 == [outcomes(entry) for entry in asked]
    unasked = ask(story.blocks(erased=True)[:-1], tmp_path / "unasked")
    assert [OPEN, FINE, FINE] == [entry.state.revision for entry in unasked]
    assert (UNASKED,) == unasked[0].state.reasons


def test_a_request_in_a_damaged_block_counts_for_nothing(tmp_path: Path) -> None:
    """Who asks for a redaction in a block that does not verify has not asked."""
    story, ids = tell()
    story.redact(ids[0], 0)
    blocks = story.blocks(erased=True)
    summary = attrs.evolve(blocks[-1].summary, entries_hash=bytes(32))
    blocks[-1] = attrs.evolve(blocks[-1], summary=summary)
    assert [OPEN, FINE, FINE] == [entry.state.revision for entry in ask(blocks, tmp_path)]


def test_the_reason_is_that_of_verify() -> None:
    """What is said here of a redaction that nobody asked for is what `verify` counts."""
    redactions = Redactions()
    story, ids = tell()
    story.redact(ids[0], 0)
    for block in story.blocks(erased=True)[:-1]:
        redactions.feed(block, is_verified=True)
    assert {UNASKED: 1} == dict(redactions.not_checkable())


@pytest.mark.parametrize("seed", [1, 2])
def test_deletes_are_verified_wherever_the_rule_shows(tmp_path: Path, seed: int) -> None:
    """A journal's deletes hash by one rule; one that does not follow it fails."""
    blocks = list(make_journal(seed, blocks=40, shape=JournalShape(system=0.2)))
    deletes = [e for e in ask(blocks, tmp_path / "sound") if e.is_delete]
    assert len(deletes) > 1
    assert {FINE} == {entry.state.outcome for entry in deletes}
    last = deletes[-1].address.sequence_no
    revisions = tuple(
        attrs.evolve(r, hash=bytes(32)) if r.hash == deletes[-1].revision.hash else r
        for r in blocks[last].revisions
    )
    leaves = tuple(
        attrs.evolve(s, hash=bytes(32)) if s.hash == deletes[-1].revision.hash else s
        for s in blocks[last].summary.revision_summaries
    )
    summary = attrs.evolve(blocks[last].summary, revision_summaries=leaves)
    blocks[last] = attrs.evolve(blocks[last], revisions=revisions, summary=summary)
    found = [e for e in ask(blocks, tmp_path / "wrong") if e.revision.hash == bytes(32)]
    assert [FAILED] == [entry.state.revision for entry in found]


def test_a_document_that_was_taken_out_is_not_left_out_of_a_state(tmp_path: Path) -> None:
    """It looks like a delete; deleted documents alone are not there as of then."""
    story, ids = tell()
    blocks = story.blocks()
    taken = attrs.evolve(blocks[2].revisions[0], data_ion=None)
    blocks[2] = attrs.evolve(blocks[2], revisions=(taken,))
    keep(blocks, tmp_path)
    with open_archive(tmp_path) as archive:
        found = list(archive.history(as_of=BlockAddress(story.strand_id, 2)))
    assert {ids[0]: FAILED, ids[1]: FINE} == {one.document_id: one.state.outcome for one in found}


def test_a_forged_drop_hides_no_table(tmp_path: Path) -> None:
    """Statements that fail their hash drop nothing, so that the state as of then is told."""
    story, ids = tell()
    blocks = story.blocks()
    info = blocks[2].summary.transaction_info
    assert info is not None
    statements = [
        {**statement.decode(), "statement": "DROP TABLE T"}
        for statement in iter_elements(read_struct(info.ion)["statements"])
    ]
    forged = to_slice({**read_struct(info.ion), "statements": statements})
    summary = attrs.evolve(blocks[2].summary, transaction_info=attrs.evolve(info, ion=forged))
    blocks[2] = attrs.evolve(blocks[2], summary=summary)
    keep(blocks, tmp_path)
    with open_archive(tmp_path) as archive:
        found = list(archive.history(as_of=BlockAddress(story.strand_id, 2)))
        assert [None] == [life.dropped for life in archive.tables()]
    assert {ids[0]: FAILED, ids[1]: FINE} == {one.document_id: one.state.outcome for one in found}
