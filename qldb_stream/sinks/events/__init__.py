"""
`events:eventbridge/BUS`, `events:sns/TOPIC_ARN`, `events:sqs/QUEUE`: CloudEvents, at least once.

Needs boto3 (extra `aws`); region, endpoint and credentials are its own business. Each message
is one event in JSON by CloudEvents 1.0 (https://github.com/cloudevents/spec); where the channel
keeps order (FIFO queues and topics) its group is the document's id and its deduplication id the
revision's hash. How events are put into batches, and what is done when a batch is taken in part,
is in `_post`; the three channels are in `_channels`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.report import Guarantee

if TYPE_CHECKING:
    from qldb_stream.sinks.events._sink import EventsSink

__all__ = ["open_events", "qldb_stream_register_sinks"]

_OPTIONS: Final = (
    SinkOption("source", "what events name as their source", "qldb-stream"),
    SinkOption(
        "max_bytes", "the largest event, and batch of events, that the channel takes", "262144"
    ),
    SinkOption(
        "claims", "s3://BUCKET/PREFIX for documents that are too large; without it they are refused"
    ),
)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `events:`."""
    return [
        SinkType(
            "events",
            open_events,
            "CloudEvents to EventBridge, SNS or a FIFO queue of SQS",
            _OPTIONS,
            guarantee=Guarantee.AT_LEAST_ONCE,
        )
    ]


def open_events(path: str, options: Mapping[str, str]) -> EventsSink:
    """
    Open a sink; of a queue that is named, its URL is asked.

    Raises:
        UsageError: boto3 is not installed or has no region, the URL or an option makes no
            sense, or the queue is not there.
        SinkUnavailableError: the service does not answer now.
    """
    from qldb_stream.sinks.events._settings import read_settings
    from qldb_stream.sinks.events._sink import open_channel

    return open_channel(read_settings(path, options))
