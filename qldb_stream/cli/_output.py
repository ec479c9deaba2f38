"""What the commands print: JSON for programs, tables for people."""

from __future__ import annotations

import base64
import errno
import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qldb_stream.cli._input import shown_names
from qldb_stream.cli._standard import complain
from qldb_stream.errors import PluginError, QldbStreamError, UsageError
from qldb_stream.report import (
    VERSION,
    DigestCheck,
    Level,
    Problem,
    ReplayReport,
    StrandReport,
    VerifyReport,
    unchecked_rows,
)

__all__ = [
    "console",
    "count",
    "explain",
    "make_printable",
    "make_printable_lines",
    "make_table",
    "nothing_readable",
    "print_claims",
    "print_json",
    "print_problems",
    "print_replay",
    "print_report",
    "print_unmet",
    "print_verdict",
    "print_verification",
    "report_exit_code",
]

# A pipe or a file has no width; what is read there later should not be folded at 80.
_WIDTH_OF_A_FILE: Final = 140
_DEBUG: Final = "QLDB_STREAM_DEBUG"
# More problems than this are a list for `--json`, not for eyes.
_PROBLEMS_SHOWN: Final = 25

_STRAND_COLUMNS: Final = ("strand", "#first", "#last", "missing", "digest (base64)")
_DIGEST_COLUMNS: Final = ("state", "strand", "#tip", "digest (base64)", "because")
_UNCHECKED_COLUMNS: Final = ("#times", "because", "documents")
_PROBLEM_COLUMNS: Final = ("code", "#block", "document", "field", "what is wrong")


class _Console(Console):
    """A console that leaves it to the command's end what becomes of a broken pipe."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise what rich has caught, instead of exiting with 1 at once."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console() -> Console:
    """Give a console on today's standard output, wide enough for a digest in a file."""
    return _Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE, highlight=False)


def print_json(value: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """
    Print one JSON object.

    Args:
        value: the object; where it is a whole report, the version of its form is put first.
        indent: None for an object that is one of many lines.
    """
    whole = value if indent is None else {"version": VERSION, **value}
    sys.stdout.write(json.dumps(whole, indent=indent) + "\n")


def make_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """
    Make a table; a column whose name starts with `#` is aligned right.

    Args:
        title: printed above the table.
        columns: their headings.
        rows: as many values as there are columns; None is printed as a dash.
    """
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        show_header=any(column.strip("#") for column in columns),
        box=box.ROUNDED,
    )
    for column in columns:
        table.add_column(
            column.removeprefix("#"),
            justify="right" if column.startswith("#") else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def make_printable(text: str) -> str:
    """Escape what a terminal would obey or not show: a journal may hold any text."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def make_printable_lines(text: str) -> str:
    """Do the same with a text of several lines, whose ends stay."""
    return "\n".join(map(make_printable, text.split("\n")))


def print_verification(report: VerifyReport, *, has_failed: bool = False) -> None:
    """Print strands, what could not be checked, problems, and the verdict."""
    _print_details(report)
    if not report.nothing_readable:
        print_claims(report)
        broken_off = "; then it broke off" if has_failed else ""
        sentence = f"{_verification_sentence(report)}{broken_off}"
        print_verdict(ok=report.ok and not has_failed, sentence=sentence)


def print_report(
    report: VerifyReport | ReplayReport,
    files: Sequence[str],
    print_tables: Callable[[], None] | None,
    failure: QldbStreamError | KeyboardInterrupt | None = None,
    *,
    passed_over: int = 0,
) -> int:
    """
    Print a report and give the exit code that it asks for.

    Args:
        report: what verify or replay came to.
        files: what was read, for the case that nothing of it was readable.
        print_tables: prints the report for people; None prints the JSON object.
        failure: what ended the work before its end.
        passed_over: how many names in folders were not read; said to people.

    Returns:
        0, 1, 2 or 130. When the work was ended, or nothing was readable, the object says
        `ok` false and has an `error`.
    """
    error = None if failure is None else explain(failure)
    if error is None and report.nothing_readable:
        problems = [problem.message for problem in _verification(report).problems]
        error = nothing_readable(shown_names(files), problems)
    if print_tables is not None:
        if passed_over:
            names = count(passed_over, "name")
            console().print(f"{names} in folders not read: hidden, or neither file nor folder")
        print_tables()
    else:
        print_json(report.as_json() | ({} if error is None else {"ok": False, "error": error}))
    if error is not None:
        complain(f"qldb-stream: {error}")
        return report_exit_code(failure)
    return 0 if report.ok else 1


def explain(failure: QldbStreamError | KeyboardInterrupt) -> str:
    """
    Say what ended a command, in one sentence.

    With QLDB_STREAM_DEBUG set, its traceback goes to standard error first: the sentence of
    a plug-in's failure quotes nothing of what it raised, which may hold documents.
    """
    if isinstance(failure, KeyboardInterrupt):
        return "interrupted"
    if os.environ.get(_DEBUG):
        complain("".join(traceback.format_exception(failure)).rstrip())
    elif isinstance(failure, PluginError) and failure.__cause__ is not None:
        return f"{failure}; {_DEBUG}=1 shows the traceback"
    return str(failure)


def report_exit_code(failure: QldbStreamError | KeyboardInterrupt | None) -> int:
    """Give the exit code for what ended the work; None where nothing was readable."""
    if isinstance(failure, KeyboardInterrupt):
        return 130
    return 2 if failure is None or isinstance(failure, UsageError) else 1


def nothing_readable(files: Sequence[str], problems: Sequence[str]) -> str:
    """Say that there is no record in files, and why where that is one thing."""
    why = f": {problems[0]}" if len(problems) == 1 else ""
    return f"nothing readable in {', '.join(files)}{why}"


def _verification(report: VerifyReport | ReplayReport) -> VerifyReport:
    return report.verification if isinstance(report, ReplayReport) else report


def print_replay(
    report: ReplayReport, destination: str, *, has_failed: bool, inbox: str | None = None
) -> None:
    """
    Print what `print_verification` prints, and what the sink took before it failed, if so.

    Args:
        report: what it came to.
        destination: the sinks, as one text.
        has_failed: whether it broke off.
        inbox: the name of the inbox that keeps what was parked.
    """
    _print_details(report.verification)
    if report.nothing_readable:
        return
    print_unmet(report.rules_unmet)
    for sink in report.sinks:
        _print_applied(sink.report, sink.sink)
        if sink.failure is not None:
            console().print(f"  failed: {escape(make_printable(sink.failure))}", soft_wrap=True)
    if not report.sinks:
        _print_applied(report, destination)
    if report.parked and inbox is not None:
        hint = f"`qldb-stream parked list {shlex.quote(inbox)}` says why they are parked"
        console().print(f"  {escape(make_printable(hint))}", soft_wrap=True)
    sentence = f"{count(report.applied, 'block')} applied, {report.skipped} skipped"
    if report.parked:
        sentence += f", {len(report.parked)} parked"
    if not report.verification.ok:
        sentence += f"; {count(len(report.verification.problems), 'problem')} found"
    if has_failed:
        sentence += "; then it broke off"
    print_verdict(ok=report.ok and not has_failed, sentence=sentence)


def print_claims(report: VerifyReport) -> None:
    """Print what a verification proves and what it does not, a sentence a line."""
    out = console()
    for heading, claims in (("proves", report.proves), ("does not prove", report.limits)):
        if claims:
            out.print(f"What this {heading}:", style="bold")
        for claim in claims:
            whose = "" if claim.strand_id is None else f"strand {claim.strand_id}: "
            out.print(f"  - {escape(make_printable(whose + claim.sentence))}", soft_wrap=True)


def print_unmet(rules: Iterable[str]) -> None:
    """Print which rules of a filter met nothing: a mask that is misspelt hides nothing."""
    for rule in rules:
        out = f"the filter's {rule} met nothing: see that it is spelt as the source spells it"
        console().print(escape(make_printable(out)), soft_wrap=True)


def _still_held(blocks: int) -> str:
    return f", what it got in full of {count(blocks, 'block')} it still holds" if blocks > 0 else ""


def _print_applied(report: ReplayReport, destination: str) -> None:
    out = console()
    rows = (
        ("blocks applied", report.applied),
        ("blocks skipped, there already", report.skipped),
        ("revisions written", report.documents),
        ("redactions pending", len(report.redactions_pending)),
    )
    out.print(make_table(f"Delivered to {escape(destination)}", ("", "#"), rows))
    for note in _notes(report):
        out.print(f"  {escape(make_printable(note))}", soft_wrap=True)


def print_problems(problems: Sequence[Problem], title: str = "Problems") -> None:
    """Print problems as a table of this title, the first ones when there are many."""
    if not problems:
        return
    shown = problems[:_PROBLEMS_SHOWN]
    console().print(make_table(title, _PROBLEM_COLUMNS, map(_problem_row, shown)))
    if more := len(problems) - len(shown):
        console().print(f"  and {more} more: `--json` lists them all")


def print_verdict(*, ok: bool, sentence: str) -> None:
    """Print the last line: what it all came to."""
    mark = "[bold green]ok[/]" if ok else "[bold red]not ok[/]"
    console().print(f"{mark}: {escape(make_printable(sentence))}", soft_wrap=True)


def _print_details(report: VerifyReport) -> None:
    out = console()
    if report.strands:
        strands = map(_strand_row, report.strands)
        out.print(make_table("Strands", _STRAND_COLUMNS, strands))
    if report.digests:
        digests = map(_digest_row, report.digests)
        out.print(make_table("Saved digests", _DIGEST_COLUMNS, digests))
    if report.not_checkable:
        out.print(make_table("Not checkable", _UNCHECKED_COLUMNS, unchecked_rows(report)))
    print_problems(report.problems)


def _notes(report: ReplayReport) -> Iterator[str]:
    """Say what is no problem, and still worth knowing."""
    yield from _listed(report.redactions_pending, "redaction pending", "redactions pending")
    yield from _listed(report.parked, "parked", "parked")
    yield from _listed(
        report.not_atomic, "applied in parts, not atomically", "blocks applied in parts"
    )
    if report.redacted_copies:
        found, erased = len(report.redacted_copies), report.copies_erased
        yield (
            f"{count(found, 'block')} that the sink has came with redacted revisions: "
            f"{erased} erased there{_still_held(found - erased)}; `--json` lists them"
        )
    for strand_id, sequence_no, table in report.indexes_kept:
        yield f"index kept that the source dropped: table {table}, block {strand_id}/{sequence_no}"
    if report.ids_unresolved:
        yield f"{count(report.ids_unresolved, 'id')} at declared paths are no known document's"
    for path in report.paths_unmet:
        yield f"--ids: no document that was applied has an id at the path {path}"
    for table, name in report.names_avoided[:_PROBLEMS_SHOWN]:
        yield f"table {table} is called {name} there: something else has the name it would get"
    if report.before_start:
        yield f"{count(report.before_start, 'block')} before --start left out"
    if report.still_parked:
        yield f"{count(report.still_parked, 'block')} came again that were parked before"
    if report.given_up:
        yield f"{count(report.given_up, 'block')} given up before (`parked skip`) came again"
    for strand_id in report.strands_unmet:
        yield f"gap declared in vain: nothing came of strand {strand_id}"
    for table, times in report.left_out.items():
        yield f"left out, as never replayed: {table}, {count(times, 'time')}"


def _listed(blocks: Sequence[tuple[str, int]], sentence: str, kind: str) -> Iterator[str]:
    """Name the first blocks, and count the others."""
    for strand_id, sequence_no in blocks[:_PROBLEMS_SHOWN]:
        yield f"{sentence}: block {strand_id}/{sequence_no}"
    if more := len(blocks[_PROBLEMS_SHOWN:]):
        yield f"and {more} more {kind}: `--json` lists them all"


def _verification_sentence(report: VerifyReport) -> str:
    seen = f"{count(report.blocks, 'block')}, {count(report.revisions, 'revision')}"
    if report.redacted:
        seen += f" ({report.redacted:,} redacted)"
    if not report.ok:
        return f"{count(len(report.problems), 'problem')} found in {seen}"
    if report.level is Level.FULL:
        return f"{seen} verified in full"
    return f"{seen} verified as far as they can be checked"


def count(number: int, noun: str) -> str:
    """Say how many of a thing: `1 block`, `2,000 blocks`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _strand_row(strand: StrandReport) -> tuple[object, ...]:
    missing = ", ".join(map(_range, strand.missing)) or None
    digest = None if strand.digest is None else base64.b64encode(strand.digest).decode()
    return (strand.strand_id, strand.first, strand.last, missing, digest)


def _digest_row(found: DigestCheck) -> tuple[object, ...]:
    digest = base64.b64encode(found.digest).decode()
    return (found.state.value, found.strand_id, found.sequence_no, digest, found.message)


def _range(ends: tuple[int, int]) -> str:
    first, last = ends
    return str(first) if first == last else f"{first}-{last}"


def _problem_row(problem: Problem) -> tuple[object, ...]:
    return (
        problem.code.value,
        problem.sequence_no,
        problem.document_id,
        problem.field,
        f"{problem.shown}{problem.whereabouts}",
    )


def _cell(value: object) -> str:
    return "-" if value is None else escape(make_printable(str(value)))
