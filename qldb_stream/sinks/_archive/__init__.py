"""
What the archives `ion:` and `jsonl:` share: one file or a bucket, and how both are kept whole.

An archive is a sequence of records with notes among them. A `Form` says how each is written;
everything else (what counts, what a crash leaves, how a redaction is carried out) is the same
for all forms and stands in `_file`, and in `_bucket` for S3.
"""

from __future__ import annotations

from qldb_stream.sinks._archive._file import FileArchive
from qldb_stream.sinks._archive._form import Form, Forms, Note, check_version, note_bytes
from qldb_stream.sinks._archive._open import OPTIONS, open_archive
from qldb_stream.sinks._archive._redact import targets_of, targets_of_copies

__all__ = [
    "OPTIONS",
    "FileArchive",
    "Form",
    "Forms",
    "Note",
    "check_version",
    "note_bytes",
    "open_archive",
    "targets_of",
    "targets_of_copies",
]
