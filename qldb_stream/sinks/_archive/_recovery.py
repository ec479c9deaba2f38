"""
Find in an archive what counts: the last POSITION note that closes what stands before it.

Notes are looked for from the end, through a window. A note is believed when it is whole,
and hash and length of what it closes are right. What stands behind the last believed one
was left by a crash. Only one note can have been cut off or got ahead of its data; a second
one that does not fit is damage that came later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, Final

import attrs

from qldb_stream.sinks._archive._form import Closing, Form, read_closing

__all__ = ["DamageError", "Part", "find_end", "iter_parts"]

_READ_BYTES: Final = 2**16
_HASH_BYTES: Final = 2**20


class DamageError(Exception):
    """An archive is not what was written; `byte` is where that shows."""

    def __init__(self, byte: int) -> None:
        super().__init__(byte)
        self.byte = byte


@attrs.frozen
class Part:
    """What one `apply` wrote: where its bytes start, and where its note starts and ends."""

    start: int
    note_start: int
    end: int
    closing: Closing


def find_end(opened: BinaryIO, form: Form, header_end: int) -> Part | None:
    """
    Find the last part of an archive; None when it has none yet.

    Raises:
        DamageError: what stands before the end is not what was written.
    """
    refuted: list[int] = []
    for start, note in _iter_notes(opened, form, header_end):
        closing = read_closing(form.note_json(note))
        if closing is not None and _closes(opened, closing, start, header_end):
            return Part(start - closing.length, start, start + len(note), closing)
        refuted.append(start)
        if len(refuted) > 1:
            raise DamageError(start)
    if refuted:
        # With nothing believed before it, nobody would miss what its part held.
        raise DamageError(opened.seek(0, os.SEEK_END))
    return None


def iter_parts(opened: BinaryIO, form: Form, header_end: int, end: int) -> Iterator[Part]:
    """
    Iterate over all parts up to an end, the last one first; their bytes are not read.

    Raises:
        DamageError: a part does not end where the next one starts.
    """
    for start, note in _iter_notes(opened, form, header_end, end):
        if start + len(note) != end:
            continue  # what looks like a note within a record
        closing = read_closing(form.note_json(note))
        if closing is None or start - closing.length < header_end:
            raise DamageError(start)
        yield Part(start - closing.length, start, end, closing)
        end = start - closing.length
    if end != header_end:
        raise DamageError(end)


def _iter_notes(
    opened: BinaryIO, form: Form, first: int, end: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Iterate over whole notes from the last to the first, each with its start."""
    for place in _iter_places(opened, form.needle, first + form.lead, end):
        start = place - form.lead
        note = form.read_note(opened, start)
        if note is not None:
            yield start, note


def _iter_places(opened: BinaryIO, needle: bytes, first: int, end: int | None) -> Iterator[int]:
    """Iterate backward over where a needle stands at or after `first`, through a window."""
    stop = opened.seek(0, os.SEEK_END) if end is None else end
    while stop > first:
        start = max(first, stop - _READ_BYTES)
        opened.seek(start)
        data = opened.read(stop - start + len(needle) - 1)
        found = data.rfind(needle)
        while found >= 0:
            yield start + found
            found = data.rfind(needle, 0, found + len(needle) - 1)
        stop = start


def _closes(opened: BinaryIO, closing: Closing, end: int, header_end: int) -> bool:
    if closing.length > end - header_end:
        return False
    digest = sha256()
    opened.seek(end - closing.length)
    left = closing.length
    while left and (data := opened.read(min(left, _HASH_BYTES))):
        digest.update(data)
        left -= len(data)
    return digest.hexdigest() == closing.sha256
