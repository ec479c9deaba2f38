"""
What is said of stored bytes that cannot be what a ledger wrote.

Strategy: a file is a stranger's as soon as a disk or an editor has changed it, so what is
read from it is not trusted. Rows have their columns' types or are refused (`_store`); what
reads shapes out of them stands inside `reading`, which turns whatever it stumbles over into
one error that names file and place. Only such readers stand there, for in other code a
KeyError is a bug of ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from qldb_stream.errors import DecodeError, LedgerFileError

__all__ = ["STUMBLES", "DocumentSource", "Trail", "damaged", "reading"]

# More than a page of rows, whose documents are decoded after all of them have been found.
_REMEMBERED: Final = 256

STUMBLES: Final = (DecodeError, LookupError, ValueError, TypeError, ArithmeticError)
"""
What reading a shape out of other bytes ends in: a field that is absent, a value of another
type, a number that is out of range.
"""


def damaged(path: str, what: str) -> LedgerFileError:
    """Make the error for a part of a ledger's file that cannot be read: what and where."""
    return LedgerFileError(
        path,
        f"{what} is damaged; `qldb-stream ledger check` lists all that is wrong with the file: "
        "take up a copy of it, or replay its journal into a new ledger",
    )


@contextmanager
def reading(path: str, what: str) -> Iterator[None]:
    """
    Read a shape out of what is stored.

    Raises:
        LedgerFileError: it is not there; file and place are named.
    """
    try:
        yield
    except STUMBLES as exc:
        raise damaged(path, what) from exc


class DocumentSource(Protocol):
    """Where a trail looks again."""

    @property
    def path(self) -> str:
        """Give the ledger's file."""

    def check_document(self, no: int) -> str | None:
        """Say which document a revision is of, when its data cannot be decoded."""


class Trail:
    """
    Which revisions were read last, by number: to name the damaged one when a decoder stops.

    Documents are decoded where a statement looks inside, or when their row is read; there
    nobody knows any more which document the bytes were.
    """

    def __init__(self, source: DocumentSource) -> None:
        self._source: Final = source
        self._numbers: Final[deque[int]] = deque(maxlen=_REMEMBERED)
        self.note: Final = self._numbers.append

    @property
    def path(self) -> str:
        """Give the ledger's file."""
        return self._source.path

    def damage(self) -> LedgerFileError:
        """Make the error for what could not be decoded; it names the document if it can."""
        for no in reversed(self._numbers):
            try:
                found = self._source.check_document(no)
            except LedgerFileError as exc:
                return exc
            if found is not None:
                return damaged(self._source.path, found)
        return damaged(self._source.path, "a document that was read")
