"""What a sink has to tell beside the position it reached."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from qldb_stream.events import RevisionKind


class Guarantee(enum.Enum):
    """
    What crashes and repeats may do at a sink.

    EXACTLY_ONCE: nothing; the sink writes its position with the blocks. AT_LEAST_ONCE: a run
    may come again with the same keys; the sink has no position, and a checkpoint keeps it.
    """

    EXACTLY_ONCE = "exactly once"
    AT_LEAST_ONCE = "at least once"


@attrs.frozen
class StoredRevision:
    """
    A revision as a sink holds it, or would hold it.

    `data` has plain values that compare equal where the sink means the same (a column's
    value, not its spelling): a mapping of columns for a table of columns, one document
    otherwise; None where no document is there (deleted, redacted, withheld). `masked` names the
    fields that a filter changed, as `Revision.masked` does; it is not compared, but a revision
    that has more of them than its source is not written anew from that.
    """

    strand_id: str
    sequence_no: int
    table: str
    document_id: str
    version: int
    kind: RevisionKind
    hash: bytes
    data_hash: bytes | None
    data: Any = attrs.field(repr=False)
    masked: tuple[str, ...] = attrs.field(default=(), eq=False)


@attrs.frozen
class SinkSummary:
    """
    What a sink did since it was opened, as far as it is durable.

    `documents` counts revisions that were written. `redactions_pending` names blocks, as
    (strand_id, sequence_no), whose redaction the sink could not carry out.
    `ids_unresolved` counts strings at declared id paths that are no known document's id
    and were left as they are. `paths_unmet` are declared id paths, as they were given, at
    which nothing that was applied had an id. `indexes_kept` names what a DROP INDEX could
    not be mapped to, as (strand_id, sequence_no, table). `left_out` counts, by name, the
    revisions and DDL statements of source tables that the sink never takes, and blocks with
    fields that it cannot keep (`field NAME`). `not_atomic` names blocks, as (strand_id,
    sequence_no), that were applied in several transactions. `names_avoided` has, as (source
    table, table here), those that could not get their own name, since something there has it.
    """

    documents: int = 0
    redactions_pending: tuple[tuple[str, int], ...] = ()
    ids_unresolved: int = 0
    indexes_kept: tuple[tuple[str, int, str], ...] = ()
    left_out: Mapping[str, int] = attrs.field(factory=dict)
    paths_unmet: tuple[str, ...] = ()
    not_atomic: tuple[tuple[str, int], ...] = ()
    names_avoided: tuple[tuple[str, str], ...] = ()
