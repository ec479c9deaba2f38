"""`qldb-stream ledger check`: a ledger's file against what its own hashes prove."""

from __future__ import annotations

from typing import Final

import click

from qldb_stream.cli._ledgers import open_existing_ledger
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, count, make_table, print_json, print_verdict
from qldb_stream.cli._progress import progress
from qldb_stream.report import LedgerProblem, LedgerReport

__all__ = ["check"]

EPILOG = """
\b
Examples:
  qldb-stream ledger check cars.ledger
  qldb-stream ledger check cars.ledger --json
"""

# More problems than this are a list for `--json`, not for eyes.
_SHOWN: Final = 25

_COLUMNS: Final = ("where", "#block", "document", "table", "index", "what is wrong")


@click.command(epilog=EPILOG)
@click.argument("ledger_path", metavar="LEDGER", type=click.Path())
@json_option
def check(*, ledger_path: str, as_json: bool) -> int:
    """
    Check all that is stored in LEDGER against its journal's hashes.

    Every hash is recomputed, and documents, indexes and tables are rebuilt from the journal
    and compared. A writer may have LEDGER open; nothing is changed. Exits with 0 when all is
    well, 1 when anything is wrong, 2 when LEDGER cannot be read.
    """
    with (
        open_existing_ledger(ledger_path) as ledger,
        progress(counts=True) as report_progress,
    ):
        report = ledger.check(progress=report_progress)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    return 0 if report.ok else 1


def _print(report: LedgerReport) -> None:
    out = console()
    if report.not_checkable:
        rows = ((times, reason) for reason, times in report.not_checkable.items())
        out.print(make_table("Not checkable", ("#times", "because"), rows))
    if report.problems:
        out.print(make_table("Problems", _COLUMNS, map(_row, report.problems[:_SHOWN])))
    more = len(report.problems[_SHOWN:]) + report.more_problems
    if more:
        out.print(f"  and {more:,} more: `--json` lists the first thousand")
    seen = (
        f"{count(report.blocks, 'block')}, {count(report.revisions, 'revision')}, "
        f"{count(report.documents, 'document')} checked"
    )
    problems = len(report.problems) + report.more_problems
    found = "" if report.ok else f"{count(problems, 'problem')} found in "
    print_verdict(ok=report.ok, sentence=found + seen)


def _row(problem: LedgerProblem) -> tuple[object, ...]:
    return (
        problem.place if problem.field is None else f"{problem.place}.{problem.field}",
        problem.sequence_no,
        problem.document_id,
        problem.table,
        problem.index,
        problem.message,
    )
