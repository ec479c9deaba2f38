"""`qldb-stream coverage`: which blocks an archive holds, where, and what it lacks."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Final

import click

from qldb_stream.archive.coverage import Begin, Survey
from qldb_stream.cli._coverage_output import print_coverage
from qldb_stream.cli._html import check_page, html_option, write_page
from qldb_stream.cli._input import open_files, shown_names
from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import (
    console,
    count,
    explain,
    nothing_readable,
    print_json,
    report_exit_code,
)
from qldb_stream.cli._progress import progress
from qldb_stream.cli._standard import complain
from qldb_stream.errors import QldbStreamError
from qldb_stream.report.html import coverage_page

__all__ = ["coverage"]

EPILOG = """
\b
Examples:
  qldb-stream coverage archive/
  qldb-stream coverage export-1/ export-2/ firehose/ --html coverage.html
  qldb-stream coverage archive/ --json
  qldb-stream coverage firehose/ --from-block 120000
"""

_FROM_BLOCK: Final = re.compile(r"(?:([0-9A-Za-z]{1,64}):)?([0-9]{1,18})")


def _parse_begin(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> Begin:
    """Read N and STRAND:N, of each strand once."""
    found: dict[str | None, int] = {}
    for value in values:
        match = _FROM_BLOCK.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value!r} is neither a block's number nor STRAND:NUMBER")
        if match[1] in found:
            raise click.BadParameter(f"{match[1] or 'every strand'} is given a first block twice")
        found[match[1]] = int(match[2])
    everywhere = found.pop(None, 0)
    return Begin(everywhere, {strand: n for strand, n in found.items() if strand is not None})


begin_option = click.option(
    "--from-block",
    "begin",
    metavar="[STRAND:]N",
    multiple=True,
    callback=_parse_begin,
    help="Blocks before N were never yours: none of them is missing. May be repeated, by strand.",
)


@click.command(epilog=EPILOG)
@files_argument
@begin_option
@html_option
@json_option
def coverage(*, files: tuple[str, ...], begin: Begin, page: Path | None, as_json: bool) -> int:
    """
    Tell which blocks an archive holds, where, and what is missing.

    FILE is what `verify` takes; each one named is a source of its own in the report. Per strand:
    first and last block, what each source and file holds, missing ranges, overlaps, conflicts,
    tables and documents, dropped tables, redactions, and the span of time. A ledger begins with
    block 0; where yours begins later, --from-block says so. No hash is recomputed: `verify`
    tells whether what is here is right. Exits with 0 when nothing is missing, 1 when something
    is, or is in two versions or unreadable, 2 when nothing was readable.
    """
    check_page(page)
    names = shown_names(files)
    with progress() as report_progress, open_files(files, report_progress) as source:
        survey = Survey(source, names, begin=begin)
        failure = _run(survey)
    report = survey.report()
    survey.close()
    error = None if failure is None else explain(failure)
    if error is None and report.nothing_readable:
        error = nothing_readable(names, [problem.message for problem in report.problems])
    if as_json:
        print_json(report.as_json() | ({} if error is None else {"ok": False, "error": error}))
    else:
        if source.passed_over:
            hidden = count(source.passed_over, "name")
            console().print(f"{hidden} in folders not read: hidden, or neither file nor folder")
        print_coverage(report, has_failed=failure is not None)
    write_page(page, partial(coverage_page, report, failure=error))
    if error is not None:
        complain(f"qldb-stream coverage: {error}")
        return report_exit_code(failure)
    return 0 if report.ok else 1


def _run(survey: Survey) -> QldbStreamError | KeyboardInterrupt | None:
    """Run to the end, or give what ended it; the report tells how far it came."""
    try:
        survey.run()
    except (QldbStreamError, KeyboardInterrupt) as error:
        return error
    return None
