"""`qldb-stream ids`: what became of source document ids in a destination ledger."""

from __future__ import annotations

import click

from qldb_stream.cli._ledgers import open_replayed_ledger
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, count, make_table, print_json, print_verdict
from qldb_stream.replay import lookup_ids

__all__ = ["ids"]

EPILOG = """
\b
Examples:
  qldb-stream ids restored.ledger 3Qv67yjXEwB9SjmvkuG6Cp
  qldb-stream ids restored.ledger 3Qv67yjXEwB9SjmvkuG6Cp 1uWQKbLAyRD7hpzLiDiYtJ --json
"""

_FIELDS = ("source_id", "destination_id", "table_id", "version_offset")


@click.command(epilog=EPILOG)
@click.argument("ledger_path", metavar="LEDGER", type=click.Path())
@click.argument("source_ids", metavar="SOURCE_ID...", nargs=-1, required=True)
@json_option
def ids(*, ledger_path: str, source_ids: tuple[str, ...], as_json: bool) -> int:
    """
    Look up which document in LEDGER stands for each SOURCE_ID.

    LEDGER is a file that `replay` has written. Exits with 1 when an id is unknown there, with
    2 when no replay has written to LEDGER at all.
    """
    with open_replayed_ledger(ledger_path) as ledger:
        found = lookup_ids(ledger, source_ids)
    rows = [{name: getattr(record, name) for name in _FIELDS} for record in found]
    known = {record.source_id for record in found}
    unknown = [source_id for source_id in source_ids if source_id not in known]
    if as_json:
        print_json({"ok": not unknown, "ids": rows, "unknown": unknown})
    else:
        console().print(make_table("Document ids", _FIELDS, [tuple(row.values()) for row in rows]))
        sentence = f"{count(len(rows), 'id')} found"
        if unknown:
            sentence += f", unknown here: {', '.join(unknown)}"
        print_verdict(ok=not unknown, sentence=sentence)
    return 1 if unknown else 0
