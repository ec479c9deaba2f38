"""`qldb-stream replay`: deliver a journal to a sink, in order, exactly once."""

from __future__ import annotations

from functools import partial

import click

from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import print_replay, print_report
from qldb_stream.cli._progress import progress
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.sinks.url import mask_url
from qldb_stream.sources import open_source

__all__ = ["replay"]

EPILOG = """
\b
Examples:
  qldb-stream replay archive/ --to ledger:restored.ledger
  qldb-stream replay archive/ --to ledger:restored.ledger --ids any
  qldb-stream replay archive/ --to ledger:new.ledger --ids paths=Owners.PrimaryOwner.PersonId
  qldb-stream replay archive/ --to jsonl:journal.jsonl --json
"""


@click.command(epilog=EPILOG)
@files_argument
@click.option("--to", "url", required=True, metavar="URL", help="The sink: SCHEME:PATH.")
@click.option(
    "--ids",
    metavar="RULE",
    help="Document ids inside documents: keep, any, or paths=FIELD.FIELD,... (ledger sinks).",
)
@click.option(
    "--base",
    metavar="RULE",
    help="insert: take up documents whose first versions are not in the source (ledger sinks).",
)
@click.option("--start", type=click.IntRange(min=0), help="The first block of the source.")
@json_option
def replay(
    *,
    files: tuple[str, ...],
    url: str,
    ids: str | None,
    base: str | None,
    start: int | None,
    as_json: bool,
) -> int:
    """
    Verify a journal and apply it to a sink, block by block.

    FILE is a file or a folder of Kinesis or Firehose bytes. Started again after a crash
    or with more files, it goes on after the last block that the sink has. A strand stops
    at the first block that is missing, incomplete or does not verify.
    """
    options = {name: value for name, value in (("ids", ids), ("base", base)) if value is not None}
    with progress() as report_progress:
        source = open_source(files, progress=report_progress)
        sink = open_sink(url, **options)
        try:
            report = Pipeline(sink, start=start, progress=report_progress).run(source)
        finally:
            sink.close()
    print_tables = None if as_json else partial(print_replay, report, mask_url(url))
    return print_report(report, files, print_tables)
