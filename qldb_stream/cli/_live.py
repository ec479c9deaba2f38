"""Data streams on the command line: what `replay` does with one, and what `tap` shares with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

import attrs
import click

from qldb_stream.cli._delivery import check_sink_type, check_urls, maybe_inbox
from qldb_stream.cli._delivery_output import print_delivery
from qldb_stream.cli._filter_options import WatchedFilter
from qldb_stream.cli._options import parse_time
from qldb_stream.cli._output import count, print_json, print_verdict
from qldb_stream.cli._signals import stop_on_signals
from qldb_stream.cli._standard import complain
from qldb_stream.errors import UsageError
from qldb_stream.pipeline import Pipeline
from qldb_stream.plugins import find_sink
from qldb_stream.sinks.url import mask_url
from qldb_stream.sources.kinesis import Begin, is_stream_url, open_stream

__all__ = [
    "Live",
    "begin_option",
    "caught_up_option",
    "deliver_live",
    "find_live",
    "live_sinks",
    "tell_wait",
]


def _parse_begin(
    context: click.Context, option: click.Parameter, value: str | None
) -> Begin | None:
    """Read latest, trim_horizon or a time; AWS writes the words in capitals."""
    word = "" if value is None else value.lower()
    if word == "latest":
        return "latest"
    if word == "trim_horizon":
        return "trim_horizon"
    try:
        return parse_time(context, option, value)
    except click.BadParameter as exc:
        raise click.BadParameter("it is latest, trim_horizon or a time") from exc


begin_option = click.option(
    "--from",
    "begin",
    metavar="PLACE",
    callback=_parse_begin,
    help="Where a data stream is begun: latest, trim_horizon (its oldest record), or a time.",
)

caught_up_option = click.option(
    "--until-caught-up",
    is_flag=True,
    help="End when every shard is read to where it was at the start.",
)


@attrs.frozen
class Live:
    """
    A data stream, and where it is read.

    `inbox` names what keeps its records and places, `begin` is where it is begun, the oldest
    record where that is None.
    """

    url: str
    inbox: str | None
    begin: Begin | None
    until_caught_up: bool


def find_live(
    files: Sequence[str], inbox: str | None, begin: Begin | None, *, until_caught_up: bool
) -> Live | None:
    """
    Find out whether a data stream is to be read; None for files.

    Raises:
        UsageError: both are, or options are given that only the other has.
    """
    if not any(is_stream_url(file) for file in files):
        if begin is not None or until_caught_up:
            raise UsageError("--from and --until-caught-up are for data streams: kinesis://STREAM")
        return None
    if len(files) > 1:
        raise UsageError("a data stream is read alone: name one, or files")
    if inbox is None:
        raise UsageError("a data stream needs --inbox, where its records and its places are kept")
    return Live(files[0], inbox, begin, until_caught_up)


def live_sinks(
    urls: Sequence[str], options: Mapping[str, str], *, parks: bool, filters: bool
) -> dict[str, str]:
    """
    Give the URLs of sinks, options included, by their names; each is opened by its own thread.

    Raises:
        UsageError: one names no sink, twice the same, or cannot do what is asked.
    """
    check_urls(urls, options)
    for url in urls:
        sink_type = find_sink(url, **options).sink_type
        check_sink_type(sink_type, mask_url(url), parks=parks, filters=filters)
    more = "&".join(f"{quote(name)}={quote(value)}" for name, value in options.items())
    return {
        mask_url(url): f"{url}{'&' if '?' in url else '?'}{more}" if more else url for url in urls
    }


def tell_wait(sentence: str) -> None:
    """Say on standard error what is waited for."""
    complain(f"qldb-stream: {sentence}")


def deliver_live(
    live: Live, make_pipeline: Callable[..., Pipeline], rules: WatchedFilter, *, as_json: bool
) -> int:
    """
    Deliver a data stream until a signal comes, or it is caught up with; give the exit code.

    Raises:
        QldbStreamError: what cannot be begun, or ended it.
    """
    with maybe_inbox(live.inbox) as inbox, stop_on_signals() as stop:
        assert inbox is not None, "find_live sees to it"
        begin = live.begin or "trim_horizon"
        with open_stream(
            live.url,
            inbox,
            begin=begin,
            until_caught_up=live.until_caught_up,
            on_wait=tell_wait,
        ) as source:
            report = make_pipeline(inbox=inbox).consume(source, stop=stop)
            unreadable = source.unreadable
    report = attrs.evolve(report, rules_unmet=rules.unmet())
    is_ok = report.ok and not unreadable
    if as_json:
        print_json(report.as_json() | {"ok": is_ok, "unreadable": unreadable})
    else:
        print_delivery(report)
        if unreadable:
            parts = count(unreadable, "part")
            print_verdict(ok=False, sentence=f"{parts} could not be read; the inbox keeps them")
    return 0 if is_ok else 1
