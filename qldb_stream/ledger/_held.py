"""How many bytes of rows a transaction's statements hold in memory at once."""

from __future__ import annotations

from typing import Final

from qldb_stream.errors import StatementError

__all__ = ["HeldRows"]


class HeldRows:
    """A count with a limit: called with how many bytes more are held, or fewer."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes: Final = limit_bytes
        self._bytes = 0

    def __call__(self, more_bytes: int) -> None:
        """
        Count on.

        Raises:
            StatementError: the limit is exceeded; what was counted stays counted.
        """
        self._bytes += more_bytes
        if more_bytes > 0 and self._bytes > self._limit_bytes:
            raise StatementError(
                f"more than {self._limit_bytes} bytes of rows are held at once, the limit of a "
                "transaction; ORDER BY, GROUP BY, DISTINCT, sub-queries, texts and lists that "
                "expressions build, and results that are unread when a document is changed hold "
                "rows: narrow the statement with WHERE, give ORDER BY a LIMIT, or read results "
                "before changing documents"
            )
