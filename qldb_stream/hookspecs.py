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

    @hookimpl
    def qldb_stream_register_sinks():
        topic = SinkOption("topic", "the topic that blocks are written to")
        return [SinkType("kafka", open_kafka, "a Kafka topic", (topic,))]

How a plug-in is loaded, and what becomes of a bad one, is in `qldb_stream.plugins`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, runtime_checkable

import attrs
import pluggy

from qldb_stream.report import SinkSummary
from qldb_stream.typing import Sink

__all__ = [
    "PROJECT",
    "OpenSink",
    "SinkOption",
    "SinkType",
    "SummarizingSink",
    "hookimpl",
    "hookspec",
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
    One option of a sink's URL, as `qldb-stream sinks` describes it.

    `default` is None when there is none. `choices`, when given, are the only values that
    are let through to the sink.
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
    `summary` is one line for `qldb-stream sinks`.
    """

    scheme: str
    open: OpenSink
    summary: str
    options: tuple[SinkOption, ...] = ()


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
