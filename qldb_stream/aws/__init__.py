"""
Functions for AWS Lambda: thin edges over the pipeline (docs/lambda.md).

`stream_handler` makes a Lambda function of one of yours. Ready to deploy are, each a module of
its own: `replay.handler` and `replay.drain` (a stream into any sink), `archive.handler` (objects of
Firehose into any sink) and `tables.handler` (a custom resource that creates tables).
"""

from __future__ import annotations

from qldb_stream.aws._kinesis import Response
from qldb_stream.aws._stream import StreamHandler, stream_handler

__all__ = ["Response", "StreamHandler", "stream_handler"]
