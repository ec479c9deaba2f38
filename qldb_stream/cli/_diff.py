"""`qldb-stream diff`: does a sink hold what its source says, and how is it put right?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final

import click

from qldb_stream.cli._delivery import maybe_inbox, open_sinks
from qldb_stream.cli._filter_options import WatchedFilter, filter_options
from qldb_stream.cli._input import open_files, shown_names
from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import (
    console,
    count,
    make_table,
    nothing_readable,
    print_json,
    print_problems,
    print_unmet,
    print_verdict,
)
from qldb_stream.cli._progress import progress
from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.filters import Filter
from qldb_stream.pipeline import LEASE_S, FixedToken, Leases, SystemClock, Tokens
from qldb_stream.plugins import find_sink
from qldb_stream.reconcile import (
    ContentReport,
    DiffState,
    RepairOutcome,
    SinkDiff,
    StrandDiff,
    Verified,
)
from qldb_stream.sinks.url import mask_url
from qldb_stream.typing import Inbox, RepairableSink

__all__ = ["diff"]

EPILOG = """
\b
Examples:
  qldb-stream diff archive/ --with sqlite:cars.db
  qldb-stream diff archive/ --with sqlite:cars.db --state cars.diff
  qldb-stream diff archive/ --with parquet:tables --repair
  qldb-stream diff archive/ --with sqlite:cars.db --repair --inbox consumer.inbox
"""

# More of these than a person reads are for `--json`.
_SHOWN: Final = 25

# A repair may set free what another one needs (a row that stands in its way), so it is
# planned again as long as that helps, and not for ever.
_MOST_ROUNDS: Final = 3

_LEDGERS: Final = frozenset({"ledger"})


@click.command(epilog=EPILOG)
@files_argument
@click.option("--with", "url", required=True, metavar="URL", help="The sink: SCHEME:PATH.")
@click.option(
    "--state",
    metavar="PATH",
    type=click.Path(dir_okay=False),
    help="Remembers what agreed; ranges that did are passed over the next time.",
)
@click.option("--anew", is_flag=True, help="Compare from the start, whatever the state says.")
@click.option("--repair", is_flag=True, help="Write anew what differs, then compare again.")
@click.option("--inbox", metavar="INBOX", help="The inbox that the sink is filled from.")
@filter_options
@json_option
def diff(  # noqa: PLR0913 - the options of the command
    *,
    files: tuple[str, ...],
    url: str,
    state: str | None,
    anew: bool,
    repair: bool,
    inbox: str | None,
    block_filter: Filter | None,
    as_json: bool,
) -> int:
    """
    Compare what a sink holds with its source, and put it right.

    FILE is what `replay` takes. History, order and current state are compared range by
    range up to the sink's position; the source is verified on the way, and what does not
    verify is not compared. A filter must be the one of the delivery. A sink that is behind
    counts as a difference; parked blocks and declared gaps do not. Exits with 1 when
    anything differs or the source does not verify.
    """
    if find_sink(url).sink_type.scheme in _LEDGERS:
        raise UsageError("ledgers are compared by `qldb-stream compare SOURCE LEDGER`")
    rules = WatchedFilter(block_filter)
    name = mask_url(url)
    held = nullcontext() if state is None else DiffState(state, name, rules=_named(block_filter))
    with (
        held as kept,
        progress() as report_progress,
        open_files(files, report_progress) as source,
        maybe_inbox(inbox, must_exist=True) as opened,
        open_sinks((url,), {}, opened, filters=block_filter is not None) as sinks,
    ):
        if kept is not None and anew:
            kept.forget()
        sink = sinks[name]
        if repair and not isinstance(getattr(sink, "sink", sink), RepairableSink):
            raise UsageError(f"sink {name} cannot be repaired")
        verified: dict[str, Verified] = {} if kept is None else dict(kept.verified())
        store = None if kept is None else kept.store
        with SinkDiff(sink, source, filter=rules.apply, verified=verified, progress=store) as work:
            found = left = work.compare()
            outcomes: list[RepairOutcome] = []
            if repair:
                with _tokens(opened, name) as tokens:
                    left = _repair(work, found, tokens, outcomes)
    if left.source.nothing_readable:
        problems = [problem.message for problem in left.source.problems]
        raise UsageError(nothing_readable(shown_names(files), problems))
    if as_json:
        repaired = {"repair": _repair_json(found, outcomes) if repair else None}
        print_json(left.as_json() | repaired | {"rules_unmet": list(rules.unmet())})
    else:
        _print(found, left, outcomes, rules, has_repair=repair)
    return 0 if left.ok else 1


def _repair(
    work: SinkDiff, report: ContentReport, tokens: Tokens, outcomes: list[RepairOutcome]
) -> ContentReport:
    """Repair and compare again, as long as that helps."""
    while (
        any(strand.plan or strand.hidden for strand in report.strands)
        and len(outcomes) < _MOST_ROUNDS
    ):
        before = report.count
        outcomes.append(work.repair(report, tokens))
        report = work.compare()
        if report.count >= before:
            break
    return report


@contextmanager
def _tokens(inbox: Inbox | None, sink: str) -> Iterator[Tokens]:
    """Give what fences others off: the leases of the inbox, or the lowest token."""
    if inbox is None:
        yield FixedToken(0)
        return
    leases = Leases(inbox, sink, LEASE_S, SystemClock())
    try:
        yield leases
    finally:
        with suppress(QldbStreamError):  # they run out by themselves
            leases.release_all()


def _named(rules: Filter | None) -> str:
    """Name a filter's rules by a hash; the salt is a secret and stays out of it."""
    if rules is None:
        return ""
    described = (
        None if rules.tables is None else sorted(rules.tables),
        sorted(rules.exclude_tables),
        sorted(rules.rename.items()),
        sorted(map(repr, rules.masks)),
        sorted(rules.where.items()),
    )
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


def _repair_json(found: ContentReport, outcomes: list[RepairOutcome]) -> dict[str, Any]:
    refused = [run for outcome in outcomes for run in outcome.refused]
    return {
        "found": found.count,
        "blocks": sum(outcome.blocks for outcome in outcomes),
        "rounds": len(outcomes),
        "refused": [list(run) for run in refused],
    }


# --- for people ----------------------------------------------------------------------------


def _print(
    found: ContentReport,
    left: ContentReport,
    outcomes: list[RepairOutcome],
    rules: WatchedFilter,
    *,
    has_repair: bool,
) -> None:
    print_problems(left.source.problems, "Problems of the source")
    print_unmet(rules.unmet())
    _print_differences(found, "Differences")
    if outcomes:
        blocks = sum(outcome.blocks for outcome in outcomes)
        console().print(f"{count(blocks, 'block')} written anew")
        for strand_id, first, last in [run for each in outcomes for run in each.refused][:_SHOWN]:
            console().print(f"  refused by the sink: blocks {first} to {last} of {strand_id}")
        _print_differences(left, "Differences that are left")
    _print_strands(left)
    for strand in left.strands:
        _print_notes(strand, has_repair=has_repair)
    if rules.apply is None and not has_repair and any(strand.plan for strand in left.strands):
        console().print("  if this sink was filled with a filter, give the same one first")
    _print_verdict(left)


def _print_differences(report: ContentReport, title: str) -> None:
    if not report.differences:
        return
    rows = [
        (
            found.code.value,
            found.sequence_no,
            found.found_no,
            found.table,
            found.document_id,
            found.version,
            ", ".join(found.fields) or None,
        )
        for found in report.differences[:_SHOWN]
    ]
    columns = ("what", "#block", "#found at", "table", "document", "#version", "fields")
    console().print(make_table(title, columns, rows))
    if more := report.count - len(rows):
        console().print(f"  and {more} more")


def _print_strands(report: ContentReport) -> None:
    columns = ("strand", "#sink has", "#verified through", "#blocks", "#revisions", "#documents")
    rows = [
        (
            strand.strand_id,
            None if strand.position is None else strand.position.sequence_no,
            None if strand.verified_through is None else strand.verified_through.sequence_no,
            strand.blocks,
            strand.revisions,
            strand.documents,
        )
        for strand in report.strands
    ]
    if rows:
        console().print(make_table("Compared", columns, rows))


def _print_notes(strand: StrandDiff, *, has_repair: bool) -> None:
    out = console()
    if strand.passed_over:
        out.print(f"  {count(strand.passed_over, 'block')} passed over, which agreed before")
    if strand.behind:
        out.print(f"  the sink has still to get {count(strand.behind, 'block')}: replay them")
    if strand.parked:
        out.print(f"  parked: {_listed([(n, n) for n in strand.parked])}")
    if strand.gaps:
        out.print(f"  in declared gaps of the sink: {_listed(strand.gaps)}")
    for found in strand.not_compared[:_SHOWN]:
        out.print(f"  not compared: {_run(found.first, found.last)}: {found.why}")
    if strand.position is not None and not strand.current_compared:
        out.print("  the sink went on meanwhile: its current state was not compared")
    if strand.hidden:
        found_so = count(strand.hidden, "revision")
        out.print(
            f"  {found_so} masked or withheld in the sink and not in what it was compared with: "
            "give the filter that this sink was filled with; nothing is repaired without"
        )
    if strand.plan:
        what = "not repaired" if has_repair else "`--repair` writes anew"
        out.print(f"  {what}: {_listed(strand.plan)}")
    if strand.not_repairable:
        found_so = count(strand.not_repairable, "difference")
        out.print(f"  {found_so} that no block of the source mends")


def _listed(runs: Any) -> str:
    shown = ", ".join(_run(first, last) for first, last in runs[:_SHOWN])
    more = len(runs) - _SHOWN
    return f"blocks {shown}" + (f" and {more} more" if more > 0 else "")


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _print_verdict(report: ContentReport) -> None:
    if report.ok:
        blocks = sum(strand.blocks + strand.passed_over for strand in report.strands)
        documents = sum(strand.documents for strand in report.strands)
        agree = f"{count(blocks, 'block')}, {count(documents, 'current document')}"
        print_verdict(ok=True, sentence=f"source and sink agree: {agree}")
    elif report.count:
        found = count(report.count, "difference")
        print_verdict(ok=False, sentence=f"source and sink do not agree: {found}")
    elif not report.source.ok:
        found = count(len(report.source.problems), "problem")
        print_verdict(ok=False, sentence=f"the source does not verify: {found}")
    else:
        print_verdict(ok=False, sentence="nothing could be compared")
