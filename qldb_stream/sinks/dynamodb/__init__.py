"""
`dynamodb:TABLE`: current documents and every revision in one DynamoDB table, exactly once.

A block is one transaction of DynamoDB (TransactWriteItems), several blocks where they fit, with
the position and the fencing token in it. docs/sinks-aws.md has the layout of the table.

Options of the URL:

- ``region=NAME``, ``endpoint=URL``: where the table is; without them boto3's configuration counts.
  Credentials are boto3's, never part of a URL.
- ``prefix=TEXT``: what the partition keys begin with, where other things stand in the table too.
- ``create=yes``: make the table, on demand, where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

if TYPE_CHECKING:
    from qldb_stream.sinks.dynamodb._sink import DynamodbSink

__all__ = ["open_dynamodb", "qldb_stream_register_sinks"]

_MAX_PREFIX: Final = 200


def open_dynamodb(path: str, options: Mapping[str, str]) -> DynamodbSink:
    """
    Make ready to write into a table; unless it is to be made, no request is sent yet.

    Args:
        path: the table's name or ARN.
        options: those that the sink's type lists.

    Raises:
        UsageError: boto3 is not installed, a name or an option makes no sense, or the table may
            not be made.
        SinkUnavailableError: it is to be made, and DynamoDB cannot be reached.
    """
    from qldb_stream.sinks.dynamodb._items import Keys
    from qldb_stream.sinks.dynamodb._sink import DynamodbSink
    from qldb_stream.sinks.dynamodb._table import open_table

    if not path:
        raise UsageError("dynamodb: needs a table's name: write dynamodb:TABLE")
    prefix = options.get("prefix", "")
    if len(prefix.encode()) > _MAX_PREFIX:
        raise UsageError(f"option prefix: expected {_MAX_PREFIX} bytes at most")
    table = open_table(path, options.get("region"), options.get("endpoint"))
    if options.get("create") == "yes":
        table.create()
    return DynamodbSink(table, Keys(prefix))


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `dynamodb:`."""
    options = (
        SinkOption("region", "where the table is", "boto3's"),
        SinkOption("endpoint", "where DynamoDB answers: URL", "AWS"),
        SinkOption("prefix", "what partition keys begin with", ""),
        SinkOption("create", "yes: make the table where there is none", "no", ("yes", "no")),
    )
    summary = "a DynamoDB table: current documents, and history with its proof"
    return [SinkType("dynamodb", open_dynamodb, summary, options, form="TABLE")]
