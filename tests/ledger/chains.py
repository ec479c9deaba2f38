"""Blocks made by hand that link to each other, with hashes that hold where a mirror looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from qldb_stream.events import (
    Block,
    BlockAddress,
    RedactionInfo,
    Revision,
    RevisionSummary,
    TableInfo,
)
from qldb_stream.hashing import dot
from qldb_stream.ion import ion_hash, timestamp_ms, to_slice
from qldb_stream.ledger import Ledger
from tests.ledger.support import run
from tests.replay.blocks import NOW, STRAND, THINGS, TX, block, digest, document_id, revision

TABLES = "SELECT t.tableId, t.name, t.status FROM information_schema.user_tables AS t"
NOW_MS = round(NOW.timestamp() * 1000)


def written(
    sequence_no: int,
    number: int,
    version: int,
    data: Any = None,
    *,
    table: TableInfo | None = THINGS,
    data_hash: bytes | None = None,
) -> Revision:
    """A revision whose metadata are written as QLDB wrote them."""
    made = revision(sequence_no, number, version, data, table=table, data_hash=data_hash)
    assert made.metadata is not None
    ion = {
        "id": document_id(number),
        "version": version,
        "txTime": timestamp_ms(NOW_MS),
        "txId": TX,
    }
    return attrs.evolve(made, metadata=attrs.evolve(made.metadata, ion=to_slice(ion)))


def redaction(sequence_no: int, number: int, version: int, **changes: Any) -> RedactionInfo:
    """What a block says that redacts a revision of document `number` in block `sequence_no`."""
    named = {
        "blockAddress": {"strandId": STRAND, "sequenceNo": sequence_no},
        "tableId": THINGS.table_id,
        "documentId": document_id(number),
        "version": version,
    }
    return RedactionInfo(to_slice({"revisions": [named | changes]}))


def linked(before: Block | None, made: Block, redacts: RedactionInfo | None = None) -> Block:
    """A block that follows on another one, with a blockHash to match."""
    previous = b"" if before is None else before.block_hash
    entries = digest("entries", made.address.sequence_no)
    summary = attrs.evolve(
        made.summary,
        previous_block_hash=previous,
        entries_hash=entries,
        block_hash=dot(entries, previous),
        redaction_info=redacts,
        revision_summaries=tuple(
            RevisionSummary(one.hash, one.document_id) for one in made.revisions
        ),
    )
    return Block(summary, made.revisions)


def chain(*made: Block, redactions: Mapping[int, RedactionInfo] | None = None) -> list[Block]:
    """Blocks from number 0 on, each linked to the one before."""
    found: list[Block] = []
    for one in made:
        before = found[-1] if found else None
        found.append(linked(before, one, (redactions or {}).get(one.address.sequence_no)))
    return found


def ddl(sequence_no: int, *statements: str) -> Block:
    """A block of statements."""
    return block(sequence_no, statements=statements)


def data_hash(data: Any) -> bytes:
    """H(data)."""
    return ion_hash(to_slice(data))


def moved(one: Block, sequence_no: int) -> Block:
    """A block that claims another number, which no hash covers."""
    address = BlockAddress(one.address.strand_id, sequence_no)
    return Block(
        attrs.evolve(one.summary, address=address),
        tuple(attrs.evolve(each, address=address) for each in one.revisions),
    )


def fill(mirror: Ledger, blocks: Iterable[Block]) -> None:
    """Mirror blocks, durably together."""
    with mirror.group_commit():
        for each in blocks:
            mirror.mirror(each)


def tables(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Name, id and status of every table."""
    return sorted((row["name"], row["tableId"], row["status"]) for row in run(ledger, TABLES))
