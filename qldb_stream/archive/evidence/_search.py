"""
One pass over an archive for one document: its revision, its block, and the path to a digest.

The tree over the blocks is kept as its frontier, and the path of the block that holds the
revision found last grows with it; so memory is O(log n) however long the journal is. The pass is
the one of `verify`: what it finds wrong goes into the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from qldb_stream.archive.evidence._rebuilt import as_rebuilt
from qldb_stream.errors import ProofRefusedError
from qldb_stream.events import Block, BlockAddress, Revision
from qldb_stream.formulas import revision_recomputes
from qldb_stream.hashing import DIGEST_BYTES, MerkleFrontier, MerklePath, fold_proof
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.pipeline import CheckedBlock, Order, PipelineCore, iter_checked
from qldb_stream.report import Diagnosis, VerifyReport
from qldb_stream.typing import Source

__all__ = ["FoundRevision", "check_found", "check_verified", "find_revision"]

_SHOWN: Final = 5


@attrs.frozen
class FoundRevision:
    """
    A revision in an archive, and how it hangs together with a digest.

    Attributes:
        block: the whole block that holds it.
        revision: one of the block's.
        block_path: what leads from the block's hash to the digest, 32 bytes each.
        digest: the digest that it leads to.
        tip: the last block that the digest covers.
        report: what verifying the archive found; None when it was not read as a whole.
        later: how many later revisions of the document the archive holds.
        counted: what an index says of the archive, where that was not read for this.
        rebuilt: the types that were put back into a document of a JSON export, with which it has
            its hash; None where none had to be.
    """

    block: Block
    revision: Revision
    block_path: tuple[bytes, ...]
    digest: bytes
    tip: BlockAddress
    report: VerifyReport | None = None
    later: int = 0
    counted: Mapping[str, Any] | None = None
    rebuilt: Diagnosis | None = None


def find_revision(
    source: Source, document_id: str, saved: SavedDigest, *, version: int | None = None
) -> FoundRevision:
    """
    Find a document's revision in a bounded source, and its path to a saved digest.

    The source is read once and verified on the way. Of other strands than the digest's
    nothing is looked for.

    Args:
        source: the archive, from block 0 of the digest's strand on.
        document_id: 22 characters.
        saved: a digest with its tip.
        version: of the document; None takes the last one that the digest covers.

    Raises:
        ProofRefusedError: there is no such revision, the digest is not this journal's, or
            what the proof rests on is missing or damaged; `code` says which.
        QldbStreamError: what reading a source raises.
    """
    if saved.tip is None:
        raise ProofRefusedError("TIP_BEYOND", "the digest has no tip; give --tip STRAND:N")
    search = _Search(document_id, version, saved.tip)
    core = PipelineCore(Order.SORTED)
    for checked in iter_checked(core, source):
        search.take(checked)
    return search.result(core.report(), saved.digest)


class _Search:
    """What is known so far of a document, and of the tree over the blocks up to a tip."""

    def __init__(self, document_id: str, version: int | None, tip: BlockAddress) -> None:
        self._document_id = document_id
        self._version = version
        self._tip = tip
        self._tree = MerkleFrontier()
        self._path: MerklePath | None = None
        self._found: tuple[CheckedBlock, Revision] | None = None
        self._seen = 0  # revisions of the document
        self._later = 0
        self._later_first: int | None = None  # the block of the one asked for, after the tip

    def take(self, checked: CheckedBlock) -> None:
        """Take the next block of any strand."""
        block = checked.block
        if block.address.strand_id != self._tip.strand_id:
            return
        found = self._match(block)
        if block.address.sequence_no > self._tip.sequence_no:
            if found is not None and self._later_first is None:
                self._later_first = block.address.sequence_no
            return
        if found is not None:
            self._found, self._later = (checked, found), 0
        self._grow(block, is_found=found is not None)

    def _match(self, block: Block) -> Revision | None:
        """Give the revision of the block that is looked for; count those of the document."""
        match = None
        for revision in block.revisions:
            if revision.metadata is None or revision.metadata.id != self._document_id:
                continue
            self._seen += 1
            if self._version is None or revision.metadata.version == self._version:
                match = revision
        self._later += sum(one.document_id == self._document_id for one in block.revisions)
        return match

    def _grow(self, block: Block, *, is_found: bool) -> None:
        """Let the tree grow by a block, as long as none is missing before it."""
        if block.address.sequence_no != self._tree.size or len(block.block_hash) != DIGEST_BYTES:
            return
        if is_found:
            self._path = self._tree.path_of_next()
        elif self._path is not None:
            self._path.append(block.block_hash)
        self._tree.append(block.block_hash)

    def result(self, report: VerifyReport, digest: bytes) -> FoundRevision:
        """Give what was found, or refuse it with the first reason."""
        self._check_journal(report)
        if self._tree.root() != digest:
            raise ProofRefusedError(
                "OTHER_DIGEST",
                f"the archive's digest at block {self._tip.sequence_no} is another than the one "
                "given: that is of another ledger, or what the archive holds was changed",
            )
        checked, revision = self._need_found()
        assert self._path is not None, "a block that was found is in the tree"
        check_verified(checked, revision)
        block, revision, rebuilt = as_rebuilt(checked.block, revision)
        found = FoundRevision(
            block,
            revision,
            self._path.siblings(),
            digest,
            self._tip,
            report,
            self._later,
            rebuilt=rebuilt,
        )
        check_found(found)
        return found

    def _check_journal(self, report: VerifyReport) -> None:
        """Refuse a journal that is not whole from block 0 to the tip."""
        strand = next((s for s in report.strands if s.strand_id == self._tip.strand_id), None)
        if strand is None and not report.strands:
            why = f": {report.problems[0].message}" if report.problems else ""
            raise ProofRefusedError("NOT_WHOLE", f"the archive holds no whole block{why}")
        if strand is None:
            held = ", ".join(one.strand_id for one in report.strands[:_SHOWN])
            raise ProofRefusedError(
                "OTHER_LEDGER",
                f"the digest is of strand {self._tip.strand_id}, the archive holds {held}",
            )
        if strand.first > 0:
            raise ProofRefusedError(
                "STARTS_LATER",
                f"the archive begins with block {strand.first}, and the digest covers all from "
                f"block 0 on: give an archive that has them. `qldb-stream verify` can prove that "
                f"blocks {strand.first} to {strand.last} hang together, and GetRevision's answer, "
                "if it was kept, proves a revision alone (`prove --answer`)",
            )
        self._check_holes(report)
        if strand.last < self._tip.sequence_no:
            raise ProofRefusedError(
                "TIP_BEYOND",
                f"the digest covers blocks up to {self._tip.sequence_no}, and the archive ends "
                f"with block {strand.last}",
            )

    def _check_holes(self, report: VerifyReport) -> None:
        first = self._tree.size
        strand = next(s for s in report.strands if s.strand_id == self._tip.strand_id)
        if first > min(self._tip.sequence_no, strand.last):
            return
        why = [
            problem.message
            for problem in report.problems
            if (problem.strand_id, problem.sequence_no) == (self._tip.strand_id, first)
        ]
        said = f": {why[0]}" if why else ""
        raise ProofRefusedError(
            "NOT_WHOLE", f"block {first} is missing in the archive or not whole{said}"
        )

    def _need_found(self) -> tuple[CheckedBlock, Revision]:
        if self._found is not None:
            return self._found
        what = f"document {self._document_id}"
        if not self._seen:
            raise ProofRefusedError(
                "UNKNOWN_DOCUMENT",
                f"strand {self._tip.strand_id} of the archive has no {what}; ids are 22 "
                "characters, upper and lower case differ",
            )
        if self._version is not None:
            what = f"version {self._version} of {what}"
        if self._later_first is not None:
            raise ProofRefusedError(
                "AFTER_TIP",
                f"{what} stands in block {self._later_first}, and the digest covers blocks up to "
                f"{self._tip.sequence_no}: give a later digest",
            )
        raise ProofRefusedError(
            "UNKNOWN_VERSION", f"the archive has no {what}, but {self._seen} other revisions of it"
        )


def check_verified(checked: CheckedBlock, revision: Revision) -> None:
    """
    Refuse a block that verification found something wrong with.

    Raises:
        ProofRefusedError: NOT_SOUND.
    """
    problems = checked.verification.problems
    if problems:
        own = [p for p in problems if p.document_id == revision.document_id] or list(problems)
        at = checked.block.address
        raise ProofRefusedError(
            "NOT_SOUND",
            f"block {at.strand_id}/{at.sequence_no} does not verify: {own[0].code}, "
            f"{own[0].message}",
        )


def check_found(found: FoundRevision) -> None:
    """
    Refuse a revision whose own hash does not recompute, or whose path leads elsewhere.

    Raises:
        ProofRefusedError: NOT_SOUND or OTHER_DIGEST.
    """
    at = f"block {found.block.address.strand_id}/{found.block.address.sequence_no}"
    if not revision_recomputes(found.revision):
        lost = (
            "; it comes from a JSON export, which lost Ion's types"
            if found.revision.from_json
            else ""
        )
        raise ProofRefusedError(
            "NOT_SOUND", f"{at}: the revision's hash is not that of its metadata and data{lost}"
        )
    if fold_proof(found.block.block_hash, found.block_path) != found.digest:
        raise ProofRefusedError("OTHER_DIGEST", f"{at}: its path does not lead to the digest")
