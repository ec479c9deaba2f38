"""
`jsonl:PATH`: an archive that people can read, and that can be proven from what is in it.

The file has one JSON object a line, ASCII, each line ended by one newline:

- the first line says what the file is: ``{"recordType":"HEADER",...,"version":1}``;
- each stream record is a line with the fields of the record as JSON (`sinks._json` says
  what JSON cannot), and under ``ion`` the record's binary Ion in base64, from which
  everything can be proven again: a block's BLOCK_SUMMARY, then its REVISION_DETAILS;
- each `apply` ends in one POSITION line: length and SHA-256 of the lines it closes,
  and the position in every strand; its key `start`, the first block that the file has
  of the strand, is optional: older files do not say it.

Exactly once: what counts is what a POSITION line closes. Lines and POSITION line are
appended together and fsynced before `apply` returns. When the file is opened, whatever
stands behind the last POSITION line that fits its lines is passed over, and the next
`apply` that writes cuts it off: half lines, whole lines of an `apply` that a crash ended,
and pages that the disk got out of order. Opening and closing change no byte of a file, and
leave none where nothing was applied. One file has one writer, through whatever symlinks:
it holds ``PATH.lock`` while it is open, beside the file that the symlinks lead to.

The file only grows: a redaction that arrives later erases nothing in it, and the report
lists its block as pending.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

from qldb_stream.errors import (
    DecodeError,
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block
from qldb_stream.holding import Found, HeldFile, is_special, maybe_hold, sync_folder
from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.ion import IonSlice, to_ascii_json
from qldb_stream.records import iter_records
from qldb_stream.report import Position

__all__ = ["FORMAT_VERSION", "JsonlSink", "qldb_stream_register_sinks"]

FORMAT_VERSION: Final = 1

_HEADER: Final = {"recordType": "HEADER", "format": "qldb-stream jsonl", "version": FORMAT_VERSION}
_POSITION_START: Final = b'{"recordType":"POSITION",'
_READ_BYTES: Final = 2**16
_LONGEST_HEADER: Final = 1024


class JsonlSink:
    """
    Append blocks to a file of JSON lines, exactly once.

    Args:
        path: the file; made when it is absent or empty.

    Raises:
        UsageError: the file is something else, of a newer version, damaged before its
            end, or may not be written.
        SinkUnavailableError: somebody else is writing it, or the disk fails.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)  # as given, for messages
        self._name = f"jsonl:{path}"
        self._positions: dict[str, Position] = {}
        self._tokens: dict[str, int] = {}
        self._held = _hold(self._name, path)
        try:
            self._file = self._open_file()
        except BaseException:
            self._held.release()
            raise

    def position(self, strand_id: str) -> Position | None:
        """Give what the file holds of a strand."""
        return self._positions.get(strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Append the blocks that are not in the file yet, and make them durable.

        Raises:
            StaleTokenError: a higher token has been used on the strand; nothing changes.
            SinkRefusedError: a block cannot be written as JSON; nothing of the run is kept.
            SinkUnavailableError: the disk refuses; nothing of the run is kept.
        """
        strand_id = position.strand_id
        stored_token = self._tokens.get(strand_id, token)
        if token < stored_token:
            raise StaleTokenError(strand_id, stored_token, token)
        stored = self._positions.get(strand_id)
        if stored is not None and stored.covers(position):
            return stored
        pending = blocks if stored is None else stored.pending(blocks)
        lines = b"".join(line for block in pending for line in self._block_lines(block))
        positions = {**self._positions, strand_id: position}
        tokens = {**self._tokens, strand_id: token}
        self._append(lines + _position_line(lines, positions, tokens))
        self._positions, self._tokens = positions, tokens
        return position

    def close(self) -> None:
        """Close the file and let go of it; where nothing was applied ever, none is left."""
        if self._file.closed:
            return
        self._file.close()
        if not self._positions:
            self._held.put_back()
        self._held.release()

    def _block_lines(self, block: Block) -> Iterator[bytes]:
        try:
            for record in iter_records(block):
                yield _record_line(record)
        except DecodeError as exc:
            address = block.address
            raise SinkRefusedError(
                self._name, address.strand_id, address.sequence_no, str(exc)
            ) from exc

    def _append(self, data: bytes) -> None:
        try:
            # What a failed attempt left behind the end goes first.
            self._file.truncate(self._end)
            self._file.seek(self._end)
            _write_whole(self._file, data)
            os.fsync(self._file.fileno())
        except OSError as exc:
            raise SinkUnavailableError(self._name, str(exc.strerror)) from exc
        self._end += len(data)

    def _open_file(self) -> BinaryIO:
        path = self._held.path
        try:
            if self._held.found is not Found.CONTENT:
                _make_file(path)
            opened = path.open("r+b", buffering=0)
        except OSError as exc:
            raise UsageError(f"cannot write {self._path}: {exc.strerror}") from exc
        try:
            header_end = self._check_header(opened)
            self._end = self._recover(opened, header_end)
        except BaseException:
            opened.close()
            raise
        return opened

    def _check_header(self, opened: BinaryIO) -> int:
        line = opened.read(_LONGEST_HEADER).partition(b"\n")[0]
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):  # brackets nested deeper than Python goes
            found = None
        if not isinstance(found, dict) or found.get("format") != _HEADER["format"]:
            raise UsageError(f"{self._path} is not a file of jsonl:, it is left as it is")
        if found.get("version") != FORMAT_VERSION:
            raise UsageError(
                f"{self._path} has version {found.get('version')} of the format, this "
                f"qldb-stream knows {FORMAT_VERSION}; use a newer one"
            )
        return len(line) + 1

    def _recover(self, opened: BinaryIO, header_end: int) -> int:
        """Find the last POSITION line that can be believed; answer where it ends."""
        refuted = 0
        for start, line in _iter_lines_backward(opened, header_end):
            if not line.startswith(_POSITION_START):
                continue
            found = _read_position(opened, start, line, header_end)
            if found is not None:
                self._positions, self._tokens = found
                return start + len(line)
            # Only the last apply can have been cut off; a second one was damaged later.
            refuted += 1
            if refuted > 1:
                raise self._damaged(start)
        if refuted:
            # With nothing believed before it, nobody would miss what its batch held.
            raise self._damaged(opened.seek(0, os.SEEK_END))
        return header_end

    def _damaged(self, byte: int) -> UsageError:
        return UsageError(
            f"{self._path} is damaged: the lines before byte {byte} are not those "
            "that were written; take up a copy, or write to another file"
        )


def _hold(sink: str, path: str | Path) -> HeldFile:
    """
    Become the only writer of the file that all its names lead to.

    Raises:
        UsageError: it is a folder, a device or a pipe, no path at all, or its folder may not
            be written.
        SinkUnavailableError: somebody else is writing it.
    """
    try:
        if Path(path).is_dir():
            raise UsageError(f"cannot write {path}: Is a directory; write jsonl:PATH of a file")
        if is_special(path):
            raise UsageError(
                f"cannot write {path}: expected a file or nothing, found a device, pipe or "
                "socket; it is left as it is"
            )
        held = maybe_hold(path, ".lock")
    except ValueError as exc:  # a NUL in it
        raise UsageError(f"cannot write {str(path)!r}: it is no path") from exc
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror}") from exc
    if held is None:
        raise SinkUnavailableError(sink, "another process or sink is writing it")
    return held


# --- writing -------------------------------------------------------------------------------


def _record_line(record: IonSlice) -> bytes:
    ion = base64.b64encode(record.to_bytes()).decode()
    return f'{to_ascii_json(record)[:-1]},"ion":"{ion}"}}\n'.encode("ascii")


def _position_line(
    lines: bytes, positions: Mapping[str, Position], tokens: Mapping[str, int]
) -> bytes:
    line = {
        "recordType": "POSITION",
        "bytes": len(lines),
        "sha256": sha256(lines).hexdigest(),
        "positions": [
            position.as_json() | {"token": tokens[position.strand_id]}
            for position in positions.values()
        ],
    }
    return _line(line)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"


def _write_whole(opened: BinaryIO, data: bytes) -> None:
    """Write everything; one call may take fewer bytes."""
    view = memoryview(data)
    while view:
        view = view[opened.write(view) :]


def _make_file(path: Path) -> None:
    """Make a file with its header, so that it is never seen without."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as opened:
            opened.write(_line(_HEADER))
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


# --- reading back --------------------------------------------------------------------------


def _iter_lines_backward(opened: BinaryIO, first: int) -> Iterator[tuple[int, bytes]]:
    """Iterate over whole lines from the last to the one at `first`, each with its start."""
    end = opened.seek(0, os.SEEK_END)
    tail = b""
    while end > first:
        start = max(first, end - _READ_BYTES)
        opened.seek(start)
        tail = opened.read(end - start) + tail
        end = start
        # The first line of the buffer may have begun before it, and may not even end in it.
        cut = tail.find(b"\n") + 1 or len(tail) if start > first else 0
        yield from _iter_whole_lines(tail, cut, start)
        tail = tail[:cut]


def _iter_whole_lines(data: bytes, first: int, offset: int) -> Iterator[tuple[int, bytes]]:
    stop = data.rfind(b"\n") + 1
    while stop > first:
        start = max(first, data.rfind(b"\n", 0, stop - 1) + 1)
        yield offset + start, data[start:stop]
        stop = start


def _read_position(
    opened: BinaryIO, end: int, line: bytes, header_end: int
) -> tuple[dict[str, Position], dict[str, int]] | None:
    """Read a POSITION line; None unless it closes the very lines that stand before it."""
    try:
        found = json.loads(line)
        length = found["bytes"]
        if type(length) is not int or not 0 <= length <= end - header_end:
            return None
        opened.seek(end - length)
        if sha256(opened.read(length)).hexdigest() != found["sha256"]:
            return None
        positions = {entry["strandId"]: Position.from_json(entry) for entry in found["positions"]}
        return positions, {entry["strandId"]: entry["token"] for entry in found["positions"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `jsonl:`."""
    return [SinkType("jsonl", _open, "a file of JSON lines, each with its record as it was")]


def _open(path: str, _options: Mapping[str, str]) -> JsonlSink:
    if not path:
        raise UsageError("jsonl: needs a path: write jsonl:PATH")
    return JsonlSink(path)
