"""
One block's statements, sent again in one transaction.

The position is kept as a replay keeps it, but no ids: statement mode rewrites none. What each
statement changed is counted against the source, so that a destination which is not in the source's
state is noticed where it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qldb_stream.errors import (
    LedgerError,
    LedgerFileError,
    OccConflictError,
    TransactionClosedError,
)
from qldb_stream.replay._ddl import refusal
from qldb_stream.replay._execute import Replay
from qldb_stream.replay._operations import BlockPlan
from qldb_stream.replay._protocols import Transaction
from qldb_stream.replay._rules import IdRule
from qldb_stream.replay._state import next_state, write_state
from qldb_stream.replay._statement_plan import SentStatement, StatementPlan
from qldb_stream.replay._work import Outcome
from qldb_stream.report import Position

SETTINGS: Final = "mode=statement"

_NOT_REFUSALS: Final = (LedgerFileError, OccConflictError, TransactionClosedError)


class StatementReplay(Replay):
    """Carries plans of statements out."""

    def __init__(self) -> None:
        super().__init__(IdRule())
        self._settings = SETTINGS

    def execute(
        self,
        txn: Transaction,
        plan: BlockPlan,
        position: Position,
        token: int,
        *,
        end: int | None = None,
    ) -> Outcome:
        """
        Send a plan's statements in an open transaction; the caller commits.

        Raises:
            UsageError: earlier blocks were replayed in another way.
            ReplayRefusedError: the destination refuses a statement, or it changes other
                documents there than in the source; abort.
            StaleTokenError: the destination has seen a higher token.
            IntegrityError: the block does not follow on what the destination has.
        """
        assert isinstance(plan, StatementPlan), "statement mode executes plans of statements"
        assert end is None, "statements are never sent in parts"
        stored = self._read(txn, plan.address.strand_id)
        state = next_state(stored, plan, position, token, self._settings)
        if state is None:
            return Outcome(applied=False)
        try:
            documents = _send_all(txn, plan)
        except _NOT_REFUSALS:
            raise
        except LedgerError as exc:
            raise refusal(plan.address, str(exc)) from exc
        write_state(txn, state)
        return Outcome(applied=True, documents=documents)

    def parts(self, plan: BlockPlan) -> Sequence[int]:
        """Refuse: who sends statements keeps their transaction."""
        raise refusal(plan.address, "statement mode does not split blocks")


def _send_all(txn: Transaction, plan: StatementPlan) -> int:
    """Send all statements, and give how many documents they changed."""
    return sum(_send(txn, plan, index, sent) for index, sent in enumerate(plan.statements))


def _send(txn: Transaction, plan: StatementPlan, index: int, sent: SentStatement) -> int:
    changed = sum(1 for _ in txn.execute_statement(sent.text, *sent.parameters))
    if sent.documents is None:
        return 0
    if changed != sent.documents:
        raise refusal(
            plan.address,
            f"statement {index} of those sent changes {changed} documents here, and changed "
            f"{sent.documents} in the source: the destination is not in the source's state",
        )
    return changed
