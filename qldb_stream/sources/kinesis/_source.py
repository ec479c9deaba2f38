"""
A Kinesis data stream as a live source.

Two threads: whoever iterates over `items` reads the shards in turn, one answer held at a time; the
keeper's thread renews leases and stores checkpoints beside it, also while nobody takes what was
read. What was not acknowledged is in no checkpoint, and comes again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from types import TracebackType
from typing import Final, Self

from qldb_stream.clients.kinesis import connect_kinesis
from qldb_stream.errors import QldbStreamError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.sources.kinesis._client import KinesisReader, Stream
from qldb_stream.sources.kinesis._flight import Flight
from qldb_stream.sources.kinesis._keeper import HeldShard, Keeper
from qldb_stream.sources.kinesis._settings import KinesisSettings
from qldb_stream.sources.kinesis._url import parse_stream_url
from qldb_stream.sources.kinesis._values import TRIM_HORIZON, Begin, check_begin
from qldb_stream.typing import Inbox, Item

__all__ = ["KinesisSource", "open_stream"]

_LOOK_S: Final = 0.1  # how soon a stop is noticed
_CLOSE_S: Final = 60.0


def open_stream(
    url: str,
    inbox: Inbox,
    *,
    begin: Begin = TRIM_HORIZON,
    until_caught_up: bool = False,
    settings: KinesisSettings | None = None,
    on_wait: Callable[[str], None] | None = None,
) -> KinesisSource:
    """
    Open the data stream that a URL names, as a source.

    Args:
        url: ``kinesis://STREAM?region=REGION&endpoint_url=URL``; region and credentials are
            boto3's where they are not given.
        inbox: keeps leases and checkpoints; all who share it share the stream. It stays open.
        begin: where to begin: `latest`, `trim_horizon` or a time. Decided once for each
            inbox and stream, by who comes first.
        until_caught_up: end when every shard is read to where it was at the start, or later.
        settings: how often things are done.
        on_wait: is told what is waited for, when nothing could be read yet or it lasts: one
            sentence each time, from another thread.

    Raises:
        UsageError: it is no such URL, boto3 is not installed or has no region. Whether the
            stream is there, `items` finds out.
    """
    address = parse_stream_url(url)
    client = connect_kinesis(endpoint_url=address.endpoint_url, region=address.region)
    return KinesisSource(
        client,  # type: ignore[arg-type]  # boto3's has all methods, its writer's type names one
        address.name,
        inbox,
        begin=begin,
        until_caught_up=until_caught_up,
        settings=settings,
        on_wait=on_wait,
    )


class KinesisSource:
    """
    A data stream as a `LiveSource`; a context manager that closes it.

    Args:
        client: boto3's for Kinesis, without retries of its own.
        name: the stream's.
        inbox: keeps leases and checkpoints; all who share it share the stream. It stays open.
        begin: where to begin, if nobody who shares the inbox has.
        until_caught_up: end when every shard is read to where it was at the start, or later.
        settings: how often things are done.
        clock: gives the time, seconds since 1970; for tests.
        chance: draws waits; for tests.
        on_wait: is told what is waited for, as `open_stream` says.

    Raises:
        UsageError: `begin` is no place to begin, or to come.
    """

    bounded = False

    def __init__(  # noqa: PLR0913 - all but the first three are named
        self,
        client: KinesisReader,
        name: str,
        inbox: Inbox,
        *,
        begin: Begin = TRIM_HORIZON,
        until_caught_up: bool = False,
        settings: KinesisSettings | None = None,
        clock: Callable[[], float] = time.time,
        chance: Random | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._stream: Final = Stream(client, name)
        self._inbox: Final = inbox
        self._begin: Final = check_begin(begin, clock())
        self._until_caught_up: Final = until_caught_up
        self._settings: Final = settings or KinesisSettings()
        self._clock: Final = clock
        self._chance: Final = chance or Random()  # noqa: S311 - spreads tries, hides nothing
        self._on_wait: Final = on_wait
        self._stop: Final = _Stop()
        self._run: _Run | None = None

    def items(self) -> Iterator[Item]:
        """
        Iterate over what the shards hold, each in its order, parents before children.

        What cannot be read, or is known to be lost, comes as `Undecodable`. More than
        `most_waiting` records that are not acknowledged are not given.

        Raises:
            UsageError: the stream is not there, may not be read, or is being iterated over.
            SourceUnavailableError: Kinesis failed for longer than `patience_s`.
            DeliveryError: the inbox did, or holds something else than checkpoints of ours.
        """
        if self._stop.is_set:
            return iter(())
        if self._run is not None and self._run.is_running:
            raise UsageError(f"{self._stream} is being read already; open it once more")
        keeper = Keeper(
            self._stream,
            self._inbox,
            self._begin,
            settings=self._settings,
            clock=self._clock,
            chance=self._chance,
            on_wait=self._on_wait,
        )
        self._run = run = _Run(keeper, self._settings, self._stop, self._clock)
        return run.iterate(until_caught_up=self._until_caught_up)

    def acknowledge(self, count: int) -> None:
        """
        Take note that the next `count` items it has given are durable elsewhere.

        Raises:
            UsageError: so many were not given.
        """
        if self._run is None:
            raise UsageError(f"{count} items are acknowledged, none was given")
        self._run.acknowledge(count)

    @property
    def unreadable(self) -> int:
        """Count the parts that could not be read, losses included, since `items` was called."""
        return 0 if self._run is None else self._run.unreadable

    def stop(self) -> None:
        """End `items` soon, and for good; what was not acknowledged comes again to another."""
        self._stop.is_set = True

    def close(self) -> None:
        """
        Stop, and wait until what was acknowledged is stored and the leases are given back.

        Raises:
            QldbStreamError: the inbox could not be reached for that; leases run out.
        """
        self.stop()
        if self._run is not None:
            self._run.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except QldbStreamError:
            if error is None:  # what is on its way says more
                raise


class _Stop:
    """A mark that can be set from anywhere, a signal's handler included: it has no lock."""

    def __init__(self) -> None:
        self.is_set = False


class _Run:
    """One iteration over the items, and the keeper's thread beside it."""

    def __init__(
        self,
        keeper: Keeper,
        settings: KinesisSettings,
        stop: _Stop,
        clock: Callable[[], float],
    ) -> None:
        self.is_running = False
        self.unreadable = 0
        self._keeper: Final = keeper
        self._settings: Final = settings
        self._stop: Final = stop
        self._clock: Final = clock
        self._flight: Final = Flight(settings.most_waiting)
        self._wake: Final = threading.Event()
        self._pause: Final = threading.Event()  # never set
        self._error: BaseException | None = None
        self._has_ended = False
        # It dies with the process: leases run out, and what was acknowledged comes once more.
        self._thread: Final = threading.Thread(
            target=self._keep, name="qldb-stream shards", daemon=True
        )

    def iterate(self, *, until_caught_up: bool) -> Iterator[Item]:
        """Iterate over the items."""
        self.is_running = True
        self._thread.start()
        try:
            while not self._is_ending():
                held = None if self._flight.is_full else self._keeper.due()
                wait_s = _LOOK_S if held is None else held.reader.due_s - self._clock()
                if held is not None and wait_s <= 0:
                    yield from self._read(held)
                elif until_caught_up and self._keeper.is_caught_up:
                    self._has_ended = True
                    return
                else:
                    self._pause.wait(min(_LOOK_S, max(wait_s, 0.001)))
            if self._error is not None:
                raise self._error
        finally:
            self.is_running = False
            self._wake.set()

    def acknowledge(self, count: int) -> None:
        """Take note that items are safe."""
        if self._flight.acknowledge(count):
            self._wake.set()

    def join(self) -> None:
        """
        Wait for the keeper's end.

        Raises:
            QldbStreamError: it could not store what was acknowledged.
        """
        if self._thread.ident is not None:
            self._wake.set()
            self._thread.join(_CLOSE_S)
        if self._error is not None:
            raise self._error

    def _is_ending(self) -> bool:
        return self._stop.is_set or self._error is not None

    def _is_over_for(self, held: HeldShard) -> bool:
        return held.is_lost or self._is_ending()

    def _read(self, held: HeldShard) -> Iterator[Item]:
        """Read one answer of a shard, and give what is in it."""
        held.is_reading = True
        try:
            if held.is_leaving or held.is_lost:
                return
            for step in held.reader.read(self._clock()):
                if self._is_over_for(held):
                    return
                self._flight.add(held.progress, len(step.items), step.reached)
                self.unreadable += sum(isinstance(item, Undecodable) for item in step.items)
                yield from step.items
                while self._flight.is_full and not self._is_ending():
                    self._pause.wait(_LOOK_S)
            if held.reader.is_ended:
                self._wake.set()
        finally:
            held.is_reading = False

    def _keep(self) -> None:
        """Keep, until there is nothing more to keep; then give everything back."""
        try:
            while not self._is_kept():
                self._keeper.tick()
                self._wake.wait(self._settings.checkpoint_s)
                self._wake.clear()
            self._keeper.close()
        except BaseException as exc:  # noqa: BLE001 - raised where items are taken, which end by it
            self._error = exc

    def _is_kept(self) -> bool:
        """Say whether nothing more comes: stopped, given up, or ended and all acknowledged."""
        if self.is_running and not self._stop.is_set:
            return False
        return self._flight.is_empty or not self._has_ended or self._stop.is_set
