"""`qldb-stream deliver` and `parked`: what waits in an inbox, and what was put aside in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import click

from qldb_stream.cli._delivery import (
    BLOCK,
    declare_gaps,
    delivery_options,
    gap_options,
    inbox_argument,
    log_observers,
    log_options,
    maybe_inbox,
    open_sinks,
    parse_block,
    retry_policy,
    start_option,
)
from qldb_stream.cli._delivery_output import print_delivery, print_parked, print_requeue
from qldb_stream.cli._filter_options import WatchedFilter, filter_options
from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import console, make_printable_lines, print_json
from qldb_stream.errors import UsageError
from qldb_stream.filters import Filter
from qldb_stream.ion import to_ascii_json
from qldb_stream.pipeline import OnRefusal, Pipeline
from qldb_stream.records import iter_records
from qldb_stream.report import ParkedBlock
from qldb_stream.sinks.url import mask_url
from qldb_stream.typing import Inbox, Sink

__all__ = ["deliver", "parked"]

DELIVER_EPILOG = """
\b
Examples:
  qldb-stream deliver consumer.inbox --to ledger:copy.ledger
  qldb-stream deliver consumer.inbox --to ledger:copy.ledger --start 0 --json
  qldb-stream deliver consumer.inbox --to ledger:copy.ledger --on-refusal park
  qldb-stream deliver consumer.inbox --to parquet:tables --exclude-tables Orders
"""

PARKED_EPILOG = """
\b
Examples:
  qldb-stream parked list copy.inbox
  qldb-stream parked show copy.inbox STRAND/17 --contents
  qldb-stream parked requeue copy.inbox STRAND/17 --to ledger:copy.ledger
  qldb-stream parked requeue copy.inbox --all --to ledger:copy.ledger --json
  qldb-stream parked requeue consumer.inbox --all --to ledger:copy.ledger --sink copy
  qldb-stream parked skip copy.inbox STRAND/17 --to ledger:copy.ledger --reason TEXT
"""

_TO = click.option("--to", "url", required=True, metavar="URL", help="The sink.")
_SINK = click.option("--sink", metavar="NAME", help="Only of this sink: its URL, or its name.")
_NAMED = click.option(
    "--sink",
    metavar="NAME",
    help="The sink's name, as `parked list` has it, where that is not its URL.",
)


@click.command(epilog=DELIVER_EPILOG)
@inbox_argument
@click.option("--to", "urls", required=True, multiple=True, metavar="URL", help="The sink.")
@start_option
@gap_options
@delivery_options
@filter_options
@log_options
@json_option
def deliver(  # noqa: PLR0913 - the options of the command
    *,
    inbox: str,
    urls: tuple[str, ...],
    start: int | None,
    gaps: tuple[tuple[str, int, int], ...],
    reason: str | None,
    on_refusal: OnRefusal,
    retries: int | None,
    retry_for: float | None,
    block_filter: Filter | None,
    log_format: str | None,
    log_level: str | None,
    as_json: bool,
) -> int:
    """
    Deliver what waits in an inbox; for a scheduler, or by hand.

    What waits for records that have not come stays, and is no failure.
    """
    accepted = declare_gaps(gaps, reason)
    rules = WatchedFilter(block_filter)
    with (
        maybe_inbox(inbox, must_exist=True) as opened,
        open_sinks(
            urls, {}, opened, parks=on_refusal == "park", filters=block_filter is not None
        ) as sinks,
    ):
        pipeline = Pipeline(
            sinks,
            start=start,
            accept_gaps=accepted,
            inbox=opened,
            on_refusal=on_refusal,
            filter=rules.apply,
            retry=retry_policy(retries, retry_for),
            observers=log_observers(log_format, log_level),
        )
        report = attrs.evolve(pipeline.drain(), rules_unmet=rules.unmet())
    if as_json:
        print_json(report.as_json())
    else:
        print_delivery(report)
    return 0 if report.ok else 1


@click.group(epilog=PARKED_EPILOG)
def parked() -> None:
    """List, show, requeue or give up the blocks that sinks refused."""


@parked.command("list")
@inbox_argument
@_SINK
@json_option
def list_parked(*, inbox: str, sink: str | None, as_json: bool) -> int:
    """List parked blocks: ids, tables and reasons, no contents."""
    with maybe_inbox(inbox, must_exist=True) as opened:
        found = _iter_parked(opened, sink)  # one at a time: each may be large
        if as_json:
            print_json({"ok": True, "parked": [_entry(each) for each in found]})
        else:
            print_parked(found)
    return 0


@parked.command()
@inbox_argument
@click.argument("block", metavar=BLOCK, callback=parse_block)
@_SINK
@click.option("--contents", is_flag=True, help="Print the block's records, documents included.")
@json_option
def show(
    *, inbox: str, block: tuple[str, int], sink: str | None, contents: bool, as_json: bool
) -> int:
    """Show one parked block; its documents only when --contents asks for them."""
    with maybe_inbox(inbox, must_exist=True) as opened:
        found = [
            each
            for each in _iter_parked(opened, sink)
            if (each.address.strand_id, each.address.sequence_no) == block
        ]
    if not found:
        raise UsageError(f"not parked: block {block[0]}/{block[1]}")
    entries = [_entry(each, contents=contents) for each in found]
    if as_json:
        print_json({"ok": True, "parked": entries})
        return 0
    for entry in entries:
        for name, value in entry.items():
            text = f"{name}: {value}" if name != "records" else "\n".join(value)
            console().print(make_printable_lines(text), markup=False, soft_wrap=True)
    return 0


@parked.command()
@inbox_argument
@click.argument("blocks", metavar=f"[{BLOCK}...]", nargs=-1, callback=parse_block)
@_TO
@_NAMED
@click.option("--all", "everything", is_flag=True, help="All that are parked for the sink.")
@log_options
@json_option
def requeue(  # noqa: PLR0913 - the options of the command
    *,
    inbox: str,
    blocks: tuple[tuple[str, int], ...],
    url: str,
    sink: str | None,
    everything: bool,
    log_format: str | None,
    log_level: str | None,
    as_json: bool,
) -> int:
    """Apply parked blocks after all, in order; what depends on one that stays, stays too."""
    if bool(blocks) == everything:
        raise UsageError(f"name blocks as {BLOCK}, or say --all")
    with maybe_inbox(inbox, must_exist=True) as opened, _open_parked(opened, url, sink) as sinks:
        observers = log_observers(log_format, log_level)
        pipeline = Pipeline(sinks, inbox=opened, observers=observers)
        wanted: dict[str, list[int] | None] = {}
        for strand_id, number in blocks:
            wanted[strand_id] = [*(wanted.get(strand_id) or []), number]
        if everything:
            wanted = {each.address.strand_id: None for each in pipeline.parked()}
        reports = {
            strand_id: pipeline.requeue(strand_id, numbers) for strand_id, numbers in wanted.items()
        }
    ok = all(report.ok for report in reports.values())
    if as_json:
        strands = {strand_id: report.as_json() for strand_id, report in reports.items()}
        print_json({"ok": ok, "strands": strands})
    else:
        for report in reports.values():
            print_requeue(report)
        if not reports:
            console().print("nothing is parked")
    return 0 if ok else 1


@parked.command()
@inbox_argument
@click.argument("block", metavar=BLOCK, callback=parse_block)
@_TO
@_NAMED
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the position.")
@json_option
def skip(
    *,
    inbox: str,
    block: tuple[str, int],
    url: str,
    sink: str | None,
    reason: str,
    as_json: bool,
) -> int:
    """Give a parked block up: the sink never gets it, and its position says why."""
    with maybe_inbox(inbox, must_exist=True) as opened, _open_parked(opened, url, sink) as sinks:
        Pipeline(sinks, inbox=opened).skip(*block, reason)
    if as_json:
        print_json({"ok": True})
    else:
        console().print(f"block {block[0]}/{block[1]} is given up", soft_wrap=True)
    return 0


@contextmanager
def _open_parked(inbox: Inbox | None, url: str, sink: str | None) -> Iterator[Mapping[str, Sink]]:
    """
    Open a sink for which blocks are parked, by its name in the inbox, while the body runs.

    Raises:
        UsageError: there are some for other sinks alone; or it cannot be opened.
    """
    assert inbox is not None, "it was named"
    name = sink or mask_url(url)
    parked_for = sorted({each for each, *_ in inbox.status().parked})
    if parked_for and name not in parked_for:
        others = ", ".join(map(mask_url, parked_for))
        hint = "" if sink else " (--sink names it)"
        raise UsageError(f"nothing is parked for {mask_url(name)}; there is for {others}{hint}")
    with open_sinks((url,), {}, inbox, name=name) as sinks:
        yield sinks


def _iter_parked(inbox: Inbox | None, sink: str | None) -> Iterator[ParkedBlock]:
    assert inbox is not None
    for name, strand_id, _ in inbox.status().parked:
        if sink in {None, name}:
            yield from inbox.parked(name, strand_id)


def _entry(parked_block: ParkedBlock, *, contents: bool = False) -> dict[str, Any]:
    address = parked_block.address
    entry = {
        "sink": parked_block.sink,
        "strand_id": address.strand_id,
        "sequence_no": address.sequence_no,
        "transaction_id": parked_block.block.summary.transaction_id,
        "reason": parked_block.reason.value,
        "detail": parked_block.detail,
        "because_of": parked_block.because_of,
        "parked_at": parked_block.parked_at.isoformat(),
        "documents": sorted(parked_block.documents),
        "tables": sorted(parked_block.tables),
    }
    if contents:
        entry["records"] = [to_ascii_json(record) for record in iter_records(parked_block.block)]
    return entry
