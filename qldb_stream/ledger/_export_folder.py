"""A folder as an object store: keys are paths in it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from qldb_stream.errors import ExportError
from qldb_stream.holding import sync_folder

__all__ = ["Folder"]


class Folder:
    """
    A folder that stands for a bucket, made with the first object.

    An object appears under its name when it is whole and durable, never before.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: Final = Path(path)

    @property
    def bucket(self) -> str:
        """Give the folder's own name."""
        return self._path.absolute().name

    def put(self, key: str, data: bytes) -> None:
        """
        Write a file and put it in its place.

        Raises:
            ExportError: it could not be written; what was there before is there.
        """
        path = self._path / key
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        except OSError as exc:
            with suppress(OSError):  # what cannot be cleared away may stay
                part.unlink(missing_ok=True)
            raise ExportError(str(path), exc.strerror or str(exc)) from exc
