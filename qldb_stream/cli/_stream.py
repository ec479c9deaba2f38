"""`qldb-stream ledger stream`: a ledger's journal onto a Kinesis data stream."""

from __future__ import annotations

import re
import threading
from datetime import datetime
from functools import partial
from typing import Final

import attrs
import click

from qldb_stream.cli._ledgers import open_existing_ledger
from qldb_stream.cli._options import json_option, parse_time
from qldb_stream.cli._output import count, print_json, print_verdict
from qldb_stream.cli._signals import stop_on_signals
from qldb_stream.clients.kinesis import (
    StreamChoice,
    StreamReport,
    connect_kinesis,
    stream_journal,
)
from qldb_stream.ledger import Environment

__all__ = ["stream"]

EPILOG = """
\b
Examples:
  qldb-stream ledger stream cars.ledger --to kinesis://cars
  qldb-stream ledger stream cars.ledger --to kinesis://cars --follow
  qldb-stream ledger stream cars.ledger --to kinesis://cars \\
      --start 2024-05-06T00:00Z --end 2024-05-07T00:00Z --json
"""

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
_URL: Final = re.compile(r"kinesis:(?://)?([A-Za-z0-9_.-]{1,128})")


def _parse_url(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """Read kinesis://STREAM."""
    found = _URL.fullmatch(value)
    if found is None:
        raise click.BadParameter("it is kinesis://STREAM, a data stream's name")
    return found[1]


@click.command(epilog=EPILOG)
@click.argument("ledger_path", metavar="LEDGER", type=click.Path())
@click.option(
    "--to",
    "name",
    required=True,
    metavar="kinesis://STREAM",
    callback=_parse_url,
    help="The Kinesis data stream, which must be there.",
)
@click.option("--start", metavar="TIME", callback=parse_time, help="Blocks of this time or later.")
@click.option("--end", metavar="TIME", callback=parse_time, help="Blocks before this time.")
@click.option("--follow", is_flag=True, help="Wait for new blocks, until --end or an interrupt.")
@click.option("--no-aggregation", is_flag=True, help="One Kinesis record for each of QLDB's.")
@click.option(
    "--state",
    "state_path",
    type=click.Path(),
    help="Where the position is kept.  [default: LEDGER-kinesis-STREAM]",
)
@click.option("--endpoint-url", metavar="URL", help="Where Kinesis is, if not at AWS.")
@click.option("--region", metavar="REGION", help="AWS's region, if not the configured one.")
@json_option
def stream(  # noqa: PLR0913 - a command has its options
    *,
    ledger_path: str,
    name: str,
    start: datetime | None,
    end: datetime | None,
    follow: bool,
    no_aggregation: bool,
    state_path: str | None,
    endpoint_url: str | None,
    region: str | None,
    as_json: bool,
) -> int:
    """
    Put the journal of LEDGER on a Kinesis data stream.

    It is there as QLDB streamed it: CREATED comes first, then every block, with --end
    COMPLETED comes last. Started again it goes on after what Kinesis has acknowledged; each
    record is there at least once. Another process may write LEDGER meanwhile.
    """
    chosen = StreamChoice(name, start, end, aggregated=not no_aggregation)
    client = connect_kinesis(endpoint_url=endpoint_url, region=region)
    with open_existing_ledger(ledger_path) as ledger, stop_on_signals() as stop:
        report = stream_journal(
            ledger,
            client,
            chosen,
            state_path or f"{ledger_path}-kinesis-{name}",
            follow=follow,
            environment=attrs.evolve(Environment(), sleep=partial(_wait, stop)),
            should_stop=stop.is_set,
        )
    if as_json:
        print_json({"ok": True, **report.as_json()})
    else:
        print_verdict(ok=True, sentence=_sentence(report))
    return 0


def _sentence(report: StreamReport) -> str:
    sent = f"{count(report.blocks, 'block')} in {count(report.records, 'record')}"
    end = "it is completed" if report.completed else f"it goes on with block {report.next_block}"
    return f"stream {report.stream}: {sent} put there, {end}"


def _wait(stop: threading.Event, wait_s: float) -> None:
    stop.wait(wait_s)
