"""What the commands print: JSON for programs, tables for people."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qldb_stream.report import Level, Problem, ReplayReport, StrandReport, VerifyReport

__all__ = [
    "console",
    "count",
    "make_table",
    "print_json",
    "print_replay",
    "print_verdict",
    "print_verification",
]

# A pipe or a file has no width; what is read there later should not be folded at 80.
_WIDTH_OF_A_FILE: Final = 140
# More problems than this are a list for `--json`, not for eyes.
_PROBLEMS_SHOWN: Final = 25


def console() -> Console:
    """Give a console on today's standard output, wide enough for a digest in a file."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE, highlight=False)


def print_json(value: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """Print one JSON object."""
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """
    Make a table; a column whose name starts with `#` is aligned right.

    Args:
        title: printed above the table.
        columns: their headings.
        rows: as many values as there are columns; None is printed as a dash.
    """
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def print_verification(report: VerifyReport) -> None:
    """Print strands, what could not be checked, problems, and the verdict."""
    _print_details(report)
    print_verdict(ok=report.ok, sentence=_verification_sentence(report))


def print_replay(report: ReplayReport, destination: str) -> None:
    """Print what `print_verification` prints, and what the sink took."""
    _print_details(report.verification)
    out = console()
    out.print(
        make_table(
            f"Delivered to {escape(destination)}",
            ("", "#"),
            (
                ("blocks applied", report.applied),
                ("blocks skipped (there already)", report.skipped),
                ("revisions written", report.documents),
                ("redactions pending", len(report.redactions_pending)),
            ),
        ),
    )
    for strand_id, sequence_no in report.redactions_pending:
        out.print(f"  redaction pending: block {strand_id}/{sequence_no}")
    sentence = f"{report.applied} blocks applied, {report.skipped} skipped"
    if not report.ok:
        sentence += f"; {count(len(report.verification.problems), 'problem')} found"
    print_verdict(ok=report.ok, sentence=sentence)


def print_verdict(*, ok: bool, sentence: str) -> None:
    """Print the last line: what it all came to."""
    mark = "[bold green]ok[/]" if ok else "[bold red]not ok[/]"
    console().print(f"{mark}: {escape(sentence)}", soft_wrap=True)


def _print_details(report: VerifyReport) -> None:
    out = console()
    if report.strands:
        columns = ("strand", "#first", "#last", "missing", "digest (base64)")
        out.print(make_table("Strands", columns, map(_strand_row, report.strands)))
    if report.not_checkable:
        columns = ("#times", "not checkable, because")
        rows = ((times, reason) for reason, times in report.not_checkable.items())
        out.print(make_table("Not checkable", columns, rows))
    if report.problems:
        columns = ("code", "#block", "document", "field", "what is wrong")
        shown = report.problems[:_PROBLEMS_SHOWN]
        out.print(make_table("Problems", columns, map(_problem_row, shown)))
        if len(shown) < len(report.problems):
            out.print(f"  and {len(report.problems) - len(shown)} more: `--json` lists them all")


def _verification_sentence(report: VerifyReport) -> str:
    seen = f"{count(report.blocks, 'block')}, {count(report.revisions, 'revision')}"
    if not report.ok:
        return f"{count(len(report.problems), 'problem')} found in {seen}"
    if report.level is Level.FULL:
        return f"{seen} verified in full"
    return f"{seen} verified as far as they can be checked"


def count(number: int, noun: str) -> str:
    """Say how many of a thing: `1 block`, `2,000 blocks`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _strand_row(strand: StrandReport) -> tuple[object, ...]:
    missing = ", ".join(f"{first}-{last}" for first, last in strand.missing) or None
    digest = None if strand.digest is None else base64.b64encode(strand.digest).decode()
    return (strand.strand_id, strand.first, strand.last, missing, digest)


def _problem_row(problem: Problem) -> tuple[object, ...]:
    return (
        problem.code.value,
        problem.sequence_no,
        problem.document_id,
        problem.field,
        problem.message,
    )


def _cell(value: object) -> str:
    return "-" if value is None else escape(str(value))
