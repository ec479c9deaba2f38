"""
What a share of files holds, written down for the one who asked to read.

It is written in portions: a file may be as long as an archive, and no process holds all of its
rows. A file of portions is made by the one who begins the share, so there is one of each share
begun, empty as long as nothing is found, and empty again when it was read.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from qldb_stream.errors import QldbStreamError, SourceError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.manifest import FoundManifest
from qldb_stream.sources._index import Index
from qldb_stream.sources._rows import RowKeeper, Rows
from qldb_stream.sources._settle import SumUp

__all__ = ["FOLDER", "Portion", "PortionWriter", "read_portions"]

FOLDER: Final = "the temporary folder"

_HELD_UNDECODABLE: Final = 100  # of up to 64 KB each


@attrs.frozen
class Portion:
    """
    Some of what a share holds; the last portion has its manifests and its length.

    `error` is what ended it there.
    """

    rows: Rows
    undecodable: tuple[Undecodable, ...]
    manifests: tuple[FoundManifest, ...] = ()
    found_bytes: int = 0
    error: QldbStreamError | None = None
    is_last: bool = False


def read_portions(path: Path) -> Iterator[Portion]:
    """
    Read what was written about a share, and leave its file empty.

    Raises:
        SourceError: it cannot be read, or is something else.
        QldbStreamError: what ended the share, after all that was found before it.
    """
    error = None
    try:
        with path.open("rb") as written:
            for portion in _iter_written(written):
                error = portion.error
                yield portion
        os.truncate(path, 0)
    except OSError as exc:
        raise SourceError(FOLDER, f"cannot be read: {exc.strerror}") from exc
    except (EOFError, pickle.UnpicklingError) as exc:
        raise SourceError(FOLDER, "has something else than was written") from exc
    if error is not None:
        raise error


def _iter_written(written: BinaryIO) -> Iterator[Portion]:
    is_last = False
    while not is_last:
        portion: Portion = pickle.load(written)  # noqa: S301 - written by this program
        is_last = portion.is_last
        yield portion


class PortionWriter(RowKeeper):
    """
    Writes down what a share holds.

    Args:
        out: where to.
        sum_up: as `Look` has it.
        index: takes the rows at once, where it is at hand; only the rest is written then.
    """

    def __init__(self, out: BinaryIO, sum_up: SumUp | None, index: Index | None = None) -> None:
        super().__init__(sum_up)
        self._out = out
        self._index = index
        self._undecodable: list[Undecodable] = []

    def add_undecodable(self, found: Undecodable) -> None:
        """Note what cannot be read."""
        self._undecodable.append(found)
        if len(self._undecodable) >= _HELD_UNDECODABLE:
            self._write(Rows())

    def end(
        self,
        manifests: tuple[FoundManifest, ...],
        found_bytes: int,
        error: QldbStreamError | None = None,
    ) -> None:
        """Write the last portion."""
        self.hand_on()
        undecodable = tuple(self._undecodable)
        self._dump(Portion(Rows(), undecodable, manifests, found_bytes, error, is_last=True))

    def _take(self, rows: Rows) -> None:
        if self._index is None:
            self._write(rows)
        else:
            self._index.add_rows(rows)

    def _write(self, rows: Rows) -> None:
        undecodable, self._undecodable = tuple(self._undecodable), []
        self._dump(Portion(rows, undecodable))

    def _dump(self, portion: Portion) -> None:
        pickle.dump(portion, self._out, pickle.HIGHEST_PROTOCOL)
