"""
`parquet:PATH`: a folder of Parquet files, the documents of a journal as tables.

Every revision is a row of its table's history, with its proof columns, its document as Ion
and a column for each field of it; the newest revisions of documents that are there are the
table's current state. What is where, and how far each strand has come, stands in one file,
the manifest: a crash leaves nothing that it names half done.

`_types` says what becomes of values and of a column that changes its type, `_columns` names
columns, `_rows` makes rows, `_manifest` is what the folder says of itself, `_store` changes
files all or nothing, `_state` is what an `apply` changes, `_current` the current state,
and `_sink` joins them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

if TYPE_CHECKING:
    from qldb_stream.sinks.parquet._sink import ParquetSink

__all__ = ["list_files", "qldb_stream_register_sinks"]

_LEAST_BYTES = 2**16


def list_files(path: str, kind: str, table: str) -> list[str]:
    """
    Name the files of a table that count now, as its manifest does.

    A file that a crash, or a writer at this moment, has not moved yet is named where it stands.
    While a writer is at work a file may be moved or removed before it is read: ask again then.

    Args:
        path: the folder of a `parquet:` sink.
        kind: ``history`` or ``current``.
        table: its name; one that is not known has no files.

    Raises:
        UsageError: it is no such folder.
    """
    from qldb_stream.sinks.parquet._manifest import list_table_files

    return list_table_files(path, kind, table)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `parquet:`."""
    options = (
        SinkOption(
            "current",
            "when the current state is written: when the sink closes, with each apply, or never",
            "close",
            ("close", "apply", "none"),
        ),
        SinkOption("file_bytes", "how many bytes of documents a file holds at most", "67108864"),
    )
    return [SinkType("parquet", _open, "a folder of Parquet files, a table each", options)]


def _open(path: str, options: Mapping[str, str]) -> ParquetSink:
    if not path:
        raise UsageError("parquet: needs a path: write parquet:PATH")
    try:
        import pyarrow as _  # noqa: F401, ICN001 - whether it is there, before anything is made
    except ModuleNotFoundError as exc:
        problem = "parquet: needs the extra `parquet`: pip install 'qldb-stream[parquet]'"
        raise UsageError(problem) from exc
    from qldb_stream.sinks.parquet._sink import ParquetSink

    given = options.get("file_bytes", "67108864")
    if not (given.isascii() and given.isdigit() and int(given) >= _LEAST_BYTES):
        raise UsageError(f"parquet: file_bytes is a number from {_LEAST_BYTES}, not {given!r}")
    return ParquetSink(path, current=options.get("current", "close"), file_bytes=int(given))
