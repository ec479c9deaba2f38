"""The pass that finds a document's revision and its path in an archive."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given as each, settings, strategies as st

from qldb_stream.archive.evidence import (
    FoundRevision,
    check_found,
    find_revision,
    found_at,
    make_evidence,
)
from qldb_stream.archive.evidence.verify import fold
from qldb_stream.errors import ProofRefusedError, UsageError
from qldb_stream.events import BlockAddress, RevisionKind
from qldb_stream.hashing import MerkleFrontier
from qldb_stream.ion import to_slice
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.parsers.record import parse_record
from qldb_stream.pipeline import Order, PipelineCore, iter_checked
from qldb_stream.sources import open_source
from qldb_stream.testing import Journal, edit_field, make_journal, records, write_archive
from qldb_stream.testing.exports import ExportFormat, make_export
from qldb_stream.typing import Item
from tests.archive.evidence.support import (
    JOURNAL,
    SHAPE,
    found as found_of,
    given,
    one_of,
    revisions,
    saved,
    write,
)

UPDATED, REVISION = one_of(JOURNAL, RevisionKind.UPDATE)
DOCUMENT = REVISION.document_id or ""


def refused(folder: Path, digest: SavedDigest, document: str = DOCUMENT, **options: int) -> str:
    """Give the code with which a proof is refused."""
    with pytest.raises(ProofRefusedError) as caught:
        find_revision(open_source(folder), document, digest, **options)
    return caught.value.code


def without(numbers: set[int], folder: Path) -> Path:
    """An archive that lacks some blocks."""
    kept = (b for b in JOURNAL if b.address.sequence_no not in numbers)
    write_archive((record for block in kept for record in records(block)), folder)
    return folder


def last_of(document: str, tip: int) -> tuple[int, int | None]:
    """The block and version of a document's last revision up to a tip."""
    block, revision = [
        pair
        for pair in revisions(JOURNAL)
        if pair[1].document_id == document and pair[0].address.sequence_no <= tip
    ][-1]
    metadata = revision.metadata
    return block.address.sequence_no, None if metadata is None else metadata.version


def place(found: FoundRevision) -> tuple[int, int | None]:
    """The block and version of what was found."""
    metadata = found.revision.metadata
    return found.block.address.sequence_no, None if metadata is None else metadata.version


def test_the_last_version_that_the_digest_covers(tmp_path: Path) -> None:
    """Without a version it is the last one up to the tip; later ones are counted."""
    source = open_source(write(JOURNAL, tmp_path / "in"))
    tips = [
        block.address.sequence_no for block, r in revisions(JOURNAL) if r.document_id == DOCUMENT
    ]
    for number, tip in enumerate(tips, 1):
        found = find_revision(source, DOCUMENT, saved(JOURNAL, tip))
        assert last_of(DOCUMENT, tip) == place(found)
        assert len(tips) - number == found.later
        assert found.report is not None
        assert (True, 40) == (found.report.ok, found.report.blocks)


def test_a_version(tmp_path: Path) -> None:
    """A version that is asked for is found, wherever it stands."""
    source = open_source(write(JOURNAL, tmp_path / "in"))
    for block, revision in revisions(JOURNAL):
        if revision.document_id == DOCUMENT and revision.metadata is not None:
            version = revision.metadata.version
            found = find_revision(source, DOCUMENT, saved(JOURNAL), version=version)
            assert (block.address.sequence_no, version) == place(found)


def test_what_is_found_makes_a_bundle(tmp_path: Path) -> None:
    """The bundle counts what the archive held, and proves the revision."""
    source = open_source(write(JOURNAL, tmp_path / "in"))
    made = make_evidence(find_revision(source, DOCUMENT, saved(JOURNAL)), given(saved(JOURNAL)))

    assert (True, "partial", 40) == tuple(
        made.report["archive"][name] for name in ("ok", "level", "blocks")
    )
    assert b"Blocks verified" in made.files["evidence.html"]


def test_unknown_things(tmp_path: Path) -> None:
    """A document, a version or a ledger that the archive does not know are told apart."""
    folder = write(JOURNAL, tmp_path / "in")
    digest = saved(JOURNAL)
    assert digest.tip is not None
    other = attrs.evolve(digest, tip=BlockAddress("0" * 22, 39))

    assert "UNKNOWN_DOCUMENT" == refused(folder, digest, "0" * 22)
    assert "UNKNOWN_VERSION" == refused(folder, digest, version=99)
    assert "OTHER_LEDGER" == refused(folder, other)
    assert "TIP_BEYOND" == refused(folder, attrs.evolve(digest, tip=None))


def test_digests_that_do_not_fit(tmp_path: Path) -> None:
    """Another digest, one for another tip, and one beyond the archive are refused."""
    folder = write(JOURNAL, tmp_path / "in")
    digest, tip = saved(JOURNAL), saved(JOURNAL).tip
    assert tip is not None
    beyond = attrs.evolve(digest, tip=BlockAddress(tip.strand_id, 40))
    earlier = attrs.evolve(digest, tip=BlockAddress(tip.strand_id, 38))

    assert "OTHER_DIGEST" == refused(folder, attrs.evolve(digest, digest=bytes(32)))
    assert "OTHER_DIGEST" == refused(folder, earlier)
    assert "TIP_BEYOND" == refused(folder, beyond)


def test_a_revision_after_the_tip(tmp_path: Path) -> None:
    """What the digest does not cover yet is named with its block."""
    folder = write(JOURNAL, tmp_path / "in")
    first = next(b for b, r in revisions(JOURNAL) if r.document_id == DOCUMENT)
    number = first.address.sequence_no

    assert "AFTER_TIP" == refused(folder, saved(JOURNAL, number - 1))


def test_an_archive_that_is_not_whole(tmp_path: Path) -> None:
    """One that begins later, or lacks a block, cannot recompute the digest; it says which."""
    assert "STARTS_LATER" == refused(without({0, 1}, tmp_path / "later"), saved(JOURNAL))
    assert "NOT_WHOLE" == refused(without({7}, tmp_path / "hole"), saved(JOURNAL))
    with pytest.raises(ProofRefusedError, match="block 7 is missing"):
        find_revision(open_source(tmp_path / "hole"), DOCUMENT, saved(JOURNAL))


def test_a_hole_after_the_tip_does_not_matter(tmp_path: Path) -> None:
    """What the digest does not cover may be missing."""
    tip = UPDATED.address.sequence_no
    folder = without({tip + 2}, tmp_path / "in")
    found = find_revision(open_source(folder), DOCUMENT, saved(JOURNAL, tip))

    assert found.report is not None
    assert (tip, False) == (place(found)[0], found.report.ok)


def test_a_block_without_its_revision_is_not_whole(tmp_path: Path) -> None:
    """A block whose revision's record is missing is named as what it is."""
    made = [list(records(block)) for block in JOURNAL]
    made[UPDATED.address.sequence_no].pop()
    write_archive((record for block in made for record in block), tmp_path / "in")

    assert "NOT_WHOLE" == refused(tmp_path / "in", saved(JOURNAL))


def test_a_changed_document_is_not_proven(tmp_path: Path) -> None:
    """A revision whose document was changed is refused, and named by its check."""
    made = [list(records(block)) for block in JOURNAL]
    number = UPDATED.address.sequence_no
    index = 1 + [r.document_id for r in UPDATED.revisions if r.metadata].index(DOCUMENT)
    made[number][index] = edit_field(made[number][index], "payload.revision.data", {"forged": 1})
    write_archive((record for block in made for record in block), tmp_path / "in")

    with pytest.raises(ProofRefusedError, match="REVISION_HASH"):
        find_revision(open_source(tmp_path / "in"), DOCUMENT, saved(JOURNAL))


@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary"])
def test_exports(tmp_path: Path, output_format: ExportFormat) -> None:
    """Exports in Ion prove what streams prove."""
    make_export(JOURNAL, output_format).write(tmp_path / "in")
    found = find_revision(open_source(tmp_path / "in"), DOCUMENT, saved(JOURNAL))

    assert DOCUMENT == make_evidence(found, b"").proven["document_id"]


def test_what_lost_its_types_is_not_proven() -> None:
    """A revision rebuilt from JSON whose hash does not recompute is refused for that."""
    lost = attrs.evolve(REVISION, data_ion=to_slice({"lost": 1.5}), from_json=True)
    block = attrs.evolve(
        UPDATED, revisions=tuple(lost if r is REVISION else r for r in UPDATED.revisions)
    )
    with pytest.raises(ProofRefusedError, match="JSON export, which lost"):
        check_found(found_of(JOURNAL, block, lost))


def test_what_lost_its_types_beside_it_is_its_hash() -> None:
    """Another document of the block that does not recompute is left out, and that is told."""
    block, revision = next(
        (block, revision)
        for block, revision in revisions(JOURNAL)
        if sum(one.data_ion is not None for one in block.revisions) > 1
    )
    others = tuple(
        one
        if one is revision or one.data_ion is None
        else attrs.evolve(one, data_ion=to_slice({"lost": 1.5}), from_json=True)
        for one in block.revisions
    )
    made = make_evidence(found_of(JOURNAL, attrs.evolve(block, revisions=others), revision), b"")

    assert b"lost" not in made.files["block.10n"]
    assert ["contents of documents of the block whose hash does not recompute"] == (
        made.report["left_out"]
    )


def test_an_archive_without_a_block(tmp_path: Path) -> None:
    """What holds nothing that can be read is named so."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")

    assert "NOT_WHOLE" == refused(tmp_path, saved(JOURNAL))


def test_a_block_and_a_path_from_elsewhere(tmp_path: Path) -> None:
    """What an index gives makes the same proof, and a wrong path none."""
    saved_digest = saved(JOURNAL)
    found = find_revision(open_source(write(JOURNAL, tmp_path / "in")), DOCUMENT, saved_digest)
    core = PipelineCore(Order.SORTED)
    checked = next(
        one
        for one in iter_checked(core, InMemory(JOURNAL))
        if one.block.address == found.block.address
    )
    revision = next(r for r in checked.block.revisions if r.document_id == DOCUMENT)
    given_path = found_at(checked, revision, found.block_path, saved_digest)

    assert make_evidence(given_path, b"").proven == make_evidence(found, b"").proven
    for path in ((), found.block_path[1:], (bytes(32), *found.block_path[1:])):
        with pytest.raises(ProofRefusedError, match="does not lead"):
            found_at(checked, revision, path, saved_digest)
    with pytest.raises(UsageError):
        found_at(checked, revision, found.block_path, attrs.evolve(saved_digest, tip=None))


@settings(max_examples=15, deadline=None)
@each(st.integers(0, 1000), st.integers(1, 30), st.data())
def test_any_revision_of_any_journal(seed: int, blocks: int, data: st.DataObject) -> None:
    """Every revision is found with a path that leads to the digest of every tip after it."""
    journal = make_journal(seed, blocks=blocks, shape=SHAPE)
    pairs = list(revisions(journal))
    if not pairs:
        return
    block, revision = data.draw(st.sampled_from(pairs))
    tip = data.draw(st.integers(block.address.sequence_no, blocks - 1))
    assert revision.metadata is not None
    found = find_revision(
        InMemory(journal),
        revision.metadata.id,
        saved(journal, tip),
        version=revision.metadata.version,
    )

    assert revision.hash == found.revision.hash
    assert saved(journal, tip).digest == fold(block.block_hash, list(found.block_path))


class InMemory:
    """A journal as a sorted source."""

    bounded = True

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def items(self) -> Iterator[Item]:
        """Give its records as events, sorted by block."""
        return map(parse_record, self._journal.iter_records())


def test_a_path_over_many_hashes_takes_no_memory() -> None:
    """Tree and path are O(log n): what 2**14 blocks hold is what 2**4 do, a few kilobytes."""
    leaf = bytes(32)
    tracemalloc.start()
    tree = MerkleFrontier()
    path = tree.path_of_next()
    tree.append(leaf)
    for _ in range(2**14):
        tree.append(leaf)
        path.append(leaf)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 15 == len(path.siblings())
    assert peak < 10_000
