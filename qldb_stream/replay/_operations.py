"""What repeats a block: frozen values that a plan is made of."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

import attrs

from qldb_stream.events import BlockAddress, RedactedRevision, TableInfo
from qldb_stream.ion import IonSlice
from qldb_stream.partiql import Ddl


class ChangeKind(enum.Enum):
    """What happens to a document."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@attrs.frozen
class DocumentChange:
    """
    One revision, to be repeated.

    `source_id`, `version` and the ids of `table` are the source's; `document` is None
    for a delete.
    """

    kind: ChangeKind
    table: TableInfo
    source_id: str
    version: int
    document: IonSlice | None = attrs.field(default=None, repr=False)


TableChange: TypeAlias = Ddl
"""A DDL statement, as it was parsed; names and ids are the source's."""

Operation: TypeAlias = DocumentChange | TableChange


@attrs.frozen
class BlockPlan:
    """
    The operations that repeat one block, in order; it may have none.

    `redactions` are the revisions that the block asked to redact, by the source's ids.
    `left_out` counts by name the revisions and DDL statements of the source's own
    `qldb_stream_*` tables. `is_filtered` says that tables may be missing from it.
    """

    address: BlockAddress
    block_hash: bytes = attrs.field(repr=False)
    previous_block_hash: bytes = attrs.field(repr=False)
    operations: tuple[Operation, ...] = ()
    redactions: tuple[RedactedRevision, ...] = ()
    left_out: Mapping[str, int] = attrs.field(factory=dict)
    is_filtered: bool = False
