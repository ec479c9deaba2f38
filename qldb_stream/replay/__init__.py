"""
Repeat a journal elsewhere: a block becomes operations, and something executes them.

The plan is pure (`plan_block`); `Replay` carries one plan out in one transaction of
anything with pyqldb's interface. Nothing here opens a connection, commits or retries.
"""

from qldb_stream.replay._ddl import OWN_TABLES, iter_ddl, refusal
from qldb_stream.replay._execute import Replay
from qldb_stream.replay._operations import (
    BlockPlan,
    ChangeKind,
    DocumentChange,
    Operation,
    TableChange,
)
from qldb_stream.replay._parts import is_too_large
from qldb_stream.replay._plan import order_changes, plan_block, redaction_placeholder
from qldb_stream.replay._protocols import Destination, Driver, Transaction
from qldb_stream.replay._records import IDS_TABLE, IdRecord, lookup_ids
from qldb_stream.replay._rules import IdRule, find_ids, met_paths, parse_id_rule, rewrite_ids
from qldb_stream.replay._state import POSITION_TABLE, StrandState, read_state
from qldb_stream.replay._statement_mode import StatementReplay
from qldb_stream.replay._statement_plan import SentStatement, StatementPlan, plan_statements
from qldb_stream.replay._tables import has_own_tables, was_replayed
from qldb_stream.replay._work import Outcome

__all__ = [
    "IDS_TABLE",
    "OWN_TABLES",
    "POSITION_TABLE",
    "BlockPlan",
    "ChangeKind",
    "Destination",
    "DocumentChange",
    "Driver",
    "IdRecord",
    "IdRule",
    "Operation",
    "Outcome",
    "Replay",
    "SentStatement",
    "StatementPlan",
    "StatementReplay",
    "StrandState",
    "TableChange",
    "Transaction",
    "find_ids",
    "has_own_tables",
    "is_too_large",
    "iter_ddl",
    "lookup_ids",
    "met_paths",
    "order_changes",
    "parse_id_rule",
    "plan_block",
    "plan_statements",
    "read_state",
    "redaction_placeholder",
    "refusal",
    "rewrite_ids",
    "was_replayed",
]
