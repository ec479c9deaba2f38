"""
Which tables a block drops and brings back, from the statements that it ran.

A table that is dropped has no current state, and keeps its history. QLDB names a table to be
dropped by its name, and one to be brought back by its id (facts 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from qldb_stream.errors import DecodeError
from qldb_stream.events import Block

__all__ = ["iter_drops"]

_BLANK: Final = r"(?:\s++|--[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)"
_DROP: Final = re.compile(
    rf"{_BLANK}*+(DROP|UNDROP){_BLANK}++TABLE{_BLANK}++(?:\"([^\"]+)\"|([A-Za-z0-9_$]+))",
    re.IGNORECASE,
)


def iter_drops(block: Block) -> Iterator[tuple[bool, str]]:
    """
    Iterate over what a block does to whole tables, in order.

    Yields:
        False and the name, as it is delivered, of a table that is dropped; True and the id
        of one that is there again.
    """
    info = block.summary.transaction_info
    try:
        statements = () if info is None else info.statements
    except DecodeError:
        return  # the block's verification says so; it says nothing of tables
    for statement in statements:
        found = _DROP.match(statement.statement)
        if found is None:
            continue
        name = found[2] or found[3]
        if found[1].upper() == "UNDROP":
            yield True, name
        elif (delivered := block.delivered_name(name)) is not None:
            yield False, delivered
