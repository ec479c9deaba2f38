"""
Every exception that the library raises on purpose, in one tree.

The tree is split by what a caller should do, not by which module noticed. Each
leaf carries a `disposition`:

* ``RETRY``: the same call may succeed later (back off, then repeat it),
* ``QUARANTINE``: these bytes or this block cannot be used; keep them, go on,
* ``HALT``: going on would deliver something wrong; stop and tell a person.

Leaves are frozen attrs exceptions with positional fields that hold plain values
only (never documents, never live objects), so that they pickle, compare whole
and can be logged. ``str()`` says where, what was expected, what was found, and
what to do. A bug of our own is an ``AssertionError``, never one of these.
"""

from __future__ import annotations

from qldb_stream.errors._archive import ArchiveIndexError
from qldb_stream.errors._aws import EmptyPrefixError, UndeliveredError
from qldb_stream.errors._decode import (
    AggregationError,
    CarrierError,
    DecodeError,
    EnvelopeError,
    ExportIncompleteError,
    ForeignFileError,
    IonDecodeError,
    UnreadableFileError,
)
from qldb_stream.errors._delivery import (
    DeliveryError,
    LeaseHeldError,
    ReplayRefusedError,
    SinkRefusedError,
    SinkUnavailableError,
    SourceError,
    SourceUnavailableError,
    StaleTokenError,
    WorkerDiedError,
)
from qldb_stream.errors._evidence import (
    AnswerError,
    ProofRefusedError,
    SavedDigestError,
)
from qldb_stream.errors._filter import FilterError, NothingPassedError
from qldb_stream.errors._inbox import (
    InboxFileError,
    InboxUnavailableError,
)
from qldb_stream.errors._integrity import (
    BacklogError,
    ChainBreakError,
    ConflictError,
    HashMismatchError,
    IncompleteBlockError,
    IntegrityError,
    SequenceGapError,
)
from qldb_stream.errors._ledger import (
    EndpointError,
    ExportError,
    LambdaAbortedError,
    LedgerAddressError,
    LedgerError,
    LedgerFileError,
    LedgerHeldError,
    OccConflictError,
    PartiqlEvaluationError,
    PartiqlParseError,
    PartiqlSemanticError,
    ReadOnlyTransactionError,
    StatementError,
    TransactionClosedError,
    UnsupportedPartiqlError,
)
from qldb_stream.errors._root import (
    Disposition,
    QldbStreamError,
)
from qldb_stream.errors._usage import (
    DeniedObjectError,
    IonEncodeError,
    PluginError,
    UsageError,
)

__all__ = [
    "AggregationError",
    "AnswerError",
    "ArchiveIndexError",
    "BacklogError",
    "CarrierError",
    "ChainBreakError",
    "ConflictError",
    "DecodeError",
    "DeliveryError",
    "DeniedObjectError",
    "Disposition",
    "EmptyPrefixError",
    "EndpointError",
    "EnvelopeError",
    "ExportError",
    "ExportIncompleteError",
    "FilterError",
    "ForeignFileError",
    "HashMismatchError",
    "InboxFileError",
    "InboxUnavailableError",
    "IncompleteBlockError",
    "IntegrityError",
    "IonDecodeError",
    "IonEncodeError",
    "LambdaAbortedError",
    "LeaseHeldError",
    "LedgerAddressError",
    "LedgerError",
    "LedgerFileError",
    "LedgerHeldError",
    "NothingPassedError",
    "OccConflictError",
    "PartiqlEvaluationError",
    "PartiqlParseError",
    "PartiqlSemanticError",
    "PluginError",
    "ProofRefusedError",
    "QldbStreamError",
    "ReadOnlyTransactionError",
    "ReplayRefusedError",
    "SavedDigestError",
    "SequenceGapError",
    "SinkRefusedError",
    "SinkUnavailableError",
    "SourceError",
    "SourceUnavailableError",
    "StaleTokenError",
    "StatementError",
    "TransactionClosedError",
    "UndeliveredError",
    "UnreadableFileError",
    "UnsupportedPartiqlError",
    "UsageError",
    "WorkerDiedError",
]
