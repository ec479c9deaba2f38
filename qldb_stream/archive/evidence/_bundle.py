"""
The files of a bundle, and the zip that they have.

Equal inputs give equal bytes: no time, no machine and no path goes in, the zip is the one that
`verify.pack` writes. What the digest proves stands in revision, block and proof; what was found
about the archive stands in the report, and says that it is told and not proven.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.archive.evidence import verify
from qldb_stream.archive.evidence._page import write_page
from qldb_stream.archive.evidence._parts import block_ion, is_bare, path_in_block, revision_ion
from qldb_stream.archive.evidence._search import FoundRevision
from qldb_stream.archive.evidence._sign import Signer
from qldb_stream.errors import ProofRefusedError
from qldb_stream.report import VerifyReport

__all__ = ["Evidence", "make_evidence"]

_LISTED: Final = 100  # problems; the rest is counted


@attrs.frozen
class Evidence:
    """
    A bundle: its files by name, and what `verify.py` proves with them.

    Attributes:
        files: in full, index and signature included.
        proven: what `verify.check_bundle` answered about them.
        report: what was checked, what not, and what the archive was.
        others: how many revisions of other documents the block in the bundle holds in full.
    """

    files: Mapping[str, bytes]
    proven: Mapping[str, Any]
    report: Mapping[str, Any]
    others: int

    def to_zip(self) -> bytes:
        """Give the bundle as one file, the same bytes each time."""
        return verify.pack(dict(self.files))

    def as_json(self) -> dict[str, Any]:
        """Give what `prove --json` prints."""
        return {**self.proven, "other_revisions": self.others, "report": dict(self.report)}


def make_evidence(
    found: FoundRevision,
    saved: bytes,
    *,
    only_document: bool = False,
    signer: Signer | None = None,
) -> Evidence:
    """
    Make a bundle, and check it as its reader will.

    Args:
        found: the revision, its block and its path.
        saved: the saved digest as it was given, whatever its form.
        only_document: leave the contents of other documents of the block out, and its
            statements.
        signer: signs the index.

    Raises:
        ProofRefusedError: the bundle would not be accepted: the block holds Ion that its reader
            does not take.
    """
    claims = _claims(found)
    report = _report(found, only_document=only_document)
    files = _ion_files(found, only_document=only_document)
    files |= {
        verify.PROOF: verify.canonical(claims),
        "digest.saved": saved,
        "report.json": verify.canonical(report),
        "verify.py": Path(verify.__file__).read_bytes(),
    }
    try:
        state, proves_not = verify.judge(
            verify.read_ion(files["revision.10n"]),
            verify.check_block(verify.read_ion(files["block.10n"])),
        )
        page = write_page(found, claims, report, files, state=state, proves_not=proves_not)
        files["evidence.html"] = page.encode()
        files[verify.INDEX] = verify.index_of(files)
        if signer is not None:
            files[verify.SIGNATURE] = signer.sign(files[verify.INDEX])
        proven = verify.check_bundle(files, found.digest)
    except verify.RefusedError as exc:
        raise ProofRefusedError("NOT_SOUND", str(exc)) from exc
    return Evidence(files, proven, report, _others(found, only_document=only_document))


def _ion_files(found: FoundRevision, *, only_document: bool) -> dict[str, bytes]:
    values = {
        "revision": revision_ion(found.revision),
        "block": block_ion(found.block, found.revision, only_document=only_document),
    }
    files = {}
    for name, value in values.items():
        binary = value.to_bytes()
        files[f"{name}.10n"] = binary
        try:
            files[f"{name}.ion"] = (verify.ion_text(verify.read_ion(binary)) + "\n").encode()
        except (verify.RefusedError, RecursionError) as exc:
            raise ProofRefusedError("NOT_SOUND", f"the {name}'s Ion: {exc}") from exc
    return files


def _claims(found: FoundRevision) -> dict[str, Any]:
    metadata = found.revision.metadata
    assert metadata is not None, "a revision that was looked for has metadata"
    path = path_in_block(found.block, found.revision)
    return {
        "version": 1,
        "document_id": metadata.id,
        "revision_version": metadata.version,
        "strand_id": found.block.address.strand_id,
        "sequence_no": found.block.address.sequence_no,
        "digest": b64encode(found.digest).decode(),
        "tip_strand_id": found.tip.strand_id,
        "tip_sequence_no": found.tip.sequence_no,
        "revision_path": [b64encode(one).decode() for one in path],
        "block_path": [b64encode(one).decode() for one in found.block_path],
    }


def _others(found: FoundRevision, *, only_document: bool) -> int:
    return sum(
        one is not found.revision
        and one.metadata is not None
        and not is_bare(one, only_document=only_document)
        for one in found.block.revisions
    )


def _report(found: FoundRevision, *, only_document: bool) -> dict[str, Any]:
    left_out = []
    if only_document:
        left_out.append("contents of other documents of the block, its statements and tables")
    if any(
        one.metadata is not None and one is not found.revision and is_bare(one, only_document=False)
        for one in found.block.revisions
    ):
        left_out.append("contents of documents of the block whose hash does not recompute")
    unknown = {*found.block.summary.unknown_fields, *found.revision.unknown_fields}
    if unknown:
        left_out.append(f"{len(unknown)} fields that no hash covers and that QLDB did not document")
    checked = ["the bundle, by its own verify.py, against the digest that was given"]
    if found.counted is not None:
        checked.insert(0, "the revision's block; counts of the archive are those of its index")
    if found.rebuilt is not None:
        checked.insert(
            0,
            "the revision as rebuilt from a JSON export, which loses Ion's types: "
            f"{found.rebuilt.sentence}, which is how it stands in this bundle",
        )
    if found.report is not None:
        checked.insert(0, "every hash that can be recomputed of every whole block of the archive")
        checked.insert(1, "the digest, recomputed from all block hashes from block 0 to its tip")
    return {
        "version": 1,
        "note": "told by whoever made the bundle; the digest proves none of it",
        "checked": checked,
        "not_proven": list(verify.PROVES_NOT),
        "left_out": left_out,
        "rebuilt": [] if found.rebuilt is None else [one.path for one in found.rebuilt.changes],
        "later_revisions_in_archive": found.later if found.report is not None else None,
        "archive": found.counted if found.report is None else _archive(found.report),
        "made_with": {"qldb-stream": version("qldb-stream"), "amazon.ion": version("amazon.ion")},
    }


def _archive(report: VerifyReport) -> dict[str, Any]:
    """Count what the archive held; messages of problems name documents, and stay out."""
    return {
        "ok": report.ok,
        "level": report.level.value,
        "blocks": report.blocks,
        "revisions": report.revisions,
        "redacted": report.redacted,
        "not_checkable": dict(report.not_checkable),
        "strands": [strand.as_json() for strand in report.strands],
        "problems": dict(Counter(problem.code.value for problem in report.problems)),
        "problems_listed": [
            {"code": one.code.value, "strand_id": one.strand_id, "sequence_no": one.sequence_no}
            for one in report.problems[:_LISTED]
        ],
    }
