"""`qldb-stream compare`: does a replayed or mirrored ledger equal its source?"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

import click

from qldb_stream.cli._journal import RecordedJournal
from qldb_stream.cli._ledgers import is_database, open_existing_ledger, open_replayed_ledger
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import (
    console,
    count,
    make_table,
    nothing_readable,
    print_json,
    print_problems,
    print_verdict,
)
from qldb_stream.cli._progress import progress
from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.reconcile import Comparison, VerifiedLedger, compare_ledgers, compare_mirror
from qldb_stream.report import VerifyReport

__all__ = ["compare", "print_agreement", "print_differences"]

EPILOG = """
\b
Examples:
  qldb-stream compare archive/ restored.ledger
  qldb-stream compare source.ledger restored.ledger --json
"""

# More differences than this are a list for `--json`, not for eyes.
_DIFFERENCES_SHOWN: Final = 25


@click.command(epilog=EPILOG)
@click.argument("source", type=click.Path())
@click.argument("destination", type=click.Path())
@json_option
def compare(*, source: str, destination: str, as_json: bool) -> int:
    """
    Compare a ledger with the journal that was replayed into it.

    SOURCE is a ledger file, or a file or folder of Kinesis or Firehose bytes; DESTINATION
    is a ledger file. For each block of SOURCE the documents, versions and contents that
    DESTINATION has for it must be the same, document ids translated. A mirror must have
    the very blocks of SOURCE; its own, which continue the chain, may follow. Every hash of
    both journals is recomputed, and both chains are followed. Exits with 1 when anything
    differs, or when SOURCE or DESTINATION does not verify; with 2 when no replay has
    written to DESTINATION. What a ledger file holds beside its journal, `ledger check` checks.
    """
    with ExitStack() as stack:
        copy = VerifiedLedger(
            stack.enter_context(open_replayed_ledger(destination, or_mirror=True))
        )
        if is_database(source):
            origin = VerifiedLedger(stack.enter_context(open_existing_ledger(source)))
            comparison = _compare(origin.blocks(), copy)
            report = origin.report()
        else:
            comparison, report = _compare_records(source, copy)
        mirrored, of_copy = copy.mirrored_blocks, copy.report()
        own = of_copy.blocks - mirrored if mirrored else 0
        return _tell(comparison, report, of_copy, own_blocks=own, as_json=as_json)


def _compare(source: Iterable[Block], copy: VerifiedLedger) -> Comparison:
    """Compare as the destination was filled: mirrored, or replayed."""
    return compare_mirror(source, copy) if copy.mirrored_blocks else compare_ledgers(source, copy)


def _compare_records(source: str, copy: VerifiedLedger) -> tuple[Comparison, VerifyReport]:
    with progress() as report_progress:
        journal = RecordedJournal(source, report_progress, copy.driver())
        comparison = _compare(journal, copy)
    report = journal.report()
    if report.nothing_readable:
        raise UsageError(nothing_readable([source], [found.message for found in report.problems]))
    return comparison, report


def _tell(
    comparison: Comparison,
    source: VerifyReport,
    destination: VerifyReport,
    *,
    own_blocks: int,
    as_json: bool,
) -> int:
    ok = comparison.ok and source.ok and destination.ok
    if as_json:
        reports = {"source": source.as_json(), "destination": destination.as_json()}
        print_json(comparison.as_json() | {"ok": ok} | reports)
        return 0 if ok else 1
    for side, report in (("source", source), ("destination", destination)):
        print_problems(report.problems, f"Problems of the {side}")
    print_differences(comparison)
    for side, report in (("source", source), ("destination", destination)):
        if not report.ok:
            found = count(len(report.problems), "problem")
            print_verdict(ok=False, sentence=f"the {side} does not verify: {found}")
    if ok or not comparison.ok:
        print_agreement(comparison, ok=ok, own_blocks=own_blocks)
    return 0 if ok else 1


def print_differences(comparison: Comparison) -> None:
    """Print what differs, as a table; nothing when nothing does."""
    if not comparison.differences:
        return
    shown = comparison.differences[:_DIFFERENCES_SHOWN]
    columns = ("#block", "table", "document", "what differs")
    rows = [(found.sequence_no, found.table, found.document_id, found.what) for found in shown]
    console().print(make_table("Differences", columns, rows))
    if more := _differences(comparison) - len(shown):
        console().print(f"  and {more} more")


def print_agreement(comparison: Comparison, *, ok: bool, own_blocks: int = 0) -> None:
    """
    Print the last lines: whether source and destination agree.

    Args:
        comparison: what was found.
        ok: whether they do.
        own_blocks: how many blocks of its own a mirror has; what is current is then no longer
            the source's alone, and was not compared.
    """
    if not ok:
        found = count(_differences(comparison), "difference")
        print_verdict(ok=False, sentence=f"source and destination do not agree: {found}")
        return
    blocks, revisions = count(comparison.blocks, "block"), count(comparison.revisions, "revision")
    documents = count(comparison.documents, "document")
    agree = "source and destination agree"
    print_verdict(ok=True, sentence=f"{agree}, block by block: {blocks}, {revisions}")
    if comparison.requeued:
        requeued = count(comparison.requeued, "block")
        console().print(f"  {requeued} parked once, applied after later ones: compared there")
    if own_blocks:
        own = count(own_blocks, "block")
        console().print(f"  the mirror has gone on, by {own} of its own: documents not compared")
    else:
        print_verdict(ok=True, sentence=f"{agree}, document by document: {documents}")


def _differences(comparison: Comparison) -> int:
    return len(comparison.differences) + comparison.more
