"""
The journal of a ledger's file, checked against itself.

Strategy: block by block, what a client can verify is verified from what is stored
(`verification`); then what only this ledger can: the entries of its own in entriesHashList
(`_seal`), the Merkle nodes, and the columns that repeat what the hashed parts say. A
mirrored block has its source's opaque entries, which nobody can recompute (facts 2.5).
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from qldb_stream.errors import DecodeError, EnvelopeError
from qldb_stream.events import Block, BlockAddress, BlockSummary
from qldb_stream.hashing import DIGEST_BYTES
from qldb_stream.ion import load_slice, loads, read_struct
from qldb_stream.ledger._blocks import journal_block
from qldb_stream.ledger._catalog import Catalog
from qldb_stream.ledger._check_rows import read_revision_rows
from qldb_stream.ledger._damage import STUMBLES
from qldb_stream.ledger._findings import Findings
from qldb_stream.ledger._merkle import append_leaf
from qldb_stream.ledger._mirror_summary import unix_ms
from qldb_stream.ledger._seal import NO_REVISIONS, header_hash, tables_hash
from qldb_stream.ledger._store import Store, StoredBlock, StoredRevision
from qldb_stream.report import Outcome, Problem
from qldb_stream.verification import ChainVerifier, Redactions

__all__ = ["JournalCheck"]

_NEEDED: Final = frozenset(
    (
        *("blockAddress", "transactionId", "blockTimestamp", "blockHash", "entriesHash"),
        *("previousBlockHash", "entriesHashList"),
    )
)
_INFO: Final = "transactionInfo"
_KNOWN: Final = _NEEDED | {_INFO, "redactionInfo", "revisionSummaries"}

_OWN_ENTRIES: Final = 4
_FOREIGN: Final = "the opaque entries of a mirrored block, which only its source could recompute"

_NEWEST: Final = "SELECT revision_no FROM document WHERE table_no = ? AND id = ?"
_BY_NO: Final = "SELECT * FROM revision WHERE no = ?"


class JournalCheck:
    """
    Checks blocks in their order.

    Attributes:
        tables: what the blocks' own catalog entries say of the tables, by id: the rows of
            information_schema.user_tables.
        size: how many blocks there were, by the number of the last one.
        next_no: the number of the next revision; None after a block that cannot be read.
        redactions: the account of what mirrored blocks have redacted, and what all ask for.
    """

    def __init__(
        self, store: Store, found: Findings, strand_id: str, catalog: Catalog, mirrored: int
    ) -> None:
        self.tables: Final[dict[str, dict[str, Any]]] = {}
        self.size = 0
        self.next_no: int | None = 1
        self.redactions: Final = Redactions()
        self._store: Final = store
        self._found: Final = found
        self._strand_id: Final = strand_id
        self._catalog: Final = catalog
        self._mirrored: Final = mirrored
        self._verifier: Final = ChainVerifier()
        self._peaks: tuple[bytes, ...] | None = ()
        self._last_ms = 0

    def check(self, row: StoredBlock) -> Block | None:
        """
        Check the next block with its revisions.

        Returns:
            The block as it is stored; None when it cannot be read.

        Raises:
            LedgerFileError: the file cannot be read.
        """
        self._found.count("blocks")
        if row.sequence_no != self.size:
            self._add(row, "sequence_no", "a block before it is missing")
            self._peaks = None
        self.size = row.sequence_no + 1
        if self.next_no not in (None, row.first_revision_no):
            self._add(row, "first_revision_no", "not the number after the last block's revisions")
        start = row.first_revision_no if self.next_no is None else self.next_no
        try:
            summary = self._read_summary(row)
            leaves = sum(leaf.document_id is not None for leaf in summary.revision_summaries)
            rows = read_revision_rows(self._store, self._found, start, leaves)
            block = journal_block(row, rows, self._strand_id, self._catalog)
        except STUMBLES as exc:
            told = f": {exc}" if isinstance(exc, DecodeError) else ""
            self._add(row, "summary", f"it cannot be read, or a document cannot{told}")
            self.next_no = self._peaks = None
            return None
        self.next_no = start + leaves
        self._check_columns(row, summary)
        self._check_entries(row, summary)
        self._check_revision_rows(row, rows, leaves)
        self._verify(row, block)
        self._check_nodes(row, summary)
        return block

    def _add(self, row: StoredBlock, field: str, message: str) -> None:
        self._found.add("block", field, message, sequence_no=row.sequence_no)

    # --- the block's row ---------------------------------------------------------------------

    def _read_summary(self, row: StoredBlock) -> BlockSummary:
        names = read_struct(load_slice(row.summary)).keys()
        is_own = row.sequence_no >= self._mirrored
        if not names >= _NEEDED or (is_own and _INFO not in names):
            raise EnvelopeError("", "a block's fields", "fewer")
        if not names <= _KNOWN:
            self._add(row, "summary", "it has fields that no block has")
        return journal_block(row, (), self._strand_id, self._catalog).summary

    def _check_columns(self, row: StoredBlock, summary: BlockSummary) -> None:
        if summary.address != BlockAddress(self._strand_id, row.sequence_no):
            self._add(row, "blockAddress", "not that of the ledger's strand and the block's number")
        if summary.transaction_id != row.transaction_id:
            self._add(row, "transaction_id", "not the block's transactionId")
        timestamp_ms = unix_ms(summary.block_timestamp)
        if row.timestamp_ms != max(timestamp_ms, self._last_ms):
            self._add(row, "timestamp_ms", "not the block's blockTimestamp, or earlier than before")
        self._last_ms = row.timestamp_ms

    def _check_nodes(self, row: StoredBlock, summary: BlockSummary) -> None:
        if self._peaks is None or len(summary.block_hash) != DIGEST_BYTES:
            self._peaks = None
            self._found.cannot_check("Merkle nodes after a block that cannot be read")
            return
        self._peaks, nodes = append_leaf(self._peaks, row.sequence_no, summary.block_hash)
        if nodes != row.nodes:
            self._add(row, "nodes", "not the Merkle nodes over the block hashes")

    # --- entriesHashList ---------------------------------------------------------------------

    def _check_entries(self, row: StoredBlock, summary: BlockSummary) -> None:
        """Check the entries of our own: header, no revisions, catalog, and how many."""
        entries = summary.entries_hash_list
        timestamp_ms = unix_ms(summary.block_timestamp)
        header = header_hash(
            self._strand_id, row.sequence_no, summary.transaction_id, max(timestamp_ms, 0)
        )
        if row.sequence_no < self._mirrored and header not in entries[:1]:
            self._found.cannot_check(_FOREIGN)
            return
        if len(entries) != _OWN_ENTRIES + (summary.redaction_info is not None):
            self._add(row, "entriesHashList", "not as many entries as the block has parts")
            return
        if entries[0] != header:
            message = "it does not prove blockAddress, transactionId and blockTimestamp"
            self._add(row, "entriesHashList[0]", message)
        if not summary.revision_summaries and entries[1] != NO_REVISIONS:
            self._add(row, "revisionSummaries", "the block had revisions, and has none")
        self._check_catalog(row, entries[2])

    def _check_catalog(self, row: StoredBlock, entry: bytes) -> None:
        if row.sequence_no < self._mirrored:
            return  # a mirror works its tables out from the statements
        try:
            rows = [] if row.catalog is None else loads(row.catalog)
            sound = all("tableId" in table for table in rows) and tables_hash(rows) == entry
        except (DecodeError, TypeError):  # TypeError: no list of structs
            sound = False
        if not sound:
            self._add(row, "catalog", "entriesHashList does not prove the tables that it changed")
            return
        self.tables.update((table["tableId"], table) for table in rows)

    # --- revisions ---------------------------------------------------------------------------

    def _check_revision_rows(
        self, row: StoredBlock, rows: list[StoredRevision], leaves: int
    ) -> None:
        if len(rows) != leaves:
            message = f"{leaves - len(rows)} of its revisions are missing or unreadable"
            self._found.add("revision", "no", message, sequence_no=row.sequence_no)
        for revision in rows:
            self._found.count("revisions")
            for field, message in self._iter_revision_problems(row, revision):
                self._add_revision(row, revision, field, message)

    def _add_revision(
        self, row: StoredBlock, revision: StoredRevision, field: str, message: str
    ) -> None:
        table = self._catalog.by_no.get(revision.table_no)
        self._found.add(
            "revision",
            field,
            message,
            sequence_no=row.sequence_no,
            document_id=revision.document_id,
            table=None if table is None else table.name,
        )

    def _iter_revision_problems(
        self, row: StoredBlock, revision: StoredRevision
    ) -> list[tuple[str, str]]:
        problems: list[tuple[str, str]] = []
        if revision.sequence_no != row.sequence_no:
            problems.append(("sequence_no", "not its block's number"))
        if revision.table_no not in self._catalog.by_no:
            problems.append(("table_no", "there is no such table"))
        if revision.tx_time_ms > row.timestamp_ms:
            problems.append(("tx_time_ms", "later than its block"))
        if revision.data is not None and revision.data_hash is not None:
            problems.append(("data_hash", "a revision has data or dataHash, not both"))
        if not self._follows(revision):
            problems.append(("previous_no", "not the document's revision before"))
        newest = self._store.query(_NEWEST, (revision.table_no, revision.document_id))
        if not newest:
            message = "the document is missing among the current ones"
            problems.append(("document.id", message))
        elif not isinstance(newest[0][0], int) or newest[0][0] < revision.no:
            problems.append(("document.revision_no", "the document points to an older revision"))
        return problems

    def _follows(self, revision: StoredRevision) -> bool:
        """Tell whether the revision before is the one of the version before."""
        if revision.previous_no is None:
            return revision.version == 0
        rows = self._store.query(_BY_NO, (revision.previous_no,))
        if not rows or revision.previous_no >= revision.no:
            return False
        before = StoredRevision._make(rows[0])
        return (before.table_no, before.document_id, before.version) == (
            revision.table_no,
            revision.document_id,
            revision.version - 1,
        )

    # --- what every client can verify ----------------------------------------------------------

    def _verify(self, row: StoredBlock, block: Block) -> None:
        placed = attrs.evolve(block.summary, address=BlockAddress(self._strand_id, row.sequence_no))
        placed_block = attrs.evolve(block, summary=placed)
        verification = self._verifier.feed(placed_block)
        if row.sequence_no >= self._mirrored:  # what nobody asked for is a problem here
            placed_block = attrs.evolve(placed_block, revisions=())
        self.redactions.feed(placed_block, is_verified=verification.ok)
        for problem in verification.problems:
            self._add_problem(problem, block)
        for check in verification.checks:
            if check.outcome is Outcome.NOT_CHECKABLE:
                self._found.cannot_check(check.detail)

    def _add_problem(self, problem: Problem, block: Block) -> None:
        tables = {one.document_id: one.table for one in block.revisions}
        table = tables.get(problem.document_id) if problem.document_id else None
        self._found.add(
            "block" if problem.document_id is None else "revision",
            problem.field or problem.code.value,
            problem.message,
            sequence_no=problem.sequence_no,
            document_id=problem.document_id,
            table=None if table is None else table.table_name,
        )
