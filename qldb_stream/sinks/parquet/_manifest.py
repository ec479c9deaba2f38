"""
The manifest: what a folder of Parquet files holds, and how far each strand has come.

It is one JSON file, replaced as a whole. What it names counts, and nothing else does.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.report import Position
from qldb_stream.sinks.parquet._columns import Columns

__all__ = [
    "FORMAT",
    "MANIFEST",
    "STAGING",
    "VERSION",
    "DataFile",
    "Manifest",
    "Table",
    "folder_of",
    "list_table_files",
    "read_manifest",
    "resolve_file",
]

FORMAT: Final = "qldb-stream parquet"
VERSION: Final = 1
MANIFEST: Final = "_qldb_stream/manifest.json"
STAGING: Final = "_qldb_stream/staging"


@attrs.frozen
class DataFile:
    """
    A file of a table's history or current state.

    `name` is its path within the folder, `size` the bytes of documents in it, `ranges` the
    lowest and highest block by strand.
    """

    name: str
    rows: int
    size: int
    ranges: Mapping[str, tuple[int, int]]

    def may_hold(self, strand_id: str, first: int, last: int) -> bool:
        """Say whether blocks of a range may be in it."""
        low, high = self.ranges.get(strand_id, (1, 0))
        return low <= last and first <= high


@attrs.frozen
class Table:
    """
    A table: its columns, its files, and whether its current state is that of its history.

    `ids` are the ids of the tables of that name that have revisions; True for one that is
    there, False for one that was dropped. `next_file` numbers files of the history.
    """

    columns: Columns
    history: tuple[DataFile, ...] = ()
    current: tuple[DataFile, ...] = ()
    ids: Mapping[str, bool] = attrs.field(factory=dict)
    next_file: int = 0
    is_current: bool = True


@attrs.frozen
class Manifest:
    """
    What the folder says of itself.

    `moves` are files to be moved from the staging folder, by where to, and `removes` files to
    be removed; both are done when they are not there any more.
    """

    generation: int = 0
    positions: Mapping[str, Position] = attrs.field(factory=dict)
    tokens: Mapping[str, int] = attrs.field(factory=dict)
    tables: Mapping[str, Table] = attrs.field(factory=dict)
    moves: Mapping[str, str] = attrs.field(factory=dict)
    removes: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Write it as JSON."""
        positions = [
            position.as_json() | {"token": self.tokens[strand_id]}
            for strand_id, position in self.positions.items()
        ]
        found = {
            "format": FORMAT,
            "version": VERSION,
            "generation": self.generation,
            "positions": positions,
            "tables": {name: _table_json(table) for name, table in self.tables.items()},
            "moves": dict(self.moves),
            "removes": list(self.removes),
        }
        return json.dumps(found, indent=1).encode("ascii") + b"\n"


def read_manifest(path: Path, shown: object) -> Manifest:
    """
    Read a manifest.

    Raises:
        UsageError: it is none, or of a version that is not known.
        OSError: it cannot be read.
    """
    try:
        found = json.loads(path.read_bytes())
        is_ours = found["format"] == FORMAT
        version = found["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours, version = False, None
    if not is_ours:
        raise UsageError(f"{shown} has a damaged manifest; take up a copy, or another folder")
    if version != VERSION:
        raise UsageError(
            f"{shown} has version {version} of the format, this qldb-stream knows {VERSION}; "
            "use a newer one"
        )
    try:
        return _manifest_of(found)
    except (ValueError, KeyError, TypeError) as exc:
        problem = f"{shown} has a damaged manifest; take up a copy, or another folder"
        raise UsageError(problem) from exc


def resolve_file(folder: Path, manifest: Manifest, name: str) -> Path:
    """Give the path of a file that counts, moved from the staging folder already or not."""
    staged = next((s for s, to in manifest.moves.items() if to == name), None)
    if staged is not None and (found := folder / STAGING / staged).exists():
        return found
    return folder / name


def list_table_files(path: str, kind: str, table: str) -> list[str]:
    """Do what `qldb_stream.sinks.parquet.list_files` says."""
    try:
        manifest = read_manifest(Path(path) / MANIFEST, path)
    except OSError as exc:
        problem = f"{path} is no folder of parquet:, it has no manifest: {exc.strerror}"
        raise UsageError(problem) from exc
    if kind not in ("history", "current"):
        raise UsageError(f"a table has files of its history and its current state, not {kind!r}")
    found = manifest.tables.get(table)
    files: tuple[DataFile, ...] = () if found is None else getattr(found, kind)
    return [str(resolve_file(Path(path), manifest, file.name)) for file in files]


def folder_of(kind: str, table: str) -> str:
    """Name the folder of a table's files, as Hive partitions are named."""
    return f"{kind}/table={urllib.parse.quote(table, safe='') or '__empty__'}"


def _manifest_of(found: Any) -> Manifest:
    entries = found["positions"]
    return Manifest(
        int(found["generation"]),
        {e["strandId"]: Position.from_json(e) for e in entries},
        {e["strandId"]: int(e["token"]) for e in entries},
        {name: _table_of(entry) for name, entry in found["tables"].items()},
        {str(k): str(v) for k, v in found["moves"].items()},
        tuple(map(str, found["removes"])),
    )


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "columns": table.columns.as_json(),
        "history": [attrs.asdict(file) for file in table.history],
        "current": [attrs.asdict(file) for file in table.current],
        "ids": dict(table.ids),
        "nextFile": table.next_file,
        "isCurrent": table.is_current,
    }


def _table_of(entry: Any) -> Table:
    return Table(
        Columns.from_json(entry["columns"]),
        tuple(map(_file_of, entry["history"])),
        tuple(map(_file_of, entry["current"])),
        {str(name): bool(is_there) for name, is_there in entry["ids"].items()},
        int(entry["nextFile"]),
        bool(entry["isCurrent"]),
    )


def _file_of(entry: Any) -> DataFile:
    ranges = {strand: (int(low), int(high)) for strand, (low, high) in entry["ranges"].items()}
    return DataFile(str(entry["name"]), int(entry["rows"]), int(entry["size"]), ranges)
