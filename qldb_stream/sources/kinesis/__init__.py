"""
A Kinesis data stream as a source: ``kinesis://STREAM?region=REGION&endpoint_url=URL``.

`open_stream` opens it; `Pipeline.consume` reads it. Its leases and checkpoints are in the
inbox, so all who share the inbox share the stream. It needs the extra `aws`.
"""

from __future__ import annotations

from qldb_stream.sources.kinesis._settings import KinesisSettings
from qldb_stream.sources.kinesis._source import KinesisSource, open_stream
from qldb_stream.sources.kinesis._url import StreamUrl, is_stream_url, parse_stream_url
from qldb_stream.sources.kinesis._values import Begin

__all__ = [
    "Begin",
    "KinesisSettings",
    "KinesisSource",
    "StreamUrl",
    "is_stream_url",
    "open_stream",
    "parse_stream_url",
]
