"""What the commands that deliver print for people; never document contents."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rich.markup import escape

from qldb_stream.cli._output import (
    console,
    count,
    make_printable,
    make_table,
    print_unmet,
    print_verdict,
)
from qldb_stream.report import DeliveryReport, DryRunReport, ParkedBlock, RequeueReport
from qldb_stream.sinks.url import mask_url

__all__ = ["print_delivery", "print_parked", "print_plan", "print_requeue"]

_SHOWN = 25  # more are a list for `--json`


def print_delivery(report: DeliveryReport) -> None:
    """Print how each sink stands with each strand."""
    rows = [
        (s.sink, s.strand_id, s.state.value, s.applied, s.parked, _number(s.position), s.waits_for)
        for s in report.strands
    ]
    columns = ("sink", "strand", "state", "#applied", "#parked", "#at block", "#next")
    if rows:
        console().print(make_table("Delivered", columns, rows))
    print_unmet(report.rules_unmet)
    for strand in report.strands:
        if strand.detail:
            _note(f"{strand.sink}, {strand.strand_id}: {strand.detail}")
        _print_split(strand.not_atomic, f"{strand.sink}, {strand.strand_id}")
    for sink, failure in report.sinks_failed.items():
        _note(f"{sink}: {failure}")
    print_verdict(ok=report.ok, sentence=f"{count(report.applied, 'block')} applied")


def print_parked(parked: Iterable[ParkedBlock]) -> None:
    """
    Print a line for each of the first parked blocks, and why it is parked; count the others.

    Args:
        parked: by sink, strand and number, so that what a block depends on comes before it.
    """
    seen: set[tuple[str, str, int]] = set()
    for p in parked:
        seen.add((p.sink, p.address.strand_id, p.address.sequence_no))
        if len(seen) <= _SHOWN:
            block = f"{p.address.strand_id}/{p.address.sequence_no}"
            _note(f"{mask_url(p.sink)}, {block}: {_why(p, seen)}")
    _print_more(len(seen), "parked")
    console().print(f"{count(len(seen), 'block')} parked")


def _why(parked: ParkedBlock, seen: Collection[tuple[str, str, int]]) -> str:
    """Say why a block is parked, and what it touches."""
    touched = count(len(parked.documents), "document")
    if parked.tables:
        touched += f" of {', '.join(sorted(parked.tables))}"
    cause = parked.because_of
    if cause is None:
        return f"{parked.detail} ({touched})"
    is_gone = (parked.sink, parked.address.strand_id, cause) not in seen
    since = ", and is no more: requeue it" if is_gone else ""
    return f"it depends on block {cause}, which was parked{since} ({touched})"


def _print_more(total: int, what: str) -> None:
    """Say how many there are beyond those that were shown."""
    if total > _SHOWN:
        _note(f"and {total - _SHOWN:,} more {what}: `--json` lists them all")


def print_requeue(report: RequeueReport) -> None:
    """Print what became of requeued blocks."""
    for number, why in report.refused[:_SHOWN]:
        _note(f"block {number} is refused again: {why}")
    _print_more(len(report.refused), "refused again")
    for number, cause in report.waiting[:_SHOWN]:
        _note(f"block {number} comes after block {cause}, which is parked")
    _print_more(len(report.waiting), "that come after a parked block")
    _print_split(report.not_atomic, "requeued")
    left = len(report.refused) + len(report.waiting)
    sentence = f"{count(len(report.applied), 'block')} applied, {left} still parked"
    print_verdict(ok=report.ok, sentence=sentence)


def print_plan(plan: DryRunReport) -> None:
    """Print what a replay would do."""
    rows = [(t.name, t.ddl, t.inserts, t.updates, t.deletes, t.withheld) for t in plan.tables]
    columns = ("table", "#DDL", "#inserts", "#updates", "#deletes", "#withheld")
    if rows:
        console().print(make_table(f"Would be done to {escape(plan.sink)}", columns, rows))
    for strand_id, number, why in plan.refused[:_SHOWN]:
        _note(f"block {strand_id}/{number} cannot be repeated: {why}")
    sentence = f"{count(plan.blocks, 'block')} to apply, {plan.refused_blocks} cannot be"
    print_verdict(ok=plan.ok, sentence=f"{sentence}; nothing was written")


def _print_split(numbers: tuple[int, ...], where: str) -> None:
    """Name the first blocks that were applied in several transactions, and count the others."""
    if numbers:
        named = ", ".join(map(str, numbers[:_SHOWN]))
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        _note(f"{where}: applied in parts, not atomically: {named}{more}")


def _number(position: object) -> object:
    return getattr(position, "sequence_no", None)


def _note(text: str) -> None:
    console().print(f"  {escape(make_printable(text))}", soft_wrap=True)
