"""
A function of the user's as a sink, and what it raises.

What it raises may quote a document, so logs and our errors tell the type and the line where
it was raised, no more. It may raise errors of `qldb_stream.errors`: then their disposition
counts (`SinkRefusedError` for a block that it will never take).
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from qldb_stream.errors import QldbStreamError, SinkUnavailableError, UsageError
from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.report import Guarantee, Position

__all__ = ["FunctionSink", "OnBlock", "OnRevision", "block_function", "name_of", "place_of"]

OnBlock: TypeAlias = Callable[[Block], Any]
OnRevision: TypeAlias = Callable[[Revision, Block], Any]

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)


def block_function(function: OnBlock | OnRevision) -> OnBlock:
    """
    Make of what the user wrote a function of a block.

    One of two parameters is called for each revision with contents or of a delete, in the
    block's order: not for what a filter withholds, nor for hashes of revisions that QLDB
    kept to itself.

    Raises:
        UsageError: it takes neither a block, nor a revision and its block; or it is a coroutine.
    """
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"{name_of(function)} is a coroutine: write a function without async")
    parameters = inspect.signature(function).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind in _POSITIONAL]
    has_more = any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters)
    if len(needed) == 1 and not has_more:
        on_block: Any = function
        return on_block  # type: ignore[no-any-return]  # its signature was looked at
    if len(needed) != 2 or has_more:  # noqa: PLR2004 - a revision and its block
        raise UsageError(f"{name_of(function)} takes neither (block) nor (revision, block)")
    on_revision: Any = function

    def of_block(block: Block) -> None:
        for revision in block.revisions:
            if revision.metadata is not None and revision.kind is not RevisionKind.WITHHELD:
                on_revision(revision, block)

    return of_block


class FunctionSink:
    """
    Calls a function for each block; at least once, because nobody knows what it does.

    Its position is kept by the inbox.
    """

    guarantee: Final = Guarantee.AT_LEAST_ONCE

    def __init__(self, name: str, function: OnBlock) -> None:
        self._name: Final = name
        self._function: Final = function

    def position(self, strand_id: str) -> Position | None:  # noqa: ARG002 - the inbox keeps it
        """Give nothing: the inbox keeps the position."""
        return None

    def apply(self, blocks: Sequence[Block], position: Position, token: int) -> Position:  # noqa: ARG002 - the inbox compares it
        """
        Call the function for each block.

        Raises:
            SinkUnavailableError: it raised something of its own, for the first block.
            QldbStreamError: it raised this, for the first block.
        """
        for count, block in enumerate(blocks):
            try:
                self._call(block)
            except QldbStreamError:
                if not count:
                    raise
                return position.at(blocks[count - 1])  # those before it are done
        return position

    def close(self) -> None:
        """Do nothing."""

    def _call(self, block: Block) -> None:
        try:
            self._function(block)
        except QldbStreamError:
            raise
        except Exception as exc:
            raise SinkUnavailableError(self._name, place_of(exc)) from exc


def place_of(error: BaseException) -> str:
    """Say what was raised and where; no more, since its text may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    return f"{type(error).__name__} at {last.filename}:{last.lineno}, in {last.name}"


def name_of(function: Callable[..., Any]) -> str:
    """Name a function by its module and its place there."""
    module = getattr(function, "__module__", None) or "?"
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"
