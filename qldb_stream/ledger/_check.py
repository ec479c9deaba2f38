"""
A ledger checks its own file: all that is stored against what its hashes prove.

Strategy: three walks, each in constant memory: the journal (`_check_journal`), the current
documents and the index entries (`_check_state`); before them what SQLite itself can say of
its pages. Nothing is repaired. What no journal can show is that its end was cut off, or that
all of it was written anew: for that, compare a digest that was saved elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from qldb_stream.ledger._check_journal import JournalCheck
from qldb_stream.ledger._check_rows import iter_block_rows
from qldb_stream.ledger._check_state import (
    check_catalog,
    check_documents,
    check_entries,
    check_settings,
)
from qldb_stream.ledger._findings import Findings, Progress
from qldb_stream.ledger._store import MIRRORED, Store
from qldb_stream.report import LedgerReport
from qldb_stream.statements import readable_redactions

__all__ = ["check_ledger"]

# As many as are worth telling; one damaged page makes hundreds.
_SQLITE_PROBLEMS: Final = 20

_COUNTS: Final = """
SELECT (SELECT count(*) FROM block), (SELECT count(*) FROM revision),
(SELECT count(*) FROM document), (SELECT count(*) FROM entry)
"""
# Of one connection, and gone with it.
_REDACTED: Final = """
CREATE TEMP TABLE checked_redaction (sequence_no, table_id, document_id, version)
"""
_UNCALLED: Final = """
SELECT r.sequence_no, r.document_id, t.name FROM revision r
LEFT JOIN catalog_table t ON t.no = r.table_no
WHERE r.data_hash IS NOT NULL AND r.sequence_no >= ? AND NOT EXISTS (
    SELECT 1 FROM temp.checked_redaction c WHERE c.sequence_no = r.sequence_no
    AND c.table_id = t.id AND c.document_id = r.document_id AND c.version = r.version
) LIMIT 100
"""
_NOT_DONE: Final = """
SELECT r.sequence_no, r.document_id, t.name FROM revision r
JOIN catalog_table t ON t.no = r.table_no
WHERE r.data IS NOT NULL AND EXISTS (
    SELECT 1 FROM temp.checked_redaction c WHERE c.sequence_no = r.sequence_no
    AND c.table_id = t.id AND c.document_id = r.document_id AND c.version = r.version
) LIMIT 100
"""


def check_ledger(store: Store, progress: Progress) -> LedgerReport:
    """
    Check a ledger's file.

    Args:
        store: the file, in one snapshot of it.
        progress: told how far it is.

    Raises:
        LedgerFileError: the file is damaged so that SQLite cannot read it.
    """
    found = Findings()
    for (problem,) in store.query(f"PRAGMA integrity_check({_SQLITE_PROBLEMS})"):
        if problem != "ok":
            found.add("file", None, f"SQLite says: {problem}")
    settings = store.settings()
    check_settings(settings, found)
    catalog = store.catalog()
    mirrored = _number(settings.get(MIRRORED, "0"))
    strand_id = str(settings.get("strand_id"))
    journal = JournalCheck(store, found, strand_id, catalog, mirrored)
    blocks, revisions, documents, entries = store.query(_COUNTS)[0]
    _check_blocks(store, journal, found, progress, blocks)
    _check_redactions(store, found, mirrored)
    for reason, times in journal.redactions.not_checkable().items():
        found.cannot_check(reason, times)
    if mirrored > journal.size:
        found.add("setting", MIRRORED, "more than there are blocks")
    check_catalog(catalog, journal.tables, found, mirror=mirrored > 0)
    chained = check_documents(store, catalog, found, progress, documents)
    if journal.next_no not in (None, revisions + 1):
        found.add("revision", "no", "there are revisions that no block has")
    if chained != revisions:
        found.add("document", "revision_no", "there are revisions that no document leads to")
    check_entries(store, catalog, found, progress, entries)
    return found.report()


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _check_blocks(
    store: Store, journal: JournalCheck, found: Findings, progress: Progress, total: int
) -> None:
    """Check all blocks; collect in a table of SQLite's what they redact."""
    store.query("DROP TABLE IF EXISTS temp.checked_redaction")
    store.query(_REDACTED)
    for done, row in enumerate(iter_block_rows(store, found), 1):
        block = journal.check(row)
        for one in () if block is None else readable_redactions(block.summary):
            named = (one.block_address.sequence_no, one.table_id, one.document_id, one.version)
            store.query("INSERT INTO temp.checked_redaction VALUES (?, ?, ?, ?)", named)
        progress(done, total, "blocks")


def _check_redactions(store: Store, found: Findings, mirrored: int) -> None:
    """Check that what is redacted was asked for, and that what was asked for is redacted."""
    store.query("CREATE INDEX temp.by_redacted ON checked_redaction (sequence_no, document_id)")
    for sql, parameters, field, message in (
        (_UNCALLED, (mirrored,), "data_hash", "redacted, but no block asks for that"),
        (_NOT_DONE, (), "data", "a block redacts it, but its data is there"),
    ):
        for sequence_no, document_id, table in store.query(sql, parameters):
            found.add(
                "revision",
                field,
                message,
                sequence_no=sequence_no,
                document_id=document_id,
                table=table,
            )
    store.query("DROP TABLE temp.checked_redaction")
