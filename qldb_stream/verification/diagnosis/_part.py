"""
Put types back into the parts of a summary that a JSON export has fields of no schema in.

Tried are the types of those fields alone: a value of the schema that was changed is no lost type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError, UsageError
from qldb_stream.hashing import merkle_root
from qldb_stream.report import Diagnosis, Evidence, ProblemCode
from qldb_stream.verification._untyped import REDACTION_INFO, TRANSACTION_INFO, untyped_paths
from qldb_stream.verification.diagnosis._search import search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qldb_stream.events import Block, RedactionInfo, TransactionInfo
    from qldb_stream.verification.diagnosis._search import Effort

__all__ = ["rebuild_part"]

_EFFORT: Final = 1 << 21  # bytes that are hashed; a statement's text is hashed with each try


def rebuild_part(code: ProblemCode, block: Block, effort: Effort) -> Diagnosis | None:
    """
    Find the types with which a part has its hash in entriesHashList.

    Args:
        code: TRANSACTION_INFO or REDACTION_INFO; others have nothing that lost a type.
        block: rebuilt from a JSON export.
        effort: what may be spent on this and all other rebuilding.

    Returns:
        The types; None when none were found within the bound, or the part lost none.
    """
    summary = block.summary
    infos: dict[ProblemCode, tuple[TransactionInfo | RedactionInfo | None, str]] = {
        ProblemCode.TRANSACTION_INFO: (summary.transaction_info, "transactionInfo"),
        ProblemCode.REDACTION_INFO: (summary.redaction_info, "redactionInfo"),
    }
    info, name = infos.get(code, (None, ""))
    if info is None or not info.from_json:
        return None
    schema = TRANSACTION_INFO if code is ProblemCode.TRANSACTION_INFO else REDACTION_INFO
    paths = untyped_paths(info.ion, schema)
    if not paths:
        return None
    if effort.left <= 0:
        effort.stops += 1
        return None
    free = frozenset(summary.entries_hash_list).difference(_iter_others(block, name))
    own = effort.part(_EFFORT)
    found = search(info.ion, free.__contains__, own, lost_types=True, only=paths)
    effort.give_back(own)
    return None if found is None else Diagnosis(Evidence.LEAF_HASH, found.told(name))


def _iter_others(block: Block, name: str) -> Iterator[bytes]:
    """Iterate over the entries that are other parts' already: each needs one of its own."""
    summary = block.summary
    other = summary.redaction_info if name == "transactionInfo" else summary.transaction_info
    try:
        if block.revisions:
            yield merkle_root([one.hash for one in block.revisions])
        if other is not None:
            yield other.ion.hash()
    except (DecodeError, UsageError):
        return
