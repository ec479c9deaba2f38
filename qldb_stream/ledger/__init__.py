"""
The embedded ledger: QLDB's journal, PartiQL and transactions in a SQLite file.

`Ledger.open(path)` gives a ledger; `Ledger.driver()` what pyqldb's driver is. Inside, from
below: `_file` and `_schema` open and describe the file, `_store` reads and `_append` writes
it; `_view` is what a transaction sees, `_transaction` runs its statements, `_occ` judges
conflicts, `_explain` says how a statement would run; `_seal` makes a block of it, `_mirror`
stores another ledger's, `_writing` commits. `_stream` and `_blocks` give the journal back. It
opens no socket, and writes stream records with its own code: that the parsers read them is a
test.
"""

from __future__ import annotations

from qldb_stream.ledger._cursor import Cursor
from qldb_stream.ledger._driver import Driver, Executor
from qldb_stream.ledger._environment import Environment
from qldb_stream.ledger._explain import Access, Explanation, SourceExplanation
from qldb_stream.ledger._export import ExportSummary, ObjectStore, check_prefix
from qldb_stream.ledger._export_folder import Folder
from qldb_stream.ledger._ids import new_id
from qldb_stream.ledger._io import IOUsage
from qldb_stream.ledger._ledger import Ledger
from qldb_stream.ledger._mirror import MirroredBlock
from qldb_stream.ledger._names import is_ledger_name
from qldb_stream.ledger._proofs import BlockResult, RevisionResult
from qldb_stream.ledger._state import Digest
from qldb_stream.ledger._stream import KinesisRecord, StreamPart
from qldb_stream.ledger._transaction import Transaction
from qldb_stream.ledger._wording import service_message

__all__ = [
    "Access",
    "BlockResult",
    "Cursor",
    "Digest",
    "Driver",
    "Environment",
    "Executor",
    "Explanation",
    "ExportSummary",
    "Folder",
    "IOUsage",
    "KinesisRecord",
    "Ledger",
    "MirroredBlock",
    "ObjectStore",
    "RevisionResult",
    "SourceExplanation",
    "StreamPart",
    "Transaction",
    "check_prefix",
    "is_ledger_name",
    "new_id",
    "service_message",
]
