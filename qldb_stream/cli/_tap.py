"""`qldb-stream tap`: print the events of a data stream as they come."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from qldb_stream.cli._inspect import describe, make_line
from qldb_stream.cli._live import begin_option, caught_up_option, tell_wait
from qldb_stream.cli._output import print_json
from qldb_stream.cli._signals import stop_on_signals
from qldb_stream.events import Undecodable
from qldb_stream.inbox import MemoryInbox
from qldb_stream.sources.kinesis import Begin, open_stream
from qldb_stream.typing import Item

__all__ = ["tap"]

EPILOG = """
\b
Examples:
  qldb-stream tap kinesis://cars
  qldb-stream tap kinesis://cars --from trim_horizon --until-caught-up --json
  qldb-stream tap 'kinesis://cars?region=eu-west-1' --from 2024-05-06T07:00Z --data
"""


@click.command(epilog=EPILOG)
@click.argument("url", metavar="kinesis://STREAM")
@begin_option
@caught_up_option
@click.option("--data", "with_data", is_flag=True, help="Print documents too, as Ion text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def tap(
    *, url: str, begin: Begin | None, until_caught_up: bool, with_data: bool, as_json: bool
) -> int:
    """
    Print the events of a data stream as they come, one a line, until SIGINT or SIGTERM.

    It begins with what comes from now on, unless --from says otherwise. It reads all shards, is
    in no consumer's way but for Kinesis's five reads a second and shard, and keeps nothing.
    Bytes that cannot be read are printed as UNDECODABLE with their place; the exit code is
    1 then.
    """
    has_unreadable = False
    with closing(MemoryInbox()) as inbox:  # leases and places of this process alone
        source = open_stream(
            url,
            inbox,
            begin=begin or "latest",
            until_caught_up=until_caught_up,
            on_wait=tell_wait,
        )
        with source, stop_on_signals(source.stop):
            for item in source.items():
                _print(item, with_data=with_data, as_json=as_json)
                source.acknowledge(1)
                has_unreadable = has_unreadable or isinstance(item, Undecodable)
    return 1 if has_unreadable else 0


def _print(item: Item, *, with_data: bool, as_json: bool) -> None:
    shown = describe(item, with_data=with_data)
    if as_json:
        print_json(shown, indent=None)
    else:
        click.echo(make_line(shown))
    sys.stdout.flush()
