"""
The notes between the records of an archive in Ion: passed over by whoever reads records.

An archive that `qldb_stream.sinks.ion` writes is stream records back to back, as Firehose
leaves them, and among them notes: a HEADER first, a POSITION behind what each `apply` wrote.
A note is an Ion version marker and a NOP pad, in which Ion allows any bytes
(https://amazon-ion.github.io/ion-docs/docs/binary.html#nop-pad): JSON, here. So every reader
of Ion finds records and nothing else, whether it knows notes or not.

The length has always four bytes (Ion lets a VarUInt be padded), so that a note can be found
from behind: its JSON starts NOTE_HEAD_BYTES after the note.
"""

from __future__ import annotations

from typing import Final

from qldb_stream.ion import IVM

__all__ = ["MAX_NOTE_BYTES", "NOTE_HEAD_BYTES", "frame_note", "maybe_note_end"]

_NOP: Final = 0x0E  # type 0, its length in a VarUInt behind it
_LENGTH_BYTES: Final = 4
_HEAD: Final = IVM + bytes((_NOP,))
_ENDS: Final = 0x80
_STARTS: Final = (b'{"recordType":"HEADER",', b'{"recordType":"POSITION",')
_START_BYTES: Final = max(map(len, _STARTS))

NOTE_HEAD_BYTES: Final = len(_HEAD) + _LENGTH_BYTES
"""Where in a note its JSON starts."""

MAX_NOTE_BYTES: Final = 2 ** (7 * _LENGTH_BYTES) - 1
"""The longest JSON of a note: 256 MiB, what four bytes of a VarUInt can say."""


def frame_note(note: bytes) -> bytes:
    """Frame the JSON of a note, MAX_NOTE_BYTES at most, as Ion that says nothing."""
    assert len(note) <= MAX_NOTE_BYTES
    length = bytearray((len(note) >> shift) & (_ENDS - 1) for shift in (21, 14, 7, 0))
    length[-1] |= _ENDS
    return _HEAD + length + note


def maybe_note_end(data: bytes, pos: int, *, at_end: bool) -> int | None:
    """
    Tell where the note ends that starts at a position; None where there is none.

    Args:
        data: the bytes held.
        pos: where something starts.
        at_end: whether nothing comes after `data`.

    Returns:
        The end; beyond `data` where more has to be held to tell, or the note is cut off.
    """
    if not data.startswith(_HEAD, pos):
        return None
    start = pos + NOTE_HEAD_BYTES
    head = data[start : start + _START_BYTES]
    if len(head) < _START_BYTES and not at_end:
        return start + _START_BYTES
    length = data[pos + len(_HEAD) : start]
    if not head.startswith(_STARTS) or length[-1] < _ENDS or max(length[:-1]) >= _ENDS:
        return None
    size = 0
    for byte in length:
        size = (size << 7) | (byte & (_ENDS - 1))
    return start + size
