"""
Change the files of a folder all or nothing.

New files are written into ``_qldb_stream/staging``, where no reader looks, and synced. Then
the manifest is replaced: that is the moment at which everything changes. It says which staged
files go where and which old ones go; that is done next, or by whoever opens the folder
after a crash. So a crash before the moment leaves nothing that can be seen, and one after it
is made up for. A file that is written anew keeps its name, and takes the old one's place in
one step.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.holding import sync_folder
from qldb_stream.sinks.parquet._columns import Columns
from qldb_stream.sinks.parquet._files import join_ranges, merge_files, ranges_of, write_rows
from qldb_stream.sinks.parquet._manifest import (
    MANIFEST,
    STAGING,
    DataFile,
    Manifest,
    read_manifest,
    resolve_file,
)
from qldb_stream.sinks.parquet._rows import Row

__all__ = ["Change", "Store"]


class Store:
    """
    A folder and its manifest.

    Attributes:
        manifest: what counts now.

    Raises:
        UsageError: the folder has something else in it, or a manifest that is not known.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, shown: object) -> None:
        self.path: Final = path
        self.manifest = Manifest()
        found = path / MANIFEST
        if found.exists():
            self.manifest = read_manifest(found, shown)
            self._finish()
            self.clear_staging()
        elif path.exists() and {entry.name for entry in path.iterdir()} - {"_qldb_stream"}:
            raise UsageError(f"{shown} is not a folder of parquet:, it is left as it is")
        else:
            self.clear_staging()

    def begin(self) -> Change:
        """
        Begin a change, from what counts now.

        Raises:
            OSError: what an earlier change left to be done cannot be done yet, or the folder is
                not there any more (what is written into a new one would be a part of nothing).
        """
        if self.manifest.generation and not (self.path / MANIFEST).is_file():
            raise OSError(errno.ENOENT, "the folder's manifest is gone since it was opened")
        self._finish()
        return Change(self)

    def commit(self, manifest: Manifest) -> None:
        """
        Let a manifest count, with the files that it moves and removes.

        Raises:
            OSError: nothing has changed; or, where `self.manifest` is the new one, only
                moves and removes are left to be done.
        """
        (self.path / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path / (MANIFEST + ".new")
        try:
            with fresh.open("wb") as opened:
                opened.write(manifest.to_bytes())
                opened.flush()
                os.fsync(opened.fileno())
            fresh.replace(self.path / MANIFEST)
        finally:
            fresh.unlink(missing_ok=True)
        self.manifest = manifest
        for folder in (fresh.parent, self.path, self.path.parent):
            sync_folder(folder)
        self._finish()

    def resolve(self, name: str) -> Path:
        """Give the path of a file that counts, moved already or not."""
        return resolve_file(self.path, self.manifest, name)

    def _finish(self) -> None:
        """Do what the manifest says is to be done; again does nothing."""
        folders = set()
        for staged, name in self.manifest.moves.items():
            source, target = self.path / STAGING / staged, self.path / name
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
                folders |= {target.parent, target.parent.parent}
        for name in self.manifest.removes:
            (self.path / name).unlink(missing_ok=True)
        for folder in folders:
            sync_folder(folder)

    def clear_staging(self) -> None:
        """Remove what is staged and does not count."""
        staging = self.path / STAGING
        if staging.exists():
            for left in staging.iterdir():
                left.unlink()


class Change:
    """Files that are being written, before they count; `drop` forgets them."""

    def __init__(self, store: Store) -> None:
        self.manifest = store.manifest
        self._store = store
        self._moves: dict[str, str] = {}
        self._removes: list[str] = []
        self._staged = 0

    def add(self, name: str, rows: Sequence[Row], columns: Columns) -> DataFile:
        """
        Stage a file; one of that name gives way.

        Raises:
            OSError: the disk refuses.
        """
        path = self._staging_path()
        write_rows(path, rows, columns)
        self._stage(path, name)
        size = sum(len(row.data) for row in rows if row.data is not None)
        return DataFile(name, len(rows), size, ranges_of(rows))

    def merge(self, files: Sequence[DataFile], columns: Columns) -> DataFile:
        """
        Stage the rows of several files as one, which has the first one's name.

        Raises:
            OSError: the disk refuses, or a file is none of ours.
        """
        path = self._staging_path()
        merge_files([self.resolve(file.name) for file in files], path, columns)
        for file in files[1:]:
            self.remove(file.name)
        self._stage(path, files[0].name)
        return DataFile(
            files[0].name,
            sum(file.rows for file in files),
            sum(file.size for file in files),
            join_ranges(file.ranges for file in files),
        )

    def remove(self, name: str) -> None:
        """Let a file go, staged or not."""
        self._moves = {s: to for s, to in self._moves.items() if to != name}
        self._removes.append(name)

    def resolve(self, name: str) -> Path:
        """Give the path of a file, staged or not."""
        staged = next((s for s, to in self._moves.items() if to == name), None)
        if staged is not None:
            return self._store.path / STAGING / staged
        return self._store.resolve(name)

    def commit(self, manifest: Manifest) -> None:
        """
        Let everything count at once.

        Raises:
            OSError: as `Store.commit` says.
        """
        if self._moves:
            sync_folder(self._store.path / STAGING)
        changed = attrs.evolve(
            manifest,
            generation=self.manifest.generation + 1,
            moves=self._moves,
            removes=tuple(self._removes),
        )
        self._store.commit(changed)
        self._store.clear_staging()  # of files that were written twice the first still has data

    def _staging_path(self) -> Path:
        staging = self._store.path / STAGING
        staging.mkdir(parents=True, exist_ok=True)
        self._staged += 1
        return staging / f"{self.manifest.generation + 1}-{self._staged}.parquet"

    def _stage(self, path: Path, name: str) -> None:
        with path.open("rb") as opened:
            os.fsync(opened.fileno())
        self._moves = {s: to for s, to in self._moves.items() if to != name} | {path.name: name}
        self._removes = [removed for removed in self._removes if removed != name]

    def drop(self) -> None:
        """Remove what was staged, as far as it can be; what is left goes when it is opened."""
        if self._store.manifest is self.manifest:
            with suppress(OSError):
                self._store.clear_staging()
