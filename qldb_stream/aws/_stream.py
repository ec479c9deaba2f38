"""
`stream_handler`: a function of a block, or of a revision, as a Lambda function for Kinesis.

With an inbox the records of any number of shards, batches and containers come together there: no
block is left out, and each comes once unless a container dies. What is stored is acknowledged, so
a schedule must call `StreamHandler.drain` for what no new record wakes.

Without one a batch stands alone: order and repeats are seen within it, and a block of which a part
is in another batch or shard is never delivered, but comes again until Lambda gives it up. That is
for streams whose aggregated records hold whole blocks. See `_alone`.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import attrs

from qldb_stream.aws._alone import deliver_alone
from qldb_stream.aws._context import deadline_of
from qldb_stream.aws._function_sink import (
    FunctionSink,
    OnBlock,
    OnRevision,
    block_function,
    name_of,
    place_of,
)
from qldb_stream.aws._kinesis import KinesisBatch, Response, read_batch
from qldb_stream.aws._meter import Meter
from qldb_stream.aws._settings import FUNCTION_RETRY, PREFIX, read_start
from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.events import Block, Undecodable
from qldb_stream.inbox import open_inbox
from qldb_stream.pipeline import Clock, OnRefusal, Pipeline, RetryPolicy, SystemClock
from qldb_stream.report import Gap
from qldb_stream.typing import Inbox

if TYPE_CHECKING:
    from qldb_stream.filters import Filter

__all__ = ["StreamHandler", "stream_handler"]

Function: TypeAlias = OnBlock | OnRevision


@attrs.frozen
class _Wishes:
    """What `stream_handler` was told; see there."""

    inbox: Inbox | str | None
    start: int | Mapping[str, int] | None
    name: str | None
    filter: Filter | None
    on_refusal: OnRefusal
    accept_gaps: Mapping[str, Sequence[Gap]]
    retry: RetryPolicy
    on_undecodable: Callable[[Undecodable], None] | None
    clock: Clock


class StreamHandler:
    """
    A handler for Lambda; made by `stream_handler`.

    Attributes:
        function: what the user wrote.
    """

    def __init__(self, function: Function, wishes: _Wishes) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._deliver = block_function(function)
        self._wishes = wishes
        self._name = wishes.name or name_of(function)
        self._meter = Meter(wishes.clock)
        self._pipeline: Pipeline | None = None
        self._is_made = False

    def __call__(self, event: Mapping[str, Any], context: object = None) -> Response:
        """
        Take a batch of Kinesis records.

        Args:
            event: of a Kinesis event source mapping with `ReportBatchItemFailures`.
            context: Lambda's; its time says when to stop in good order.

        Returns:
            The first record that must come again, if any, as Lambda asks for it.

        Raises:
            UsageError: it is no Kinesis event, or what the decorator was given makes no sense.
            Exception: without an inbox, why the very first record cannot be delivered, such
                as what the function raised: nothing is done, so Lambda counts a failure.
            QldbStreamError: with an inbox: it cannot be reached, the whole batch comes again.
        """
        batch = read_batch(event)
        pipeline = self._pipeline_of()
        if pipeline is None:
            return self._take_alone(batch)
        deadline_s = deadline_of(context, self._wishes.clock)
        result = pipeline.handle_batch(batch.items, deadline_s=deadline_s)
        self._meter.tell(result.delivery, {"Records": len(batch.sequence_numbers)}, result.refusal)
        return batch.response(batch.first_failed(result.failed))

    def drain(self, event: object = None, context: object = None) -> dict[str, Any]:  # noqa: ARG002 - Lambda's form
        """
        Deliver whatever waits in the inbox; name it in your module, and let a schedule call it.

        Returns:
            How the function stands with each strand, as `qldb-stream deliver --json` prints it.

        Raises:
            UsageError: there is no inbox.
            QldbStreamError: it cannot be reached.
        """
        pipeline = self._pipeline_of()
        if pipeline is None:
            raise UsageError("there is no inbox, so nothing waits: give stream_handler an inbox")
        report = pipeline.drain(deadline_s=deadline_of(context, self._wishes.clock))
        self._meter.tell(report, {})
        return report.as_json()

    def _take_alone(self, batch: KinesisBatch) -> Response:
        result = deliver_alone(batch.items, self._filtered, self._wishes.on_undecodable)
        failed = batch.first_failed(result.failed)
        if result.error is not None:
            if not failed:
                raise result.error
            _tell(self._name, result.error)
        return batch.response(failed)

    def _filtered(self, block: Block) -> None:
        rules = self._wishes.filter
        self._deliver(block if rules is None else rules.apply(block))

    def _pipeline_of(self) -> Pipeline | None:
        """Make the pipeline at the first event; None without an inbox."""
        if not self._is_made:
            self._pipeline = self._make_pipeline()
            self._is_made = True
        return self._pipeline

    def _make_pipeline(self) -> Pipeline | None:
        wishes = self._wishes
        inbox = wishes.inbox or os.environ.get(f"{PREFIX}INBOX") or None
        if inbox is None:
            if wishes.on_refusal != "halt" or wishes.accept_gaps:
                raise UsageError("on_refusal and accept_gaps need an inbox")
            return None
        return Pipeline(
            {self._name: FunctionSink(self._name, self._deliver)},
            inbox=open_inbox(inbox) if isinstance(inbox, str) else inbox,
            start=read_start(os.environ) if wishes.start is None else wishes.start,
            filter=wishes.filter,
            on_refusal=wishes.on_refusal,
            accept_gaps=wishes.accept_gaps,
            retry=wishes.retry,
            observers=[self._meter],
            clock=wishes.clock,
        )


@overload
def stream_handler(function: Function, /) -> StreamHandler: ...


@overload
def stream_handler(
    *,
    inbox: Inbox | str | None = None,
    start: int | Mapping[str, int] | None = None,
    name: str | None = None,
    filter: Filter | None = None,
    on_refusal: OnRefusal = "halt",
    accept_gaps: Mapping[str, Sequence[Gap]] | None = None,
    retry: RetryPolicy = FUNCTION_RETRY,
    on_undecodable: Callable[[Undecodable], None] | None = None,
    clock: Clock | None = None,
) -> Callable[[Function], StreamHandler]: ...


def stream_handler(  # noqa: PLR0913 - the settings of a delivery, each named
    function: Function | None = None,
    /,
    *,
    inbox: Inbox | str | None = None,
    start: int | Mapping[str, int] | None = None,
    name: str | None = None,
    filter: Filter | None = None,  # noqa: A002 - the word for it
    on_refusal: OnRefusal = "halt",
    accept_gaps: Mapping[str, Sequence[Gap]] | None = None,
    retry: RetryPolicy = FUNCTION_RETRY,
    on_undecodable: Callable[[Undecodable], None] | None = None,
    clock: Clock | None = None,
) -> StreamHandler | Callable[[Function], StreamHandler]:
    """
    Make of a function a Lambda function that takes the journal from Kinesis.

    The function gets whole, verified blocks: `def on_block(block)`, or one revision after the
    other: `def on_revision(revision, block)`. Whatever it returns is not looked at. Records are
    taken out of their KPL frames, repeats fall out, and each strand is in order: it stops at a
    block that is damaged, of two versions, or for which the function raises, and goes on there.

    Args:
        function: of one or two parameters.
        inbox: an inbox, which stays open, or its name; None reads QLDB_STREAM_INBOX, and without
            that each batch stands alone (see the head of this module).
        start: the first block where the inbox knows no position of this function, for all
            strands or by strand; None reads QLDB_STREAM_START.
        name: what the inbox knows this function by; its module and name when None.
        filter: changes each block before it is handed over.
        on_refusal: `park` puts a block aside for which the function raises `SinkRefusedError`.
        accept_gaps: missing blocks that the owner has declared, by strand.
        retry: how often the function is called again in one invocation when it raises; with
            an inbox.
        on_undecodable: gets what cannot be read, where there is no inbox to keep it; without
            it such a record comes again.
        clock: the time; for tests.

    Returns:
        The handler; given options alone, a decorator.

    Raises:
        UsageError: the function takes something else; at the first event, an inbox that
            cannot be opened.
    """
    chosen = _Wishes(
        inbox,
        start,
        name,
        filter,
        on_refusal,
        accept_gaps or {},
        retry,
        on_undecodable,
        SystemClock() if clock is None else clock,
    )
    if function is None:
        return lambda given: StreamHandler(given, chosen)
    return StreamHandler(function, chosen)


def _tell(name: str, error: BaseException) -> None:
    """Write why a batch was not taken to its end."""
    what = str(error) if isinstance(error, QldbStreamError) else place_of(error)
    sys.stderr.write(json.dumps({"event": "batch_cut", "handler": name, "error": what}) + "\n")
