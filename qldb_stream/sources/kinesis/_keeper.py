"""
What is done beside reading: which shards there are, whose they are, and how far each is.

The inbox holds it all, so that any number of processes read one stream together and go on where
one of them died:

- ``kinesis/ARN/CREATED`` keeps where the stream was begun (`Group`), decided once;
- ``.../SHARD`` keeps the shard's checkpoint, and is the lease of who reads it;
- ``.../worker-N`` are leases that tell how many workers there are.

Each worker takes its share of the shards that may be read, and gives back what is more than that
as soon as all it has given of it is acknowledged. A shard may be read when its parents are read to
their end, and that is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from random import Random
from typing import Final

import attrs

from qldb_stream.errors import Disposition, QldbStreamError, SourceUnavailableError, StaleTokenError
from qldb_stream.report import Lease
from qldb_stream.sources.kinesis._client import Stream
from qldb_stream.sources.kinesis._flight import Progress
from qldb_stream.sources.kinesis._reader import ShardReader
from qldb_stream.sources.kinesis._settings import KinesisSettings
from qldb_stream.sources.kinesis._values import (
    Begin,
    Checkpoint,
    Group,
    Shard,
    StreamFacts,
    readable_shards,
)
from qldb_stream.sources.kinesis._workers import WorkerPlace
from qldb_stream.typing import Inbox

__all__ = ["HeldShard", "Keeper"]

_TELL_S: Final = 30.0  # of failing in a row, once reading has begun; before, at once
_SURPLUS_LOOKS: Final = 2  # a worker that only looks at a place is counted by chance, once


@attrs.define(eq=False)
class HeldShard:
    """
    A shard that this worker reads.

    `is_reading` is the reader's mark, `is_leaving` the keeper's: each sets its own before it
    looks at the other's. `is_lost`: somebody else has the lease now.
    """

    lease: Lease
    progress: Progress
    reader: ShardReader
    stored: Checkpoint
    is_reading: bool = False
    is_leaving: bool = False
    is_lost: bool = False


@attrs.frozen
class _Begun:
    """What is known once the stream has been found."""

    facts: StreamFacts
    key: str
    group: Group
    place: WorkerPlace


class Keeper:
    """
    Keeps leases and checkpoints of one worker; all methods but `due` in one thread.

    Args:
        stream: the stream.
        inbox: keeps leases and checkpoints; it stays open.
        begin: where the stream is begun, if nobody has.
        settings: how often.
        clock: gives the time, seconds since 1970.
        chance: draws waits, and which shards are tried first.
        on_wait: is told, once for each time that it lasts, what is waited for.

    Attributes:
        held: what this worker reads, by shard; replaced as a whole, never changed.
    """

    def __init__(
        self,
        stream: Stream,
        inbox: Inbox,
        begin: Begin,
        *,
        settings: KinesisSettings,
        clock: Callable[[], float],
        chance: Random,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self.held: Mapping[str, HeldShard] = {}
        self._stream: Final = stream
        self._inbox: Final = inbox
        self._begin: Final = begin
        self._settings: Final = settings
        self._clock: Final = clock
        self._chance: Final = chance
        self._started_s: Final = clock()
        self._begun: _Begun | None = None
        self._shards: Mapping[str, Shard] = {}
        self._ended: set[str] = set()
        self._others: dict[str, Checkpoint] = {}
        self._surplus_seen = 0
        self._must_scan = True
        self._scan_s = 0.0
        self._failing_since_s: float | None = None
        self._on_wait: Final = on_wait
        self._has_told = False

    def tick(self) -> None:
        """
        Do what is due: store checkpoints, renew leases, look for shards.

        Raises:
            QldbStreamError: what will not pass, or has not for `patience_s`.
        """
        now_s = self._clock()
        with self._patient(now_s):
            self._store(now_s, everything=False)
            self._renew(now_s)
            if self._begun is None:
                self._begun = self._maybe_begin(now_s)
            if self._begun is not None and (self._must_scan or now_s >= self._scan_s):
                self._scan(self._begun, now_s)

    def close(self) -> None:
        """
        Store what was acknowledged and give every lease back.

        Raises:
            QldbStreamError: the inbox cannot be reached; leases run out by themselves.
        """
        self._store(self._clock(), everything=True)
        for shard_id in list(self.held):
            self._give_back(shard_id)
        if self._begun is not None:
            self._begun.place.release()

    def due(self) -> HeldShard | None:
        """Give the shard that is to be read first, whenever that is; None for none."""
        free = [
            held
            for held in self.held.values()
            if not (held.is_leaving or held.is_lost or held.reader.is_ended)
        ]
        return min(free, key=lambda held: held.reader.due_s, default=None)

    @property
    def is_caught_up(self) -> bool:
        """
        Say whether every shard is read to where it was when this worker began, or later.

        What others read counts by their checkpoints.
        """
        held, shards = self.held, self._shards
        return not self._must_scan and all(
            _is_at_tip(held[shard_id]) if shard_id in held else self._is_read_by_others(shard_id)
            for shard_id in shards
            if shard_id not in self._ended
        )

    def _is_read_by_others(self, shard_id: str) -> bool:
        found = self._others.get(shard_id)
        return found is not None and found.read_until_s >= self._started_s

    @contextmanager
    def _patient(self, now_s: float) -> Iterator[None]:
        """Let what may pass pass for a while: the next tick tries again."""
        try:
            yield
        except QldbStreamError as exc:
            since_s = now_s if self._failing_since_s is None else self._failing_since_s
            self._failing_since_s = since_s
            is_late = now_s - since_s > self._settings.patience_s
            if exc.disposition is not Disposition.RETRY or is_late:
                raise
            self._tell(exc, now_s - since_s)
        else:
            self._failing_since_s, self._has_told = None, False

    def _tell(self, exc: QldbStreamError, failing_s: float) -> None:
        """Say what is waited for: else a wrong region is ten minutes of silence."""
        is_time = self._begun is None or failing_s >= _TELL_S
        if self._on_wait is not None and is_time and not self._has_told:
            self._has_told = True
            said = str(exc)
            if isinstance(exc, SourceUnavailableError):  # it would say: start again later
                said = f"{exc.source} is not available: {exc.problem}"
            self._on_wait(f"{said}; it is tried again for {self._settings.patience_s:g} s")

    # --- where it begins -------------------------------------------------------------------

    def _maybe_begin(self, now_s: float) -> _Begun | None:
        """Find out where the stream was begun, or begin it; None while another does."""
        facts = self._stream.facts()
        key = f"kinesis/{facts.arn}/{facts.created_s}"
        text = self._inbox.checkpoint(key)
        if text is None:
            lease = self._inbox.lease(key, self._settings.lease_s, now_s)
            if lease is None:
                return None
            text = self._inbox.checkpoint(key) or self._begin_group(facts, key, lease, now_s)
            self._inbox.release(lease)
        place = WorkerPlace(self._inbox, key, self._settings.lease_s)
        return _Begun(facts, key, Group.from_text(text, key), place)

    def _begin_group(self, facts: StreamFacts, key: str, lease: Lease, now_s: float) -> str:
        """Decide where the stream begins, for all; mark the shards that no other led to."""
        text = Group.begun(self._begin, facts.server_s).to_text()
        marker = Checkpoint(read_until_s=now_s).to_text()
        shards = self._stream.shards()
        for shard in readable_shards(shards, ()):
            # Token 0: any lease's is higher, whoever had a shard has said more.
            with suppress(StaleTokenError):
                self._inbox.store_checkpoint(f"{key}/{shard.shard_id}", marker, 0)
        self._inbox.store_checkpoint(key, text, lease.token)
        return text

    # --- whose the shards are --------------------------------------------------------------

    def _scan(self, begun: _Begun, now_s: float) -> None:
        self._shards = self._stream.shards()
        for shard_id, held in self.held.items():
            held.reader.shard = self._shards.get(shard_id, held.reader.shard)
        self._look_at_others(begun)
        readable = readable_shards(self._shards, self._ended)
        workers = begun.place.count(now_s)
        share = -(-len(readable) // workers)
        self._give_surplus(share)
        self._take(begun, readable, share, now_s)
        self._scan_s = now_s + self._settings.scan_s
        self._must_scan = False

    def _look_at_others(self, begun: _Begun) -> None:
        """Read the checkpoints of shards that may be read, and are not read here."""
        self._ended &= self._shards.keys()
        self._others = {}
        for shard_id, shard in sorted(self._shards.items()):
            is_early = any(p in self._shards and p not in self._ended for p in shard.parents)
            if is_early or shard_id in self.held or shard_id in self._ended:
                continue
            found = self._checkpoint(begun, shard_id)
            if found is not None and found.is_ended:
                self._ended.add(shard_id)
            elif found is not None:
                self._others[shard_id] = found

    def _give_surplus(self, share: int) -> None:
        """Leave shards that are more than this worker's share, when that is so for a while."""
        staying = [held for held in self.held.values() if not held.is_leaving]
        surplus = len(staying) - share
        self._surplus_seen = self._surplus_seen + 1 if surplus > 0 else 0
        if self._surplus_seen >= _SURPLUS_LOOKS:
            for held in staying[-surplus:]:
                held.is_leaving = True

    def _take(self, begun: _Begun, readable: list[Shard], share: int, now_s: float) -> None:
        free = [shard for shard in readable if shard.shard_id not in self.held]
        self._chance.shuffle(free)
        for shard in free:
            if len(self.held) >= share:
                return
            key = f"{begun.key}/{shard.shard_id}"
            lease = self._inbox.lease(key, self._settings.lease_s, now_s)
            if lease is not None:
                self._hold(begun, shard, lease, now_s)

    def _hold(self, begun: _Begun, shard: Shard, lease: Lease, now_s: float) -> None:
        """Begin to read a shard, from what its checkpoint says now that nobody else moves it."""
        found = self._checkpoint(begun, shard.shard_id)
        if found is not None and found.is_ended:
            self._ended.add(shard.shard_id)
            self._inbox.release(lease)
            return
        losses: list[str] = []
        if found is None:
            found, losses = self._first(begun, shard, now_s)
        progress = Progress(found, found)
        reader = ShardReader(
            self._stream,
            begun.facts,
            shard,
            progress,
            begun.group,
            settings=self._settings,
            chance=self._chance,
            losses=losses,
        )
        self.held = {**self.held, shard.shard_id: HeldShard(lease, progress, reader, found)}

    def _first(self, begun: _Begun, shard: Shard, now_s: float) -> tuple[Checkpoint, list[str]]:
        """Give where a shard begins that nobody has read, and what was lost before it."""
        until_s, losses = now_s, []
        for parent in shard.parents:
            found = self._checkpoint(begun, parent)
            if found is not None and found.is_ended:
                until_s = min(until_s, found.read_until_s)
            elif parent not in self._shards:
                losses.append(
                    f"records are lost: {parent}, which it came from, is gone from the stream and "
                    "was not read to its end"
                )
        return Checkpoint(read_until_s=until_s), losses

    def _checkpoint(self, begun: _Begun, shard_id: str) -> Checkpoint | None:
        key = f"{begun.key}/{shard_id}"
        text = self._inbox.checkpoint(key)
        return None if text is None else Checkpoint.from_text(text, key)

    # --- how far they are ------------------------------------------------------------------

    def _store(self, now_s: float, *, everything: bool) -> None:
        for shard_id, held in self.held.items():
            safe = held.progress.safe
            if safe != held.stored and (everything or self._is_worth(safe, held.stored)):
                self._store_one(held, safe)
            if held.is_lost:
                self._drop(shard_id)
            elif held.stored.is_ended:
                self._must_scan = True
                self._ended.add(shard_id)
                self._give_back(shard_id)
            elif held.is_leaving and not held.is_reading and held.progress.is_settled:
                if held.stored != safe:
                    self._store_one(held, safe)
                self._give_back(shard_id)
                self._scan_s = min(self._scan_s, now_s + self._settings.scan_s)

    def _is_worth(self, safe: Checkpoint, stored: Checkpoint) -> bool:
        """Say whether a checkpoint says enough more than the stored one."""
        idle_s = safe.read_until_s - stored.read_until_s
        is_further = (safe.sequence_number, safe.is_ended) != (
            stored.sequence_number,
            stored.is_ended,
        )
        return is_further or idle_s >= self._settings.idle_s

    def _store_one(self, held: HeldShard, safe: Checkpoint) -> None:
        try:
            self._inbox.store_checkpoint(held.lease.key, safe.to_text(), held.lease.token)
        except StaleTokenError:
            held.is_lost = True
        else:
            held.stored = safe

    def _renew(self, now_s: float) -> None:
        for shard_id, held in self.held.items():
            if held.lease.expires_s - now_s >= self._settings.lease_s / 2:
                continue
            try:
                held.lease = self._inbox.renew(held.lease, self._settings.lease_s, now_s)
            except StaleTokenError:
                held.is_lost = True
                self._drop(shard_id)

    def _give_back(self, shard_id: str) -> None:
        lease = self.held[shard_id].lease
        self._drop(shard_id)
        self._inbox.release(lease)

    def _drop(self, shard_id: str) -> None:
        self.held = {key: held for key, held in self.held.items() if key != shard_id}


def _is_at_tip(held: HeldShard) -> bool:
    reader = held.reader
    return reader.is_caught_up and not (reader.shard.is_closed or reader.is_ended)
