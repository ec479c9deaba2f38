"""
Somebody else's sink: whatever it does wrong names it, and our own bugs stay what they are.

The pipeline calls sinks that it knows nothing of. What they raise that is none of our errors,
and what they answer that is none of the values that `qldb_stream.typing.Sink` promises,
becomes a `PluginError` with the sink's class and the method. It quotes no text of what was
raised, which may hold a document; its cause is the exception itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from qldb_stream.errors import PluginError, QldbStreamError
from qldb_stream.typing import Sink

__all__ = ["check_answer", "closing_sink", "named", "plugin_error"]

T = TypeVar("T")

_OURS: Final = "qldb_stream."


@contextmanager
def closing_sink(sink: Sink) -> Iterator[Sink]:
    """
    Close a sink when the body ends.

    Raises:
        PluginError: a sink that is not ours failed when it was closed, and nothing failed
            before: the first failure says more than what follows from it.
        QldbStreamError: what else the sink raised, under the same condition.
    """
    try:
        yield sink
    except BaseException:
        with suppress(QldbStreamError):  # the failure that is under way is the one to tell
            _close(sink)
        raise
    _close(sink)


@contextmanager
def named(sink: Sink, method: str) -> Iterator[None]:
    """Name the sink when somebody else's code fails; our own bugs stay what they are."""
    try:
        yield
    except QldbStreamError:
        raise
    except Exception as exc:
        if type(sink).__module__.startswith(_OURS):
            raise
        # No more than the type: the text may quote a document.
        raise plugin_error(sink, method, f"raised {type(exc).__name__}") from exc


def check_answer(sink: Sink, method: str, answer: Any, expected: type[T]) -> T:
    """
    Give back what a sink answered, if it is what it must be.

    Raises:
        PluginError: it is something else; the sink, the method and both types are named.
    """
    if isinstance(answer, expected):
        return answer
    problem = f"must return a {expected.__name__}, returned {type(answer).__name__}"
    raise plugin_error(sink, method, problem)


def plugin_error(sink: Sink, method: str, problem: str) -> PluginError:
    """Name a sink and what is wrong with it."""
    kind = type(sink)
    return PluginError(f"{kind.__module__}.{kind.__qualname__}", f"Sink.{method}", problem)


def _close(sink: Sink) -> None:
    with named(sink, "close"):
        sink.close()
