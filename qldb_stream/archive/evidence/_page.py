"""
The page of a bundle that a person reads: self-contained, without scripts, fit for paper.

It shows what the files of the bundle say and nothing else. All that comes from outside is
escaped; a policy in the page forbids what could be loaded or run all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from qldb_stream.archive.evidence import verify
from qldb_stream.archive.evidence._search import FoundRevision
from qldb_stream.ion import to_text

__all__ = ["write_page"]

# Longer documents are for the files beside the page.
_SHOWN_CHARACTERS: Final = 200_000

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #8888}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}
th{font-weight:600;width:14rem}
pre,code,td{overflow-wrap:anywhere}pre{white-space:pre-wrap;padding:.8rem;border:1px solid #8888}
pre,code{font-family:ui-monospace,monospace;font-size:.85rem}
@media print{body{max-width:none;margin:0}h2{break-after:avoid}pre{border:0;padding:0}}
"""

_POLICY: Final = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
)
_INTRODUCTION: Final = (
    "This page is for reading. What proves the revision is <code>verify.py</code> with a "
    "digest that comes from elsewhere; this page can be changed as any other can."
)
_KINDS: Final = {
    "document": "The document, as it was journaled",
    "deleted": "This revision deletes the document; there are no contents",
    "redacted": "The contents were redacted; their hash stayed, and is what is proven",
}


def write_page(
    found: FoundRevision,
    claims: Mapping[str, Any],
    report: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> str:
    """
    Write the page.

    Args:
        found: the revision and its block.
        claims: what proof.json says.
        report: what report.json says.
        files: the others of the bundle, to be named.
    """
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        _POLICY,
        '<meta name="viewport" content="width=device-width">',
        f"<title>Evidence: document {escape(claims['document_id'])}</title>",
        f"<style>{_STYLE}</style></head><body>",
        "<h1>Evidence for one revision of an Amazon QLDB journal</h1>",
        f"<p>{_INTRODUCTION}</p>",
        _what(found, claims),
        _document(found),
        _paths(claims),
        _how(),
        _sentences("What it proves", verify.PROVES[_kind(found)]),
        _sentences("What it does not prove", verify.PROVES_NOT),
        _told(report),
        _files(files),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _what(found: FoundRevision, claims: Mapping[str, Any]) -> str:
    metadata = found.revision.metadata
    assert metadata is not None, "a revision that was looked for has metadata"
    table = found.revision.table
    return "<h2>What</h2>" + _table(
        [
            ("Document", claims["document_id"]),
            ("Version", claims["revision_version"]),
            ("Table", "not said" if table is None else table.table_name),
            ("Transaction", metadata.tx_id),
            ("Transaction time", metadata.tx_time.isoformat()),
            ("Block", f"{claims['strand_id']}/{claims['sequence_no']}"),
            ("Revision's hash", found.revision.hash.hex()),
            ("Block's hash", found.block.block_hash.hex()),
            ("Digest", f"{claims['digest']} (base64)"),
            ("Digest's tip", f"{claims['tip_strand_id']}/{claims['tip_sequence_no']}"),
        ]
    )


def _kind(found: FoundRevision) -> str:
    """Give what `verify.check_revision` calls the revision."""
    if found.revision.data_ion is not None:
        return "document"
    return "deleted" if found.revision.data_hash is None else "redacted"


def _document(found: FoundRevision) -> str:
    data = found.revision.data_ion
    if data is None:
        return f"<h2>Document</h2><p>{_KINDS[_kind(found)]}.</p>"
    text = to_text(data, indent="  ", is_part=True)
    if len(text) > _SHOWN_CHARACTERS:
        return "<h2>Document</h2><p>It is long: see <code>revision.ion</code>.</p>"
    return f"<h2>Document</h2><p>{_KINDS['document']}:</p><pre>{escape(text)}</pre>"


def _paths(claims: Mapping[str, Any]) -> str:
    return (
        "<h2>Path</h2><p>Joined one after the other with the revision's hash, the first list gives "
        "the block's hash; joined with that, the second gives the digest.</p>"
        f"<p>From the revision to its block</p>{_hashes(claims['revision_path'])}"
        f"<p>From the block to the digest</p>{_hashes(claims['block_path'])}"
    )


def _hashes(hashes: Iterable[str]) -> str:
    items = "".join(f"<li><code>{escape(one)}</code></li>" for one in hashes)
    return f"<ol>{items}</ol>" if items else "<p>nothing: they are one</p>"


def _how() -> str:
    command = "python3 -I -S verify.py BUNDLE --digest BASE64"
    return (
        "<h2>How to check it</h2><p>Take the digest from where you trust it, and "
        "<code>verify.py</code> too if you can (it is a part of qldb-stream; it needs Python and "
        f"nothing else):</p><pre>{command}</pre>"
    )


def _sentences(title: str, sentences: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    return f"<h2>{escape(title)}</h2><ul>{items}</ul>"


def _told(report: Mapping[str, Any]) -> str:
    """Show what the maker of the bundle found in the archive."""
    rows: list[tuple[str, object]] = [("Checked", "; ".join(report["checked"]))]
    if report["left_out"]:
        rows.append(("Left out", "; ".join(report["left_out"])))
    archive = report["archive"]
    if archive is None:
        rows.append(("Archive", "none was read: block and path are an answer of GetBlock"))
    else:
        rows += [
            ("Blocks verified", archive["blocks"]),
            ("Revisions verified", archive["revisions"]),
            ("Level", archive["level"]),
            ("Problems", _counts(archive["problems"])),
            ("Not checkable", _counts(archive["not_checkable"])),
            ("Later revisions of it", report["later_revisions_in_archive"]),
        ]
        rows += [
            ("Strand", f"{one['strand_id']}, blocks {one['first']} to {one['last']}")
            for one in archive["strands"]
        ]
    rows += [(name, value) for name, value in report["made_with"].items()]
    return f"<h2>Told by the maker</h2><p>{escape(report['note'])}.</p>{_table(rows)}"


def _counts(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _files(files: Mapping[str, bytes]) -> str:
    rows = [(name, f"{len(files[name])} bytes") for name in sorted(files)]
    return (
        f"<h2>Files</h2>{_table(rows)}<p>{verify.INDEX} lists the SHA-256 of each; "
        f"{verify.SIGNATURE}, where there is one, signs that list.</p>"
    )


def _table(rows: Iterable[tuple[str, object]]) -> str:
    cells = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows
    )
    return f"<table>{cells}</table>"
