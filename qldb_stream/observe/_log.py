"""
What happens in a delivery as lines of a log, JSON or text, without contents.

Strategy: a logger of its own that no other sees. A library that changed the root logger, or
one found by name, would have lines come twice wherever the host (AWS Lambda) listens there.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from qldb_stream.errors import UsageError
from qldb_stream.events import BlockAddress
from qldb_stream.hookspecs import hookimpl
from qldb_stream.report import BatchDone, BlockDelivered, BlockParked, GapFound, InboxFull
from qldb_stream.sinks.url import mask_url

__all__ = [
    "LOG_FORMATS",
    "LOG_LEVELS",
    "JsonFormatter",
    "LogObserver",
    "TextFormatter",
    "log_observer",
]

LOG_FORMATS: Final = ("json", "text")
"""The forms that lines may have."""

LOG_LEVELS: Final = ("debug", "info", "warning")
"""From which level on events are told; `debug` has a line for every block."""

_FIELDS: Final = "qldb_stream_fields"


class LogObserver:
    """
    Writes what the hooks tell into a logger.

    The event's name is the message; its fields are in the record's attribute
    `qldb_stream_fields`, which `JsonFormatter` and `TextFormatter` print.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @hookimpl
    def qldb_stream_block_delivered(self, event: BlockDelivered) -> None:
        """Write a line of level DEBUG."""
        if not self._logger.isEnabledFor(logging.DEBUG):
            return  # of millions of blocks: make no fields that nobody reads
        fields = _where(event.sink, event.address) | {
            "transaction_id": event.transaction_id,
            "revisions": event.revisions,
            "lag_s": event.at_s - event.block_timestamp.timestamp(),
        }
        self._write(logging.DEBUG, "block_delivered", fields)

    @hookimpl
    def qldb_stream_block_parked(self, event: BlockParked) -> None:
        """Write a line of level WARNING; `qldb-stream parked show` says why, this does not."""
        fields = _where(event.sink, event.address) | {
            "reason": event.reason.value,
            "because_of": event.because_of,
        }
        self._write(logging.WARNING, "block_parked", fields)

    @hookimpl
    def qldb_stream_gap_found(self, event: GapFound) -> None:
        """Write a line of level WARNING."""
        fields = _where(event.sink, BlockAddress(event.strand_id, event.first))
        self._write(logging.WARNING, "gap_found", fields)

    @hookimpl
    def qldb_stream_inbox_full(self, event: InboxFull) -> None:
        """Write a line of level WARNING; it is about no strand."""
        fields = {
            "sink": mask_url(event.sink),
            "strand_id": None,
            "sequence_no": None,
            "state": None if event.state is None else event.state.value,
            "waited_s": event.at_s - event.since_s,
        }
        self._write(logging.WARNING, "inbox_full", fields)

    @hookimpl
    def qldb_stream_batch_done(self, event: BatchDone) -> None:
        """Write a line of level INFO."""
        position = event.position
        address = BlockAddress(position.strand_id, position.sequence_no)
        fields = _where(event.sink, address) | {
            "block_hash": base64.b64encode(position.block_hash).decode(),
            "blocks": event.blocks,
            "revisions": event.revisions,
            "parked": len(position.parked),
            "duration_s": event.ended_s - event.started_s,
        }
        self._write(logging.INFO, "batch_done", fields)

    def _write(self, level: int, name: str, fields: dict[str, Any]) -> None:
        self._logger.log(level, name, extra={_FIELDS: fields})


class JsonFormatter(logging.Formatter):
    """
    Makes one JSON object of a record, in one line: `time`, `level`, `event`, then its fields.

    A record of somebody else gets the event `log`, and fields `logger` and `message`. Of an
    exception only the type is told: its text may quote what was being worked on.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, ASCII only."""
        return json.dumps(_entry(record))


class TextFormatter(logging.Formatter):
    """Makes `TIME LEVEL EVENT name=value ...` of a record; texts are quoted as in JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, ASCII only: no name can begin a line of its own."""
        entry = _entry(record)
        head = (entry.pop("time"), entry.pop("level"), entry.pop("event"))
        return " ".join((*head, *(f"{name}={json.dumps(entry[name])}" for name in entry)))


def log_observer(
    log_format: str = "json", level: str = "info", stream: TextIO | None = None
) -> LogObserver:
    """
    Make an observer that writes lines, for `Pipeline(observers=[...])`.

    Args:
        log_format: one of `LOG_FORMATS`.
        level: one of `LOG_LEVELS`.
        stream: where lines go; standard error when None.

    Raises:
        UsageError: there is no such format or level.
    """
    for what, given, known in (("format", log_format, LOG_FORMATS), ("level", level, LOG_LEVELS)):
        if given not in known:
            raise UsageError(f"there is no log {what} {given!r}: it is {' or '.join(known)}")
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logger = logging.Logger("qldb_stream.observe", level.upper())  # noqa: LOG001 - seen by nobody else
    logger.addHandler(handler)
    return LogObserver(logger)


def _where(sink: str, address: BlockAddress) -> dict[str, Any]:
    return {
        "sink": mask_url(sink),
        "strand_id": address.strand_id,
        "sequence_no": address.sequence_no,
    }


def _entry(record: logging.LogRecord) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
    }
    fields = getattr(record, _FIELDS, None)
    if fields is not None:
        return {**entry, "event": record.getMessage(), **fields}
    entry |= {"event": "log", "logger": record.name, "message": record.getMessage()}
    if record.exc_info is not None and record.exc_info[0] is not None:
        entry["exception"] = record.exc_info[0].__name__
    return entry
