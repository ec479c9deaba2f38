"""Paths from a revision to a digest, through the index: short, right, and not to be forged."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from qldb_stream.archive.evidence import found_at
from qldb_stream.archive.history import INDEX_NAME, open_archive
from qldb_stream.archive.history._tree import Tree, path_of
from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.hashing import merkle_proof
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.digest import SavedDigest
from tests.archive.history.support import keep, keep_ledger, random_ledger
from tests.archive.history.test_index import rewrite


@given(st.integers(1, 70), st.data())
def test_a_path_is_the_merkle_proof(size: int, data: st.DataObject) -> None:
    """For any block and any later tip."""
    hashes = [bytes([number]) * 32 for number in range(size)]
    tree = Tree()
    nodes = [tree.append(number, each) or b"" for number, each in enumerate(hashes)]
    tip = data.draw(st.integers(0, size - 1))
    index = data.draw(st.integers(0, tip))
    assert merkle_proof(hashes[: tip + 1], index) == path_of(index, tip + 1, nodes.__getitem__)


def test_there_is_no_tree_behind_a_hole() -> None:
    """Blocks that do not begin with 0, or leave one out, have no digest that can be recomputed."""
    tree = Tree()
    assert bytes(32) == tree.append(0, bytes(32))
    assert None is tree.append(2, bytes(32))
    assert None is tree.append(3, bytes(32))
    assert None is Tree().append(1, bytes(32))
    assert None is Tree().append(0, b"short")


@pytest.fixture
def ledger() -> Ledger:
    """A ledger with some history."""
    return random_ledger(7, steps=30)


def test_proofs_are_the_ledgers_own(tmp_path: Path, ledger: Ledger) -> None:
    """For every revision and several tips: what GetRevision gives, and it leads to GetDigest's."""
    keep_ledger(ledger, tmp_path)
    last = ledger.digest().tip
    assert last is not None
    with open_archive(tmp_path) as archive:
        for entry in list(archive.history()):
            number = entry.address.sequence_no
            for tip in {number, (number + last.sequence_no) // 2, last.sequence_no}:
                digest = ledger.digest(tip)
                saved = SavedDigest(digest.digest, BlockAddress(ledger.strand_id, tip))
                found = archive.proof(entry.document_id, entry.version, saved)
                own = ledger.revision(number, entry.document_id, tip=tip)
                assert own.proof == found.proof
                assert found.holds
                assert entry == found.entry


def test_a_document_is_proven_as_the_digest_saw_it(tmp_path: Path, ledger: Ledger) -> None:
    """Without a version it is the last one that the digest covers."""
    keep_ledger(ledger, tmp_path)
    with open_archive(tmp_path) as archive:
        entries = list(archive.history())
        newest = {entry.document_id: entry for entry in entries}
        for entry in entries:
            digest = ledger.digest(entry.address.sequence_no)
            found = archive.proof(entry.document_id, None, SavedDigest(digest.digest, digest.tip))
            assert (entry, True) == (found.entry, found.holds)
            last = SavedDigest(ledger.digest().digest)
            found = archive.proof(entry.document_id, None, last)
            assert (newest[entry.document_id], True) == (found.entry, found.holds)


def test_evidence_can_be_made_of_it(tmp_path: Path, ledger: Ledger) -> None:
    """Block and path are what `prove` takes where the archive is not read as a whole."""
    keep_ledger(ledger, tmp_path)
    digest = ledger.digest()
    saved = SavedDigest(digest.digest, digest.tip)
    with open_archive(tmp_path) as archive:
        entry = next(archive.history())
        proof = archive.proof(entry.document_id, entry.version, saved)
    found = found_at(proof.block.checked, proof.entry.revision, proof.block_path, saved)
    assert (digest.tip, proof.block_path) == (found.tip, found.block_path)


def test_another_digest_is_not_led_to(tmp_path: Path, ledger: Ledger) -> None:
    """A digest of another ledger, or of another tip, is not what the path leads to."""
    keep_ledger(ledger, tmp_path)
    digest = ledger.digest()
    with open_archive(tmp_path) as archive:
        entry = next(archive.history())
        for saved in (SavedDigest(bytes(32), digest.tip), SavedDigest(ledger.digest(20).digest)):
            assert not archive.proof(entry.document_id, entry.version, saved).holds


@pytest.mark.parametrize("data", [{"other": 1}, None], ids=["altered", "taken out"])
def test_a_document_that_fails_its_hash_is_not_proven(
    tmp_path: Path, ledger: Ledger, data: object
) -> None:
    """The hash that stands beside it leads to the digest all the same."""
    blocks = list(ledger.blocks())
    number = next(b.address.sequence_no for b in blocks if b.revisions and b.revisions[0].metadata)
    first, *others = blocks[number].revisions
    altered = attrs.evolve(first, data_ion=None if data is None else to_slice(data))
    blocks[number] = attrs.evolve(blocks[number], revisions=(altered, *others))
    keep(blocks, tmp_path)
    digest = ledger.digest()
    with open_archive(tmp_path) as archive:
        assert first.document_id is not None
        saved = SavedDigest(digest.digest, digest.tip)
        found = archive.proof(first.document_id, 0, saved)
    assert not found.holds
    assert first.hash == found.entry.revision.hash


def test_a_forged_node_is_not_led_through(tmp_path: Path, ledger: Ledger) -> None:
    """Hashes in the index are changed: the path does not hold, whatever the index says."""
    keep_ledger(ledger, tmp_path)
    with open_archive(tmp_path) as archive:
        entry = next(archive.history())
    rewrite(tmp_path / INDEX_NAME, "UPDATE block SET nodes = zeroblob(length(nodes))")
    digest = ledger.digest()
    with open_archive(tmp_path) as archive:
        assert not archive.is_fresh
        saved = SavedDigest(digest.digest, digest.tip)
        assert not archive.proof(entry.document_id, entry.version, saved).holds


@pytest.mark.parametrize("value", ["NULL", "x'00'", "x''"])
def test_an_index_without_nodes_is_built_anew(tmp_path: Path, ledger: Ledger, value: str) -> None:
    """Nodes that are none are damage: another index is built, and then the path holds."""
    keep_ledger(ledger, tmp_path)
    with open_archive(tmp_path) as archive:
        entry = next(archive.history())
    rewrite(tmp_path / INDEX_NAME, f"UPDATE block SET nodes = {value} WHERE number < 10")
    digest = ledger.digest()
    with open_archive(tmp_path) as archive:
        saved = SavedDigest(digest.digest, digest.tip)
        assert archive.proof(entry.document_id, entry.version, saved).holds
        assert archive.is_fresh


def test_what_cannot_be_proven_is_said(tmp_path: Path, ledger: Ledger) -> None:
    """A tip before the revision, beyond the archive, of another strand, or over a hole."""
    digest, strand_id = ledger.digest().digest, ledger.strand_id
    blocks = list(ledger.blocks())
    keep(blocks[:20], tmp_path / "some")
    with open_archive(tmp_path / "some") as archive:
        entry = list(archive.history())[-1]
        cases = [
            ("the archive has no revision then of document", BlockAddress(strand_id, 1)),
            ("the archive ends with block .*/19", BlockAddress(strand_id, 25)),
            ("which is not in the archive", BlockAddress("0" * 22, 25)),
        ]
        for problem, tip in cases:
            with pytest.raises(UsageError, match=problem):
                archive.proof(entry.document_id, None, SavedDigest(digest, tip))
        with pytest.raises(UsageError, match="covers blocks up to 1, the revision is in block"):
            archive.proof(
                entry.document_id, entry.version, SavedDigest(digest, BlockAddress(strand_id, 1))
            )
    keep([*blocks[:3], *blocks[4:]], tmp_path / "hole")
    with open_archive(tmp_path / "hole") as archive:
        entry = list(archive.history())[-1]
        with pytest.raises(UsageError, match="does not have all blocks from 0 to"):
            archive.proof(entry.document_id, None, SavedDigest(digest))


def test_a_block_that_does_not_list_its_revisions_proves_none(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Where the root over the revisions is no entry of the block there is no way up."""
    blocks = list(ledger.blocks())
    at = next(n for n, block in enumerate(blocks) if block.revisions)
    entries = tuple(bytes([n]) * 32 for n in range(4))
    summary = attrs.evolve(blocks[at].summary, entries_hash_list=entries)
    blocks[at] = attrs.evolve(blocks[at], summary=summary)
    keep(blocks, tmp_path)
    with open_archive(tmp_path) as archive:
        entry = next(archive.history())
        with pytest.raises(UsageError, match="does not list its revisions' hash"):
            archive.proof(entry.document_id, entry.version, SavedDigest(bytes(32)))
