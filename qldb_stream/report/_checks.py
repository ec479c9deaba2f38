"""What verification found out about one block."""

from __future__ import annotations

import enum
from typing import Any, Final

import attrs

from qldb_stream.events import BlockAddress
from qldb_stream.report._diagnosis import Diagnosis

_FILES_SHOWN: Final = 4  # a sentence with more is not read; `held_by` has them


class Outcome(enum.Enum):
    """How a check ended."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_CHECKABLE = "not checkable"


class ProblemCode(enum.StrEnum):
    """What kind of thing is wrong; stable, for programs to act on."""

    UNDECODABLE = "UNDECODABLE"
    EXPORT_INCOMPLETE = "EXPORT_INCOMPLETE"
    INCOMPLETE = "INCOMPLETE"
    GAP = "GAP"
    CONFLICT = "CONFLICT"
    REVISION_HASH = "REVISION_HASH"
    REVISIONS_ROOT = "REVISIONS_ROOT"
    TRANSACTION_INFO = "TRANSACTION_INFO"
    REDACTION_INFO = "REDACTION_INFO"
    ENTRIES_HASH = "ENTRIES_HASH"
    BLOCK_HASH = "BLOCK_HASH"
    CHAIN = "CHAIN"
    MISMATCH = "MISMATCH"
    DIGEST = "DIGEST"


class DeleteRule(enum.Enum):
    """How the hash of a delete revision comes about (facts 1.4, three candidates)."""

    METADATA_ONLY = "H(metadata)"
    NULL_DATA = "dot(H(metadata), H(null))"
    NULL_STRUCT_DATA = "dot(H(metadata), H(null.struct))"


@attrs.frozen
class Copy:
    """
    One copy of a revision or a block: its file, and the byte at which it begins, gzip undone.

    `fits` says whether it fits its own hashes. What was aggregated begins where its frame does,
    a part of an exported block where the block does.
    """

    file: str
    offset: int
    fits: bool

    @property
    def sentence(self) -> str:
        """Name it in words."""
        how = "fits its hash" if self.fits else "does not fit"
        return f"{self.file} at byte {self.offset} ({how})"

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return attrs.asdict(self)


@attrs.frozen
class Problem:
    """
    One thing that is wrong, and where; None where that is unknown.

    `diagnosis` says what would have to change for it to verify, where that was asked for and
    found. `message` says so too, without the values, which are parts of documents.
    `held_by` names the files that hold something of the block, the first 20; empty where nobody
    knows. `copies` are those that it is about, those that fit first, where their places are known.
    Both say where to look, not what is wrong, and do not count when problems are compared.
    """

    code: ProblemCode
    message: str
    strand_id: str | None = None
    sequence_no: int | None = None
    document_id: str | None = None
    field: str | None = None
    diagnosis: Diagnosis | None = None
    held_by: tuple[str, ...] = attrs.field(default=(), eq=False)
    copies: tuple[Copy, ...] = attrs.field(default=(), eq=False)

    @property
    def shown(self) -> str:
        """Give the message with the values of its diagnosis, for the eyes of the owner."""
        if self.diagnosis is None:
            return self.message
        return f"{self.message.removesuffix(self.diagnosis.sentence)}{self.diagnosis.shown}"

    @property
    def whereabouts(self) -> str:
        """Name copies, or else the files that hold the block, as the end of a sentence."""
        if self.copies:
            return f"; copies: {', '.join(copy.sentence for copy in self.copies)}"
        if not self.held_by:
            return ""
        more = len(self.held_by) - _FILES_SHOWN
        names = ", ".join(self.held_by[:_FILES_SHOWN])
        return f"; the block is in {names}{f' and {more} more' if more > 0 else ''}"

    def as_json(self) -> dict[str, Any]:
        """Give the values that `--json` prints."""
        return {
            "code": self.code.value,
            "strand_id": self.strand_id,
            "sequence_no": self.sequence_no,
            "document_id": self.document_id,
            "field": self.field,
            "message": self.message,
            "diagnosis": None if self.diagnosis is None else self.diagnosis.as_json(),
            "held_by": list(self.held_by),
            "copies": [copy.as_json() for copy in self.copies],
        }


@attrs.frozen
class Check:
    """
    One thing that was recomputed or compared, and how that ended.

    `name` is the code that its failure would have as a problem. `detail` says what
    was compared and, when not checkable, why; it counts the reasons in reports, so it
    is one fixed sentence for each reason. `diagnosis` is what was found out beyond it; of a
    check that is VERIFIED, what had to be rebuilt for it.
    """

    name: ProblemCode
    outcome: Outcome
    detail: str
    document_id: str | None = None
    field: str | None = None
    diagnosis: Diagnosis | None = None

    @property
    def message(self) -> str:
        """Give the detail, and what the diagnosis says without contents."""
        if self.diagnosis is None:
            return self.detail
        return f"{self.detail}; {self.diagnosis.sentence}"


@attrs.frozen
class BlockVerification:
    """
    Every check on one block.

    `delete_rule` is the rule that fitted the block's delete revisions, None when it
    has none or none fitted.
    """

    address: BlockAddress
    checks: tuple[Check, ...]
    delete_rule: DeleteRule | None = None

    @property
    def ok(self) -> bool:
        """Say whether no check failed; what is not checkable does not fail."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Give each failed check as a problem that names the block."""
        return tuple(
            Problem(
                check.name,
                check.message,
                self.address.strand_id,
                self.address.sequence_no,
                check.document_id,
                check.field,
                check.diagnosis,
            )
            for check in self.checks
            if check.outcome is Outcome.FAILED
        )
