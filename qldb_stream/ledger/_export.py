"""
The journal as a QLDB export: manifests and data objects, named as the service named them.

Strategy: blocks are chosen by their time, which never falls, so the first one is found by
halving. They are written in order into objects; an object is closed when it is long enough,
or when a block's time comes to another hour, because its key says the hour (facts 3.2; which
clock QLDB took is not known: here it is the block's). One object is in memory at a time. The
final manifest is put last, so that its absence means an export that did not end.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ion import IonSlice, timestamp_ms, to_json, to_slice, write_text
from qldb_stream.ledger._damage import reading
from qldb_stream.ledger._export_folder import Folder
from qldb_stream.ledger._shapes import block_struct
from qldb_stream.ledger._state import State
from qldb_stream.ledger._store import Store, StoredBlock

__all__ = [
    "ExportRequest",
    "ExportSummary",
    "ObjectStore",
    "check_prefix",
    "export_journal",
    "open_target",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

# What is held in memory; a block more may come on top.
_OBJECT_BYTES: Final = 8 << 20

_MAX_PREFIX_CHARACTERS: Final = 128  # facts 3.1
_ESCAPES: Final = re.compile(r"(^|/)\.{1,2}(/|$)|^/|//|\0|\\")


@runtime_checkable
class ObjectStore(Protocol):
    """Where an export goes: a bucket, or what stands for one."""

    @property
    def bucket(self) -> str:
        """Give the bucket's name, as the manifest has it."""

    def put(self, key: str, data: bytes) -> None:
        """
        Store an object whole or not at all, replacing one of that key.

        Raises:
            ExportError: it could not be stored.
        """


@attrs.frozen
class _Format:
    """How an output format writes a value, and what it and its objects are called."""

    name: str
    extension: str
    write: Callable[[IonSlice], bytes]


_FORMATS: Final = {
    "ion-text": _Format("ION_TEXT", "ion", lambda value: write_text(value).encode() + b"\n"),
    "ion-binary": _Format("ION_BINARY", "ion", lambda value: value.to_bytes()),
    "json": _Format("JSON", "json", lambda value: to_json(value).encode() + b"\n"),
}


@attrs.frozen
class ExportRequest:
    """
    What is to be exported, and how (facts 3.1).

    Attributes:
        ledger_name: the ledger's name.
        export_id: 22 characters.
        output_format: "ion-text", "ion-binary" or "json".
        prefix: comes before every key.
        start: inclusive, aware; None for the first block's time.
        end: exclusive, aware, not in the future; None for now.
        now_ms: the present, in milliseconds since 1970 UTC.
        encryption: what the manifest says of the objects' encryption, which is the target's.
    """

    ledger_name: str
    export_id: str
    output_format: str
    prefix: str
    start: datetime | None
    end: datetime | None
    now_ms: int
    encryption: str = "NO_ENCRYPTION"


@attrs.frozen
class ExportSummary:
    """
    What an export wrote.

    Attributes:
        export_id: 22 characters; manifests are named by it.
        blocks: how many blocks.
        first: the first block's number; None when there was none in the range.
        last: the last block's number.
        objects: how many data objects.
        bytes: their length together.
        manifest_key: the final manifest's key, which was put last.
    """

    export_id: str
    blocks: int
    first: int | None
    last: int | None
    objects: int
    bytes: int
    manifest_key: str

    def as_json(self) -> dict[str, Any]:
        """Give the object that `ledger export --json` prints."""
        return {"ok": True, **attrs.asdict(self)}


def open_target(target: str | os.PathLike[str] | ObjectStore) -> ObjectStore:
    """Give where an export goes: an object store as it is, a path as a folder."""
    return target if isinstance(target, ObjectStore) else Folder(target)


def export_journal(
    store: Store, state: State, target: ObjectStore, request: ExportRequest
) -> ExportSummary:
    """
    Write the blocks of a time range, and the manifests around them.

    Raises:
        UsageError: a format that there is not, a prefix that leaves the target, or a range
            that is none.
        ExportError: an object could not be stored; there is no final manifest then.
        IonEncodeError: amazon.ion has no text for a timestamp; take ion-binary.
        LedgerFileError: the file cannot be read, or a block in it is damaged.
    """
    output = _FORMATS.get(request.output_format)
    if output is None:
        raise UsageError(f"formats are {', '.join(_FORMATS)}, not {request.output_format!r}")
    check_prefix(request.prefix)
    start_us, end_us = _find_range(store, state, request)
    target.put(
        f"{request.prefix}{request.export_id}.started.manifest",
        output.write(to_slice(_started(request, target.bucket, output, start_us, end_us))),
    )
    writer = _Writer(store, state, target, request.prefix, output)
    for block in _iter_range(store, state, start_us, end_us):
        writer.add(block)
    return writer.finish(request.export_id)


def check_prefix(prefix: str) -> None:
    """
    Make sure that keys with a prefix stay in their bucket.

    Raises:
        UsageError: it is too long, or leads out of a folder that stands for a bucket.
    """
    if len(prefix) > _MAX_PREFIX_CHARACTERS or _ESCAPES.search(prefix):
        raise UsageError(
            f"a prefix has at most {_MAX_PREFIX_CHARACTERS} characters, and does not begin with "
            "/ or go through . or .. or empty folders"
        )


# --- the range -----------------------------------------------------------------------------


def _find_range(store: Store, state: State, request: ExportRequest) -> tuple[int, int]:
    """Give start and end in microseconds since 1970 UTC."""
    now_ms = max(request.now_ms, state.last_ms + 1)
    end_us = now_ms * 1000 if request.end is None else _microseconds("end", request.end)
    if end_us > now_ms * 1000:
        raise UsageError("an export's end is not in the future: blocks may still come before it")
    if request.start is not None:
        start_us = _microseconds("start", request.start)
    else:
        start_us = min(store.block_ms(0) * 1000 if state.size else 0, end_us - 1)
    if start_us >= end_us and request.end is None:
        raise UsageError("an export's start is in the past: without an end, that is now")
    if start_us >= end_us:
        raise UsageError("an export's start is before its end")
    return start_us, end_us


def _microseconds(name: str, moment: datetime) -> int:
    if moment.tzinfo is None:
        raise UsageError(f"an export's {name} needs a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def _iter_range(store: Store, state: State, start_us: int, end_us: int) -> Iterator[StoredBlock]:
    """Iterate over the blocks from start to before end."""
    first = store.first_block_at(-(-start_us // 1000), state.size)
    for block in store.iter_blocks(first, state.size):
        if block.timestamp_ms * 1000 >= end_us:
            return
        yield block


def _started(
    request: ExportRequest, bucket: str, output: _Format, start_us: int, end_us: int
) -> dict[str, Any]:
    """Give the initial manifest, in the service's order (facts 3.2)."""
    return {
        "ledgerName": request.ledger_name,
        "exportId": request.export_id,
        "inclusiveStartTime": timestamp_ms(start_us // 1000),
        "exclusiveEndTime": timestamp_ms(end_us // 1000),
        "bucket": bucket,
        "prefix": request.prefix,
        "objectEncryptionType": request.encryption,
        "outputFormat": output.name,
    }


# --- objects -------------------------------------------------------------------------------


class _Writer:
    """Puts blocks into objects, and the objects' keys into the final manifest."""

    def __init__(
        self, store: Store, state: State, target: ObjectStore, prefix: str, output: _Format
    ) -> None:
        self._store: Final = store
        self._strand_id: Final = state.strand_id
        self._target: Final = target
        self._prefix: Final = prefix
        self._output: Final = output
        self._keys: Final[list[str]] = []
        self._held = bytearray()
        self._hour = ""
        self._object_first = 0
        self._first: int | None = None
        self._last = -1
        self._blocks = 0
        self._bytes = 0

    def add(self, block: StoredBlock) -> None:
        """Write the next block; its object goes when it is long enough."""
        revisions = self._store.block_revisions(block)
        with reading(self._store.path, f"block {block.sequence_no}"):
            hour = f"{_EPOCH + timedelta(milliseconds=block.timestamp_ms):%Y/%m/%d/%H}"
            written = self._output.write(block_struct(block, revisions, self._strand_id))
        if hour != self._hour or len(self._held) >= _OBJECT_BYTES:
            self._put_object()
            self._hour, self._object_first = hour, block.sequence_no
        self._held += written
        if self._first is None:
            self._first = block.sequence_no
        self._last = block.sequence_no
        self._blocks += 1

    def _put_object(self) -> None:
        if not self._held:
            return
        numbers = f"{self._object_first}-{self._last}"
        extension = self._output.extension
        key = f"{self._prefix}{self._hour}/{self._strand_id}.{numbers}.{extension}"
        self._target.put(key, bytes(self._held))
        self._keys.append(key)
        self._bytes += len(self._held)
        self._held.clear()

    def finish(self, export_id: str) -> ExportSummary:
        """Put what is left, then the final manifest."""
        self._put_object()
        manifest_key = f"{self._prefix}{export_id}.{self._strand_id}.completed.manifest"
        self._target.put(manifest_key, self._output.write(to_slice({"keys": self._keys})))
        last = None if self._first is None else self._last
        return ExportSummary(
            export_id,
            self._blocks,
            self._first,
            last,
            len(self._keys),
            self._bytes,
            manifest_key,
        )
