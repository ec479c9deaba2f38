"""
Hand checked blocks to a sink: in runs, each run of one strand, bounded in size.

The core says of each block whether it may be delivered and to which position that
leads; this module gathers the next ones into a run and hands it over. What a sink raises
decides (its disposition): what may pass is tried again with growing waits; a run that is
refused is halved until the guilty block is found, which ends the delivery or is parked, and
with it what must come after it; everything else ends the delivery. Before an error leaves
here the sink's position has been asked once more, so that what it applied is counted.

With an inbox, the position is mirrored there after each run, and what a block redacts is
erased there before the sink gets it: a crash in between leaves no data that should be gone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

import attrs

from qldb_stream.errors import DecodeError, Disposition, QldbStreamError, UsageError
from qldb_stream.events import Block
from qldb_stream.hookspecs import SummarizingSink
from qldb_stream.pipeline._copies import RedactedCopies, redactions_of, size_of
from qldb_stream.pipeline._core import CheckedBlock, Verdict, is_redacted
from qldb_stream.pipeline._follow import Followed, touched_by
from qldb_stream.pipeline._foreign import check_answer, named, plugin_error
from qldb_stream.pipeline._lease import FixedToken, Tokens
from qldb_stream.pipeline._park import ParkedStrand
from qldb_stream.pipeline._retry import Backoff
from qldb_stream.pipeline._rules import BATCH_BLOCKS, DeliveryRules
from qldb_stream.pipeline._setback import note_setback
from qldb_stream.pipeline._target import Target
from qldb_stream.report import (
    BatchDone,
    BlockDelivered,
    BlockParked,
    ParkReason,
    Position,
    ReplayReport,
    SinkSummary,
    VerifyReport,
)
from qldb_stream.typing import MentioningSink

__all__ = ["BATCH_BLOCKS", "Delivery"]

_BATCH_BYTES: Final = 8 * 2**20  # two of the largest transactions, facts 5.8


@attrs.frozen
class _Entry:
    """A block to deliver, as a filter left it, and where it leads."""

    block: Block
    position: Position


class Delivery:
    """
    Gathers blocks into runs and applies them.

    Args:
        target: where they go.
        rules: how.
        tokens: the fencing tokens to apply with.

    Attributes:
        applied: how many blocks the sink has taken.
        skipped: how many it had before.
        given_up: how many came that the sink was never to get: they were parked and skipped.
        still_parked: how many came that were parked before.
        parked: the blocks that were put aside, as (strand_id, sequence_no).
        first: by strand, the number of the first block that the sink has taken.
        reached: by strand, where the sink stands.
    """

    def __init__(self, target: Target, rules: DeliveryRules, tokens: Tokens | None = None) -> None:
        self.applied = 0
        self.skipped = 0
        self.given_up = 0
        self.still_parked = 0
        self.parked: list[tuple[str, int]] = []
        self.first: dict[str, int] = {}
        self.reached: dict[str, Position] = {}
        self._target = target
        self._sink = target.sink
        self._rules = rules
        self._inbox = rules.inbox
        self._tokens = FixedToken(0) if tokens is None else tokens
        self._retrying = rules.retrying(target.name)
        self._parks = rules.per_sink.refusal_of(target.name) == "park"
        self._aside: dict[str, ParkedStrand] = {}
        self._run: list[_Entry] = []
        self._run_bytes = 0
        self._copies = RedactedCopies(target, self._tokens, self._retrying, rules.batch_blocks)
        self._documents = 0
        self._asks_summary = True  # until it fails
        self._redactions: list[tuple[str, int]] = []
        _check(target, rules, parks=self._parks)

    @property
    def name(self) -> str:
        """Give the sink's name."""
        return self._target.name

    def position_of(self, strand_id: str) -> Position | None:
        """
        Take the right to deliver a strand, and ask the sink what it has of it.

        Raises:
            QldbStreamError: whatever the sink or the inbox raised, after retries.
        """
        self._tokens.open(strand_id)
        return self._retrying.call(partial(self._open, strand_id))

    def add(self, checked: CheckedBlock) -> None:
        """
        Take the next block; apply the run when it is full or the strand changes.

        Raises:
            QldbStreamError: whatever the sink raised; nothing more is to be added then.
        """
        if checked.verdict is Verdict.SKIP:
            self.skipped += 1
            self._take_copy(checked)
        elif checked.verdict is Verdict.COPY:
            self.flush()  # the block itself may be in the run
            self._take_copy(checked)
        elif checked.verdict is Verdict.GIVEN_UP:
            self.given_up += 1
        elif checked.verdict is Verdict.PARKED:
            self.still_parked += 1
            self._erase_parked(checked)
        if checked.verdict is not Verdict.DELIVER:
            return
        assert checked.position is not None
        self._part(checked.position)
        block = self._filter(checked.block)
        self._run.append(_Entry(block, checked.position))
        self._run_bytes += size_of(block)
        if len(self._run) >= self._rules.batch_blocks or self._run_bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """
        Apply what has been gathered.

        Raises:
            QldbStreamError: whatever the sink raised; `applied` counts what it took.
            PluginError: it took nothing and raised nothing, or what it raised is none of
                ours; it is named.
        """
        entries = deque(self._run)
        self._run, self._run_bytes = [], 0
        self._copies.erase()  # so nothing stays of them behind the block that asks for it
        self._erase_stored(entries)
        backoff = self._retrying.backoff()
        suspects = 0  # so many of the next blocks were refused together
        while entries:
            suspects = self._step(entries, suspects, backoff)

    def apply_parked(self, block: Block, position: Position) -> None:
        """
        Apply a block that was parked, alone.

        Args:
            block: as it was parked.
            position: the sink's, without the block among the parked.

        Raises:
            QldbStreamError: whatever the sink raised, after retries; it stays parked.
        """
        started_s = self._rules.clock.now_s()
        reached = self._retrying.call(partial(self._hand_over, [block], position))
        if block.address.sequence_no in reached.parked:
            raise plugin_error(self._target.own, "apply", "left a block out and raised nothing")
        self._count([_Entry(block, position)], reached, started_s)

    def move(self, position: Position) -> None:
        """
        Change nothing but the sink's position.

        Raises:
            QldbStreamError: whatever the sink or the inbox raised, after retries.
        """
        self._retrying.call(partial(self._move, position))

    def cause(self, block: Block, followed: Followed) -> int | None:
        """Name the parked block, of those given, that a block has to come after, if any."""
        return followed.cause(touched_by(block), self._mentioned(block))

    def not_atomic(self, strand_id: str) -> Iterator[int]:
        """
        Iterate over the blocks of a strand that the sink has ever applied in parts, by number.

        Raises:
            PluginError: the sink's own summary failed or is none.
        """
        split = self._summary().not_atomic
        return (number for strand, number in split if strand == strand_id)

    def report(self, verification: VerifyReport) -> ReplayReport:
        """
        Sum up what the sink has taken so far.

        Raises:
            PluginError: the sink's own summary failed or is none; asked again, what was
                counted here stands in its place.
        """
        summary = self._summary()
        return ReplayReport(
            verification,
            self.applied,
            self.skipped,
            summary.documents,
            summary.redactions_pending,
            summary.ids_unresolved,
            summary.indexes_kept,
            summary.left_out,
            paths_unmet=summary.paths_unmet,
            names_avoided=summary.names_avoided,
            parked=tuple(self.parked),
            not_atomic=summary.not_atomic,
            given_up=self.given_up,
            still_parked=self.still_parked,
            copies_erased=self._copies.erased,
        )

    # --- gathering ---------------------------------------------------------------------------

    def _open(self, strand_id: str) -> Position | None:
        found = self._ask(strand_id)
        if self._inbox is not None:
            open_strand = self._rules.books.open
            self._aside[strand_id] = open_strand(self._inbox, self._target.name, strand_id, found)
            if self._target.keeps_position and strand_id not in self.reached:
                token = self._tokens.token(strand_id)
                note_setback(self._inbox, self._target.name, strand_id, found, token)
        if found is not None:
            self._mirror(found)
        return found

    def _ask(self, strand_id: str) -> Position | None:
        with named(self._target.own, "position"):
            found = self._sink.position(strand_id)
        if found is None:
            return None
        return check_answer(self._target.own, "position", found, Position)

    def _part(self, after: Position) -> None:
        """Apply the run when a block does not directly follow on it."""
        if not self._run:
            return
        last = self._run[-1]
        if last.position != after.at(last.block):
            # Another strand, or a declared gap: a prefix of a run must not name what follows.
            self.flush()

    def _filter(self, block: Block) -> Block:
        """Filter a block; one that cannot be filtered goes nowhere, not even into the park."""
        if self._rules.filter is None:
            return block
        try:
            return self._rules.filter(block)
        except QldbStreamError:
            self.flush()  # what stands before it
            raise

    def _take_copy(self, checked: CheckedBlock) -> None:
        """Keep a redacted copy of a block that the sink has, to erase it there."""
        if self._copies.is_wanted and _is_sound_copy(checked):
            self._copies.add(self._filter(checked.block))

    def _erase_parked(self, checked: CheckedBlock) -> None:
        """Put the redacted form in the place of a block that is parked."""
        if self._inbox is not None and _is_sound_copy(checked):
            self._retrying.call(partial(self._inbox.erase, redactions_of(checked.block)))

    def _erase_stored(self, entries: Iterable[_Entry]) -> None:
        """Erase in the inbox what verified blocks redact."""
        inbox = self._inbox
        if inbox is None:
            return
        for entry in entries:
            info = entry.block.summary.redaction_info
            if info is not None:
                with suppress(DecodeError):  # the sink says what it makes of it
                    self._retrying.call(partial(inbox.erase, info.revisions))

    # --- applying ----------------------------------------------------------------------------

    def _step(self, entries: deque[_Entry], suspects: int, backoff: Backoff) -> int:
        """Apply or park the next blocks; answer how many of those that follow are suspect."""
        cause = self._cause(entries[0])
        if cause is not None:
            detail = f"it depends on block {cause}, which was parked"
            self._park(entries.popleft(), ParkReason.FOLLOWS, detail, cause)
            return max(0, suspects - 1)
        run = self._next_run(entries, (suspects + 1) // 2)
        started_s = self._rules.clock.now_s()
        try:
            reached = self._apply(run)
        except QldbStreamError as exc:
            failed = len(run) - self._count_durable(run, entries, backoff)
            return self._judge(exc, entries, failed, backoff)
        except KeyboardInterrupt:
            self._count_durable(run, entries, backoff)
            raise
        taken = len(run) - len(reached.pending([entry.block for entry in run]))
        self._drop(entries, taken, reached, started_s)
        if not taken:
            raise plugin_error(self._target.own, "apply", "applied no block and raised nothing")
        backoff.reset()
        return max(0, suspects - taken)

    def _judge(
        self, error: QldbStreamError, entries: deque[_Entry], failed: int, backoff: Backoff
    ) -> int:
        """Decide what becomes of blocks that were not applied; answer how many are suspect."""
        if not failed and error.disposition is Disposition.RETRY:
            return 0  # it was applied, and nobody heard
        if error.disposition is Disposition.RETRY and backoff.wait():
            return 0
        if error.disposition is not Disposition.QUARANTINE:
            raise error
        if failed > 1:
            return failed
        if not (failed and self._parks):
            raise error  # also a refusal of what was applied: the next block is not to blame
        self._park(entries.popleft(), ParkReason.REFUSED, str(error), None)
        return 0

    def _cause(self, entry: _Entry) -> int | None:
        """Name the parked block that a block has to come after, if any."""
        aside = self._aside.get(entry.position.strand_id)
        if aside is None or not aside.numbers:
            return None
        return aside.cause(entry.block, self._mentioned(entry.block))

    def _mentioned(self, block: Block) -> frozenset[str]:
        own = self._target.own
        if not isinstance(own, MentioningSink):
            return frozenset()
        with named(own, "mentions"):
            return own.mentions(block)

    def _next_run(self, entries: deque[_Entry], most: int) -> list[_Entry]:
        """Take the first blocks, as far as none of them has to be parked."""
        run = [entries[0]]
        for entry in islice(entries, 1, most or None):
            if self._cause(entry) is not None:
                break
            run.append(entry)
        return run

    def _apply(self, run: list[_Entry]) -> Position:
        """Apply a run; answer which position the sink has reached."""
        position = self._overlay(run[-1].position)
        return self._hand_over([entry.block for entry in run], position)

    def _hand_over(self, blocks: list[Block], position: Position) -> Position:
        token = self._tokens.token(position.strand_id)
        with named(self._target.own, "apply"):
            answer = self._sink.apply(blocks, position, token)
        return check_answer(self._target.own, "apply", answer, Position)

    def _park(self, entry: _Entry, reason: ParkReason, detail: str, because_of: int | None) -> None:
        """Put a block aside: in the inbox first, then in the position."""
        aside = self._aside[entry.position.strand_id]
        now_s = self._rules.clock.now_s()
        self._retrying.call(partial(aside.park, entry.block, reason, detail, because_of, now_s))
        self.move(self._overlay(entry.position))
        address = entry.block.address
        self.parked.append((address.strand_id, address.sequence_no))
        event = BlockParked(self._target.name, address, reason, detail, because_of, now_s)
        self._rules.observers.tell("qldb_stream_block_parked", event)

    def _move(self, position: Position) -> None:
        """Change nothing but the sink's position."""
        self._mirror(self._hand_over([], position))

    def _overlay(self, position: Position) -> Position:
        """Name in a position what is parked."""
        aside = self._aside.get(position.strand_id)
        if aside is None:
            return position
        return attrs.evolve(position, parked=aside.numbers)

    # --- counting ----------------------------------------------------------------------------

    def _count_durable(self, run: list[_Entry], entries: deque[_Entry], backoff: Backoff) -> int:
        """Count what a failed sink applied all the same, if it can still say so."""
        try:
            reached = self._ask(run[-1].position.strand_id)
        except QldbStreamError:
            return 0  # the failure that is under way says more than this one
        if reached is None:
            return 0
        taken = len(run) - len(reached.pending([entry.block for entry in run]))
        if taken:
            backoff.reset()
            self._drop(entries, taken, reached, self._rules.clock.now_s())
        return taken

    def _drop(
        self, entries: deque[_Entry], count: int, reached: Position, started_s: float
    ) -> None:
        """Take the first entries as applied."""
        if count:
            applied = [entries.popleft() for _ in range(count)]
            self._count(applied, reached, started_s)

    def _count(self, applied: list[_Entry], reached: Position, started_s: float) -> None:
        self.applied += len(applied)
        address = applied[0].block.address
        self.first.setdefault(address.strand_id, address.sequence_no)
        revisions = 0
        for entry in applied:
            revisions += _count_documents(entry.block)
            if entry.block.summary.redaction_info is not None:
                address = entry.block.address
                self._redactions.append((address.strand_id, address.sequence_no))
        self._documents += revisions
        name, ended_s = self._target.name, self._rules.clock.now_s()
        done = BatchDone(name, reached, len(applied), revisions, started_s, ended_s)
        self._tell(applied, done)  # first: the sink has them, whether the inbox can be told or not
        self._retrying.call(partial(self._mirror, reached))

    def _mirror(self, reached: Position) -> None:
        """Keep in mind where the sink stands; tell the inbox, when the sink keeps it itself."""
        self.reached[reached.strand_id] = reached
        if self._inbox is not None and self._target.keeps_position:
            token = self._tokens.token(reached.strand_id)
            self._inbox.store_position(self._target.name, reached, token)

    def _tell(self, applied: list[_Entry], done: BatchDone) -> None:
        observers = self._rules.observers
        if not observers:
            return
        for entry in applied:
            summary = entry.block.summary
            event = BlockDelivered(
                done.sink,
                summary.address,
                summary.transaction_id,
                summary.block_timestamp,
                _count_documents(entry.block),
                done.ended_s,
            )
            observers.tell("qldb_stream_block_delivered", event)
        observers.tell("qldb_stream_batch_done", done)

    def _summary(self) -> SinkSummary:
        sink, is_asked = self._target.own, self._asks_summary
        if not (is_asked and isinstance(sink, SummarizingSink)):
            # Who does not say that a redaction was carried out has not done it.
            return SinkSummary(self._documents, tuple(self._redactions))
        self._asks_summary = False
        with named(sink, "summary"):
            answer = sink.summary()
        summary = check_answer(sink, "summary", answer, SinkSummary)
        self._asks_summary = True
        return summary


def _check(target: Target, rules: DeliveryRules, *, parks: bool) -> None:
    """Refuse to do with a sink what it cannot bear."""
    if parks and not target.can_park:
        raise UsageError(
            f"sink {target.name} builds each block on all before it, so none can be parked: "
            "leave on_refusal at halt"
        )
    if rules.filter is not None and not target.takes_filtered:
        raise UsageError(f"sink {target.name} takes blocks only as they are, without a filter")


def _is_sound_copy(checked: CheckedBlock) -> bool:
    """Say whether a block shows what is redacted, and can be believed."""
    return checked.verification.ok and is_redacted(checked.block)


def _count_documents(block: Block) -> int:
    return sum(revision.metadata is not None for revision in block.revisions)
