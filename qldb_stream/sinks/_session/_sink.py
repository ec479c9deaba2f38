"""
A sink that repeats blocks through pyqldb's interface.

One block is one transaction, which also writes the position and the ids: exactly once,
whatever crashes. The first one makes the tables for both too, so that a replay that applies
nothing leaves the endpoint as it was. A run of blocks may share one durable commit where
the endpoint offers that; nothing is reported or counted before it is durable.

A block that is refused ends the run: what came before it is committed and its position
returned, and the refusal is raised when the block comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol

import attrs

from qldb_stream.errors import (
    OccConflictError,
    QldbStreamError,
    ReplayRefusedError,
    SinkUnavailableError,
    StatementError,
    UsageError,
)
from qldb_stream.events import Block, RedactedRevision, RevisionKind
from qldb_stream.replay import (
    BlockPlan,
    DocumentChange,
    Driver,
    Outcome,
    Replay,
    StrandState,
    Transaction,
    has_own_tables,
    is_too_large,
    met_paths,
    plan_block,
    read_state,
    refusal,
)
from qldb_stream.report import Position, SinkSummary
from qldb_stream.statements import readable_redactions

_MAY_SPLIT: Final = "split-blocks=yes applies it in several transactions"


class Endpoint(Protocol):
    """Where transactions are run; the embedded ledger, or a session API."""

    def driver(self) -> Driver:
        """Give a driver."""

    def group_commit(self) -> AbstractContextManager[Any]:
        """Make what is committed inside durable together, at the end."""

    def close(self) -> None:
        """Release what the endpoint holds."""


class SessionSink:
    """
    Replay blocks into an endpoint; a `qldb_stream.typing.Sink`.

    Args:
        name: the sink in messages, its URL without secrets.
        endpoint: closed with the sink.
        replay: how ids and unknown documents are treated.
        splits: whether a block that the endpoint's limits do not allow is applied in parts;
            None where there is no such choice.
        plan: makes of a block what `replay` executes.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        replay: Replay,
        *,
        splits: bool | None = None,
        plan: Callable[[Block], BlockPlan] = plan_block,
    ) -> None:
        self._plan = plan
        self._splits = splits
        self._name = name
        self._endpoint = endpoint
        self._driver = endpoint.driver()
        self._replay = replay
        self._tally = _Tally(replay.id_paths)

    def position(self, strand_id: str) -> Position | None:
        """
        Give what is durably applied of a strand, or None for nothing yet.

        Raises:
            UsageError: it was applied under other rules for ids or unknown documents.
            SinkUnavailableError: another writer kept the transaction from ending.
        """
        try:
            state = self._driver.execute_lambda(partial(_read_state, strand_id=strand_id))
        except OccConflictError as exc:
            raise SinkUnavailableError(self._name, str(exc)) from exc
        except StatementError as exc:
            raise UsageError(f"sink {self._name}: {exc}") from exc
        if state is None or not state.is_begun:
            return None
        self._replay.check(state)
        return attrs.evolve(state.position, start=state.start)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Apply a run of blocks, each in its own transaction, all durable on return.

        Blocks that are applied already are passed over. Without blocks only the position
        changes; one that was parked is applied in the transaction that names it so no more.

        Returns:
            The position reached: `position`, or the last block's before one that was
            refused, or the stored one where that covers `position`.

        Raises:
            UsageError: earlier blocks were applied under other rules for ids or unknown
                documents.
            ReplayRefusedError: the first block cannot be repeated, and why.
            StaleTokenError: the endpoint has seen a higher token for the strand.
            IntegrityError: the first block does not follow on what is applied.
            SinkUnavailableError: another writer kept the transaction from ending.
        """
        if not blocks:
            return self._move(position, token)
        if len(blocks) == 1:
            is_new = self._apply_one(blocks[0], position, token)
            self._tally.settle()
            return position if is_new else self._stored(position)
        tally = self._tally
        try:
            with self._endpoint.group_commit():
                reached, is_new = self._apply_run(blocks, position, token)
        except BaseException:
            # What was committed in the group may be lost: nothing learnt in it is sure.
            self._replay.forget()
            tally.drop()
            raise
        tally.settle()
        return reached if is_new else self._stored(reached)

    def erase(self, blocks: Sequence[Block], token: int) -> None:
        """
        Redact the revisions that are REDACTED in these copies of blocks.

        What is the newest of its document stays: the block that redacts it comes later.

        Raises:
            StaleTokenError: the endpoint has seen a higher token for the strand.
            ReplayRefusedError: the endpoint refuses to redact a revision, and why.
            SinkUnavailableError: another writer kept a transaction from ending.
        """
        for block in blocks:
            for revision in block.revisions:
                metadata = revision.metadata
                if revision.kind is RevisionKind.REDACTED and metadata is not None:
                    table_id = "" if revision.table is None else revision.table.table_id
                    asked = RedactedRevision(block.address, table_id, metadata.id, metadata.version)
                    self._redact(asked, block.address.strand_id, token)

    def _redact(self, asked: RedactedRevision, strand_id: str, token: int) -> None:
        work = partial(self._replay.redact, asked=asked, strand_id=strand_id, token=token)
        try:
            self._driver.execute_lambda(work)
        except OccConflictError as exc:
            raise SinkUnavailableError(self._name, str(exc)) from exc
        except StatementError as exc:
            raise refusal(asked.block_address, str(exc)) from exc

    def mentions(self, block: Block) -> frozenset[str]:
        """
        Name the documents whose ids are rewritten in the block's documents, or that it redacts.

        The newest revision of a document cannot be redacted (facts 2.6): so a redaction comes
        after a parked block that holds the document, which may be the later revision.
        """
        return self._replay.mentions(block) | _redacted_by(block)

    def summary(self) -> SinkSummary:
        """Say what became of the blocks that are durable."""
        return self._tally.summary()

    def close(self) -> None:
        """Close the endpoint; applied blocks stay applied."""
        self._endpoint.close()

    def _move(self, position: Position, token: int) -> Position:
        work = partial(self._replay.move, position=position, token=token)
        try:
            return self._driver.execute_lambda(work)
        except OccConflictError as exc:
            raise SinkUnavailableError(self._name, str(exc)) from exc

    def _stored(self, position: Position) -> Position:
        """Give what is stored, when it covers the position that was to be reached."""
        stored = self.position(position.strand_id)
        return stored if stored is not None and stored.covers(position) else position

    def _apply_run(
        self, blocks: Sequence[Block], position: Position, token: int
    ) -> tuple[Position, bool]:
        """Apply a run; answer what is reached, and whether its last block was not there yet."""
        reached, is_new = position, True
        for index, block in enumerate(blocks):
            try:
                is_new = self._apply_one(block, position, token)
            except QldbStreamError:
                if not index:
                    raise
                return reached, is_new
            reached = position.at(block)
        return position, is_new

    def _apply_one(self, block: Block, position: Position, token: int) -> bool:
        """Apply a block; say whether it was not there yet."""
        plan = self._plan(block)
        # One transaction redacts one revision. The block is verified, so what it asks for may
        # be gone before its position is there; done again, nothing changes.
        for asked in plan.redactions[1:]:
            self._redact(asked, block.address.strand_id, token)
        try:
            return self._apply_part(plan, position, token)
        except ReplayRefusedError as exc:
            if not is_too_large(plan, exc) or self._splits is None:
                raise
            if not self._splits:
                raise refusal(plan.address, f"{exc.problem}; {_MAY_SPLIT}") from exc.__cause__
            for end in self._replay.parts(plan):
                self._apply_part(plan, position, token, end)
            self._tally.add_split(plan)
            return True

    def _apply_part(
        self, plan: BlockPlan, position: Position, token: int, end: int | None = None
    ) -> bool:
        """Carry a plan out, or up to one of its operations; say whether it was new."""
        work = partial(self._replay.execute, plan=plan, position=position, token=token, end=end)
        try:
            outcome = self._driver.execute_lambda(work)
        except OccConflictError as exc:
            raise SinkUnavailableError(self._name, str(exc)) from exc
        except StatementError as exc:
            raise refusal(plan.address, str(exc)) from exc
        self._replay.remember(outcome)
        if end is not None and end < len(plan.operations):
            plan = attrs.evolve(plan, redactions=(), left_out={})  # counted with the last part
        self._tally.add(plan, outcome)
        return outcome.applied


def _redacted_by(block: Block) -> frozenset[str]:
    return frozenset([found.document_id for found in readable_redactions(block.summary)])


class _Tally:
    """Counts what was applied; what is not durable yet is kept apart."""

    def __init__(self, id_paths: Iterable[tuple[str, ...]]) -> None:
        self._unmet = set(id_paths)
        self._pending: list[tuple[BlockPlan, Outcome]] = []
        self._documents = 0
        self._unresolved = 0
        self._redactions: list[tuple[str, int]] = []
        self._kept: list[tuple[str, int, str]] = []
        self._left_out: Counter[str] = Counter()
        self._split: list[tuple[str, int]] = []

    def add(self, plan: BlockPlan, outcome: Outcome) -> None:
        if outcome.applied:
            self._pending.append((plan, outcome))

    def add_split(self, plan: BlockPlan) -> None:
        """Note a block that was applied in parts, which share no commit with others."""
        self._split.append((plan.address.strand_id, plan.address.sequence_no))

    def drop(self) -> None:
        self._pending.clear()

    def settle(self) -> None:
        for plan, outcome in self._pending:
            strand_id, sequence_no = plan.address.strand_id, plan.address.sequence_no
            self._documents += outcome.documents
            self._unresolved += outcome.ids_unresolved
            self._kept += [(strand_id, sequence_no, table) for table in outcome.indexes_kept]
            if plan.left_out:
                self._left_out.update(plan.left_out)
            if self._unmet:
                self._meet(plan)
            if outcome.redactions_left:
                self._redactions.append((strand_id, sequence_no))
        self._pending.clear()

    def _meet(self, plan: BlockPlan) -> None:
        """Strike off the paths at which a block's documents have ids."""
        for change in plan.operations:
            if isinstance(change, DocumentChange) and change.document is not None:
                self._unmet -= met_paths(change.document, self._unmet)

    def summary(self) -> SinkSummary:
        unmet = self._unmet if self._documents else ()
        return SinkSummary(
            documents=self._documents,
            redactions_pending=tuple(self._redactions),
            ids_unresolved=self._unresolved,
            indexes_kept=tuple(self._kept),
            left_out=dict(self._left_out),
            paths_unmet=tuple(sorted(".".join(path) for path in unmet)),
            not_atomic=tuple(self._split),
        )


def _read_state(txn: Transaction, strand_id: str) -> StrandState | None:
    return read_state(txn, strand_id) if has_own_tables(txn) else None
