"""
One planned block, carried out in one transaction of the destination.

Order of the statements: the strand's position is read; ids that the block needs are
looked up by one statement; tables and documents are changed; new ids are written by
one statement; the position is written. The first transaction of a `Replay` makes the
tables for both before that, if need be: a ledger to which no block was applied has none.

All names of documents that are not in the transaction come from `qldb_stream_ids`,
through a cache: its rows never change once they are committed, a version offset across
a declared gap apart. What a transaction learnt enters the cache by `remember`, which is
called when it is committed; `forget` empties it when a commit is in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from qldb_stream.errors import (
    IonDecodeError,
    LedgerError,
    LedgerFileError,
    OccConflictError,
    StaleTokenError,
    TransactionClosedError,
)
from qldb_stream.events import Block, RedactedRevision
from qldb_stream.replay._ddl import refusal
from qldb_stream.replay._operations import BlockPlan
from qldb_stream.replay._parts import part_ends
from qldb_stream.replay._protocols import Transaction
from qldb_stream.replay._records import IdRecord, read_records
from qldb_stream.replay._redactions import redact
from qldb_stream.replay._rules import IdRule, find_ids
from qldb_stream.replay._settings import Settings, check_settings
from qldb_stream.replay._state import (
    StrandState,
    moved_state,
    next_part,
    next_state,
    read_state,
    write_state,
)
from qldb_stream.replay._tables import make_own_tables
from qldb_stream.replay._work import Outcome, Work
from qldb_stream.report import Position

# A record and its strings take some 500 bytes: 8 MB.
_MAX_REMEMBERED: Final = 16_384

# Everything else that a ledger says about a statement, it will say again.
_NOT_REFUSALS: Final = (LedgerFileError, OccConflictError, TransactionClosedError)


class Replay:
    """Carries plans out, and remembers ids between them."""

    def __init__(self, rule: IdRule, *, insert_unknown: bool = False) -> None:
        self._rule = rule
        self._insert_unknown = insert_unknown
        self._settings = str(Settings(rule, insert_unknown))
        self._known: dict[str, IdRecord] = {}
        self._positions: dict[str, str] = {}  # strand -> the document with its position
        self._has_tables = False  # whether both tables of ours are known to be committed

    @property
    def id_paths(self) -> tuple[tuple[str, ...], ...]:
        """Give the declared paths of ids, each as its field names."""
        return self._rule.paths

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
        Carry a plan out in an open transaction; the caller commits.

        Args:
            txn: nothing was run in it yet.
            plan: the block.
            position: carries the gaps and parked blocks that its owner declared.
            token: the worker's fencing token.
            end: carry out only the operations up to here, as `parts` says; what was carried
                out of the block before is passed over.

        Raises:
            UsageError: earlier blocks were replayed with other rules.
            ReplayRefusedError: the block cannot be repeated, and why; abort.
            StaleTokenError: the destination has seen a higher token.
            IntegrityError: the block does not follow on what the destination has.
        """
        stored = self._read(txn, plan.address.strand_id)
        state = next_state(stored, plan, position, token, self._settings)
        part = None if state is None else next_part(stored, state, plan, end)
        if part is None:
            return Outcome(applied=False)
        plan, state = part
        try:
            outcome, state = self._carry_out(txn, plan, state)
        except _NOT_REFUSALS:
            raise
        except (IonDecodeError, LedgerError) as exc:
            raise refusal(plan.address, str(exc)) from exc
        write_state(txn, state)
        return outcome

    def _carry_out(
        self, txn: Transaction, plan: BlockPlan, state: StrandState
    ) -> tuple[Outcome, StrandState]:
        """Run a plan's statements between reading and writing the position."""
        work = Work(txn, plan, state, self._rule, insert_unknown=self._insert_unknown)
        outcome = work.run(self._known)
        return outcome, work.state

    def redact(self, txn: Transaction, asked: RedactedRevision, strand_id: str, token: int) -> bool:
        """
        Redact one revision by itself, in an open transaction; the caller commits.

        Returns:
            Whether nothing of it is left then.

        Raises:
            StaleTokenError: the destination has seen a higher token.
            ReplayRefusedError: the destination refuses, and why; it names the revision's block.
        """
        stored = self._read(txn, strand_id)
        if stored is None:
            return False
        if token < stored.token:
            raise StaleTokenError(strand_id, stored.token, token)
        try:
            records = read_records(txn, [asked.document_id])
            return all(redact(txn, asked, record) for record in records)
        except _NOT_REFUSALS:
            raise
        except LedgerError as exc:
            raise refusal(asked.block_address, str(exc)) from exc

    def move(self, txn: Transaction, position: Position, token: int) -> Position:
        """
        Change nothing but the position, in an open transaction; the caller commits.

        Returns:
            The position when it is committed: the stored one, where that covers the other.

        Raises:
            UsageError: earlier blocks were replayed with other rules.
            StaleTokenError: the destination has seen a higher token.
        """
        stored = self._read(txn, position.strand_id)
        state = moved_state(stored, position, token, self._settings)
        if state is not None:
            write_state(txn, state)
            return position
        assert stored is not None  # else there is nothing that covers it
        return attrs.evolve(stored.position, start=stored.start)

    def mentions(self, block: Block) -> frozenset[str]:
        """
        Name the documents whose ids would be rewritten in a block's documents.

        With the rule `any` some names may be no document's: strings that look like one.
        """
        documents = [r.data_ion for r in block.revisions if r.data_ion is not None]
        return frozenset(name for each in documents for name in find_ids(each, self._rule))

    def parts(self, plan: BlockPlan) -> Sequence[int]:
        """
        Give the ends of the parts in which a block can be applied.

        Raises:
            ReplayRefusedError: it cannot, since a document names one of a later part.
        """
        return part_ends(plan, self._rule)

    def check(self, state: StrandState) -> None:
        """
        Make sure that a strand may be gone on with, before anything is read for it.

        Raises:
            UsageError: earlier blocks were replayed with other rules.
        """
        check_settings(state.position.strand_id, state.settings, self._settings)

    def remember(self, outcome: Outcome) -> None:
        """Take over what a committed transaction learnt."""
        self._has_tables = True
        if len(self._known) + len(outcome.records) > _MAX_REMEMBERED:
            self._known.clear()
        for record in outcome.records:
            self._known[record.source_id] = record

    def forget(self) -> None:
        """Drop all that was learnt; it will be looked up again."""
        self._has_tables = False
        self._known.clear()

    def _read(self, txn: Transaction, strand_id: str) -> StrandState | None:
        """Read a strand's state, from where it was found before."""
        if not self._has_tables:
            make_own_tables(txn)
        stored = read_state(txn, strand_id, self._positions.get(strand_id))
        if stored is not None and stored.document_id is not None:
            self._positions[strand_id] = stored.document_id
        return stored
