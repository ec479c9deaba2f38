"""
How an archive's records and notes are written: what `ion:` and `jsonl:` differ in.

A note is a JSON object: HEADER says what the file is, POSITION closes what stands before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, BinaryIO, Protocol, TypeAlias

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ion import IonSlice
from qldb_stream.report import Position

__all__ = [
    "Closing",
    "Form",
    "Forms",
    "Note",
    "check_version",
    "closing_of",
    "note_bytes",
    "position_note",
    "read_closing",
]

Note: TypeAlias = Mapping[str, Any]


class Form(Protocol):
    """
    One way to write an archive; for one file, or the objects of one strand.

    Attributes:
        format: what its HEADER calls it.
        needle: what a POSITION note has at its start, and nothing within a record has.
        lead: where in a note the needle starts.
    """

    format: str
    needle: bytes
    lead: int

    def header(self) -> bytes:
        """Give what a file begins with."""

    def record(self, record: IonSlice) -> bytes:
        """
        Write a record.

        Raises:
            DecodeError: it cannot be shown in this form.
        """

    def frame(self, note: Note) -> bytes:
        """Write a POSITION note."""

    def read_note(self, opened: BinaryIO, start: int) -> bytes | None:
        """Read a whole note from where `needle` was found; None when it is cut off."""

    def note_json(self, note: bytes) -> bytes:
        """Give the JSON of a framed note."""

    def iter_records(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """
        Iterate over the records in what a POSITION closes: as they stand there, and as Ion.

        Raises:
            ValueError: it holds something else.
        """


@attrs.frozen
class Forms:
    """
    A kind of archive: how its forms come about.

    Attributes:
        scheme: of its sink's URLs.
        new: gives the form of an archive that is made.
        read: reads the header of one that is there, given where that is for messages; answers
            the form and where the header ends, or None when it is something else. Raises
            `UsageError` for a version that is not known.
    """

    scheme: str
    new: Callable[[], Form]
    read: Callable[[bytes, object], tuple[Form, int] | None]


def note_bytes(note: Note) -> bytes:
    """Give a note's JSON, in ASCII on one line that it ends."""
    return json.dumps(note, separators=(",", ":")).encode("ascii") + b"\n"


def check_version(where: object, found: object, known: int) -> None:
    """
    Refuse an archive of another version than the one that is known.

    Raises:
        UsageError: it names both.
    """
    if found != known:
        raise UsageError(
            f"{where} has version {found} of the format, this qldb-stream knows {known}; use a "
            "newer one"
        )


@attrs.frozen
class Closing:
    """What a POSITION note says: how much it closes, and what has been applied by then."""

    length: int
    sha256: str
    positions: Mapping[str, Position]
    tokens: Mapping[str, int]

    def closes(self, data: bytes) -> bool:
        """Say whether these are the very bytes that it closes."""
        return len(data) == self.length and sha256(data).hexdigest() == self.sha256


def position_note(closing: Closing) -> Note:
    """Give the note of a closing."""
    return {
        "recordType": "POSITION",
        "bytes": closing.length,
        "sha256": closing.sha256,
        "positions": [
            position.as_json() | {"token": closing.tokens[position.strand_id]}
            for position in closing.positions.values()
        ],
    }


def closing_of(
    data: Sequence[bytes], positions: Mapping[str, Position], tokens: Mapping[str, int]
) -> Closing:
    """Close some bytes."""
    digest = sha256()
    for part in data:
        digest.update(part)
    return Closing(sum(map(len, data)), digest.hexdigest(), positions, tokens)


def read_closing(note: bytes) -> Closing | None:
    """Read the JSON of a POSITION note; None when it makes no sense."""
    try:
        found = json.loads(note)
        length, entries = found["bytes"], found["positions"]
        if type(length) is not int or length < 0:
            return None
        return Closing(
            length,
            found["sha256"],
            {entry["strandId"]: Position.from_json(entry) for entry in entries},
            {entry["strandId"]: entry["token"] for entry in entries},
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
