"""
Take the documents of redacted revisions out of records, and leave hash and dataHash.

A redaction reaches an archive as a block whose `redaction_info` names revisions, or as
copies of blocks in which revisions are redacted. Either way their records lose their data
and get its hash, so that block and chain verify as before (facts 2.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from qldb_stream.errors import DecodeError, SinkRefusedError
from qldb_stream.events import Block, Revision, RevisionDetails, RevisionKind
from qldb_stream.formulas import without_data
from qldb_stream.parsers.record import parse_record
from qldb_stream.records import to_record
from qldb_stream.sinks._archive._form import Form

__all__ = ["Target", "may_hold", "redact_block", "redact_part", "targets_of", "targets_of_copies"]

Target: TypeAlias = tuple[str, int, str, int]
"""Strand, number of the block, document id, version."""


def targets_of(sink: str, blocks: Iterable[Block]) -> frozenset[Target]:
    """
    Name the revisions that blocks ask to redact.

    Raises:
        SinkRefusedError: the redaction of a block cannot be read.
    """
    found: set[Target] = set()
    for block in blocks:
        try:
            found |= _targets_of(block)
        except DecodeError as exc:
            address = block.address
            raise SinkRefusedError(sink, address.strand_id, address.sequence_no, str(exc)) from exc
    return frozenset(found)


def targets_of_copies(blocks: Iterable[Block]) -> frozenset[Target]:
    """Name the revisions that are redacted in copies of blocks."""
    return frozenset(
        target
        for block in blocks
        for revision in block.revisions
        if revision.kind is RevisionKind.REDACTED
        and (target := _target(block.address.strand_id, block.address.sequence_no, revision))
    )


def redact_block(block: Block, targets: frozenset[Target]) -> Block:
    """Give a block without the data of targets that it wrote itself."""
    strand_id, number = block.address.strand_id, block.address.sequence_no
    if not any(target[:2] == (strand_id, number) for target in targets):
        return block
    revisions = tuple(
        without_data(revision) if _target(strand_id, number, revision) in targets else revision
        for revision in block.revisions
    )
    return attrs.evolve(block, revisions=revisions)


def may_hold(data: bytes, targets: Iterable[Target]) -> bool:
    """Say whether records can be those of targets: their documents' ids stand in them."""
    return any(document_id.encode() in data for document_id in {target[2] for target in targets})


def redact_part(form: Form, data: bytes, targets: frozenset[Target]) -> bytes:
    """
    Give what a POSITION closes, without the data of targets.

    Raises:
        ValueError: it holds something that is no record.
        DecodeError: as `ValueError`.
    """
    if not may_hold(data, targets):
        return data
    return b"".join(_redact_record(form, raw, ion, targets) for raw, ion in form.iter_records(data))


def _redact_record(form: Form, raw: bytes, ion: bytes, targets: frozenset[Target]) -> bytes:
    if not may_hold(ion, targets):
        return raw
    event = parse_record(ion)
    if not isinstance(event, RevisionDetails) or event.revision.data_ion is None:
        return raw
    address = event.revision.address
    if _target(address.strand_id, address.sequence_no, event.revision) not in targets:
        return raw
    return form.record(to_record(attrs.evolve(event, revision=without_data(event.revision))))


def _targets_of(block: Block) -> set[Target]:
    info = block.summary.redaction_info
    if info is None:
        return set()
    return {
        (r.block_address.strand_id, r.block_address.sequence_no, r.document_id, r.version)
        for r in info.revisions
    }


def _target(strand_id: str, sequence_no: int, revision: Revision) -> Target | None:
    if revision.metadata is None:
        return None
    return (strand_id, sequence_no, revision.metadata.id, revision.metadata.version)
