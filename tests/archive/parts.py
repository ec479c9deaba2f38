"""A ledger of every kind of revision, and an archive of it in five parts that overlap."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
from amazon.ion import simpleion

from qldb_stream.events import Block
from qldb_stream.ledger import Ledger
from qldb_stream.testing import Export, make_export
from tests.ledger.support import Clock, make_cars, memory, run

BLOCKS: Final = 40
HOUR_MS: Final = 3_600_000


def make_ledger() -> Ledger:
    """Make 40 blocks: tables, an index, inserts, updates, deletes, a redaction, odd documents."""
    clock = Clock(step_ms=1)
    ledger = memory(clock, name="cars")
    ids = make_cars(ledger, *"ABCDEF")
    for number in range(BLOCKS - 18):
        if number % 8 == 0:
            clock.now_ms += HOUR_MS
        run(ledger, f"UPDATE Car SET miles = {number}.50 WHERE vin = '{'ABCDEF'[number % 6]}'")
    run(ledger, "DELETE FROM Car WHERE vin = 'B'")
    (table_id,) = run(ledger, "SELECT VALUE tableId FROM information_schema.user_tables")
    address = {"strandId": ledger.strand_id, "sequenceNo": 3}
    run(ledger, "EXEC REDACT_REVISION ?, ?, ?", address, table_id, ids[1])
    odd = "{vin:'G', when:2020-01-01T, sym:abc, money:1.50, f:1e0, blob:{{AAEC}}, l:[1,(a b)]}"
    run(ledger, "INSERT INTO Car ?", simpleion.loads(odd))
    run(ledger, "CREATE TABLE Van")
    for number in range(6):
        run(ledger, "INSERT INTO Van ?", {"n": number, "price": Decimal("12.30")})
    return ledger


def exports_of(blocks: list[Block]) -> dict[str, Export]:
    """Export a ledger's blocks in four parts; together they have all of them, as Ion."""
    return {
        "a": make_export(blocks[:18], "ion-binary", object_blocks=6, prefix="a/"),
        "b": make_export(
            blocks[14:],
            "ion-binary",
            tables="appending",
            gzipped=True,
            object_blocks=9,
            prefix="b/",
        ),
        "text": make_export(blocks[10:26], "ion-text", object_blocks=8, prefix="text/"),
        "json": make_export(blocks[22:38], "json", object_blocks=8, prefix="json/"),
    }


def write_parts(ledger: Ledger, folder: Path) -> dict[str, Export]:
    """Write the archive: the four exports, and what Firehose had up to block 20."""
    exports = exports_of(list(ledger.blocks()))
    for made in exports.values():
        made.write(folder)
    records = []
    for record in ledger.stream_records(aggregated=False):
        records.append(record)
        if len(records) > 40:
            break
    (folder / "firehose").write_bytes(b"".join(records))
    return exports


def bare(block: Block) -> Block:
    """Give a block without the name of the stream that it came by."""
    return attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn=None))
