"""
A block in parts, for an endpoint whose limits do not allow it as one transaction.

A journal of QLDB's fits into QLDB's limits, but the replay writes more: a row of ids for each
new document, and the position. Our ledger does not count these, another server does.

Each part is a transaction that also writes how far the block is (`StrandState.partial`), so that
a crash between two parts repeats neither. Who reads the destination meanwhile sees half a block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import ReplayRefusedError, StatementError
from qldb_stream.replay._ddl import refusal
from qldb_stream.replay._operations import BlockPlan, ChangeKind, DocumentChange
from qldb_stream.replay._rules import IdRule, find_ids

# Facts 5.8: 40 documents in a transaction. Each of these may bring a row of ids, and the position
# is one more.
_PART: Final = 19

# Facts 5.8 has the numbers, nothing has the service's words. Ours say "the limit is".
_LIMIT: Final = re.compile(r"limit|exceed|too (?:many|large|big|long)", re.IGNORECASE)


def is_too_large(plan: BlockPlan, refused: ReplayRefusedError) -> bool:
    """Say whether a block was refused for its size, and could be applied in parts."""
    said = refused.__cause__
    is_limit = isinstance(said, StatementError) and _LIMIT.search(said.problem) is not None
    return is_limit and len(plan.operations) > 1


def part_ends(plan: BlockPlan, rule: IdRule) -> Sequence[int]:
    """
    Give where each part of a plan ends, the last one at the end.

    Raises:
        ReplayRefusedError: a document names one of a later part, whose id is not known yet;
            written in between it would have one version too many.
    """
    count = len(plan.operations)
    size = min(_PART, (count + 1) // 2)
    ends = [*range(size, count, size), count]
    later: set[str] = set()
    for first, end in reversed(list(zip([0, *ends], ends, strict=False))):
        changes = [op for op in plan.operations[first:end] if isinstance(op, DocumentChange)]
        for change in changes:
            if change.document is not None and not later.isdisjoint(
                find_ids(change.document, rule)
            ):
                raise refusal(
                    plan.address,
                    "it is too large for the endpoint, and cannot be applied in parts: document "
                    f"{change.source_id} names one that is inserted in a later part",
                )
        later |= {c.source_id for c in changes if c.kind is ChangeKind.INSERT}
    return ends
