"""
`ledger:PATH`: replays a journal into an embedded ledger, or mirrors it, exactly once.

Options of the URL:

- ``ids=keep|any|paths=a.b,c``: which strings in documents are document ids and are
  rewritten to the destination's; `keep`, the default, changes nothing.
- ``base=insert``: documents whose first versions are not in the journal are inserted
  where they first appear; without it they are refused.
- ``mode=replay|mirror|statement``: new transactions that do what the journal did, with ids and
  hashes of their own; the very blocks (`qldb_stream.sinks._mirror`); or the journal's own
  statements, where they can be sent again (`qldb_stream.replay.plan_statements`). Without it a
  ledger is replayed into; only into a mirror nothing is replayed unless `mode=replay` says so,
  because a mirror with transactions of its own takes no more blocks of its source.

The ledger keeps both with its position. A later run must have the same, or adds
``base=insert``; any other is refused, so that no ledger holds documents of two rules.

How blocks become transactions is in `qldb_stream.replay`. The file is made when absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Self

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.replay import OWN_TABLES, Driver, Replay, parse_id_rule
from qldb_stream.sinks._mirror import MirrorSink
from qldb_stream.sinks._session import SessionSink, StatementSink

if TYPE_CHECKING:
    from qldb_stream.ledger import Ledger

__all__ = ["LedgerSink", "qldb_stream_register_sinks"]


class LedgerSink(SessionSink):
    """
    Replay blocks into an embedded ledger.

    Attributes:
        ledger: the destination; closed with the sink.
    """

    def __init__(self, ledger: Ledger, *, ids: str = "keep", base: str | None = None) -> None:
        """
        Take over an open ledger.

        Args:
            ledger: the destination, empty or replayed into before.
            ids: `keep`, `any` or `paths=a.b,c`.
            base: None, or `insert`.

        Raises:
            UsageError: `ids` or `base` is none of these.
        """
        if base not in {None, "insert"}:
            raise UsageError(f"base={base}: the only value is insert")
        replay = Replay(parse_id_rule(ids), insert_unknown=base is not None)
        super().__init__("ledger", ledger, replay)
        self.ledger = ledger
        self._is_ours = False

    @classmethod
    def open(cls, path: str | PathLike[str], *, ids: str = "keep", base: str | None = None) -> Self:
        """
        Open a ledger file, made when absent, and replay into it.

        A ledger that this made is gone again when it is closed before anything was applied
        or written by others: a replay that fails leaves nothing behind.

        Raises:
            UsageError: an option is none of the values that it may have.
            LedgerError: the file cannot be opened.
        """
        from qldb_stream.ledger import Ledger  # sinks are listed without loading it

        parse_id_rule(ids)  # before a file is made
        sink = cls(Ledger.open(fspath(path)), ids=ids, base=base)
        sink._is_ours = sink.ledger.is_new
        return sink

    def close(self) -> None:
        """Close the ledger; applied blocks stay applied."""
        is_ours, self._is_ours = self._is_ours, False
        if is_ours and _is_unused(self.ledger):
            self.ledger.discard()
        else:
            super().close()


def _is_unused(ledger: Ledger) -> bool:
    """Say whether there is no document in a ledger, and no table but those of the replay."""
    written = (revision for block in ledger.blocks() for revision in block.revisions)
    return all(revision.document_id is None for revision in written) and all(
        name.startswith(OWN_TABLES) for name in ledger.driver().list_tables()
    )


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `ledger:`."""
    ids = SinkOption(
        "ids", "document ids in documents: keep, any, or paths=FIELD.FIELD,...", "keep"
    )
    base = SinkOption(
        "base", "insert: take up documents whose first versions are missing", None, ("insert",)
    )
    mode = SinkOption(
        "mode",
        "replay: new transactions; mirror: the very blocks; statement: the journal's statements",
        None,
        ("replay", "mirror", "statement"),
    )
    summary = "an embedded ledger, replayed into or mirrored exactly once"
    return [SinkType("ledger", _open, summary, (ids, base, mode))]


def _open(path: str, options: Mapping[str, str]) -> LedgerSink | MirrorSink | StatementSink:
    if not path:
        raise UsageError("ledger: needs a path, such as ledger:copy.ledger")
    mode = options.get("mode")
    if mode == "mirror":
        return _open_mirror(path, options)
    if mode == "statement":
        return _open_statements(path, options)
    sink = LedgerSink.open(path, ids=options.get("ids", "keep"), base=options.get("base"))
    if mode is None and sink.ledger.mirrored_blocks:
        sink.close()
        raise UsageError(
            f"ledger {path} is a mirror: go on with mode=mirror, or say mode=replay to write "
            "transactions of its own, after which it takes no more blocks of its source"
        )
    return sink


def _open_statements(path: str, options: Mapping[str, str]) -> StatementSink:
    from qldb_stream.ledger import Ledger  # sinks are listed without loading it

    for name in ("ids", "base"):
        if name in options:
            raise UsageError(f"mode=statement changes no statement, so it has no {name}")
    return StatementSink("ledger", _OwnLedger(Ledger.open(path)))


class _OwnLedger:
    """A ledger file that is gone again when it was made for nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def driver(self) -> Driver:
        return self._ledger.driver()

    def group_commit(self) -> AbstractContextManager[Any]:
        return self._ledger.group_commit()

    def close(self) -> None:
        if self._ledger.is_new and _is_unused(self._ledger):
            self._ledger.discard()
        else:
            self._ledger.close()


def _open_mirror(path: str, options: Mapping[str, str]) -> MirrorSink:
    for name in ("ids", "base"):
        if name in options:
            raise UsageError(f"mode=mirror changes nothing in documents, so it has no {name}")
    return MirrorSink.open(path)
