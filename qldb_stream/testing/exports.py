"""
Journal exports without a ledger: data objects and manifests, as the service wrote them.

An export is made of blocks, a journal's or any others, in each of the three formats and with
binary Ion's symbols declared in each of the ways that a writer may choose. It is written with
code of its own, so that the readers are tested against a second opinion. Facts 2.1, 3.1 to 3.3.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress, Revision
from qldb_stream.ion import (
    IVM,
    IonSlice,
    iter_elements,
    timestamp_ms,
    to_json,
    to_slice,
    to_text,
)

__all__ = ["Export", "ExportFormat", "SymbolTables", "exported_block", "make_export"]

ExportFormat: TypeAlias = Literal["ion-text", "ion-binary", "json"]
SymbolTables: TypeAlias = Literal["own", "shared", "appending"]

_NAMES: Final = {"ion-text": "ION_TEXT", "ion-binary": "ION_BINARY", "json": "JSON"}
_EXTENSIONS: Final = {"ion-text": "ion", "ion-binary": "ion", "json": "json"}
_ID_CHARACTERS: Final = 22  # facts 2.2
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Ion 1.0 binary: wrapper of one annotation, `$ion_symbol_table`; a struct's two fields.
_ANNOTATION: Final = b"\x81\x83"
_IMPORTS_CURRENT: Final = b"\x86\x71\x03"
_SYMBOLS: Final = b"\x87"
_WRAPPER: Final = 0xE0
_STRUCT: Final = 0xD0
_LIST: Final = 0xB0
_STRING: Final = 0x80
_LONG: Final = 14


@attrs.frozen
class Export:
    """
    What an export wrote.

    `objects` has by key every object, data and manifests, the final manifest last. `keys`
    are those of the data objects, as the final manifest promises them.
    """

    export_id: str
    objects: Mapping[str, bytes] = attrs.field(repr=False)
    keys: tuple[str, ...] = ()

    def write(self, folder: Path, *, without: Iterable[str] = ()) -> None:
        """
        Write the objects into a folder, as a copy of the bucket.

        Args:
            folder: where the keys begin; made when absent.
            without: keys that are left out, of data or manifests.
        """
        left_out = frozenset(without)
        for key, data in self.objects.items():
            if key not in left_out:
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    @property
    def manifest_key(self) -> str:
        """Give the final manifest's key."""
        return next(key for key in self.objects if key.endswith(".completed.manifest"))


def exported_block(block: Block) -> IonSlice:
    """Write a block as exports have it (facts 2.1), in the service's order of fields."""
    summary = block.summary
    fields: dict[str, Any] = {
        "blockAddress": _address(summary.address),
        "transactionId": summary.transaction_id,
        "blockTimestamp": timestamp_ms((summary.block_timestamp - _EPOCH) // _MILLISECOND),
        "blockHash": summary.block_hash,
        "entriesHash": summary.entries_hash,
        "previousBlockHash": summary.previous_block_hash,
        "entriesHashList": list(summary.entries_hash_list),
    }
    if summary.transaction_info is not None:
        fields["transactionInfo"] = summary.transaction_info.ion
    if summary.redaction_info is not None:
        fields["redactionInfo"] = summary.redaction_info.ion
    if block.revisions:
        fields["revisions"] = [_revision(revision) for revision in block.revisions]
    return to_slice(fields)


def make_export(
    blocks: Iterable[Block],
    output_format: ExportFormat = "ion-text",
    *,
    prefix: str = "",
    object_blocks: int = 50,
    tables: SymbolTables = "shared",
    gzipped: bool = False,
    ledger_name: str = "synthetic",
) -> Export:
    """
    Export blocks: one run of a journal, whole or part of it.

    Args:
        blocks: rising without holes, of one strand; at least one.
        output_format: as the service named them.
        prefix: comes before every key; the service put nothing between.
        object_blocks: how many blocks go into one object, at least one.
        tables: how binary Ion declares its symbols: each block its own, one table for an
            object, or one before each block that adds what is new in it.
        gzipped: whether data objects are compressed, as owners do it; the keys stay.
        ledger_name: goes into the initial manifest.

    Returns:
        The same arguments give the same bytes.

    Raises:
        UsageError: there are no blocks.
    """
    found = list(blocks)
    if not found or object_blocks < 1:
        raise UsageError("an export is made of one block or more, and so is an object")
    writer = _Writer(output_format, tables)
    first, last = found[0].summary, found[-1].summary
    seed = f"{first.block_hash.hex()}{last.block_hash.hex()}{output_format}{prefix}{tables}"
    export_id = sha256(seed.encode()).hexdigest()[:_ID_CHARACTERS]
    started = {
        "ledgerName": ledger_name,
        "exportId": export_id,
        "inclusiveStartTime": _whole_second(first.block_timestamp),
        "exclusiveEndTime": _whole_second(last.block_timestamp) + _SECOND,
        "bucket": "archive",
        "prefix": prefix,
        "objectEncryptionType": "NO_ENCRYPTION",
        "outputFormat": _NAMES[output_format],
    }
    objects = {f"{prefix}{export_id}.started.manifest": writer.written([to_slice(started)])}
    keys: list[str] = []
    for start in range(0, len(found), object_blocks):
        run = found[start : start + object_blocks]
        data = writer.written([exported_block(block) for block in run])
        keys.append(f"{prefix}{_object_name(run)}.{_EXTENSIONS[output_format]}")
        objects[keys[-1]] = gzip.compress(data, mtime=0) if gzipped else data
    final = f"{prefix}{export_id}.{first.address.strand_id}.completed.manifest"
    objects[final] = writer.written([to_slice({"keys": keys})])
    return Export(export_id, objects, tuple(keys))


def _object_name(blocks: Sequence[Block]) -> str:
    first, last = blocks[0], blocks[-1]
    hour = f"{first.summary.block_timestamp:%Y/%m/%d/%H}"
    numbers = f"{first.address.sequence_no}-{last.address.sequence_no}"
    return f"{hour}/{first.address.strand_id}.{numbers}"


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _address(address: BlockAddress) -> dict[str, Any]:
    return {"strandId": address.strand_id, "sequenceNo": address.sequence_no}


def _revision(revision: Revision) -> dict[str, Any]:
    if revision.metadata is None:
        return {"hash": revision.hash}
    fields: dict[str, Any] = {"blockAddress": _address(revision.address), "hash": revision.hash}
    if revision.data_ion is not None:
        fields["data"] = revision.data_ion
    if revision.data_hash is not None:
        fields["dataHash"] = revision.data_hash
    fields["metadata"] = revision.metadata.ion
    return fields


class _Writer:
    """Writes values one after the other, in one format."""

    def __init__(self, output_format: ExportFormat, tables: SymbolTables) -> None:
        self._format = output_format
        self._tables = tables

    def written(self, values: Sequence[IonSlice]) -> bytes:
        if self._format == "json":
            return "".join([f"{to_json(value)}\n" for value in values]).encode()
        if self._format == "ion-text":
            return "".join([f"{to_text(value)}\n" for value in values]).encode()
        if self._tables == "own":
            return b"".join([value.to_bytes() for value in values])
        together = to_slice(list(values))
        elements = list(iter_elements(together))
        if self._tables == "shared":
            head = together.buf[: together.start]
            return head + b"".join([together.buf[one.start : one.end] for one in elements])
        return IVM + b"".join(_appending(values, together, elements))


def _appending(
    values: Sequence[IonSlice], together: IonSlice, elements: Sequence[IonSlice]
) -> Iterator[bytes]:
    """Give each value after a table that adds the symbols which are new in it."""
    known = len(to_slice({}).symbols.texts)
    for number, element in enumerate(elements, 1):
        count = len(to_slice(list(values[:number])).symbols.texts)
        added = together.symbols.texts[known:count]
        if added:
            yield _table(added)
        yield together.buf[element.start : element.end]
        known = count


def _table(texts: Sequence[str | None]) -> bytes:
    """Write a symbol table that adds to the one in force."""
    strings = b"".join([_typed(_STRING, str(text).encode()) for text in texts])
    struct = _typed(_STRUCT, _IMPORTS_CURRENT + _SYMBOLS + _typed(_LIST, strings))
    return _typed(_WRAPPER, _ANNOTATION + struct)


def _typed(nibble: int, body: bytes) -> bytes:
    length = len(body)
    if length < _LONG:
        return bytes((nibble | length,)) + body
    digits = bytes((length & 0x7F | 0x80,))
    while length := length >> 7:
        digits = bytes((length & 0x7F,)) + digits
    return bytes((nibble | _LONG,)) + digits + body
