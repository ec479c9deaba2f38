"""
Which of several copies of one revision or one summary is the genuine one.

Strategy: equal copies fell out before; what is left differs, so hashes are computed
here, and only here. A copy is as good as the hashes that it carries and that can be
recomputed from its own bytes (facts 2.4, 2.5); after that, as its own claim about
where it belongs. The better copy wins and the worse is reported; two that are equally
good are a conflict. A redacted and a full copy of one revision are no conflict: the
redacted one wins (facts 1.6, 2.6). Neither is a copy from a JSON export that says the same as
far as JSON can tell (`_json`): it loses to one that kept its types, and nothing is reported.

All copies are judged at once, when the block is given out or given up. So the outcome depends
on the copies that are here by then, and not on the order in which they came (law 1). What comes
later, or beyond MAX_COPIES, can only be reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from qldb_stream.assembly._fields import (
    diagnose_copy,
    revision_differences,
    summary_differences,
)
from qldb_stream.assembly._json import redacted_json, same_as_json, same_summary_as_json
from qldb_stream.assembly._order import in_order, written
from qldb_stream.errors import ConflictError, DecodeError
from qldb_stream.events import (
    BlockAddress,
    BlockSummary,
    RedactionInfo,
    Revision,
    RevisionKind,
    TransactionInfo,
)
from qldb_stream.formulas import revision_recomputes, summary_recomputes, without_data
from qldb_stream.ion import IonSlice
from qldb_stream.report import Problem, ProblemCode

__all__ = [
    "better_summary",
    "choose_revision",
    "conflict",
    "judge_rival",
    "judge_stray",
    "judge_summaries",
    "linked_summary",
    "revision_mark",
    "same_revision",
    "same_summary",
    "slice_mark",
    "worse_revision",
    "worse_summary",
]

_RIVALS: Final = 4


# --- revisions -----------------------------------------------------------------------------


def same_revision(a: Revision, b: Revision) -> bool:
    """
    Say whether two copies are equal; bytes that do not decode equal only themselves.

    What was delivered twice is the same bytes, so these are compared before values.
    """
    if revision_mark(a) == revision_mark(b):
        return True
    try:
        return a == b
    except DecodeError:
        return False


def revision_mark(revision: Revision) -> tuple[int, int, int]:
    """
    Mark a revision by what is plain in it and by the bytes of what is not.

    Returns:
        Marks of its hashed parts and its address, of its table, of its unknown fields; 0
        for what it has not.
    """
    metadata, table, unknown = revision.metadata, revision.table, revision.unknown_fields
    parts = (
        revision.address,
        revision.hash,
        revision.data_hash,
        None if metadata is None else slice_mark(metadata.ion),
        slice_mark(revision.data_ion),
    )
    return hash(parts), 0 if table is None else hash(table) or 1, hash(unknown) if unknown else 0


def slice_mark(part: IonSlice | None) -> int:
    """Mark a slice by its place and the record that it is in; 0 for none."""
    return 0 if part is None else hash((part.start, part.end, part.buf)) or 1


def choose_revision(
    copies: list[Revision], address: BlockAddress
) -> tuple[Revision, list[Problem]]:
    """
    Choose among different copies of one revision.

    Args:
        copies: at least one, no two equal.
        address: the block that wants it.

    Returns:
        The best, and a problem for each copy that is worse or in conflict with it.
    """
    if len(copies) == 1:
        return copies[0], []
    ranked = in_order(copies, lambda found: (_rank(found, address), *_sort_key(found)), _parts)
    best = ranked[0]
    problems: list[Problem] = []
    for found in ranked[1:]:
        merged = _merged(best, found)
        if merged is not None:
            best = merged
        elif same_as_json(best, found):
            continue
        elif _rank(found, address) > _rank(best, address):
            problems.append(worse_revision(found, address, best))
        else:
            problems.append(conflict(address, _revision_difference(best, found), found))
    return _with_rivals(best, ranked), problems


def _with_rivals(best: Revision, copies: Sequence[Revision]) -> Revision:
    """Give a copy that does not fit its hash what the others say, for who looks into it."""
    if best.data_ion is None or revision_recomputes(best):
        return best
    rivals = [
        c.data_ion for c in copies if c.data_ion is not None and c.data_ion is not best.data_ion
    ]
    return attrs.evolve(best, rivals=tuple(rivals[:_RIVALS])) if rivals else best


def judge_rival(rival: Revision, address: BlockAddress) -> Problem:
    """
    Say what is wrong with a revision whose place another one has by its hash.

    It claims the block and document of the other, but is not what the block lists: a
    conflict when it is whole in itself, else a damaged copy.
    """
    if revision_recomputes(rival):
        return conflict(address, "hash", rival)
    return worse_revision(rival, address)


def judge_stray(stray: Revision, address: BlockAddress) -> Problem:
    """Say what is wrong with a revision that stands in a block, and is of an earlier one."""
    claim = f"{stray.address.strand_id}/{stray.address.sequence_no}"
    return Problem(
        ProblemCode.MISMATCH,
        f"a revision of block {claim} stands in a copy of this block; it was left out",
        address.strand_id,
        address.sequence_no,
        stray.document_id,
        "blockAddress",
    )


def worse_revision(copy: Revision, address: BlockAddress, best: Revision | None = None) -> Problem:
    """Report a copy that was left out for a better one, and where it differs from that."""
    code, field = ProblemCode.REVISION_HASH, "hash"
    message = "a copy of this revision does not fit its own hash, another one was taken"
    if copy.from_json:
        field = "data"
        message = "a copy from a JSON export says something else, another one was taken"
    if revision_recomputes(copy) or (copy.address != address and copy.from_json):
        code, field = ProblemCode.MISMATCH, "blockAddress"
        claim = f"{copy.address.strand_id}/{copy.address.sequence_no}"
        message = f"a copy of this revision claims block {claim}, another one was taken"
    place = (address.strand_id, address.sequence_no, copy.document_id)
    found = None
    if best is not None and not copy.from_json:  # which differs in every type
        found = diagnose_copy(revision_differences(best, copy))
    if found is None:
        return Problem(code, message, *place, field)
    if code is ProblemCode.REVISION_HASH:
        field = found.field
    return Problem(code, f"{message}; {found.sentence}", *place, field, found)


def _rank(revision: Revision, address: BlockAddress) -> tuple[bool, bool, bool]:
    """Rank a copy, the best lowest."""
    is_worse = not revision_recomputes(revision)
    return is_worse, revision.address != address, is_worse and revision.from_json


def _sort_key(revision: Revision) -> tuple[bytes, bytes, bytes, bytes, str]:
    """Order copies by what they are, so that chance does not choose."""
    metadata, data = _parts(revision)
    plain = repr((revision.address, revision.table, revision.unknown_fields))
    data_hash = revision.data_hash or b""
    return written(metadata), written(data), data_hash, revision.hash, plain


def _parts(revision: Revision) -> tuple[IonSlice | None, IonSlice | None]:
    """Give what of a revision is in its bytes."""
    return None if revision.metadata is None else revision.metadata.ion, revision.data_ion


def _merged(a: Revision, b: Revision) -> Revision | None:
    """Make one of two copies that say the same, one of them redacted or without table."""
    table = a.table or b.table
    if a.table is not None and b.table is not None and a.table != b.table:
        return None
    a, b = attrs.evolve(a, table=table), attrs.evolve(b, table=table)
    redaction = redacted_json(a, b)
    if redaction is not None:
        return redaction
    redacted, full = (a, b) if a.data_ion is None else (b, a)
    try:
        if same_revision(a, b) and a.data_ion == b.data_ion:
            return a
        if full.data_ion is None or redacted.kind is not RevisionKind.REDACTED:
            return None
        return redacted if redacted == without_data(full) else None
    except DecodeError:
        return None


def _revision_difference(a: Revision, b: Revision) -> str:
    for name in ("address", "hash", "metadata", "data_ion", "data_hash", "table"):
        try:
            if getattr(a, name) != getattr(b, name):
                return name
        except DecodeError:
            return f"the bytes of {name}"
    return "unknown fields"


# --- summaries -----------------------------------------------------------------------------


def same_summary(a: BlockSummary, b: BlockSummary) -> bool:
    """Say whether two copies are equal, `stream_arn` aside."""
    return _summary_difference(a, b) is None


def better_summary(a: BlockSummary, b: BlockSummary) -> BlockSummary:
    """
    Choose between two different summaries of one block.

    The order is a total one, so that the best of many is the same whatever came first.
    """
    return _best_summary((a, b))


def linked_summary(
    best: BlockSummary, others: Sequence[BlockSummary], previous: bytes
) -> BlockSummary:
    """
    Choose again between summaries of one block, when the hash of the block before is known.

    Returns:
        The best of those that fit their own hashes and name this one; `best` where none does.
    """
    linked = [
        found
        for found in (best, *others)
        if found.previous_block_hash == previous and summary_recomputes(found)
    ]
    return _best_summary(linked) if linked else best


def judge_summaries(best: BlockSummary, others: Sequence[BlockSummary]) -> list[Problem]:
    """
    Say what is wrong with the summaries of a block for which the best was taken.

    Args:
        best: of all, by `better_summary`.
        others: different ones.

    Returns:
        A problem for each of the others: that it is worse, when its hashes are not its own
        and those of the best are, or else in conflict.
    """
    if not others:
        return []
    is_sound = summary_recomputes(best)
    problems: list[Problem] = []
    for other in in_order(others, _summary_key, _infos):
        if same_summary_as_json(best, other):
            continue
        if is_sound and not summary_recomputes(other):
            problems.append(worse_summary(best.address, best, other))
        else:
            difference = _summary_difference(best, other) or "nothing"
            problems.append(conflict(best.address, difference))
    return problems


def worse_summary(
    address: BlockAddress, best: BlockSummary | None = None, other: BlockSummary | None = None
) -> Problem:
    """Report a summary that was left out for a better one, and where it differs from that."""
    message = "a copy of this block's summary does not fit its own hashes, another one was taken"
    place = (address.strand_id, address.sequence_no, None)
    found = None
    if best is not None and other is not None:
        found = diagnose_copy(summary_differences(best, other))
    if found is None:
        return Problem(ProblemCode.BLOCK_HASH, message, *place)
    message = f"{message}; {found.sentence}"
    return Problem(ProblemCode.BLOCK_HASH, message, *place, found.field, found)


def conflict(address: BlockAddress, difference: str, found: Revision | None = None) -> Problem:
    """Report two copies that cannot both be genuine."""
    document_id = None if found is None else found.document_id
    error = ConflictError(address.strand_id, address.sequence_no, difference, document_id)
    return Problem(
        ProblemCode.CONFLICT,
        str(error),
        address.strand_id,
        address.sequence_no,
        document_id,
        difference,
    )


def _best_summary(summaries: Sequence[BlockSummary]) -> BlockSummary:
    return in_order(summaries, _summary_key, _infos)[0]


def _summary_key(summary: BlockSummary) -> tuple[bool, bytes, bytes, bytes, str]:
    """Rank a copy, the best lowest; then order copies by what they are."""
    plain = attrs.evolve(summary, stream_arn=None, transaction_info=None, redaction_info=None)
    info, redaction = map(written, _infos(summary))
    return not summary_recomputes(summary), summary.block_hash, info, redaction, repr(plain)


def _infos(summary: BlockSummary) -> tuple[IonSlice | None, IonSlice | None]:
    """Give what of a summary is in its bytes."""
    info, redaction = summary.transaction_info, summary.redaction_info
    return None if info is None else info.ion, None if redaction is None else redaction.ion


def _summary_difference(a: BlockSummary, b: BlockSummary) -> str | None:
    """Name the first field in which two summaries differ; None when they are copies."""
    for field in attrs.fields(BlockSummary):
        name: str = field.name
        if name == "stream_arn":
            continue
        first, second = getattr(a, name), getattr(b, name)
        if name in ("transaction_info", "redaction_info") and _same_info(first, second):
            continue
        try:
            if first != second:
                return name
        except DecodeError:
            return f"the bytes of {name}"
    return None


def _same_info(
    a: TransactionInfo | RedactionInfo | None, b: TransactionInfo | RedactionInfo | None
) -> bool:
    """Say whether two are the same place of the same bytes, which is equal and cheap."""
    if a is None or b is None:
        return a is b
    return slice_mark(a.ion) == slice_mark(b.ion)
