"""
The rows that a statement gave.

Strategy: the first page is computed when the statement is executed, so that most errors
come from there; the rest comes as it is asked for, and is buffered before the transaction
writes. What was not asked for before the transaction is over is never computed. A row that
cannot be computed ends the result: whoever reads up to it is told, each time. A cursor can
be iterated again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from qldb_stream.errors import (
    DecodeError,
    QldbStreamError,
    StatementError,
    TransactionClosedError,
)
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.ledger._damage import Trail
from qldb_stream.ledger._io import IOUsage, Meter
from qldb_stream.partiql import Bag, size_of

__all__ = ["PAGE_ROWS", "Cursor"]

PAGE_ROWS: Final = 200
"""How many rows a statement computes at once; the service's page (facts 5.8)."""

_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


class Cursor:
    """
    The rows of one statement, decoded one by one; iterable more than once.

    Each is what `amazon.ion` users know: plain Python where that loses nothing. When the
    transaction is over, rows that were computed can still be read; asking for one that was
    not is a TransactionClosedError.
    """

    def __init__(
        self,
        buffer: list[Any],
        rest: Iterator[Any] | None = None,
        meter: Meter | None = None,
        read_ios: int = 0,
        write_ios: int = 0,
        trail: Trail | None = None,
    ) -> None:
        self._buffer: Final = buffer
        self._rest = rest  # None: all rows are in the buffer
        self._meter = meter  # what `rest` is read from; let go with it
        self._read_ios = read_ios
        self._write_ios: Final = write_ios
        self._trail: Final = trail  # to name a document that is damaged
        self._failure: QldbStreamError | None = None  # why there are no rows behind the buffer

    @classmethod
    def start(cls, rows: Iterator[Any], meter: Meter, trail: Trail | None = None) -> Cursor:
        """
        Begin a result: compute its first page.

        Args:
            rows: the result, computed as it is asked for.
            meter: counts what that reads.
            trail: what was read last.

        Raises:
            LedgerError: one of these rows could not be computed.
            DecodeError: a document that they were computed from is damaged.
        """
        before = meter.read_ios
        first = list(islice(rows, PAGE_ROWS))
        read_ios = meter.read_ios - before
        if len(first) < PAGE_ROWS:
            return cls(first, None, None, read_ios, trail=trail)
        return cls(first, rows, meter, read_ios, trail=trail)

    def __iter__(self) -> Iterator[Any]:
        return map(self._decode, self._iter_rows())

    def _decode(self, row: Any) -> Any:
        try:
            return _decode(row)
        except DecodeError as exc:
            raise self._damage(exc) from exc

    def _slice(self, row: Any) -> IonSlice:
        try:
            return to_slice(row)
        except DecodeError as exc:
            raise self._damage(exc) from exc

    def _damage(self, exc: DecodeError) -> QldbStreamError:
        return exc if self._trail is None else self._trail.damage()

    def iter_slices(self, *, once: bool = False) -> Iterator[IonSlice]:
        """
        Iterate over the rows as they are, each still or again in its bytes.

        Args:
            once: let each row go as it is given; the cursor then has only those behind it.
        """
        return map(self._slice, self._iter_rows(once=once))

    @property
    def consumed_ios(self) -> IOUsage:
        """Tell what the statement read and wrote; of a SELECT, as far as it was computed."""
        return IOUsage(self._read_ios, self._write_ios)

    def get_consumed_ios(self) -> dict[str, int]:
        """Give `{"ReadIOs": n}`, as pyqldb's cursors do."""
        return {"ReadIOs": self._read_ios}

    @property
    def complete(self) -> bool:
        """Tell whether all rows have been computed."""
        return self._rest is None

    def fill(self) -> None:
        """
        Compute and keep all rows that are left.

        Raises:
            LedgerError: a row could not be computed, or the transaction is over.
        """
        self.finish(None)
        if self._failure is not None:
            raise self._failure

    def finish(self, hold: Callable[[int], None] | None) -> None:
        """
        Compute and keep the rows that are left, before what they are read from changes.

        A row that cannot be computed is told to whoever reads up to it, not here: the statement
        that is about to write is not at fault.

        Args:
            hold: told how many bytes are held for it; what it raises passes through, and the
                rows that are left can still be computed.
        """
        while self._rest is not None:
            kept = len(self._buffer)
            self._compute()
            if hold is not None:
                hold(sum(map(size_of, islice(self._buffer, kept, None))))

    def close(self, reason: TransactionClosedError) -> None:
        """Compute no more rows, because the transaction is over."""
        if self._rest is not None:
            self._end(reason)

    def _iter_rows(self, *, once: bool = False) -> Iterator[Any]:
        at = 0
        while True:
            while at < len(self._buffer):
                row = self._buffer[at]
                if once:
                    self._buffer[at] = None
                at += 1
                yield row
            if once:
                self._buffer.clear()
                at = 0
            if self._rest is not None:
                self._compute()
            elif self._failure is not None:
                raise self._failure
            else:
                return

    def _compute(self) -> None:
        """Compute and keep the next page; when a row cannot be computed, those before it."""
        assert self._rest is not None
        assert self._meter is not None
        before, kept = self._meter.read_ios, len(self._buffer)
        try:
            for row in islice(self._rest, PAGE_ROWS):
                self._buffer.append(row)  # one by one: what came before a failure stays
        except QldbStreamError as exc:
            self._read_ios += self._meter.read_ios - before
            self._end(self._damage(exc) if isinstance(exc, DecodeError) else exc)
        except BaseException:
            self._end(StatementError("the result broke off while it was read; run it again"))
            raise
        else:
            self._read_ios += self._meter.read_ios - before
            if len(self._buffer) - kept < PAGE_ROWS:
                self._end(None)

    def _end(self, failure: QldbStreamError | None) -> None:
        self._rest = self._meter = None
        self._failure = failure


def _decode(value: Any) -> Any:
    """Decode what is still in its bytes, at any depth."""
    kind = type(value)
    if kind is IonSlice:
        return value.decode()
    if kind is dict:
        return {name: _decode(member) for name, member in value.items()}
    if kind is list or kind is Bag:
        return [_decode(element) for element in value]
    return value if kind in _PLAIN else to_slice(value).decode()
