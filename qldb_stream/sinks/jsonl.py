"""
`jsonl:PATH`: an archive that people can read, and that can be proven from what is in it.

The file has one JSON object a line, ASCII, each line ended by one newline:

- the first line says what the file is: ``{"recordType":"HEADER",...,"version":1}``;
- each stream record is a line with the fields of the record as JSON (`to_ascii_json` says
  what JSON cannot), and under ``ion`` the record's binary Ion in base64, from which
  everything can be proven again: a block's BLOCK_SUMMARY, then its REVISION_DETAILS;
- each `apply` ends in one POSITION line: length and SHA-256 of the lines it closes,
  and the position in every strand; its key `start`, the first block that the file has
  of the strand, is optional: older files do not say it.

How it is kept whole, and what a redaction does to it, is in `sinks._archive`. The command
`verify` and every other reader of files take such a file as a source (`parsers.jsonl`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.ion import IonSlice, to_ascii_json
from qldb_stream.parsers.jsonl import FORMAT, VERSION
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

__all__ = ["JsonlForm", "JsonlSink", "qldb_stream_register_sinks"]

_READ_BYTES: Final = 2**16
_ION: Final = b',"ion":"'


class JsonlForm:
    """JSON lines, as an archive's form."""

    format = FORMAT
    needle = b'\n{"recordType":"POSITION",'
    lead = -1

    def header(self) -> bytes:
        """Give the first line."""
        return note_bytes({"recordType": "HEADER", "format": FORMAT, "version": VERSION})

    def record(self, record: IonSlice) -> bytes:
        """Write a record: its fields as JSON, and its Ion in base64."""
        ion = base64.b64encode(record.to_bytes()).decode()
        return f'{to_ascii_json(record)[:-1]},"ion":"{ion}"}}\n'.encode("ascii")

    def frame(self, note: Note) -> bytes:
        """Write a POSITION line."""
        return note_bytes(note)

    def read_note(self, opened: BinaryIO, start: int) -> bytes | None:
        """Read a line; None when nothing ends it."""
        opened.seek(start)
        line = b""
        while data := opened.read(_READ_BYTES):
            head, newline, _ = data.partition(b"\n")
            line += head + newline
            if newline:
                return line
        return None

    def note_json(self, note: bytes) -> bytes:
        """Give the line."""
        return note

    def iter_records(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over lines and the Ion in them."""
        for line in data.splitlines(keepends=True):
            start = line.rindex(_ION) + len(_ION)
            yield line, base64.b64decode(line[start : line.rindex(b'"')], validate=True)


def _read_form(head: bytes, where: object) -> tuple[Form, int] | None:
    line = head.partition(b"\n")[0]
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # brackets nested deeper than Python goes
        return None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    check_version(where, found.get("version"), VERSION)
    return JsonlForm(), len(line) + 1


class JsonlSink(FileArchive):
    """
    Append blocks to a file of JSON lines, exactly once.

    Args:
        path: the file; made when it is absent or empty.

    Raises:
        UsageError: as `FileArchive` says.
        SinkUnavailableError: somebody else is writing it, or the disk fails.
    """

    forms = Forms("jsonl", JsonlForm, _read_form)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `jsonl:`."""
    return [
        SinkType(
            "jsonl",
            _open,
            "a file of JSON lines, each with its record as it was",
            OPTIONS,
            can_park=False,
            takes_filtered=False,
        )
    ]


def _open(path: str, options: Mapping[str, str]) -> Sink:
    return open_archive(path, options, JsonlSink)
