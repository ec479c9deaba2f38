"""
The functions that replay a stream: one for its batches, one for what no batch would wake.

`handler` is called by a Kinesis event source mapping with `ReportBatchItemFailures`; `drain` by a
schedule. Both take their settings from environment variables (docs/lambda.md lists them), share an
inbox, and may run in any number at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qldb_stream.aws._context import deadline_of
from qldb_stream.aws._deployment import deployment
from qldb_stream.aws._kinesis import Response, read_batch
from qldb_stream.report import BatchResult, ItemOutcome

__all__ = ["drain", "handler"]


def handler(event: Mapping[str, Any], context: object = None) -> Response:
    """
    Take a batch of Kinesis records and deliver what it completes.

    Each record is in the inbox before it is acknowledged. That a sink is away or a strand
    waits is therefore no failure of the batch; it is in the line of metrics.

    Args:
        event: of a Kinesis event source mapping.
        context: Lambda's; its time says when to stop in good order.

    Returns:
        The first record that is nowhere durable and must come again, if any.

    Raises:
        UsageError: the environment is not fit to work in, or it is no Kinesis event; a sink has
            nothing and QLDB_STREAM_START is not set.
        QldbStreamError: inbox or secrets cannot be reached: the whole batch comes again.
    """
    here = deployment()
    batch = read_batch(event)
    deadline_s = deadline_of(context, here.clock)
    result = here.pipeline.handle_batch(batch.items, deadline_s=deadline_s)
    failed = batch.first_failed(result.failed)
    taken = len(batch.sequence_numbers) if failed is None else failed
    here.meter.tell(
        result.delivery,
        {
            "Records": len(batch.sequence_numbers),
            "RecordsRefused": len(batch.sequence_numbers) - taken,
            "RecordsQuarantined": _count_quarantined(result),
        },
        result.refusal,
    )
    here.settle(result.delivery)
    return batch.response(failed)


def drain(event: object = None, context: object = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's form
    """
    Deliver whatever waits in the inbox; to be called by a schedule, every few minutes.

    Args:
        event: whatever the schedule says; it is not looked at.
        context: Lambda's; its time says when to stop in good order.

    Returns:
        How each sink stands with each strand, as `qldb-stream deliver --json` prints it.

    Raises:
        UsageError, QldbStreamError: as `handler`.
    """
    here = deployment()
    report = here.pipeline.drain(deadline_s=deadline_of(context, here.clock))
    parked = sum(count for _, _, count in here.inbox.status().parked)
    here.meter.tell(report, {"BlocksParkedNow": parked})
    here.settle(report)
    return report.as_json()


def _count_quarantined(result: BatchResult) -> int:
    return sum(outcome is ItemOutcome.QUARANTINED for outcome in result.outcomes)
