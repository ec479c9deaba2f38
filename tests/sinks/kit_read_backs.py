"""What our sinks hold, as the kit compares it: where ReadableSink says less than there is."""

from __future__ import annotations

import json
from typing import Any

from qldb_stream.events import ControlRecord
from qldb_stream.ion import ion_hash
from qldb_stream.ledger import Ledger
from qldb_stream.replay import OWN_TABLES
from qldb_stream.sinks._mirror import MirrorSink
from qldb_stream.sinks._relational import RelationalSink
from qldb_stream.sinks.ion import IonSink
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.sinks.memory import MemorySink
from qldb_stream.sources import open_source


def memory(sink: MemorySink) -> Any:
    """Every block, by number: a parked one comes late."""
    return sorted(sink.blocks, key=lambda block: block.address)


def jsonl(sink: JsonlSink) -> Any:
    """Every record, in order of blocks; positions and header are no content."""
    lines = [json.loads(line) for line in sink._path.read_text().splitlines()]  # noqa: SLF001 - as read
    records = [line for line in lines if line["recordType"] not in {"HEADER", "POSITION"}]
    return sorted(records, key=_number)


def ion(sink: IonSink) -> Any:
    """Every record, in order of blocks, as whoever reads the file finds them."""
    source = open_source([sink._path])  # noqa: SLF001 - as read
    return [item for item in source.items() if not isinstance(item, ControlRecord)]


def _number(record: dict[str, Any]) -> int:
    payload = record["payload"]
    found = payload.get("blockAddress") or payload["revision"]["blockAddress"]
    return int(found["sequenceNo"])


def mirror(sink: MirrorSink) -> Any:
    """The very blocks, and the current documents."""
    return list(sink.ledger.blocks()), _documents(sink.ledger, {})


def replayed(sink: LedgerSink) -> Any:
    """What each transaction wrote by the source's ids, and the current documents."""
    return replayed_into(sink.ledger)


def replayed_into(ledger: Ledger) -> tuple[Any, Any]:
    """The same of a ledger that is open."""
    names: dict[str, str] = {}
    written: dict[str, list[Any]] = {}
    for block in ledger.blocks():
        own = [r for r in block.revisions if r.table and r.table.table_name.startswith(OWN_TABLES)]
        for revision in own:
            if revision.table and revision.table.table_name == "qldb_stream_ids" and revision.data:
                names[revision.data["destination_id"]] = revision.data["source_id"]
        for revision in block.revisions:
            if revision.metadata is not None and revision not in own:
                document_id = names[revision.metadata.id]
                table = revision.table.table_name if revision.table else None
                state = (table, revision.metadata.version, revision.kind, revision.data_ion)
                written.setdefault(document_id, []).append(state)
    return written, _documents(ledger, names)


def _documents(ledger: Any, names: dict[str, str]) -> Any:
    driver = ledger.driver()
    found = {}
    for table in driver.list_tables():
        if table.startswith(OWN_TABLES):
            continue
        query = f'SELECT id, d FROM "{table}" AS d BY id'
        rows = driver.execute_lambda(lambda txn, query=query: list(txn.execute_statement(query)))
        found[table] = {
            names.get(str(row["id"]), str(row["id"])): ion_hash(row["d"]) for row in rows
        }
    return found


def relational(sink: RelationalSink) -> Any:
    """All revisions, the current ones, and which tables the source has under which names."""
    db = sink._db  # noqa: SLF001 - as a user's queries find it
    if not db.is_prepared():
        return None
    strands = [s for (s,) in db.execute(f"SELECT strand_id FROM {db.meta('position')} ORDER BY 1")]
    tables = db.execute(
        f"SELECT table_id, source_name, is_dropped FROM {db.meta('source_table')} ORDER BY 1"
    )
    return {
        "history": [revision for s in strands for revision in sink.history(s, 0, 2**62)],
        "current": {(s, r.document_id): r for s in strands for r in sink.current(s)},
        "tables": {table_id: (name, bool(dropped)) for table_id, name, dropped in tables},
    }
