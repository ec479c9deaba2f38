"""
What the author of a plug-in imports beside `typing` and `events`.

A plug-in is a module that an installed distribution names under the entry point group
``qldb_stream``; its functions marked with `hookimpl` are found by their names, which
are those of the specifications below. Hooks find sinks and observe; they never deliver,
because pluggy stops at the first exception and drops None: the pipeline calls sinks by
itself.

    [project.entry-points.qldb_stream]
    kafka = "my_package.plugin"

    # my_package/plugin.py
    from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

    def open_kafka(path: str, options: Mapping[str, str]) -> Sink:
        # kafka:broker-1:9092?topic=cars gives "broker-1:9092" and {"topic": "cars"}
        return KafkaSink(path, options["topic"])  # your class, see qldb_stream.typing.Sink

    @hookimpl
    def qldb_stream_register_sinks():
        topic = SinkOption("topic", "the topic that blocks are written to")
        return [SinkType("kafka", open_kafka, "a Kafka topic", (topic,))]

docs/sinks.md has a whole one, with its test. How a plug-in is loaded, and what becomes of a
bad one, is in `qldb_stream.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, runtime_checkable

import attrs
import pluggy

from qldb_stream.report import (
    BatchDone,
    BlockDelivered,
    BlockParked,
    GapFound,
    Guarantee,
    InboxFull,
    SinkSummary,
)
from qldb_stream.typing import Sink

__all__ = [
    "PROJECT",
    "OpenSink",
    "SinkOption",
    "SinkType",
    "SummarizingSink",
    "hookimpl",
    "hookspec",
    "qldb_stream_batch_done",
    "qldb_stream_block_delivered",
    "qldb_stream_block_parked",
    "qldb_stream_gap_found",
    "qldb_stream_inbox_full",
    "qldb_stream_register_sinks",
]

PROJECT: Final = "qldb_stream"
"""The name that hooks, markers and the entry point group share."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)

OpenSink: TypeAlias = Callable[[str, Mapping[str, str]], Sink]
"""
Opens a sink: `open(path, options)`.

`path` is what stands between the colon and the question mark of the URL, unescaped;
`options` holds only names that the sink type lists, each once, with their texts.
Whatever makes no sense is a `UsageError`, whatever may work later a `DeliveryError`.
"""


@attrs.frozen
class SinkOption:
    """
    One option of a sink's URL; `load_plugins` lists them.

    `summary` is one line for people. `default` says what the sink takes without the option,
    for people too: it is not put into what `open` gets; None when there is none. `choices`,
    when given, are the only values that are let through to the sink.
    """

    name: str
    summary: str
    default: str | None = None
    choices: tuple[str, ...] = ()


@attrs.frozen
class SinkType:
    """
    A kind of sink: the scheme of its URLs, and how to open one.

    `scheme` is lower case, a letter first, then letters, digits, ``+``, ``-`` or ``.``.
    `summary` is one line for people, who find it by `qldb-stream sinks`. The rest says what the
    pipeline may do: `guarantee`; `can_park`, whether blocks may be parked (not where each
    builds on all before it); `takes_filtered`, whether it takes blocks that a filter changed. A
    sink whose modes differ in these has attributes of the same names, which then count. `form`
    is what people write behind the scheme and its colon.
    """

    scheme: str
    open: OpenSink
    summary: str
    options: tuple[SinkOption, ...] = ()
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    can_park: bool = True
    takes_filtered: bool = True
    form: str = "PATH"


@runtime_checkable
class SummarizingSink(Protocol):
    """A sink that can say what became of what it was given."""

    def summary(self) -> SinkSummary:
        """Say what this sink has done since it was opened."""


@hookspec
def qldb_stream_register_sinks() -> Sequence[SinkType]:  # type: ignore[empty-body]  # a specification has none
    """
    Name the kinds of sinks that the plug-in offers, each with a scheme of its own.

    Called whenever sinks are listed or one is opened, so it must be quick: import what
    a sink needs when it is opened. A scheme that somebody else has is refused.
    """


# What observers are told. They are called in the thread that delivers, after the fact and one by
# one; what they answer is not used. One that raises is named once and disturbs nothing.


@hookspec
def qldb_stream_block_delivered(event: BlockDelivered) -> None:
    """Take note that a sink has durably applied a block; called for each, in order."""


@hookspec
def qldb_stream_block_parked(event: BlockParked) -> None:
    """Take note that a block was put aside for a sink; it is durable in the inbox."""


@hookspec
def qldb_stream_gap_found(event: GapFound) -> None:
    """Take note that missing blocks hold a strand back; called once for each hole and sink."""


@hookspec
def qldb_stream_inbox_full(event: InboxFull) -> None:
    """Take note that a full inbox holds a `consume` up, for each sink, at once and each minute."""


@hookspec
def qldb_stream_batch_done(event: BatchDone) -> None:
    """Take note that a sink has applied a run of blocks; called after its blocks were told."""
