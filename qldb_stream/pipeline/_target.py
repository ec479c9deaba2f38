"""
What a delivery goes to: a sink with its name, and what may be done with it.

The name is the key of the sink's positions, leases and parked blocks in an inbox, so it must
be the same from run to run. A sink that cannot keep its own position is wrapped: the inbox
keeps it then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.plugins import FoundSink, find_sink
from qldb_stream.report import Guarantee, Position
from qldb_stream.sinks.url import mask_url
from qldb_stream.typing import Inbox, Sink

__all__ = ["AnySink", "CheckpointedSink", "SinkPlan", "Target", "plan_sinks"]

AnySink: TypeAlias = Sink | str
"""A sink, which stays open; or a URL, which is opened when it is needed."""

_ONLY: Final = "sink"


class CheckpointedSink:
    """
    A sink whose position an inbox keeps, because the sink has none of its own.

    At least once: what was applied when a process died before the position was stored is
    applied again, with the same keys. The position is stored with the fencing token, so that
    a worker that lost its lease cannot move it back.

    Args:
        sink: closed with this one.
        inbox: keeps the positions; stays open.
        name: the sink's name there.
    """

    def __init__(self, sink: Sink, inbox: Inbox, name: str) -> None:
        self.sink = sink
        self._inbox = inbox
        self._name = name

    def position(self, strand_id: str) -> Position | None:
        """Give what the inbox says that the sink has."""
        return self._inbox.position(self._name, strand_id)

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:
        """
        Apply a run, then store the position reached.

        Raises:
            StaleTokenError: the position was stored with a higher token.
            DeliveryError: what the sink or the inbox raised; the position stays as it was.
        """
        reached = self.sink.apply(blocks, position, token) if blocks else position
        if isinstance(reached, Position):  # what else a stranger's sink gives, the caller names
            self._inbox.store_position(self._name, reached, token)
        return reached

    def close(self) -> None:
        """Close the sink."""
        self.sink.close()


@attrs.frozen
class Target:
    """
    An open sink to deliver to.

    `sink` is what is asked and applied to, `own` the sink itself, where `sink` wraps it.
    """

    name: str
    sink: Sink
    can_park: bool = True
    takes_filtered: bool = True

    @property
    def own(self) -> Sink:
        """Give the sink itself."""
        return self.sink.sink if isinstance(self.sink, CheckpointedSink) else self.sink

    @property
    def keeps_position(self) -> bool:
        """Say whether the sink keeps its position itself, and an inbox only mirrors it."""
        return not isinstance(self.sink, CheckpointedSink)


@attrs.frozen
class SinkPlan:
    """A sink as the caller named it: open already, or to be opened."""

    name: str
    sink: Sink | FoundSink

    @property
    def is_ours(self) -> bool:
        """Say whether we open it, and so close it."""
        return isinstance(self.sink, FoundSink)

    def open(self, inbox: Inbox | None) -> Target:
        """
        Open the sink, if it is not, and find out what may be done with it.

        Raises:
            UsageError, PluginError, DeliveryError: what `FoundSink.open` raises.
        """
        if not isinstance(self.sink, FoundSink):
            return _make_target(self.name, self.sink, inbox)
        sink_type = self.sink.sink_type
        return _make_target(
            self.name,
            self.sink.open(),
            inbox,
            sink_type.can_park,
            sink_type.takes_filtered,
            sink_type.guarantee,
        )


def plan_sinks(given: AnySink | Mapping[str, AnySink] | Sequence[AnySink]) -> tuple[SinkPlan, ...]:
    """
    Give each sink its name: the key of a mapping, the masked URL, or `sink` for a single one.

    Raises:
        UsageError: there is none, two have one name, or an open sink among several has none;
            a URL names no sink that there is.
    """
    if isinstance(given, Mapping):
        named = list(given.items())
    elif isinstance(given, Sequence) and not isinstance(given, str):
        named = [(_name(sink, len(given)), sink) for sink in given]
    else:
        named = [(_name(given, 1), given)]
    names = [name for name, _ in named]
    if not named or not all(names):
        raise UsageError("expected at least one sink, each with a name")
    if len(set(names)) < len(names):
        raise UsageError(f"two sinks have the same name, among {', '.join(names)}")
    return tuple(
        [SinkPlan(name, find_sink(sink) if isinstance(sink, str) else sink) for name, sink in named]
    )


def _name(sink: AnySink, count: int) -> str:
    if isinstance(sink, str):
        return mask_url(sink)
    if count > 1:
        raise UsageError("several open sinks need names: give a mapping of name to sink")
    return _ONLY


def _make_target(
    name: str,
    sink: Sink,
    inbox: Inbox | None,
    can_park: bool = True,  # noqa: FBT001, FBT002 - as SinkType has it
    takes_filtered: bool = True,  # noqa: FBT001, FBT002 - as SinkType has it
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE,
) -> Target:
    can_park = getattr(sink, "can_park", can_park)
    takes_filtered = getattr(sink, "takes_filtered", takes_filtered)
    guarantee = getattr(sink, "guarantee", guarantee)
    if guarantee is Guarantee.AT_LEAST_ONCE and inbox is not None:
        sink = CheckpointedSink(sink, inbox, name)
    return Target(name, sink, can_park=can_park, takes_filtered=takes_filtered)
