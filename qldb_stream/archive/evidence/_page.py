"""
The page of a bundle that a person reads: self-contained, without scripts, the same each time.

It shows what the files of the bundle say and nothing else, and is made of the parts that pages
of reports are made of, which escape whatever comes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qldb_stream.archive.evidence import verify
from qldb_stream.archive.evidence._search import FoundRevision
from qldb_stream.ion import to_text
from qldb_stream.report.html import (
    Markup,
    join,
    make_facts,
    make_list,
    make_page,
    make_section,
    make_text,
)

__all__ = ["write_page"]

# Longer documents are for the files beside the page.
_SHOWN_CHARACTERS: Final = 200_000

_INTRODUCTION: Final = (
    "This page is for reading. What proves the revision is verify.py with a digest that comes "
    "from elsewhere; this page can be changed as any other can."
)
_KINDS: Final = {
    "document": "The document, as it was journaled:",
    "deleted": "This revision deletes the document; there are no contents.",
    "metadata": "There are no contents; that the revision deletes the document is not shown.",
    "redacted": "The contents were redacted; their hash stayed, and is what is proven.",
}


def write_page(
    found: FoundRevision,
    claims: Mapping[str, Any],
    report: Mapping[str, Any],
    files: Mapping[str, bytes],
    *,
    state: str,
    proves_not: Sequence[str],
) -> str:
    """
    Write the page.

    Args:
        found: the revision and its block.
        claims: what proof.json says.
        report: what report.json says.
        files: the others of the bundle, to be named.
        state: what `verify.judge` calls the revision.
        proves_not: what stays unproven, as it says.
    """
    title = f"Evidence for document {claims['document_id']}, version {claims['revision_version']}"
    parts = [
        Markup(f"<p>{make_text(_INTRODUCTION)}</p>"),
        _what(found, claims),
        _document(found, state),
        _how(),
        make_section("What it proves", make_list(verify.PROVES[state])),
        make_section("What it does not prove", make_list(proves_not)),
        _paths(claims),
        _told(report),
        _files(files),
    ]
    return make_page(title, parts, made_at=None, maker="qldb-stream prove")


def _what(found: FoundRevision, claims: Mapping[str, Any]) -> Markup:
    metadata = found.revision.metadata
    assert metadata is not None, "a revision that was looked for has metadata"
    table = found.revision.table
    facts = {
        "Document": claims["document_id"],
        "Version": str(claims["revision_version"]),
        "Table": None if table is None else table.table_name,
        "Transaction": metadata.tx_id,
        "Transaction time": metadata.tx_time.isoformat(),
        "Block": f"{claims['strand_id']}/{claims['sequence_no']}",
        "Revision's hash": found.revision.hash.hex(),
        "Block's hash": found.block.block_hash.hex(),
        "Digest (base64)": claims["digest"],
        "Digest's tip": f"{claims['tip_strand_id']}/{claims['tip_sequence_no']}",
    }
    return make_section("What", make_facts(facts))


def _document(found: FoundRevision, state: str) -> Markup:
    data = found.revision.data_ion
    if data is None:
        return make_section("Document", _KINDS[state])
    text = to_text(data, indent="  ", is_part=True)
    if len(text) > _SHOWN_CHARACTERS:
        return make_section("Document", "It is long: see revision.ion.")
    return make_section("Document", _KINDS["document"], _verbatim(text))


def _verbatim(text: str) -> Markup:
    return Markup(f"<pre>{join(make_text(line) for line in text.split(chr(10)))}</pre>")


def _how() -> Markup:
    return make_section(
        "How to check it",
        "Take the digest from where you trust it, and verify.py too if you can: it is a part of "
        "qldb-stream, and needs Python and nothing else.",
        _verbatim("python3 -I -S verify.py BUNDLE --digest BASE64 --tip STRAND:N"),
    )


def _paths(claims: Mapping[str, Any]) -> Markup:
    return make_section(
        "Path",
        "Joined one after the other with the revision's hash, the first list gives the block's "
        "hash; joined with that, the second gives the digest.",
        "From the revision to its block:",
        make_list(claims["revision_path"]) or "nothing: they are one",
        "From the block to the digest:",
        make_list(claims["block_path"]) or "nothing: they are one",
    )


def _told(report: Mapping[str, Any]) -> Markup:
    """Show what the maker of the bundle found in the archive."""
    facts: dict[str, object] = {"Checked": "; ".join(report["checked"])}
    if report["left_out"]:
        facts["Left out"] = "; ".join(report["left_out"])
    archive = report["archive"]
    if archive is None:
        facts["Archive"] = "not read as a whole"
    else:
        strands = [
            f"{one['strand_id']} {one['first']} to {one['last']}" for one in archive["strands"]
        ]
        facts |= {
            "Blocks verified": archive["blocks"],
            "Revisions verified": archive["revisions"],
            "Level": archive["level"],
            "Problems": _counts(archive["problems"]),
            "Not checkable": _counts(archive.get("not_checkable", {})),
            "Later revisions of it": report["later_revisions_in_archive"],
            "Strands, and their blocks": "; ".join(strands),
        }
    facts |= report["made_with"]
    return make_section("Told by the maker", f"It is {report['note']}.", make_facts(facts))


def _counts(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _files(files: Mapping[str, bytes]) -> Markup:
    return make_section(
        "Files",
        make_facts({name: f"{len(files[name])} bytes" for name in sorted(files)}),
        f"{verify.INDEX} lists the SHA-256 of each; {verify.SIGNATURE}, where there is one, signs "
        "that list.",
    )
