"""
A parked block as what is stored of it: records, and JSON.

A block is its summary's record, and for each revision its record, or for a system entry its
hash. What no record says (masked fields, withheld documents, names under which tables are
delivered) stands beside it as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from datetime import datetime
from typing import Any

import attrs

from qldb_stream.errors import DecodeError
from qldb_stream.events import (
    Block,
    BlockSummary,
    Filtered,
    Revision,
    RevisionDetails,
)
from qldb_stream.formulas import without_data
from qldb_stream.inbox._records import MarkedRevision, event_bytes
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import ParkedBlock, ParkReason

__all__ = ["header_of", "parse_parked", "revision_row", "without_marked"]


def header_of(parked: ParkedBlock) -> dict[str, Any]:
    """Give what no record of a parked block says, as JSON has it."""
    filtered = parked.block.filtered
    return {
        "reason": parked.reason.value,
        "detail": parked.detail,
        "parkedAt": parked.parked_at.isoformat(),
        "documents": sorted(parked.documents),
        "tables": sorted(parked.tables),
        "becauseOf": parked.because_of,
        "hasStream": parked.block.summary.stream_arn is not None,
        "names": None if filtered is None else dict(filtered.names),
    }


def revision_row(block: Block, revision: Revision) -> tuple[str, bytes | None]:
    """Give a revision as JSON and its record; None for a bare hash."""
    value: dict[str, Any] = {"masked": revision.masked, "isWithheld": revision.is_withheld}
    if revision.metadata is None:
        return json.dumps(value | {"hash": revision.hash.hex()}), None
    plain = attrs.evolve(revision, masked=(), is_withheld=False)
    details = RevisionDetails(block.summary.stream_arn or "", plain)
    return json.dumps(value), event_bytes(details)


def parse_parked(
    sink: str,
    header: Mapping[str, Any],
    summary: bytes,
    entries: Sequence[tuple[str, bytes | None]],
) -> ParkedBlock:
    """
    Put a parked block together again.

    Raises:
        DecodeError: a record cannot be read.
        LookupError: as TypeError and ValueError, something is not what was written.
    """
    of_block = parse_record(summary)
    if not isinstance(of_block, BlockSummary):
        raise TypeError("no summary")
    if not header["hasStream"]:
        of_block = attrs.evolve(of_block, stream_arn=None)
    names = header["names"]
    block = Block(
        of_block,
        tuple(_revisions(of_block, entries)),
        None if names is None else Filtered(names),
    )
    return ParkedBlock(
        sink,
        block,
        ParkReason(header["reason"]),
        header["detail"],
        datetime.fromisoformat(header["parkedAt"]),
        frozenset(header["documents"]),
        frozenset(header["tables"]),
        header["becauseOf"],
    )


def _revisions(
    summary: BlockSummary, entries: Sequence[tuple[str, bytes | None]]
) -> Iterator[Revision]:
    for text, data in entries:
        value = json.loads(text)
        if data is None:
            yield Revision(summary.address, bytes.fromhex(value["hash"]))
            continue
        details = parse_record(data)
        if not isinstance(details, RevisionDetails):
            raise TypeError("no revision")
        yield attrs.evolve(
            details.revision, masked=tuple(value["masked"]), is_withheld=value["isWithheld"]
        )


def without_marked(
    parked: ParkedBlock, marks: AbstractSet[MarkedRevision]
) -> tuple[ParkedBlock, list[bytes]]:
    """Take redacted documents out of a parked block; answer the block, and their bytes."""
    block, erased = parked.block, []
    revisions = list(block.revisions)
    for leaf, revision in enumerate(revisions):
        metadata, data = revision.metadata, revision.data_ion
        if data is not None and metadata and (metadata.id, metadata.version) in marks:
            erased.append(data.buf[data.start : data.end])
            revisions[leaf] = _redacted(revision)
    if erased:
        parked = attrs.evolve(parked, block=attrs.evolve(block, revisions=tuple(revisions)))
    return parked, erased


def _redacted(revision: Revision) -> Revision:
    """Give the redacted form; a bare hash where the document is no sound Ion."""
    try:
        return without_data(revision)
    except DecodeError:
        return Revision(revision.address, revision.hash)
