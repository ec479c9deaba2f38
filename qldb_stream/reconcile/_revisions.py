"""
One revision beside its repeat.

Ids are mapped back by what the destination's journal says in `qldb_stream_ids`, never by
the code that rewrote them; any whole string that is a destination document's id is
mapped, under whatever rule it was written. Data are equal when their Ion hashes are. A
redacted source revision equals its placeholder, or a revision that was redacted too. A full one
equals a revision that was redacted at the destination, if its hash is the same or may differ
since the document names ids, which can no longer be mapped back; whether a later block asked for
that is `_compare`'s to find.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.events import Revision, RevisionKind
from qldb_stream.reconcile._destination import Written
from qldb_stream.reconcile._notes import Newest, Notes
from qldb_stream.replay import IdRecord, IdRule, find_ids, redaction_placeholder, rewrite_ids

_ANY: Final = IdRule(any_string=True)


def compare_revision(
    ours: Written, theirs: tuple[Written, IdRecord] | None, notes: Notes
) -> str | None:
    """
    Say in a fixed sentence what differs first; None when the two are equal.

    Args:
        ours: the source's revision.
        theirs: the destination's of the same block and document, and what its document
            stands for; None when there is none.
        notes: for ids inside the document.
    """
    source = ours.revision
    if theirs is None:
        # A journal that starts later may delete what it never had.
        if source.kind is RevisionKind.DELETE and not notes.has_source(ours.document_id):
            return None
        return "the revision is not in the destination"
    written, record = theirs
    if ours.table != written.table:
        return "the revision is in another table"
    found = written.revision
    if _version(source) != _version(found) + record.version_offset:
        return "the version differs"
    if (source.kind is RevisionKind.DELETE) != (found.kind is RevisionKind.DELETE):
        return "the kind differs"
    return _compare_data(ours, written, notes)


def note_newest(notes: Notes, written: Written, strand_id: str, sequence_no: int | None) -> None:
    """Note what a document of the destination is now."""
    notes.newest(
        Newest(written.document_id, "", strand_id, sequence_no, written.table, written.data_hash)
    )


def _version(revision: Revision) -> int:
    if revision.metadata is None:
        raise AssertionError("a revision without a document is not compared")
    return revision.metadata.version


def _compare_data(ours: Written, written: Written, notes: Notes) -> str | None:
    expected = ours.data_hash
    redacted = ours.revision.kind is RevisionKind.REDACTED
    if redacted:
        if written.revision.kind is RevisionKind.REDACTED:
            return None
        expected = redaction_placeholder(ours.revision).hash()
    elif written.revision.kind is RevisionKind.REDACTED:
        is_equal = written.revision.data_hash == expected or _names_ids(ours)
        return None if is_equal else "the data differs"
    if b"" in {expected, written.data_hash}:
        return "the data cannot be read"
    if written.data_hash == expected or _hash_mapped_back(written, notes) == expected:
        return None
    return "the revision is redacted in the source only" if redacted else "the data differs"


def _names_ids(ours: Written) -> bool:
    data = ours.revision.data_ion
    return data is not None and bool(find_ids(data, _ANY))


def _hash_mapped_back(written: Written, notes: Notes) -> bytes | None:
    """Compute H(data) with every destination id in the document exchanged for the source's."""
    data = written.revision.data_ion
    if data is None:
        return None
    return rewrite_ids(data, _ANY, notes.source_ids(find_ids(data, _ANY))).hash()
