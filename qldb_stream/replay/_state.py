"""
How far a destination has come in each strand: the table `qldb_stream_position`.

One document per strand, read by the first statement of every replayed transaction and
written by its last. Two writers therefore conflict at commit, and a crash leaves
either the whole block with its position or neither. The fencing token stands beside
the position, so that a worker that lost its lease is refused in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from qldb_stream.errors import ChainBreakError, ConflictError, SequenceGapError, StaleTokenError
from qldb_stream.replay._ddl import refusal
from qldb_stream.replay._operations import BlockPlan
from qldb_stream.replay._protocols import Transaction
from qldb_stream.replay._settings import check_settings
from qldb_stream.report import Gap, Position

POSITION_TABLE: Final = "qldb_stream_position"

# Stable texts: a ledger that keeps plans by text compiles each of them once. A document that
# was found once is found by its id, which is the shortest way.
_FIND: Final = f"SELECT id, p FROM {POSITION_TABLE} AS p BY id WHERE p.strand_id = ?"  # noqa: S608 - a constant
_READ: Final = f"SELECT VALUE p FROM {POSITION_TABLE} AS p BY id WHERE id = ?"  # noqa: S608 - a constant
_INSERT: Final = f"INSERT INTO {POSITION_TABLE} ?"
_UPDATE: Final = f"UPDATE {POSITION_TABLE} AS p BY id SET p = ? WHERE id = ?"  # noqa: S608 - a constant

_NO_NUMBERS: Final[frozenset[int]] = frozenset()


@attrs.frozen
class StrandState:
    """
    What a destination says about one strand.

    `start` is the first block that was replayed. `tables` maps the source's table ids
    that were seen in revisions to the destination's; UNDROP TABLE needs it. `settings` are
    those of the run that wrote it, None from before they were kept. `document_id` is the
    document that says so, None when there is none yet. `partial` is a block that is applied
    in part, and how many of its operations are (`qldb_stream.replay._parts`).
    """

    position: Position
    token: int
    start: int
    tables: Mapping[str, str] = attrs.field(factory=dict)
    document_id: str | None = None
    settings: str | None = None
    partial: tuple[int, int] | None = None

    @property
    def is_begun(self) -> bool:
        """Say whether a whole block was replayed; else the first one is there in part."""
        return self.position.sequence_no >= self.start

    @property
    def complete(self) -> bool:
        """Say whether all that the strand did so far was replayed."""
        return self.start == 0 and not (self.position.gaps or self.position.parked)

    def with_table(self, source_id: str, destination_id: str) -> StrandState:
        """Give the same state, knowing one more table."""
        return attrs.evolve(self, tables={**self.tables, source_id: destination_id})


def read_state(
    txn: Transaction, strand_id: str, document_id: str | None = None
) -> StrandState | None:
    """
    Read what the destination says about a strand; None for nothing yet.

    Args:
        txn: an open transaction.
        strand_id: the source's strand.
        document_id: where it was found before, if it was.
    """
    if document_id is not None:
        for document in txn.execute_statement(_READ, document_id):
            if document["strand_id"] == strand_id:
                return _state(document, document_id)
    for row in txn.execute_statement(_FIND, strand_id):
        return _state(row["p"], str(row["id"]))
    return None


def write_state(txn: Transaction, state: StrandState) -> None:
    """Write a strand's state where it was read, or as a new document."""
    if state.document_id is None:
        txn.execute_statement(_INSERT, _document(state))
    else:
        txn.execute_statement(_UPDATE, _document(state), state.document_id)


def next_state(
    state: StrandState | None, plan: BlockPlan, position: Position, token: int, settings: str
) -> StrandState | None:
    """
    Give the state after a block, or None when the block is applied already.

    Args:
        state: what the destination says, None for nothing yet.
        plan: the block.
        position: carries the gaps and parked blocks that its owner declared.
        token: the worker's fencing token.
        settings: those of this run.

    Raises:
        UsageError: earlier blocks were replayed with other settings.
        StaleTokenError: the destination has seen a higher token.
        ConflictError: the block is the last applied one by number, and not by hash.
        ChainBreakError: the block does not link to the last applied one.
        SequenceGapError: blocks before it are neither applied nor declared.
    """
    address = plan.address
    if state is not None and address.sequence_no in state.position.parked:
        # Requeued: the position stays where it is, and names the block no more as parked.
        return moved_state(state, position, token, settings)
    reached = Position(
        address.strand_id, address.sequence_no, plan.block_hash, position.parked, position.gaps
    )
    if state is None:
        return StrandState(reached, token, address.sequence_no, settings=settings)
    check_settings(address.strand_id, state.settings, settings)
    if token < state.token:
        raise StaleTokenError(address.strand_id, state.token, token)
    if address.sequence_no <= state.position.sequence_no:
        _check_repeat(state.position, plan)
        return None
    _check_next(state.position, plan, position)
    return StrandState(reached, token, state.start, state.tables, state.document_id, settings)


def moved_state(
    state: StrandState | None, position: Position, token: int, settings: str
) -> StrandState | None:
    """
    Give the state after a position that no new block leads to, or None when it is there already.

    Raises:
        UsageError: earlier blocks were replayed with other settings.
        StaleTokenError: the destination has seen a higher token.
    """
    if state is None:
        start = position.sequence_no if position.start is None else position.start
        return StrandState(position, token, start, settings=settings)
    check_settings(position.strand_id, state.settings, settings)
    if token < state.token:
        raise StaleTokenError(position.strand_id, state.token, token)
    if state.position.covers(position):
        return None
    return attrs.evolve(state, position=position, token=token, settings=settings)


def next_part(
    stored: StrandState | None, state: StrandState, plan: BlockPlan, end: int | None
) -> tuple[BlockPlan, StrandState] | None:
    """
    Give what is left of a block up to an operation, and the state after it.

    Args:
        stored: what the destination says, None for nothing yet.
        state: the state after the whole block.
        plan: the whole block.
        end: how many operations are carried out after this; None for all.

    Returns:
        None when these are carried out already.

    Raises:
        ReplayRefusedError: another block is there in part.
    """
    sequence_no, total = plan.address.sequence_no, len(plan.operations)
    pending = None if stored is None else stored.partial
    if pending is None and end is None:
        return plan, state
    done = pending[1] if pending is not None and pending[0] == sequence_no else 0
    end = total if end is None else end
    if done >= end and end < total:
        return None
    rest = attrs.evolve(plan, operations=plan.operations[done:end])
    if end == total:
        return rest, attrs.evolve(state, partial=None if done else pending)
    if pending is not None and not done:
        problem = f"block {pending[0]} is there in part, and no other can be before it is whole"
        raise refusal(plan.address, problem)
    if stored is None:
        before = Position(plan.address.strand_id, sequence_no - 1, plan.previous_block_hash)
        stored = attrs.evolve(state, position=before)
    return rest, attrs.evolve(
        stored, token=state.token, settings=state.settings, partial=(sequence_no, end)
    )


def _check_repeat(stored: Position, plan: BlockPlan) -> None:
    if plan.address.sequence_no == stored.sequence_no and plan.block_hash != stored.block_hash:
        raise ConflictError(plan.address.strand_id, plan.address.sequence_no, "blockHash")


def _check_next(stored: Position, plan: BlockPlan, declared: Position) -> None:
    strand_id, sequence_no = plan.address.strand_id, plan.address.sequence_no
    expected = stored.sequence_no + 1
    if sequence_no == expected:
        if plan.previous_block_hash != stored.block_hash:
            raise ChainBreakError(
                strand_id, sequence_no, stored.block_hash.hex(), plan.previous_block_hash.hex()
            )
        return
    while expected < sequence_no:
        covering = [gap for gap in declared.gaps if gap.first <= expected <= gap.last]
        if covering:
            expected = covering[0].last + 1
        elif expected in declared.parked:
            expected += 1
        else:
            raise SequenceGapError(strand_id, expected, sequence_no - 1)


def _document(state: StrandState) -> dict[str, Any]:
    """
    Write a state as the document of its strand.

    It is written with every block, so it is small: what is mostly empty or 0 is left out
    then, and `tables` are one string of `SOURCE=DESTINATION` pairs, hashed by one SHA-256.
    """
    position = state.position
    document: dict[str, Any] = {
        "strand_id": position.strand_id,
        "sequence_no": position.sequence_no,
        "block_hash": position.block_hash,
        "tables": " ".join(map("=".join, state.tables.items())),
        "settings": state.settings,
    }
    if state.token:
        document["token"] = state.token
    if state.start:
        document["start"] = state.start
    if position.parked:
        document["parked"] = sorted(position.parked)
    if state.partial:
        document["partial"] = list(state.partial)
    if position.gaps:
        document["gaps"] = [gap.as_json() for gap in position.gaps]
    return document


def _state(document: Mapping[str, Any], document_id: str) -> StrandState:
    """Read a strand's document."""
    position = Position(
        str(document["strand_id"]),
        int(document["sequence_no"]),
        bytes(document["block_hash"]),
        frozenset(map(int, document["parked"])) if "parked" in document else _NO_NUMBERS,
        tuple(map(Gap.from_json, document["gaps"])) if "gaps" in document else (),
    )
    tables = _parse_tables(str(document["tables"]))
    token, start = int(document.get("token", 0)), int(document.get("start", 0))
    settings = str(document["settings"]) if "settings" in document else None
    partial = None
    if "partial" in document:
        sequence_no, done = document["partial"]
        partial = (int(sequence_no), int(done))
    return StrandState(position, token, start, tables, document_id, settings, partial)


@lru_cache(maxsize=16)
def _parse_tables(text: str) -> Mapping[str, str]:
    pairs = (pair.partition("=") for pair in text.split())
    return {source: destination for source, _, destination in pairs}
