"""
One block's statements, sent again in one transaction.

The position is kept as a replay keeps it, but no ids: statement mode rewrites none. What each
statement changed is counted against the source, so that a destination which is not in the source's
state is noticed where it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qldb_stream.replay._ddl import refusal
from qldb_stream.replay._execute import Replay
from qldb_stream.replay._operations import BlockPlan
from qldb_stream.replay._protocols import Transaction
from qldb_stream.replay._rules import IdRule
from qldb_stream.replay._state import StrandState
from qldb_stream.replay._statement_plan import SentStatement, StatementPlan
from qldb_stream.replay._work import Outcome

SETTINGS: Final = "mode=statement"


class StatementReplay(Replay):
    """Carries plans of statements out."""

    def __init__(self) -> None:
        super().__init__(IdRule())
        self._settings = SETTINGS

    def _carry_out(
        self, txn: Transaction, plan: BlockPlan, state: StrandState
    ) -> tuple[Outcome, StrandState]:
        """
        Send a plan's statements.

        Raises:
            ReplayRefusedError: a statement changes other documents than in the source.
        """
        assert isinstance(plan, StatementPlan), "statement mode executes plans of statements"
        return Outcome(applied=True, documents=_send_all(txn, plan)), state

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
