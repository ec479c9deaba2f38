"""
What must be remembered of each document, on disk: which there were, and which are redacted.

A temporary SQLite database, as the index of a source is: it keeps a bounded cache in memory
and spills the rest into a file without a name.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeAlias

from qldb_stream.errors import SourceError

__all__ = ["Memory", "RevisionKey"]

RevisionKey: TypeAlias = tuple[str, int, str, int]
"""Strand, number, document and version of a revision."""

_CACHE_KIB: Final = 16 * 1024
_ROWS: Final = 5_000
_MOST: Final = 2**63 - 1  # https://www.sqlite.org/datatype3.html, section 2

_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE document (home INTEGER, id TEXT, PRIMARY KEY (home, id)) WITHOUT ROWID;
CREATE TABLE request (
    strand TEXT, number INTEGER, id TEXT, version INTEGER,
    PRIMARY KEY (strand, number, id, version)
) WITHOUT ROWID;
CREATE TABLE erased (
    strand TEXT, number INTEGER, id TEXT, version INTEGER,
    PRIMARY KEY (strand, number, id, version)
) WITHOUT ROWID;
"""
_IS_ERASED: Final = "(strand, number, id, version) IN (SELECT * FROM erased)"
_IS_ASKED: Final = "(strand, number, id, version) IN (SELECT * FROM request)"


class Memory:
    """Distinct documents by home, and redactions asked for and carried out."""

    def __init__(self) -> None:
        # The one who closes it may be another thread than the one who began.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._documents: list[tuple[int, str]] = []

    def add_document(self, home: int, document_id: str) -> None:
        """
        Remember that a table, by its number, has a document.

        Raises:
            SourceError: the temporary database cannot grow.
        """
        self._documents.append((home, document_id))
        if len(self._documents) >= _ROWS:
            self._flush()

    def add_request(self, key: RevisionKey) -> None:
        """Remember that a redaction was asked for; raises as `add_document`."""
        with _translated():
            self._database.execute("INSERT OR IGNORE INTO request VALUES (?,?,?,?)", _fitted(key))

    def add_erased(self, key: RevisionKey) -> None:
        """Remember that a revision is redacted; raises as `add_document`."""
        with _translated():
            self._database.execute("INSERT OR IGNORE INTO erased VALUES (?,?,?,?)", _fitted(key))

    def documents(self) -> Mapping[int, int]:
        """Count documents by the number of their table; raises as `add_document`."""
        self._flush()
        with _translated():
            return dict(self._database.execute("SELECT home, COUNT(*) FROM document GROUP BY home"))

    def erased(self) -> Mapping[str, int]:
        """Count by strand the redactions that were asked for and carried out."""
        return self._count(f"SELECT strand, COUNT(*) FROM request WHERE {_IS_ERASED} GROUP BY 1")  # noqa: S608 - constants

    def unasked(self) -> Mapping[str, int]:
        """Count by strand the redacted revisions that nobody asked for."""
        return self._count(f"SELECT strand, COUNT(*) FROM erased WHERE NOT {_IS_ASKED} GROUP BY 1")  # noqa: S608 - constants

    def iter_left_over(self) -> Iterator[tuple[str, int]]:
        """Iterate over strand and number of what should be redacted and is not."""
        with _translated():
            yield from self._database.execute(
                f"SELECT strand, number FROM request WHERE NOT {_IS_ERASED}"  # noqa: S608 - constants
            )

    def close(self) -> None:
        """Give memory and disk space back."""
        self._database.close()

    def _count(self, query: str) -> Counter[str]:
        with _translated():
            return Counter(dict(self._database.execute(query)))

    def _flush(self) -> None:
        with _translated():
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR IGNORE INTO document VALUES (?,?)", self._documents
            )
            self._database.execute("COMMIT")
        self._documents.clear()


def _fitted(key: RevisionKey) -> RevisionKey:
    """Make numbers fit SQLite's: a request may name any, and there is no block of these."""
    strand_id, number, document_id, version = key
    return strand_id, _clamp(number), document_id, _clamp(version)


def _clamp(number: int) -> int:
    return max(-1, min(number, _MOST))


@contextmanager
def _translated() -> Iterator[None]:
    """Tell what SQLite raises as an error of the source: there is no room, or no disk."""
    try:
        yield
    except sqlite3.Error as exc:
        raise SourceError("the temporary index", f"cannot be written: {exc}") from exc
