"""`qldb-stream inspect`: print the events that carriers hold, one a line."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import click

from qldb_stream.cli._input import open_files, shown_names
from qldb_stream.cli._options import files_argument
from qldb_stream.cli._output import count, make_printable, nothing_readable, print_json
from qldb_stream.cli._progress import progress
from qldb_stream.cli._standard import complain
from qldb_stream.errors import DecodeError, ExportIncompleteError, UsageError
from qldb_stream.events import (
    BlockSummary,
    ControlRecord,
    RevisionDetails,
    Undecodable,
)
from qldb_stream.ion import to_text
from qldb_stream.typing import Item

__all__ = ["describe", "inspect", "make_line"]


def describe(item: Item, *, with_data: bool) -> dict[str, Any]:
    """
    Give an event, or bytes that are none, as the object that `--json` prints.

    Args:
        item: what a source yielded.
        with_data: add the document of a revision, as Ion text.
    """
    shown = _DESCRIBE[type(item)](item)
    if with_data and isinstance(item, RevisionDetails):
        data = item.revision.data_ion
        shown["data"] = None if data is None else to_text(data)
    return shown


def make_line(shown: Mapping[str, Any]) -> str:
    """Give a described event as a line for people, its type first, nothing to obey in it."""
    words = [f"{shown['type']:<17}"]
    words += [write(shown) for write in _WORDS[shown["type"]]]
    if shown.get("data") is not None:
        words.append(shown["data"])
    return make_printable("  ".join(word for word in words if word))


def _control(item: ControlRecord) -> dict[str, Any]:
    return {"type": "CONTROL", "stream_arn": item.stream_arn, "kind": item.kind}


def _summary(item: BlockSummary) -> dict[str, Any]:
    return {
        "type": "BLOCK_SUMMARY",
        "strand_id": item.address.strand_id,
        "sequence_no": item.address.sequence_no,
        "transaction_id": item.transaction_id,
        "block_timestamp": _time(item.block_timestamp),
        "block_hash": _base64(item.block_hash),
        "previous_block_hash": _base64(item.previous_block_hash),
        "statements": _statements(item),
        "revisions": len(item.revision_summaries),
        "redacts": item.redaction_info is not None,
    }


def _revision(item: RevisionDetails) -> dict[str, Any]:
    revision = item.revision
    table, metadata = revision.table, revision.metadata
    return {
        "type": "REVISION_DETAILS",
        "strand_id": revision.address.strand_id,
        "sequence_no": revision.address.sequence_no,
        "table": None if table is None else table.table_name,
        "document_id": revision.document_id,
        "version": None if metadata is None else metadata.version,
        "kind": revision.kind.value,
        "tx_time": None if metadata is None else _time(metadata.tx_time),
        "hash": _base64(revision.hash),
    }


def _undecodable(item: Undecodable) -> dict[str, Any]:
    if isinstance(item.error, ExportIncompleteError):
        return {
            "type": "EXPORT_INCOMPLETE",
            "source": item.source,
            "message": str(item.error),
        }
    return {
        "type": "UNDECODABLE",
        "source": item.source,
        "offset": item.offset,
        "length": item.length,
        "message": str(item.error),
    }


def _statements(item: BlockSummary) -> list[str] | None:
    """Give the texts of the block's statements, None when they cannot be read."""
    if item.transaction_info is None:
        return []
    try:
        return [statement.statement for statement in item.transaction_info.statements]
    except DecodeError as error:
        # The block is still worth a line; what is wrong with it is `verify`'s to say.
        complain(f"qldb-stream inspect: {error}")
        return None


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


_DESCRIBE: Final[dict[type[Any], Callable[[Any], dict[str, Any]]]] = {
    ControlRecord: _control,
    BlockSummary: _summary,
    RevisionDetails: _revision,
    Undecodable: _undecodable,
}

_Words = tuple[Callable[[Mapping[str, Any]], str], ...]


def _address(shown: Mapping[str, Any]) -> str:
    return f"{shown['strand_id']}/{shown['sequence_no']}"


_WORDS: Final[dict[str, _Words]] = {
    "CONTROL": (lambda shown: f"{shown['kind']} {shown['stream_arn']}",),
    "BLOCK_SUMMARY": (
        _address,
        lambda shown: str(shown["block_timestamp"]),
        lambda shown: f"transaction {shown['transaction_id']}",
        lambda shown: count(shown["revisions"], "revision"),
        lambda shown: "redacts" if shown["redacts"] else "",
        lambda shown: "; ".join(" ".join(text.split()) for text in shown["statements"] or ()),
    ),
    "REVISION_DETAILS": (
        _address,
        lambda shown: str(shown["tx_time"]),
        lambda shown: f"{shown['table']} {shown['document_id']}",
        lambda shown: f"version {shown['version']} {shown['kind']}",
    ),
    "UNDECODABLE": (
        lambda shown: f"{shown['source']} at byte {shown['offset']}, {shown['length']} bytes:",
        lambda shown: str(shown["message"]),
    ),
    "EXPORT_INCOMPLETE": (
        lambda shown: f"{shown['source']}:",
        lambda shown: str(shown["message"]),
    ),
}


EPILOG = """
\b
Examples:
  qldb-stream inspect part-1.kpl
  qldb-stream inspect archive/ --data
  qldb-stream inspect archive/ --json | grep REVISION_DETAILS
  curl -s https://example.com/part-1 | qldb-stream inspect -
"""


@click.command(epilog=EPILOG)
@files_argument
@click.option("--data", "with_data", is_flag=True, help="Print documents too, as Ion text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def inspect(*, files: tuple[str, ...], with_data: bool, as_json: bool) -> int:
    """
    Print the events that files hold, one a line, in the order of their blocks.

    FILE is a file, a folder or s3://BUCKET/PREFIX of Kinesis or Firehose bytes, or - for
    standard input.
    Bytes that cannot be read are printed as UNDECODABLE with their place, and what an export
    promised and did not deliver as EXPORT_INCOMPLETE; then the exit code is 1, or 2 when
    nothing could be read at all.
    """
    events = 0
    damaged: list[str] = []
    with (
        progress(prints_lines=True) as report_progress,
        open_files(files, report_progress) as source,
    ):
        for item in source.items():
            shown = describe(item, with_data=with_data)
            if as_json:
                print_json(shown, indent=None)
            else:
                click.echo(make_line(shown))
            if isinstance(item, Undecodable):
                damaged[1:] = [str(item.error)]  # the first, and whether there are more
            else:
                events += 1
    if not events:
        raise UsageError(nothing_readable(shown_names(files), damaged))
    return 1 if damaged else 0
