"""
What QLDB's control plane did for a ledger: digest, block, revision, export; and the check.

All of it reads; the journal that it reads is the one that transactions write.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Final

from qldb_stream.errors import LedgerFileError, StatementError
from qldb_stream.ledger._check import check_ledger
from qldb_stream.ledger._erase import count_pending
from qldb_stream.ledger._export import (
    ExportRequest,
    ExportSummary,
    ObjectStore,
    export_journal,
    open_target,
)
from qldb_stream.ledger._findings import Progress
from qldb_stream.ledger._proofs import (
    BlockResult,
    RevisionResult,
    read_block,
    read_digest,
    read_revision,
)
from qldb_stream.ledger._reading import Reading
from qldb_stream.ledger._snapshot import snapshot
from qldb_stream.ledger._state import Digest
from qldb_stream.ledger._writing import Writing
from qldb_stream.report import LedgerReport

__all__ = ["Operations"]


class Operations:
    """The part of an open ledger that answers about its journal as a whole."""

    def __init__(self, journal: Writing | Reading, name: str) -> None:
        self._journal: Final = journal
        self._closed = False
        self.name: Final = name

    def _check_open(self) -> None:
        if self._closed:
            raise LedgerFileError(self._journal.store.path, "it is closed")

    @property
    def strand_id(self) -> str:
        """Give the id of the journal's only strand, 22 characters."""
        return self._journal.state().strand_id

    @property
    def redactions_pending(self) -> int:
        """
        Give how many redactions have not left the write-ahead log yet.

        A redaction removes its data from the ledger when it commits; bytes of it may stay in
        `PATH-wal` while somebody reads an older state of the file. It is tried again with
        each commit and on closing; 0 says that no byte of what was redacted is left in any
        file of the ledger.

        Raises:
            LedgerFileError: the file cannot be read.
        """
        self._check_open()
        return count_pending(self._journal.store)

    def digest(self, tip: int | None = None) -> Digest:
        """
        Give the hash of the whole journal and the address of its last block; O(log n).

        Args:
            tip: the last block that it covers, None for the newest. Digests of older tips
                are those that were given then.

        Raises:
            StatementError: there is no block yet.
            LedgerAddressError: there is no block `tip`.
            LedgerFileError: the file cannot be read.
        """
        self._check_open()
        state = self._journal.state()
        if tip is not None:
            return read_digest(self._journal.store, state, tip)
        digest = state.digest()
        if digest is None:
            raise StatementError("the ledger has no block yet, so it has no digest")
        return digest

    def block(self, sequence_no: int, *, tip: int | None = None) -> BlockResult:
        """
        Give a block as GetBlock did, whole, and prove that it stands in the journal.

        Args:
            sequence_no: its number, from 0.
            tip: the last block of the digest that it is to be proven against.

        Returns:
            The block (facts 2.1) and, when a tip is given, its proof (facts 2.7): folded
            with `dot`, blockHash and proof give `digest(tip)`.

        Raises:
            LedgerAddressError: there is no such block or tip, or the tip is before it.
            LedgerFileError: the file cannot be read, or what is asked for in it is damaged.
        """
        self._check_open()
        return read_block(self._journal.store, self._journal.state(), sequence_no, tip)

    def revision(
        self, sequence_no: int, document_id: str, *, tip: int | None = None
    ) -> RevisionResult:
        """
        Give the revision that a block made of a document as GetRevision did, with its proof.

        Args:
            sequence_no: the block's number, from 0.
            document_id: the document's, 22 characters.
            tip: the last block of the digest that it is to be proven against.

        Returns:
            The revision (facts 1.4) and, when a tip is given, its proof (facts 2.7): folded
            with `dot`, its hash and the proof give `digest(tip)`.

        Raises:
            LedgerAddressError: there is no such block or tip, the tip is before it, or the
                block has no revision of the document.
            LedgerFileError: the file cannot be read, or what is asked for in it is damaged.
        """
        self._check_open()
        store, state = self._journal.store, self._journal.state()
        return read_revision(store, state, sequence_no, document_id, tip)

    def export(
        self,
        target: str | os.PathLike[str] | ObjectStore,
        *,
        output_format: str = "ion-text",
        prefix: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        export_id: str | None = None,
        encryption: str = "NO_ENCRYPTION",
    ) -> ExportSummary:
        """
        Write the journal as ExportJournalToS3 did: the same objects, keys and manifests.

        First `<prefix><exportId>.started.manifest`, then the data objects
        `<prefix>yyyy/mm/dd/hh/<strandId>.<first>-<last>.ion` (`.json`), last
        `<prefix><exportId>.<strandId>.completed.manifest` with their keys (facts 3.2). An
        object is there whole or not at all, and is a few MiB long.

        Args:
            target: a folder, made when absent, which stands for the bucket; or an
                `ObjectStore`, such as `qldb_stream.clients.s3.S3Bucket`.
            output_format: "ion-text", "ion-binary" or "json"; manifests have it too. JSON
                keeps no Ion types, so documents' hashes cannot be recomputed from it.
            prefix: comes before every key, as it is; up to 128 characters.
            start: inclusive, aware; blocks are chosen by blockTimestamp. None for the first.
            end: exclusive, aware, not in the future. None for all there are.
            export_id: 22 characters; a new one when None.
            encryption: what the started manifest says of the objects' encryption (facts 3.1),
                which is the target's business.

        Raises:
            UsageError: no such format, a prefix that leaves the target, or no range.
            ExportError: an object could not be stored; there is no final manifest then.
            IonEncodeError: amazon.ion has no text for a timestamp; take "ion-binary".
            LedgerFileError: the file cannot be read, or what is asked for in it is damaged.
        """
        self._check_open()
        journal = self._journal
        environment = journal.environment
        request = ExportRequest(
            self.name,
            export_id or environment.new_id(),
            output_format,
            prefix,
            start,
            end,
            environment.now_ms(),
            encryption,
        )
        return export_journal(journal.store, journal.state(), open_target(target), request)

    def check(self, *, progress: Progress | None = None) -> LedgerReport:
        """
        Check the ledger's whole file against what its hashes prove; nothing is repaired.

        Every hash is recomputed from what is stored, and the current documents, indexes and
        tables are rebuilt from the journal and compared. It reads one state of the file and
        holds nobody up, but while it runs the write-ahead log is not cut. Memory does not
        grow with the ledger. That the journal's end was cut off, or all of it written anew,
        only a digest shows that was saved elsewhere: compare it with `digest(tip)`.

        Args:
            progress: called with how many are done, of how many, and what: "blocks",
                "documents", "entries".

        Raises:
            LedgerFileError: the file is damaged so that SQLite cannot read it.
        """
        self._check_open()
        with snapshot(self._journal.store) as store:
            return check_ledger(store, progress or _ignore)


def _ignore(_done: int, _total: int, _what: str) -> None:
    """Show no progress."""
