"""`qldb-stream status`: what an inbox holds, and what its sinks wait for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import click
from rich.markup import escape

from qldb_stream.cli._options import json_option
from qldb_stream.cli._output import (
    console,
    count,
    make_printable,
    make_table,
    print_json,
    print_verdict,
)
from qldb_stream.inbox import open_inbox
from qldb_stream.report import InboxStatus, SinkWait, WaitState
from qldb_stream.sinks.url import mask_url

__all__ = ["status"]

EPILOG = """
\b
Examples:
  qldb-stream status consumer.inbox
  qldb-stream status sqlite:consumer.inbox --json
  qldb-stream status dynamodb:consumer-inbox
"""

_STRANDS: Final = ("strand", "#first", "#last", "#records", "#bytes", "#arrivals")
_SINKS: Final = ("sink", "strand", "#has", "#needs", "which is", "#behind", "#lag s", "keeps alone")
_LEASES: Final = ("lease", "#token", "#seconds left")
_PARKED: Final = ("sink", "strand", "#blocks parked")


@click.command(epilog=EPILOG)
@click.argument("inbox_name", metavar="INBOX")
@json_option
def status(*, inbox_name: str, as_json: bool) -> int:
    """
    Say what INBOX holds: what each sink has, what it waits for, what is kept for whom.

    INBOX is the file or table that consumers use; it may be in use meanwhile.
    """
    inbox = open_inbox(inbox_name, must_exist=True)
    try:
        found = inbox.status()
    finally:
        inbox.close()
    now_s = time.time()
    if as_json:
        print_json({"ok": True, **_masked(found, now_s)})
    else:
        _print(found, now_s)
        _print_holders(found, inbox_name)
        print_verdict(ok=True, sentence=_sentence(found))
    return 0


def _masked(found: InboxStatus, now_s: float) -> dict[str, object]:
    """Give the status with passwords in sinks' names masked."""
    said = found.as_json(now_s)
    said["sinks"] = [mask_url(sink) for sink in said["sinks"]]
    for part in ("positions", "parked", "waits"):
        said[part] = [entry | {"sink": mask_url(entry["sink"])} for entry in said[part]]
    return said


def _print(found: InboxStatus, now_s: float) -> None:
    out = console()
    strands = (
        (s.strand_id, s.first, s.last, s.records, s.record_bytes, s.arrivals) for s in found.strands
    )
    out.print(make_table("Strands", _STRANDS, strands))
    out.print(make_table("Sinks", _SINKS, _sink_rows(found, now_s)))
    if found.leases:
        leases = (
            (lease.key, lease.token, max(0, round(lease.expires_s - now_s)))
            for lease in found.leases
        )
        out.print(make_table("Leases", _LEASES, leases))
    if found.parked:
        parked = ((mask_url(sink), *rest) for sink, *rest in found.parked)
        out.print(make_table("Parked", _PARKED, parked))


def _sink_rows(found: InboxStatus, now_s: float) -> Iterator[tuple[object, ...]]:
    has = {(sink, position.strand_id): position for sink, position in found.positions}
    for wait in found.waits:
        position = has.get((wait.sink, wait.strand_id))
        yield (
            mask_url(wait.sink),
            wait.strand_id,
            None if position is None else position.sequence_no,
            wait.next,
            wait.state.value,
            wait.behind,
            None if wait.since_s is None else max(0, round(now_s - wait.since_s)),
            _range(wait),
        )
    # A replay of files keeps positions here and no records, so nothing is waited for.
    waiting = {(wait.sink, wait.strand_id) for wait in found.waits}
    for (sink, strand_id), position in has.items():
        if (sink, strand_id) not in waiting:
            nothing = WaitState.NOTHING.value
            yield (mask_url(sink), strand_id, position.sequence_no, None, nothing, 0, None, None)


def _print_holders(found: InboxStatus, inbox_name: str) -> None:
    """Name for whom the lowest stored block of each strand is kept: they hold back the rest."""
    reached = {(sink, at.strand_id): at.sequence_no for sink, at in found.positions}
    for strand in found.strands:
        if strand.first is None or not found.sinks:
            continue
        had = {sink: reached.get((sink, strand.strand_id), -1) for sink in found.sinks}
        least = min(had.values())
        if least >= (strand.last or 0):
            continue
        names = ", ".join(mask_url(sink) for sink in found.sinks if had[sink] == least)
        note = f"{strand.strand_id}: kept from block {max(strand.first, least + 1)} on for {names}"
        if least < 0:
            note += f", delivered nothing yet; to give up: qldb-stream forget {inbox_name} SINK"
        console().print(f"  {escape(make_printable(note))}", soft_wrap=True)


def _range(wait: SinkWait) -> str | None:
    return None if wait.holds is None else f"{wait.holds[0]}-{wait.holds[1]}"


def _sentence(found: InboxStatus) -> str:
    stuck = sum(w.state in (WaitState.MISSING, WaitState.INCOMPLETE) for w in found.waits)
    parked = sum(blocks for _sink, _strand_id, blocks in found.parked)
    records = sum(strand.records for strand in found.strands)
    parts = [
        f"{count(records, 'record')} stored for {count(len(found.sinks), 'sink')}",
        f"{count(parked, 'block')} parked",
        f"{count(found.quarantined, 'unreadable record')} quarantined",
    ]
    if stuck:
        parts.append(f"what is needed next is not whole here {count(stuck, 'time')}")
    return ", ".join(parts)
