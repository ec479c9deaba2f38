"""Rows into Parquet files and out of them; the only place that knows pyarrow's types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import RevisionKind
from qldb_stream.sinks.parquet._columns import PROOF_COLUMNS, Columns
from qldb_stream.sinks.parquet._rows import Row

__all__ = [
    "chunks_of",
    "join_ranges",
    "merge_files",
    "ranges_of",
    "read_keys",
    "read_rows",
    "read_stored",
    "write_rows",
]

_DECIMAL: Final = re.compile(r"decimal\((\d+),(\d+)\)")
_ROW_GROUP: Final = 20_000  # rows; what a reader holds of a file at once
_MAY_LACK: Final = frozenset({"data_hash", "data"})
_KINDS: Final = frozenset({kind.value for kind in RevisionKind})
MAX_ROWS: Final = 1_000_000
"""Rows of one file, however small their documents are."""


def write_rows(path: Path, rows: Sequence[Row], columns: Columns) -> None:
    """
    Write rows as one file.

    Raises:
        OSError: the disk refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [_values(row, columns) for row in rows]
    fields = _proof_fields()
    arrays = [
        pa.array([_proof_value(row, name) for row in rows], type=fields[name])
        for name in PROOF_COLUMNS
    ]
    for name, storage in columns.storages().items():
        fields[name] = _arrow_type(storage)
        arrays.append(pa.array([value.get(name) for value in values], type=fields[name]))
    schema = pa.schema(list(fields.items()))
    table = pa.Table.from_arrays(arrays, schema=schema)
    pq.write_table(table, str(path), compression="zstd", row_group_size=_ROW_GROUP)


def _values(row: Row, columns: Columns) -> Mapping[str, Any]:
    """Give what stands in the columns; nothing for a document that is damaged."""
    try:
        return columns.values(row.document())
    except DecodeError:
        return {}


def merge_files(paths: Sequence[Path], target: Path, columns: Columns) -> None:
    """
    Write the rows of several files as one; a column that a file has not is null there.

    Raises:
        OSError: the disk refuses, or a file is no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = _proof_fields() | {n: _arrow_type(s) for n, s in columns.storages().items()}
    tables = [pa.schema(list(fields.items())).empty_table()]
    for path in paths:
        with _sound(path) as opened:
            tables.append(opened.read())
    merged = pa.concat_tables(tables, promote_options="default")
    pq.write_table(merged, str(target), compression="zstd", row_group_size=_ROW_GROUP)


def read_rows(path: Path, table: str) -> list[Row]:
    """
    Read a file's rows.

    Raises:
        OSError: it cannot be read, or is no Parquet file.
    """
    return [row for row, _ in read_stored(path, table)]


def read_stored(path: Path, table: str) -> Iterator[tuple[Row, dict[str, Any]]]:
    """
    Iterate over a file's rows, each with what stands in its documents' columns, nulls apart.

    Raises:
        OSError: it cannot be read, is no Parquet file, or has rows that no sink wrote.
    """
    for found in _iter_dicts(path, None):
        proof = [found.pop(name) for name in PROOF_COLUMNS]
        if not _is_ours(dict(zip(PROOF_COLUMNS, proof, strict=True))):
            raise OSError(0, f"{path.name} has a row that no sink wrote")
        proof[PROOF_COLUMNS.index("masked")] = tuple(proof[PROOF_COLUMNS.index("masked")])
        yield Row(table, *proof), {k: v for k, v in found.items() if v is not None}


def _is_ours(proof: Mapping[str, Any]) -> bool:
    is_whole = all(value is not None for name, value in proof.items() if name not in _MAY_LACK)
    return is_whole and proof["kind"] in _KINDS


def read_keys(path: Path) -> Iterator[tuple[str, int]]:
    """
    Iterate over a file's document ids and versions.

    Raises:
        OSError: it cannot be read, or is no Parquet file.
    """
    for found in _iter_dicts(path, ["document_id", "version"]):
        yield found["document_id"], found["version"]


def chunks_of(rows: Iterable[Row], file_bytes: int) -> Iterator[list[Row]]:
    """Cut rows into what single files hold; one row that is too large has its own."""
    chunk: list[Row] = []
    size = 0
    for row in rows:
        row_bytes = 0 if row.data is None else len(row.data)
        if chunk and (size + row_bytes > file_bytes or len(chunk) >= MAX_ROWS):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += row_bytes
    if chunk:
        yield chunk


def ranges_of(rows: Iterable[Row]) -> dict[str, tuple[int, int]]:
    """Give the lowest and highest block of rows by strand."""
    return join_ranges({row.strand_id: (row.sequence_no, row.sequence_no)} for row in rows)


def join_ranges(ranges: Iterable[Mapping[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Give the lowest and highest block of several ranges by strand."""
    found: dict[str, tuple[int, int]] = {}
    for strand_id, (first, last) in (item for part in ranges for item in part.items()):
        low, high = found.get(strand_id, (first, last))
        found[strand_id] = (min(low, first), max(high, last))
    return found


def _iter_dicts(path: Path, names: list[str] | None) -> Iterator[dict[str, Any]]:
    # Not `read_table`: it would make a column of the folder's name.
    with _sound(path) as opened:
        missing = {*(names or PROOF_COLUMNS)} - {*opened.schema_arrow.names}
        if missing:
            raise OSError(0, f"{path.name} has no column {min(missing)}")
        for batch in opened.iter_batches(columns=names):
            yield from batch.to_pylist()


@contextmanager
def _sound(path: Path) -> Iterator[Any]:
    """Open a file; whatever is wrong with its form is an OSError that names it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(str(path)) as opened:
            yield opened
    except pa.ArrowException as exc:
        raise OSError(0, f"{path.name} is no sound Parquet file") from exc
    except OSError as exc:
        if exc.errno is not None:
            raise
        raise OSError(0, f"{path.name} is no sound Parquet file") from exc  # pyarrow's own


def _proof_value(row: Row, name: str) -> Any:
    value = getattr(row, name)
    return list(value) if name == "masked" else value


def _proof_fields() -> dict[str, Any]:
    import pyarrow as pa

    text, number, digest = pa.string(), pa.int64(), pa.binary(32)
    types = (
        *(text, number, text, number, text, digest, digest, text),
        *(pa.timestamp("ms", tz="UTC"), pa.list_(text), text, pa.binary()),
    )
    return dict(zip(PROOF_COLUMNS, types, strict=True))


def _arrow_type(storage: str) -> Any:
    import pyarrow as pa

    found = _DECIMAL.fullmatch(storage)
    if found is not None:
        return pa.decimal128(int(found[1]), int(found[2]))
    return {
        "boolean": pa.bool_(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "text": pa.string(),
    }[storage]
