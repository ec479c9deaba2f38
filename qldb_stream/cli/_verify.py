"""`qldb-stream verify`: prove that a journal is whole and unaltered."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from qldb_stream.cli._answers import read_proofs
from qldb_stream.cli._digest import digest_option, read_digests, tip_option
from qldb_stream.cli._html import check_page, html_option, write_page
from qldb_stream.cli._input import open_files, shown_names
from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import explain, print_report, print_verification
from qldb_stream.cli._progress import progress
from qldb_stream.errors import QldbStreamError
from qldb_stream.pipeline import Checks, Pipeline
from qldb_stream.report.html import verify_page
from qldb_stream.sources import FolderSource

__all__ = ["verify"]

EPILOG = """
\b
Examples:
  qldb-stream verify archive/
  qldb-stream verify part-1.kpl part-2.gz --json
  qldb-stream verify archive/ --html verification.html
  qldb-stream verify archive/ --jobs 4
  qldb-stream verify archive/ --digest ledger-digest.json
  qldb-stream verify archive/ --digest BASE64@STRAND:1234
  qldb-stream verify getblock-answer.json --digest ledger-digest.json
  qldb-stream verify s3://my-archive/2024/ rest/
  tar -xOf archive.tar | qldb-stream verify -
"""


@click.command(epilog=EPILOG)
@files_argument
@digest_option
@tip_option
@click.option(
    "--diagnosis/--no-diagnosis",
    "diagnose",
    default=True,
    help="Look for what was changed in a revision that fails, and for the types that a document "
    "of a JSON export lost. What is found is shown with its value.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="How many processes share the work; what is reported is the same for every number.",
)
@html_option
@json_option
def verify(
    *,
    files: tuple[str, ...],
    digests: tuple[str, ...],
    tip: str | None,
    diagnose: bool,
    jobs: int,
    page: Path | None,
    as_json: bool,
) -> int:
    """
    Recompute every hash that a client can recompute.

    FILE is a file, a folder or s3://BUCKET/PREFIX of Kinesis or Firehose bytes, or - for
    standard input.
    With --digest the ledger's digest at that tip is recomputed from block 0 and compared; of a
    FILE that GetBlock answered, the proof is followed to it.
    Holes in a strand are reported and the chain is checked again after them. Exits with 0
    when no problem was found, 1 when one was, 2 when nothing was readable.
    """
    check_page(page)
    saved = read_digests(digests, tip)
    proofs = read_proofs(files) if saved else ()
    checks = Checks(diagnose=diagnose, digests=saved, proofs=proofs)
    with progress() as report_progress, open_files(files, report_progress) as source:
        pipeline = Pipeline(None, checks=checks)
        failure = _run(pipeline, source, jobs)
    report = pipeline.report.verification
    why = None if failure is None else explain(failure)
    write_page(page, partial(verify_page, report, shown_names(files), failure=why))
    tables = partial(print_verification, report, has_failed=failure is not None)
    return print_report(
        report, files, None if as_json else tables, failure, passed_over=source.passed_over
    )


def _run(
    pipeline: Pipeline, source: FolderSource, jobs: int
) -> QldbStreamError | KeyboardInterrupt | None:
    """Run to the end, or give what ended it; the report tells how far it came."""
    try:
        pipeline.run(source, jobs=jobs)
    except (QldbStreamError, KeyboardInterrupt) as error:
        return error
    return None
