"""
`ledger:PATH`: replays a journal into an embedded ledger, exactly once.

Options of the URL:

- ``ids=keep|any|paths=a.b,c``: which strings in documents are document ids and are
  rewritten to the destination's; `keep`, the default, changes nothing.
- ``base=insert``: documents whose first versions are not in the journal are inserted
  where they first appear; without it they are refused.

The ledger keeps both with its position. A later run must have the same, or adds
``base=insert``; any other is refused, so that no ledger holds documents of two rules.

How blocks become transactions is in `qldb_stream.replay`. The file is made when absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Self

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.replay import OWN_TABLES, Replay, parse_id_rule
from qldb_stream.sinks._session import SessionSink

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
    summary = "an embedded ledger, replayed into exactly once"
    return [SinkType("ledger", _open, summary, (ids, base))]


def _open(path: str, options: Mapping[str, str]) -> LedgerSink:
    if not path:
        raise UsageError("ledger: needs a path, such as ledger:copy.ledger")
    return LedgerSink.open(path, ids=options.get("ids", "keep"), base=options.get("base"))
