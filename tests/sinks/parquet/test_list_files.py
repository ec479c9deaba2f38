"""What `list_files` names, also when the moment of a change is over and its files are not moved."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from qldb_stream.errors import SinkUnavailableError
from qldb_stream.sinks.parquet import list_files
from qldb_stream.sinks.parquet._sink import ParquetSink
from tests.sinks.parquet.support import BLOCKS, ERASED, apply


def rows_of(path: Path, kind: str) -> list[tuple[Any, ...]]:
    """Read the files that are named: table, document, version, and the hash of what is there."""
    tables = json.loads((path / "_qldb_stream" / "manifest.json").read_text())["tables"]
    names = ["document_id", "version", "kind", "data_hash"]
    return [
        (table, *(row[name] for name in names), row["data"] is not None)
        for table in tables
        for file in list_files(str(path), kind, table)
        for row in pq.ParquetFile(file).read(columns=[*names, "data"]).to_pylist()
    ]


def test_names_are_exact_when_files_are_not_moved_yet(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses every move leaves what a kill leaves: the rows are all there, once."""
    real = os.replace

    def refuse(source: Path, target: Path) -> None:
        if str(target).endswith(".parquet"):
            raise OSError(errno.EIO, "no more moves")
        real(source, target)

    sink = ParquetSink(path, current="apply")
    apply(sink, BLOCKS[:20])
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with suppress(SinkUnavailableError):
            apply(sink, BLOCKS[20:])
        expected = Counter(
            (r.table.table_name, r.document_id, r.metadata.version, r.kind.value)
            for block in ERASED
            for r in block.revisions
            if r.table is not None and r.metadata is not None
        )
        history = rows_of(path, "history")
        assert expected == Counter(row[:4] for row in history)
        assert not [row for row in history if row[3] in {"redacted", "delete"} and row[5]]
        current = rows_of(path, "current")
    sink.close()
    assert Counter(current) == Counter(rows_of(path, "current"))
    assert Counter(history) == Counter(rows_of(path, "history"))
