"""
`ion:PATH`: an archive of stream records in binary Ion, as small as they come, whole and in order.

The file is a journal's records back to back, a block's BLOCK_SUMMARY, then its
REVISION_DETAILS, each with its own version marker and symbol table: what Firehose would
have written. Among them stand notes that every reader of Ion passes over, since they are NOP
pads (`parsers.marks`): a HEADER at the start, with the format's version and an id that is
drawn for the file, and a POSITION behind what each `apply` wrote. The id is in every POSITION,
so that no document can hold bytes that look like one.

How it is kept whole, and what a redaction does to it, is in `sinks._archive`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.ion import IonSlice
from qldb_stream.parsers.carrier import iter_user_records
from qldb_stream.parsers.marks import NOTE_HEAD_BYTES, frame_note, maybe_note_end
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.sinks._archive import (
    OPTIONS,
    FileArchive,
    Form,
    Forms,
    Note,
    check_version,
    note_bytes,
    open_archive,
)
from qldb_stream.typing import Sink

__all__ = ["FORMAT", "VERSION", "IonForm", "IonSink", "qldb_stream_register_sinks"]

FORMAT: Final = "qldb-stream ion"
VERSION: Final = 1

_ID_BYTES: Final = 16  # as many as make a guess hopeless
_ID: Final = re.compile(r"[0-9a-f]{32}")


class IonForm:
    """
    Binary Ion, as an archive's form.

    Args:
        archive_id: what tells the notes of this archive from all other bytes, 32 hex digits.
    """

    format = FORMAT
    lead = NOTE_HEAD_BYTES

    def __init__(self, archive_id: str) -> None:
        self._id = archive_id
        self.needle = b'{"recordType":"POSITION","archive":"%s",' % archive_id.encode("ascii")

    @classmethod
    def new(cls) -> IonForm:
        """Draw an id for a new archive."""
        return cls(secrets.token_hex(_ID_BYTES))

    def header(self) -> bytes:
        """Give the HEADER note."""
        note = {"recordType": "HEADER", "format": FORMAT, "version": VERSION, "archive": self._id}
        return frame_note(note_bytes(note))

    def record(self, record: IonSlice) -> bytes:
        """Write a record."""
        return record.to_bytes()

    def frame(self, note: Note) -> bytes:
        """Write a POSITION note with the archive's id."""
        return frame_note(
            note_bytes({"recordType": note["recordType"], "archive": self._id, **note})
        )

    def read_note(self, opened: BinaryIO, start: int) -> bytes | None:
        """Read a note; None when it is cut off."""
        opened.seek(start)
        head = opened.read(NOTE_HEAD_BYTES + len(self.needle))
        end = maybe_note_end(head, 0, at_end=True)
        if end is None:
            return None
        rest = opened.read(max(0, end - len(head)))
        note = (head + rest)[:end]
        return note if len(note) == end else None

    def note_json(self, note: bytes) -> bytes:
        """Give what stands in the pad."""
        return note[NOTE_HEAD_BYTES:]

    def iter_records(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over records, each of them twice."""
        for found in iter_user_records(BytesReadable(data, FORMAT)):
            if found.data is None or found.length != len(found.data):
                raise ValueError(found.offset)
            yield found.data, found.data


def _read_form(head: bytes, where: object) -> tuple[Form, int] | None:
    end = maybe_note_end(head, 0, at_end=True)
    if end is None:
        return None
    try:
        found = json.loads(head[NOTE_HEAD_BYTES:end])
    except (ValueError, RecursionError):
        return None
    if found.get("format") != FORMAT or found.get("recordType") != "HEADER":
        return None
    check_version(where, found.get("version"), VERSION)
    archive_id = found.get("archive")
    if not isinstance(archive_id, str) or _ID.fullmatch(archive_id) is None:
        return None
    return IonForm(archive_id), end


class IonSink(FileArchive):
    """
    Append blocks to a file of stream records in Ion, exactly once.

    Args:
        path: the file; made when it is absent or empty.

    Raises:
        UsageError: as `FileArchive` says.
        SinkUnavailableError: somebody else is writing it, or the disk fails.
    """

    forms = Forms("ion", IonForm.new, _read_form)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `ion:`."""
    return [
        SinkType(
            "ion",
            _open,
            "a file of stream records in binary Ion, as they were",
            OPTIONS,
            can_park=False,
            takes_filtered=False,
        )
    ]


def _open(path: str, options: Mapping[str, str]) -> Sink:
    return open_archive(path, options, IonSink)
