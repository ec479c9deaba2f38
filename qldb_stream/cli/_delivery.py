"""What the commands that deliver share: options, sinks by their URLs, an inbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import attrs
import click

from qldb_stream.cli._options import add_options
from qldb_stream.errors import DeliveryError, QldbStreamError, UsageError
from qldb_stream.hookspecs import SinkType
from qldb_stream.inbox import SqliteInbox, open_inbox
from qldb_stream.observe import LOG_FORMATS, LOG_LEVELS, LogObserver, log_observer
from qldb_stream.pipeline import CheckpointedSink, RetryPolicy, closing_sink
from qldb_stream.plugins import find_sink
from qldb_stream.report import Gap, Guarantee
from qldb_stream.sinks.url import mask_url
from qldb_stream.typing import Inbox, Sink

__all__ = [
    "BLOCK",
    "check_sink_type",
    "check_urls",
    "declare_gaps",
    "delivery_options",
    "gap_options",
    "inbox_argument",
    "log_observers",
    "log_options",
    "maybe_inbox",
    "open_sinks",
    "parse_block",
    "retry_policy",
    "start_option",
]

BLOCK: Final = "STRAND/NUMBER"

_GAP: Final = re.compile(r"([0-9A-Za-z]+):([0-9]+)-([0-9]+)")
_BLOCK: Final = re.compile(r"([0-9A-Za-z]+)/([0-9]+)")


def _parse_gaps(
    _context: click.Context,
    _option: click.Parameter,
    values: tuple[str, ...],
) -> tuple[tuple[str, int, int], ...]:
    """Read STRAND:FIRST-LAST, both included."""
    found = [_GAP.fullmatch(value) for value in values]
    if not all(found):
        raise click.BadParameter("a gap is STRAND:FIRST-LAST, both numbers included")
    gaps = tuple((gap[1], int(gap[2]), int(gap[3])) for gap in found if gap is not None)
    for strand_id, first, last in gaps:
        if first > last:
            raise click.BadParameter(
                f"{strand_id}:{first}-{last} ends before it begins: write {last}-{first}"
            )
    return gaps


def parse_block(
    _context: click.Context, _option: click.Parameter, values: Any
) -> tuple[str, int] | tuple[tuple[str, int], ...]:
    """Read STRAND/NUMBER, once or several times; an argument's callback."""
    several = isinstance(values, tuple)
    found = [_BLOCK.fullmatch(value) for value in (values if several else (values,))]
    if not all(found):
        raise click.BadParameter(f"a block is {BLOCK}")
    blocks = tuple((block[1], int(block[2])) for block in found if block is not None)
    return blocks if several else blocks[0]


def gap_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that declare gaps."""
    reason = click.option(
        "--reason", metavar="TEXT", help="Why blocks are lost; kept with the position."
    )
    gaps = click.option(
        "--accept-gap",
        "gaps",
        metavar="STRAND:FIRST-LAST",
        multiple=True,
        callback=_parse_gaps,
        help="Blocks that are known to be lost; needs --reason. May be repeated.",
    )
    return gaps(reason(command))


def delivery_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what becomes of failures and refusals."""
    options = (
        click.option(
            "--on-refusal",
            type=click.Choice(["halt", "park"]),
            default="halt",
            show_default=True,
            help="What becomes of a block that a sink refuses for good; park needs an inbox.",
        ),
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            help=f"How often a failed sink is tried again.  [default: {RetryPolicy().retries}]",
        ),
        click.option(
            "--retry-for",
            type=click.FloatRange(min=0),
            metavar="SECONDS",
            help=f"And for how long at most.  [default: {RetryPolicy().within_s:.0f}]",
        ),
    )
    return add_options(command, options)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that ask for a log."""
    log_format = click.option(
        "--log-format",
        type=click.Choice(LOG_FORMATS),
        help="Log what happens, without contents, to standard error.",
    )
    log_level = click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        help="Log from here on; debug has a line for each block.  [default: info, once logging]",
    )
    return log_format(log_level(command))


def log_observers(log_format: str | None, log_level: str | None) -> tuple[LogObserver, ...]:
    """Give the observers that the options ask for: one as soon as either is given, or none."""
    if log_format is None and log_level is None:
        return ()
    return (log_observer(log_format or "text", log_level or "info"),)


start_option = click.option(
    "--start", type=click.IntRange(min=0), help="The first block, where a sink has none."
)

inbox_argument = click.argument("inbox")


def retry_policy(retries: int | None, retry_for: float | None) -> RetryPolicy:
    """Make a policy of the options that were given."""
    policy = RetryPolicy()
    if retries is not None:
        policy = attrs.evolve(policy, retries=retries)
    return policy if retry_for is None else attrs.evolve(policy, within_s=retry_for)


def declare_gaps(
    gaps: tuple[tuple[str, int, int], ...],
    reason: str | None,
) -> dict[str, list[Gap]]:
    """Join declared gaps and their reason, by strand."""
    if bool(gaps) != bool(reason):
        raise click.UsageError("--accept-gap and --reason belong together")
    accepted: dict[str, list[Gap]] = {}
    for strand_id, first, last in sorted(gaps):
        accepted.setdefault(strand_id, []).append(Gap(first, last, reason or ""))
    return accepted


@contextmanager
def maybe_inbox(name: str | None, *, must_exist: bool = False) -> Iterator[Inbox | None]:
    """
    Open the inbox that an option names, if it names one, while the body runs.

    A file that was made for nothing, since the body could not even begin, goes again.

    Raises:
        UsageError: it cannot be opened, also when it may be later: nothing could be begun.
    """
    if name is None:
        yield None
        return
    try:
        inbox = open_inbox(name, must_exist=must_exist)
    except QldbStreamError as exc:
        raise UsageError(str(exc)) from exc
    try:
        yield inbox
    finally:
        if isinstance(inbox, SqliteInbox):
            inbox.remove_unused()
        inbox.close()


@contextmanager
def open_sinks(
    urls: Sequence[str],
    options: Mapping[str, str],
    inbox: Inbox | None,
    *,
    parks: bool = False,
    filters: bool = False,
    name: str | None = None,
) -> Iterator[Mapping[str, Sink]]:
    """
    Open sinks while the body runs, by their URLs with passwords masked; a single one by a name.

    Closing them again after the body has done so does no harm.

    Raises:
        UsageError: one cannot be opened, also when it may be later: nothing could be begun.
    """
    check_urls(urls, options)
    with ExitStack() as closing:
        sinks: dict[str, Sink] = {}
        for url in urls:
            key = name or mask_url(url)
            sinks[key] = _open(url, options, key, inbox, parks=parks, filters=filters)
            closing.callback(_close, sinks[key])
        yield sinks


def check_urls(urls: Sequence[str], options: Mapping[str, str]) -> None:
    """
    Check that sinks and options belong together.

    Raises:
        UsageError: two sinks have one name, or options are given for several.
    """
    if options and len(urls) > 1:
        raise UsageError(
            f"with several sinks write options into the URLs, such as ?{next(iter(options))}=..."
        )
    if len({mask_url(url) for url in urls}) < len(urls):
        raise UsageError("--to names the same sink twice")


def _open(
    url: str,
    options: Mapping[str, str],
    name: str,
    inbox: Inbox | None,
    *,
    parks: bool,
    filters: bool,
) -> Sink:
    found = find_sink(url, **options)
    sink_type = found.sink_type
    check_sink_type(sink_type, name, parks=parks, filters=filters)
    try:
        sink = found.open()
    except DeliveryError as exc:
        raise UsageError(str(exc)) from exc
    if inbox is not None and sink_type.guarantee is Guarantee.AT_LEAST_ONCE:
        return CheckpointedSink(sink, inbox, name)
    return sink


def check_sink_type(sink_type: SinkType, name: str, *, parks: bool, filters: bool) -> None:
    """
    Check that a kind of sink can do what is asked.

    Raises:
        UsageError: it cannot.
    """
    if parks and not sink_type.can_park:
        raise UsageError(f"sink {name} cannot leave blocks out: --on-refusal park is not for it")
    if filters and not sink_type.takes_filtered:
        raise UsageError(f"sink {name} must hold what verifies, so it takes no filtered blocks")


def _close(sink: Sink) -> None:
    # The command has closed it, and told what failed then.
    with suppress(QldbStreamError), closing_sink(sink):
        pass
