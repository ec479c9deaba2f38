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

import enum
from typing import ClassVar, Final

import attrs

__all__ = [
    "AggregationError",
    "BacklogError",
    "CarrierError",
    "ChainBreakError",
    "ConflictError",
    "DecodeError",
    "DeliveryError",
    "Disposition",
    "EnvelopeError",
    "ExportError",
    "ForeignFileError",
    "HashMismatchError",
    "IncompleteBlockError",
    "IntegrityError",
    "IonDecodeError",
    "IonEncodeError",
    "LambdaAbortedError",
    "LedgerAddressError",
    "LedgerError",
    "LedgerFileError",
    "OccConflictError",
    "PartiqlEvaluationError",
    "PartiqlParseError",
    "PartiqlSemanticError",
    "PluginError",
    "QldbStreamError",
    "ReplayRefusedError",
    "SequenceGapError",
    "SinkRefusedError",
    "SinkUnavailableError",
    "SourceError",
    "StaleTokenError",
    "StatementError",
    "TransactionClosedError",
    "UnsupportedPartiqlError",
    "UsageError",
]


class Disposition(enum.Enum):
    """What a caller should do with an error."""

    RETRY = "retry"
    QUARANTINE = "quarantine"
    HALT = "halt"


class QldbStreamError(Exception):
    """
    Root of everything that this library raises on purpose.

    Two errors are equal, as tests compare them, when their type and all their fields are.
    """

    disposition: ClassVar[Disposition] = Disposition.HALT

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


# --- bytes that cannot be read ------------------------------------------------------------


class DecodeError(QldbStreamError):
    """Bytes that are not what they should be; keep them and go on."""

    disposition = Disposition.QUARANTINE


@attrs.frozen
class IonDecodeError(DecodeError):
    """Binary or text Ion that breaks the Ion 1.0 specification or our bounds."""

    offset: int
    problem: str

    def __str__(self) -> str:
        return f"Ion at byte {self.offset}: {self.problem}"


@attrs.frozen
class AggregationError(DecodeError):
    """A KPL frame whose protobuf or MD5 trailer is damaged."""

    offset: int
    problem: str

    def __str__(self) -> str:
        return f"KPL aggregate at byte {self.offset}: {self.problem}"


@attrs.frozen
class CarrierError(DecodeError):
    """A Kinesis, Firehose or Lambda carrier that cannot be opened or walked."""

    carrier: str
    offset: int
    problem: str

    def __str__(self) -> str:
        return f"{self.carrier} at byte {self.offset}: {self.problem}"


@attrs.frozen
class ForeignFileError(DecodeError):
    """A whole file that is sound and of another kind than stream records."""

    found: str

    def __str__(self) -> str:
        return f"expected stream records, found {self.found}"


@attrs.frozen
class EnvelopeError(DecodeError):
    """Sound Ion that does not have the shape of a QLDB record or block."""

    path: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"QLDB record, field {self.path}: expected {self.expected}, found {self.found}"


# --- a journal that is not whole or not unaltered ------------------------------------------


class IntegrityError(QldbStreamError):
    """The journal contradicts itself; nothing after it may be delivered."""


@attrs.frozen
class HashMismatchError(IntegrityError):
    """A hash that was recomputed is not the one that is stored."""

    strand_id: str
    sequence_no: int
    check: str
    document_id: str | None = None

    def __str__(self) -> str:
        document = f", document {self.document_id}" if self.document_id else ""
        return (
            f"block {self.strand_id}/{self.sequence_no}{document}: {self.check} failed; "
            "run `qldb-stream verify` on the source to see every check"
        )


@attrs.frozen
class ChainBreakError(IntegrityError):
    """A block whose previousBlockHash is not its predecessor's blockHash."""

    strand_id: str
    sequence_no: int
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"block {self.strand_id}/{self.sequence_no}: previousBlockHash is {self.found}, "
            f"the block before has blockHash {self.expected}"
        )


@attrs.frozen
class SequenceGapError(IntegrityError):
    """Blocks that are missing from a strand, first to last, both included."""

    strand_id: str
    first: int
    last: int | None = None

    def __str__(self) -> str:
        until = "on" if self.last is None else f"to {self.last}"
        many, one = f"blocks from {self.first} {until} are", f"block {self.first} is"
        missing = one if self.first == self.last else many
        return (
            f"strand {self.strand_id}: {missing} missing; add the source that holds what is "
            "missing, or declare the gap when you replay (--accept-gap)"
        )


@attrs.frozen
class ConflictError(IntegrityError):
    """Two different blocks or revisions that claim one address."""

    strand_id: str
    sequence_no: int
    difference: str
    document_id: str | None = None

    def __str__(self) -> str:
        document = f", document {self.document_id}" if self.document_id else ""
        return (
            f"block {self.strand_id}/{self.sequence_no}{document}: two copies differ in "
            f"{self.difference}; find out which source is genuine and leave out the other"
        )


@attrs.frozen
class IncompleteBlockError(IntegrityError):
    """A block that lacks its summary, or revisions that its summary names."""

    strand_id: str
    sequence_no: int
    missing: tuple[str, ...]
    unclaimed: tuple[str, ...] = ()

    def __str__(self) -> str:
        spare = f"; revisions that fit no summary: {_some(self.unclaimed)}"
        missing = _some(self.missing) + (spare if self.unclaimed else "")
        return (
            f"block {self.strand_id}/{self.sequence_no}: missing {missing}; "
            "add the source that holds the missing records"
        )


@attrs.frozen
class BacklogError(IntegrityError):
    """More is waiting for a missing part than the limit allows."""

    limit: int
    unit: str
    waits_for: str

    def __str__(self) -> str:
        return (
            f"more than {self.limit} {self.unit} wait for {self.waits_for}; "
            "deliver that, raise the limit, or read the input as a bounded source"
        )


_SHOWN: Final = 3  # names in a message; more would bury it


def _some(names: tuple[str, ...]) -> str:
    """Name the first few, then count the rest."""
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


# --- sources -------------------------------------------------------------------------------


@attrs.frozen
class SourceError(QldbStreamError):
    """A source that changed, vanished or failed while it was being read."""

    disposition = Disposition.RETRY

    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source} {self.problem}; read it again when nothing writes to it"


# --- delivery ------------------------------------------------------------------------------


class DeliveryError(QldbStreamError):
    """A sink did not take what it was given."""

    disposition = Disposition.RETRY


@attrs.frozen
class SinkUnavailableError(DeliveryError):
    """A sink that cannot be reached now, and may be later."""

    sink: str
    problem: str

    def __str__(self) -> str:
        return f"sink {self.sink} is not available: {self.problem}"


@attrs.frozen
class SinkRefusedError(DeliveryError):
    """A block that a sink refuses and will refuse again."""

    disposition = Disposition.QUARANTINE

    sink: str
    strand_id: str
    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"sink {self.sink} refuses block {self.strand_id}/{self.sequence_no}: {self.problem}"


@attrs.frozen
class ReplayRefusedError(DeliveryError):
    """A block that cannot be repeated in the destination, and why."""

    disposition = Disposition.QUARANTINE

    strand_id: str
    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"block {self.strand_id}/{self.sequence_no} cannot be replayed: {self.problem}"


@attrs.frozen
class StaleTokenError(DeliveryError):
    """A fencing token lower than the one that the sink has stored."""

    disposition = Disposition.HALT

    strand_id: str
    stored: int
    given: int

    def __str__(self) -> str:
        return (
            f"strand {self.strand_id}: fencing token {self.given} is stale, {self.stored} is "
            "stored; another worker holds this strand now"
        )


# --- the caller ----------------------------------------------------------------------------


@attrs.frozen
class UsageError(QldbStreamError):
    """A call, an option or a configuration that makes no sense as given."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class IonEncodeError(QldbStreamError):
    """A Python value that has no Ion equivalent, or exceeds our bounds."""

    problem: str

    def __str__(self) -> str:
        return f"cannot write as Ion: {self.problem}"


@attrs.frozen
class PluginError(QldbStreamError):
    """A plug-in that does not do what its hook says."""

    plugin: str
    hook: str
    problem: str

    def __str__(self) -> str:
        return f"plug-in {self.plugin}, hook {self.hook}: {self.problem}"


# --- the ledger ----------------------------------------------------------------------------


class LedgerError(QldbStreamError):
    """The embedded ledger refused something."""


@attrs.frozen
class LedgerFileError(LedgerError):
    """A ledger file that cannot be opened, read or written."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"ledger {self.path}: {self.problem}"


@attrs.frozen
class LedgerAddressError(LedgerError):
    """An address at which the ledger has no block, no such document, or an earlier tip."""

    sequence_no: int
    problem: str

    def __str__(self) -> str:
        return f"block {self.sequence_no}: {self.problem}"


@attrs.frozen
class ExportError(LedgerError):
    """An object of an export that could not be stored; the export has no final manifest."""

    disposition = Disposition.RETRY

    key: str
    problem: str

    def __str__(self) -> str:
        return f"export: {self.key} cannot be written: {self.problem}"


@attrs.frozen
class OccConflictError(LedgerError):
    """A transaction that read what another one has changed since (facts 5.9)."""

    disposition = Disposition.RETRY

    transaction_id: str

    def __str__(self) -> str:
        # The service's own wording, which applications match on (facts 6.4).
        return (
            "Optimistic concurrency control (OCC) failure encountered while committing "
            "the transaction"
        )


@attrs.frozen
class TransactionClosedError(LedgerError):
    """A statement or commit on a transaction that is no longer open."""

    transaction_id: str
    reason: str

    def __str__(self) -> str:
        return f"Transaction {self.transaction_id} {self.reason}"


@attrs.frozen
class LambdaAbortedError(LedgerError):
    """A transaction that the function which ran in it aborted on purpose."""

    transaction_id: str

    def __str__(self) -> str:
        return f"transaction {self.transaction_id} was aborted by its own function"


@attrs.frozen
class StatementError(LedgerError):
    """A statement that parses but cannot be carried out (facts 6.4, BadRequest)."""

    problem: str

    def __str__(self) -> str:
        return self.problem


@attrs.frozen
class PartiqlParseError(LedgerError):
    """A statement text that is not PartiQL; line and column count from 1."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"Parser Error: at line {self.line}, column {self.column}: {self.problem}"


@attrs.frozen
class PartiqlSemanticError(LedgerError):
    """PartiQL that names what does not exist or makes no sense there."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"Semantic Error: at line {self.line}, column {self.column}: {self.problem}"


@attrs.frozen
class UnsupportedPartiqlError(LedgerError):
    """PartiQL that QLDB did not support, or that this ledger does not yet."""

    line: int
    column: int
    feature: str

    def __str__(self) -> str:
        return (
            "Unsupported PartiQL Statement, Errors at:\n"
            f"line {self.line}, column {self.column}: {self.feature} is not supported"
        )


@attrs.frozen
class PartiqlEvaluationError(LedgerError):
    """PartiQL that fails on the values it met: a cast, a division, a path."""

    line: int
    column: int
    problem: str

    def __str__(self) -> str:
        return f"{self.problem} (at line {self.line}, column {self.column})"
