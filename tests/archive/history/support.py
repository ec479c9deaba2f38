"""What the tests of history share: archives in folders, and ledgers that tell random stories."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from qldb_stream.archive.history import HistoryEntry
from qldb_stream.events import Block
from qldb_stream.ion import ion_hash
from qldb_stream.ledger import Ledger
from qldb_stream.testing import records, write_archive
from tests.ledger.support import Clock, memory, run

__all__ = ["keep", "keep_ledger", "random_ledger", "rows_by_document", "versions"]


def keep(blocks: Iterable[Block], folder: Path, *, gzipped: bool = False) -> Path:
    """Put blocks into a folder, as Firehose would."""
    datas = (record for block in blocks for record in records(block))
    write_archive(datas, folder, file_bytes=2000, gzipped=gzipped)
    return folder


def keep_ledger(ledger: Ledger, folder: Path) -> Path:
    """Put what a ledger streams into a folder."""
    write_archive(ledger.stream_records(), folder, file_bytes=4000)
    return folder


def random_ledger(seed: int, *, steps: int) -> Ledger:
    """A ledger in which documents of two tables come, change, go and are redacted at random."""
    rng = Random(seed)
    ledger = memory(Clock(step_ms=1000))
    for table in ("Car", "Owner"):
        run(ledger, f"CREATE TABLE {table}")
    written: dict[str, list[int]] = {}  # blocks by document, those that live
    tables: dict[str, str] = {}
    for _ in range(steps):
        alive = sorted(written)
        chosen = rng.choice(alive) if alive else None
        what = rng.choice(("insert", "update", "update", "delete", "redact", "select"))
        if what == "insert" or chosen is None:
            table = rng.choice(("Car", "Owner"))
            document = {"n": rng.randrange(5), "list": [rng.randrange(3)]}
            chosen = str(run(ledger, f"INSERT INTO {table} ?", document)[0]["documentId"])
            tables[chosen] = table
            written[chosen] = [_last(ledger)]
        elif what == "update":
            text = f"UPDATE {tables[chosen]} AS d BY id SET d.n = ?, d.m = ? WHERE id = ?"
            run(ledger, text, rng.randrange(5), rng.randrange(5), chosen)
            written[chosen].append(_last(ledger))
        elif what == "delete":
            run(ledger, f"DELETE FROM {tables[chosen]} AS d BY id WHERE id = ?", chosen)
            del written[chosen]
        elif what == "redact" and len(written[chosen]) > 1:
            address = {"strandId": ledger.strand_id, "sequenceNo": written[chosen].pop(0)}
            table_id = table_ids(ledger)[tables[chosen]]
            run(ledger, "EXEC REDACT_REVISION ?, ?, ?", address, table_id, chosen)
        else:
            run(ledger, f"SELECT * FROM {rng.choice(('Car', 'Owner'))}")
    return ledger


def table_ids(ledger: Ledger) -> dict[str, str]:
    """The ids of a ledger's live tables by name."""
    rows = run(
        ledger, "SELECT name, tableId FROM information_schema.user_tables WHERE status = 'ACTIVE'"
    )
    return {str(row["name"]): str(row["tableId"]) for row in rows}


def _last(ledger: Ledger) -> int:
    digest = ledger.digest()
    assert digest.tip is not None
    return digest.tip.sequence_no


def rows_by_document(rows: Iterable[Any]) -> list[bytes]:
    """Hash rows, by document and version, whatever the order in which they came."""
    ordered = sorted(rows, key=lambda row: (row["metadata"]["id"], row["metadata"]["version"]))
    return [ion_hash(row) for row in ordered]


def versions(entries: Iterable[HistoryEntry]) -> list[tuple[str, int, str]]:
    """Document, version and kind of each entry."""
    return [(e.document_id, e.version, e.revision.kind.value) for e in entries]
