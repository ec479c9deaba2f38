"""`qldb-stream replay`: deliver a journal to a sink, in order, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import attrs
import click

from qldb_stream.cli._delivery import (
    declare_gaps,
    delivery_options,
    gap_options,
    log_observers,
    log_options,
    maybe_inbox,
    open_sinks,
    retry_policy,
    start_option,
)
from qldb_stream.cli._delivery_output import print_plan
from qldb_stream.cli._filter_options import WatchedFilter, filter_options
from qldb_stream.cli._input import open_files
from qldb_stream.cli._live import (
    begin_option,
    caught_up_option,
    deliver_live,
    find_live,
    live_sinks,
)
from qldb_stream.cli._options import files_argument, json_option
from qldb_stream.cli._output import (
    print_json,
    print_problems,
    print_replay,
    print_report,
    print_unmet,
)
from qldb_stream.cli._progress import progress
from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.filters import Filter
from qldb_stream.pipeline import DryRunSink, OnRefusal, Pipeline, closing_sink
from qldb_stream.sinks.url import mask_url
from qldb_stream.sources import FolderSource
from qldb_stream.sources.kinesis import Begin
from qldb_stream.typing import Inbox, Sink

__all__ = ["replay"]

EPILOG = """
\b
Examples:
  qldb-stream replay archive/ --to ledger:restored.ledger
  qldb-stream replay archive/ --to ledger:restored.ledger --ids any
  qldb-stream replay archive/ --to ledger:new.ledger --ids paths=Owners.PrimaryOwner.PersonId
  qldb-stream replay archive/ --to ledger:mirror.ledger --mode mirror
  qldb-stream replay archive/ --to jsonl:journal.jsonl --json
  qldb-stream replay archive/ --to jsonl:a.jsonl --to ledger:b.ledger --inbox deliveries.inbox
  qldb-stream replay archive/ --to ledger:b.ledger --inbox deliveries.inbox --on-refusal park
  qldb-stream replay archive/ --to ledger:b.ledger --exclude-tables Orders --mask 'People.ssn=drop'
  qldb-stream replay archive/ --to ledger:b.ledger --log-format json
  qldb-stream replay archive/ --to ledger:b.ledger --dry-run
  qldb-stream replay kinesis://cars --to ledger:b.ledger --start 0 --inbox cars.inbox
  qldb-stream replay kinesis://cars --to sqlite:c.db --inbox c.inbox --from latest --until-caught-up
"""


@click.command(epilog=EPILOG)
@files_argument
@click.option(
    "--to",
    "urls",
    required=True,
    multiple=True,
    metavar="URL",
    help="The sink: SCHEME:PATH. May be repeated; then each gets the journal by itself.",
)
@click.option(
    "--ids",
    metavar="RULE",
    help="Document ids inside documents: keep, any, or paths=FIELD.FIELD,... (ledger sinks).",
)
@click.option(
    "--base",
    metavar="RULE",
    help="insert: take up documents whose first versions are not in the source (ledger sinks).",
)
@click.option(
    "--mode",
    metavar="MODE",
    help="replay: new transactions; mirror: the very blocks, ids and hashes (ledger sinks).",
)
@start_option
@gap_options
@click.option("--inbox", metavar="INBOX", help="Keeps positions, leases and parked blocks.")
@begin_option
@caught_up_option
@delivery_options
@filter_options
@log_options
@click.option("--dry-run", is_flag=True, help="Print what would be done; write nothing.")
@json_option
def replay(  # noqa: PLR0913 - the options of the command
    *,
    files: tuple[str, ...],
    urls: tuple[str, ...],
    start: int | None,
    gaps: tuple[tuple[str, int, int], ...],
    reason: str | None,
    inbox: str | None,
    begin: Begin | None,
    until_caught_up: bool,
    on_refusal: OnRefusal,
    retries: int | None,
    retry_for: float | None,
    block_filter: Filter | None,
    dry_run: bool,
    log_format: str | None,
    log_level: str | None,
    as_json: bool,
    **options: str | None,
) -> int:
    """
    Verify a journal and apply it to a sink, block by block.

    FILE is a file, a folder or s3://BUCKET/PREFIX of Kinesis or Firehose bytes, or - for
    standard input; or a data stream, kinesis://STREAM, which is delivered until SIGINT or
    SIGTERM.
    Started again after a crash or with more files, it goes on after the last block that
    the sink has. A strand stops at the first block that is missing, incomplete or does not
    verify.
    """
    accepted = declare_gaps(gaps, reason)
    rules = WatchedFilter(block_filter)
    given = {name: value for name, value in options.items() if value is not None}
    live = find_live(files, inbox, begin, until_caught_up=until_caught_up)
    make_pipeline = partial(
        Pipeline,
        start=start,
        accept_gaps=accepted,
        on_refusal=on_refusal,
        retry=retry_policy(retries, retry_for),
        filter=rules.apply,
        observers=log_observers(log_format, log_level),
    )
    sinks = _Sinks(urls, given, parks=on_refusal == "park", filters=block_filter is not None)
    if live is not None:
        if dry_run:
            raise UsageError("a data stream has no end, so no --dry-run: archive it, or `tap` it")
        make_live = partial(make_pipeline, sinks.named())
        return deliver_live(live, make_live, rules, as_json=as_json)
    return _replay_files(files, sinks, inbox, make_pipeline, rules, dry_run, as_json)


@attrs.frozen
class _Sinks:
    """Sinks as the command line names them."""

    urls: tuple[str, ...]
    options: Mapping[str, str]
    parks: bool = attrs.field(kw_only=True)
    filters: bool = attrs.field(kw_only=True)

    def opened(self, inbox: Inbox | None) -> AbstractContextManager[Mapping[str, Sink]]:
        """Open them, while a body runs."""
        return open_sinks(self.urls, self.options, inbox, parks=self.parks, filters=self.filters)

    def named(self) -> dict[str, str]:
        """Give their URLs by their names, for who opens them himself."""
        return live_sinks(self.urls, self.options, parks=self.parks, filters=self.filters)

    def __str__(self) -> str:
        return ", ".join(map(mask_url, self.urls))


def _replay_files(
    files: tuple[str, ...],
    named: _Sinks,
    inbox: str | None,
    make_pipeline: Callable[..., Pipeline],
    rules: WatchedFilter,
    dry_run: bool,  # noqa: FBT001 - the command's flag
    as_json: bool,  # noqa: FBT001 - the command's flag
) -> int:
    """Replay what ends by itself."""
    with (
        progress() as report_progress,
        open_files(files, report_progress) as source,
        maybe_inbox(inbox) as opened,
        named.opened(opened) as sinks,
    ):
        if dry_run:
            return _plan(sinks, source, make_pipeline, rules, as_json=as_json)
        pipeline = make_pipeline(sinks, inbox=opened)
        failure = _run(pipeline, source, sinks, rules)
    report = attrs.evolve(pipeline.report, rules_unmet=rules.unmet())
    has_failed = failure is not None
    tables = partial(print_replay, report, str(named), has_failed=has_failed, inbox=inbox)
    print_tables = None if as_json else tables
    return print_report(report, files, print_tables, failure, passed_over=source.passed_over)


def _plan(
    sinks: Mapping[str, Sink],
    source: FolderSource,
    make_pipeline: Callable[..., Pipeline],
    rules: WatchedFilter,
    *,
    as_json: bool,
) -> int:
    """Print what a replay would do to each sink."""
    planners = {name: DryRunSink(sink, name) for name, sink in sinks.items()}
    report = make_pipeline(planners, on_refusal="halt", observers=()).run(source)
    plans = [planner.dry_run() for planner in planners.values()]
    if as_json:
        print_json(
            report.verification.as_json()
            | {"ok": report.ok, "rules_unmet": list(rules.unmet())}
            | {"dry_run": [plan.as_json() for plan in plans]}
        )
    else:
        print_problems(report.verification.problems)
        print_unmet(rules.unmet())
        for plan in plans:
            print_plan(plan)
    if report.nothing_readable:
        return 2
    return 0 if report.ok and all(plan.ok for plan in plans) else 1


def _run(
    pipeline: Pipeline, source: FolderSource, sinks: Mapping[str, Sink], rules: WatchedFilter
) -> QldbStreamError | KeyboardInterrupt | None:
    """Run to the end, or give what ended it; the pipeline's report tells how far it came."""
    try:
        with ExitStack() as closing:
            for sink in sinks.values():
                closing.enter_context(closing_sink(sink))
            pipeline.run(source)
            rules.check()
    except (QldbStreamError, KeyboardInterrupt) as error:
        return error
    return None
