"""
A statement's rows, a page at a time.

A page has at most 200 rows, as the service's had (facts 6.2), and no more bytes than a client
should hold at once. One row more is looked at, so that the last page is known to be the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import IonSlice

__all__ = ["PAGE_BYTES", "PAGE_ROWS", "Pages"]

PAGE_ROWS: Final = 200
PAGE_BYTES: Final = 1024 * 1024
"""How many bytes of rows end a page; a single row may have more."""


class Pages:
    """
    The rows of a statement that were not sent yet.

    Attributes:
        done: whether there are none.
    """

    def __init__(self, rows: Iterator[IonSlice]) -> None:
        self.done = False
        self._rows: Final = rows
        self._next: bytes | None = None
        self._failed: QldbStreamError | None = None
        self._look_ahead()
        self._raise_failure()

    def next_page(self) -> list[bytes]:
        """
        Give the next rows, each an Ion stream of its own.

        Raises:
            LedgerError: one of them could not be computed; there are no more.
        """
        self._raise_failure()
        page: list[bytes] = []
        size = 0
        while self._next is not None and len(page) < PAGE_ROWS:
            size += len(self._next)
            if page and size > PAGE_BYTES:
                break
            page.append(self._next)
            self._look_ahead()
        return page

    def _look_ahead(self) -> None:
        """Compute a row; what fails now is said when somebody asks for that row."""
        self._next = None
        try:
            row = next(self._rows, None)
            self._next = None if row is None else row.to_bytes()
        except QldbStreamError as error:
            self._failed = error
        self.done = self._next is None and self._failed is None

    def _raise_failure(self) -> None:
        if self._failed is not None and self._next is None:
            failed, self._failed, self.done = self._failed, None, True
            raise failed
