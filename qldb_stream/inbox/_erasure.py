"""
Erasing documents from an inbox's file, its log, and the unused parts of its pages.

Strategy: copies are replaced in one transaction, which also notes that an erasure is under
way. Then the log is cut, and the file searched for the documents: SQLite overwrites what it
deletes (`secure_delete`), but when it moves rows from page to page it may leave a copy in
what a page does not use. If one is found, the file is written anew. The note goes last; who
finds one (a process was killed, or others kept the log in use) writes the file anew, for it
does not know what to search for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qldb_stream.events import RedactedRevision
from qldb_stream.inbox._file import MEMORY, Database
from qldb_stream.inbox._parked import erase_parked
from qldb_stream.inbox._quarantine import drop_bytes_with, put_lost
from qldb_stream.inbox._store import erase_records, rows

__all__ = ["Erasure"]

_NOTE: Final = "INSERT INTO setting VALUES ('erasing', '1') ON CONFLICT DO NOTHING"
_NOTED: Final = "SELECT 1 FROM setting WHERE name = 'erasing'"
_DONE: Final = "DELETE FROM setting WHERE name = 'erasing'"

# A row that is longer than this is cut into pages that are overwritten whole when it goes
# (sqlite.org/fileformat2.html, 1.6); only its beginning is among other rows.
_LONGEST_IN_PAGE: Final = 4000
_BEGINNING: Final = 256


class Erasure:
    """One call of `erase`."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database

    def run(self, redacted: Sequence[RedactedRevision]) -> int:
        """
        Replace copies, and see that nothing of them is left.

        Raises:
            InboxUnavailableError: others used the file all the time.
        """
        copies, documents, was_noted = self._replace(redacted)
        if not (documents or was_noted) or self._database.path == MEMORY:
            return copies
        self._database.clear_log()
        needles = [d if len(d) < _LONGEST_IN_PAGE else d[:_BEGINNING] for d in documents]
        if was_noted or self._database.holds_any(needles):
            self._database.rewrite()
        with self._database.write() as connection:
            connection.execute(_DONE)
        return copies

    def _replace(self, redacted: Sequence[RedactedRevision]) -> tuple[int, list[bytes], bool]:
        """Answer how many copies were replaced, what is to be gone, and whether a note is there."""
        name = self._database.path
        with self._database.write() as connection:
            was_noted = bool(rows(connection, _NOTED))
            documents, lost = erase_records(connection, name, redacted)
            documents += erase_parked(connection, name, redacted)
            copies = len(documents)
            for document_id in {revision.document_id for revision in redacted}:
                documents += drop_bytes_with(connection, document_id)
            put_lost(connection, lost)
            if documents:
                connection.execute(_NOTE)
        return copies, documents, was_noted
