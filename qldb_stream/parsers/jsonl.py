"""
Archives of JSON lines, as `qldb_stream.sinks.jsonl` writes them: the records in them.

A line's `ion` is the record as it was, in base64, and the only part that is read: what
stands beside it as JSON is for people, and proves nothing. HEADER and POSITION lines hold no
record. A line that is none of these, or is cut off, is one `Undecodable`; nothing is dropped.
Lines that no POSITION line closes yet are read like the others: they are what a crash left.
Memory is bounded by the longest line.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterator
from typing import Final

from qldb_stream.errors import CarrierError
from qldb_stream.events import Undecodable
from qldb_stream.ion import IVM
from qldb_stream.parsers.carrier import UserRecord
from qldb_stream.typing import Readable

__all__ = ["FORMAT", "MAX_LINE_BYTES", "VERSION", "is_jsonl", "iter_jsonl_records"]

FORMAT: Final = "qldb-stream jsonl"
VERSION: Final = 1
"""What a HEADER line says, and the newest version that is known here."""

MAX_LINE_BYTES: Final = 1 << 26
"""A record of 4 MiB (facts 5.8) of which JSON escapes each byte in six, and its base64."""

_HEADER: Final = b'{"recordType":"HEADER","format":"qldb-stream jsonl",'
_POSITION: Final = b'{"recordType":"POSITION",'
_ION: Final = b',"ion":"'
_END: Final = b'"}'
_READ_BYTES: Final = 1 << 18
_MAX_KEPT_BYTES: Final = 1 << 16  # of undecodable bytes; more are named, not held


def is_jsonl(head: bytes) -> bool:
    """Say whether a file that begins with these bytes, 52 or more, is such an archive."""
    return head.startswith(_HEADER)


def iter_jsonl_records(readable: Readable) -> Iterator[UserRecord | Undecodable]:
    """
    Give the user records of an archive of JSON lines in order, lazily.

    Yields:
        Each record, not yet parsed; its place is that of its base64, so that
        `parsers.carrier.read_again` finds it. In place of a line that holds none an
        `Undecodable`; one of the whole file where its version is not known.
    """
    for offset, line in _iter_lines(readable):
        if offset == 0:
            problem = _check_version(line)
            if problem is not None:
                error = CarrierError("jsonl", 0, problem)
                yield Undecodable(readable.name, 0, readable.size, error)
                return
        elif not (line.startswith(_POSITION) and line.endswith(b"}\n")):
            yield _read_line(readable.name, offset, line)


def _check_version(line: bytes) -> str | None:
    try:
        version = json.loads(line)["version"]
    except (ValueError, KeyError, RecursionError):
        return "the HEADER line is damaged"
    if version == VERSION:
        return None
    return f"version {version} of the format, {VERSION} is known; use a newer qldb-stream"


def _read_line(name: str, offset: int, line: bytes) -> UserRecord | Undecodable:
    start = line.rfind(_ION) + len(_ION)
    end = len(line) - len(_END) - 1
    if start < len(_ION) or not line.endswith(_END + b"\n"):
        return _undecodable(name, offset, line, "a line that is no record, whole as it was written")
    try:
        data = binascii.a2b_base64(line[start:end], strict_mode=True)
    except binascii.Error as exc:
        return _undecodable(name, offset, line, f"the record of a line is no base64: {exc}")
    if not data.startswith(IVM):
        return _undecodable(name, offset, line, "the record of a line is no binary Ion")
    return UserRecord(data, offset + start, end - start)


def _undecodable(name: str, offset: int, line: bytes, problem: str) -> Undecodable:
    data = line if len(line) <= _MAX_KEPT_BYTES else None
    return Undecodable(name, offset, len(line), CarrierError("jsonl", offset, problem), data)


def _iter_lines(readable: Readable) -> Iterator[tuple[int, bytes]]:
    """Iterate over all lines with their newlines; one beyond MAX_LINE_BYTES comes in pieces."""
    held = bytearray()
    base = looked_at = 0
    while base + len(held) < readable.size:
        data = readable.read_at(base + len(held), _READ_BYTES)
        assert data  # a readable is as long as it says
        held += data
        start = 0
        while (stop := held.find(b"\n", max(start, looked_at)) + 1) > 0:
            yield base + start, bytes(held[start:stop])
            start = stop
        del held[:start]
        base += start
        looked_at = len(held)
        if looked_at > MAX_LINE_BYTES:
            yield base, bytes(held)
            base += looked_at
            held.clear()
            looked_at = 0
    if held:
        yield base, bytes(held)
