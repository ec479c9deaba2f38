"""
Deliver to one open sink, as a pipeline does, and hold each answer against the protocol.

Where a sink keeps no position of its own (at least once), a checkpoint beside its place keeps
it, written after delivery: what a crash between the two repeats is what it must bear.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from qldb_stream.events import Block
from qldb_stream.report import Guarantee, Position
from qldb_stream.testing.kit._compare import shown
from qldb_stream.testing.kit._report import Finding, FindingError
from qldb_stream.typing import Sink

__all__ = ["BATCH_BLOCKS", "Apply", "Worker", "position_after", "without"]

BATCH_BLOCKS: Final = 7
"""Blocks to a run, where a scenario does not say otherwise."""

Apply: TypeAlias = Callable[[Sequence[Block], Position, int], Position]


def position_after(block: Block, before: Position | None) -> Position:
    """Give what a position becomes when a block is applied."""
    if before is not None:
        return before.at(block)
    address = block.address
    return Position(
        address.strand_id, address.sequence_no, block.block_hash, start=address.sequence_no
    )


class Worker:
    """
    Delivers to an open sink.

    Args:
        sink: open; closed by `close`.
        place: where it is.
        guarantee: what it declares.
        token: the fencing token of every `apply`.

    Attributes:
        sink: the sink itself.
        apply_by: what is called instead of its `apply`; a scenario may put itself between.
    """

    def __init__(self, sink: Sink, place: Path, guarantee: Guarantee, token: int) -> None:
        self.sink = sink
        self.place = place
        self.apply_by: Apply = sink.apply
        self.token = token
        self._checkpoint = place.with_name(f"{place.name}.checkpoint")
        self._keeps_position = guarantee is Guarantee.EXACTLY_ONCE

    def position(self, strand_id: str) -> Position | None:
        """Give what is applied, by the sink's word or by the checkpoint's."""
        found = self.sink.position(strand_id)
        if found is not None:
            _check_type("position", found)
            return found
        if self._keeps_position or not self._checkpoint.exists():
            return None
        return Position.from_json(json.loads(self._checkpoint.read_text()))

    def deliver(self, blocks: Sequence[Block], batch_blocks: int = BATCH_BLOCKS) -> None:
        """
        Deliver what the sink has not, in runs.

        Raises:
            FindingError: an answer breaks the protocol.
        """
        if not blocks:
            return
        position = self.position(blocks[0].address.strand_id)
        rest = list(blocks if position is None else position.pending(blocks))
        while rest:
            run = rest[:batch_blocks]
            position = self.apply(run, position_after(run[-1], position))
            left = list(position.pending(run))
            if len(left) == len(run):
                raise _finding(
                    "apply took no block and raised nothing",
                    f"a position at or after block {run[0].address.sequence_no}, or an error",
                    shown(position),
                    "what apply returns: `position`, or `position.at(last applied block)`",
                )
            rest = left + rest[batch_blocks:]

    def apply(self, blocks: Sequence[Block], position: Position) -> Position:
        """
        Apply one run, and check the answer and what the sink says afterwards.

        Raises:
            FindingError: the answer is no position, of another strand, or is not kept.
        """
        reached = self.apply_by(blocks, position, self.token)
        _check_type("apply", reached)
        if reached.strand_id != position.strand_id:
            raise _finding(
                "apply answered with another strand's position",
                position.strand_id,
                reached.strand_id,
                "positions are kept by strand",
            )
        if self._keeps_position:
            self._check_kept(reached)
        else:
            self._store(reached)
        return reached

    def close(self) -> None:
        """Close the sink."""
        self.sink.close()

    def _check_kept(self, reached: Position) -> None:
        stored = self.sink.position(reached.strand_id)
        if stored is None or not stored.covers(reached):
            raise _finding(
                "position() does not say what apply has answered",
                shown(reached),
                shown(stored),
                "write the position in the transaction that writes the blocks; an empty run "
                "writes it too",
            )

    def _store(self, reached: Position) -> None:
        """Move the checkpoint, never back."""
        before = self.position(reached.strand_id)
        if before is not None and before.covers(reached):
            return
        fresh = self._checkpoint.with_suffix(f".{self.token}")
        fresh.write_text(json.dumps(reached.as_json()))
        fresh.replace(self._checkpoint)


def _check_type(method: str, answer: object) -> None:
    if not isinstance(answer, Position):
        raise _finding(
            f"{method} must return a Position",
            "a qldb_stream.report.Position" + (" or None" if method == "position" else ""),
            type(answer).__name__,
            f"what {method} returns",
        )


def _finding(problem: str, expected: str, found: str, look_at: str) -> FindingError:
    return FindingError(Finding(problem, expected, found, look_at))


def without(position: Position, sequence_no: int) -> Position:
    """Give a position that no longer names a block as parked."""
    return attrs.evolve(position, parked=position.parked - {sequence_no})
