"""`qldb-stream replay`: deliver a journal to a sink, in order, exactly once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Final

import click

from qldb_stream.cli._input import open_files
from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import print_replay, print_report
from qldb_stream.cli._progress import progress
from qldb_stream.errors import DeliveryError, QldbStreamError, UsageError
from qldb_stream.pipeline import Pipeline, closing_sink
from qldb_stream.plugins import open_sink
from qldb_stream.report import Gap
from qldb_stream.sinks.url import mask_url
from qldb_stream.sources import FolderSource
from qldb_stream.typing import Sink

__all__ = ["replay"]

EPILOG = """
\b
Examples:
  qldb-stream replay archive/ --to ledger:restored.ledger
  qldb-stream replay archive/ --to ledger:restored.ledger --ids any
  qldb-stream replay archive/ --to ledger:new.ledger --ids paths=Owners.PrimaryOwner.PersonId
  qldb-stream replay archive/ --to ledger:mirror.ledger --mode mirror
  qldb-stream replay archive/ --to jsonl:journal.jsonl --json
"""


_GAP: Final = re.compile(r"([0-9A-Za-z]+):([0-9]+)-([0-9]+)")


def _parse_gaps(
    _context: click.Context,
    _option: click.Parameter,
    values: tuple[str, ...],
) -> tuple[tuple[str, int, int], ...]:
    """Read STRAND:FIRST-LAST, both included."""
    found = [_GAP.fullmatch(value) for value in values]
    if not all(found):
        raise click.BadParameter("a gap is STRAND:FIRST-LAST, both numbers included")
    gaps = tuple((gap[1], int(gap[2]), int(gap[3])) for gap in found if gap is not None)
    for strand_id, first, last in gaps:
        if first > last:
            raise click.BadParameter(
                f"{strand_id}:{first}-{last} ends before it begins: write {last}-{first}"
            )
    return gaps


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
@click.option(
    "--mode",
    metavar="MODE",
    help="replay: new transactions; mirror: the very blocks, ids and hashes (ledger sinks).",
)
@click.option("--start", type=click.IntRange(min=0), help="The first block of the source.")
@click.option(
    "--accept-gap",
    "gaps",
    metavar="STRAND:FIRST-LAST",
    multiple=True,
    callback=_parse_gaps,
    help="Blocks that are known to be lost; needs --reason. May be repeated.",
)
@click.option("--reason", metavar="TEXT", help="Why blocks are lost; kept with the position.")
@json_option
def replay(
    *,
    files: tuple[str, ...],
    url: str,
    start: int | None,
    gaps: tuple[tuple[str, int, int], ...],
    reason: str | None,
    as_json: bool,
    **options: str | None,
) -> int:
    """
    Verify a journal and apply it to a sink, block by block.

    FILE is a file or a folder of Kinesis or Firehose bytes, or - for standard input.
    Started again after a crash or with more files, it goes on after the last block that
    the sink has. A strand stops at the first block that is missing, incomplete or does not
    verify.
    """
    accepted = _declare(gaps, reason)
    given = {name: value for name, value in options.items() if value is not None}
    with (
        progress() as report_progress,
        open_files(files, report_progress) as source,
    ):
        sink = _open(url, given)
        pipeline = Pipeline(sink, start=start, accept_gaps=accepted)
        failure = _run(pipeline, source, sink)
    report = pipeline.report
    has_failed = failure is not None
    tables = partial(print_replay, report, mask_url(url), has_failed=has_failed)
    print_tables = None if as_json else tables
    return print_report(report, files, print_tables, failure, passed_over=source.passed_over)


def _open(url: str, options: Mapping[str, str]) -> Sink:
    """
    Open the sink.

    Raises:
        UsageError: it cannot be opened, also when it may be later: nothing could be begun.
    """
    try:
        return open_sink(url, **options)
    except DeliveryError as exc:
        raise UsageError(str(exc)) from exc


def _run(
    pipeline: Pipeline, source: FolderSource, sink: Sink
) -> QldbStreamError | KeyboardInterrupt | None:
    """Run to the end, or give what ended it; the pipeline's report tells how far it came."""
    try:
        with closing_sink(sink):
            pipeline.run(source)
    except (QldbStreamError, KeyboardInterrupt) as error:
        return error
    return None


def _declare(
    gaps: tuple[tuple[str, int, int], ...],
    reason: str | None,
) -> dict[str, list[Gap]]:
    """Join declared gaps and their reason, by strand."""
    if bool(gaps) != bool(reason):
        raise click.UsageError("--accept-gap and --reason belong together")
    accepted: dict[str, list[Gap]] = {}
    for strand_id, first, last in sorted(gaps):
        accepted.setdefault(strand_id, []).append(Gap(first, last, reason or ""))
    return accepted
