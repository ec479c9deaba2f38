"""
`sqlite:PATH`: documents as rows of a SQLite file, exactly once.

Options of the URL: `schema=columns|json`, `prefix=NAME`, `timeout_s=SECONDS`. The file is made
by the first block that is applied. It may have tables of its owner's own beside. Several
processes may write one file; they wait for one another up to `timeout_s`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl

if TYPE_CHECKING:
    from qldb_stream.sinks._relational import RelationalSink

__all__ = ["open_sqlite", "qldb_stream_register_sinks"]

_MAX_TIMEOUT_S: Final = 3600.0
_TIMEOUT: Final = SinkOption("timeout_s", "how long to wait for another writer, in seconds", "5")


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sink `sqlite:`."""
    from qldb_stream.sinks._relational_options import OPTIONS

    summary = "tables of a SQLite file: current state, history, proof"
    return [SinkType("sqlite", open_sqlite, summary, (*OPTIONS, _TIMEOUT))]


def open_sqlite(path: str, options: Mapping[str, str]) -> RelationalSink:
    """
    Open a file; it is made when the first block is applied.

    Raises:
        UsageError: no path, a folder, a file that is no SQLite database or of another format,
            or an option that makes no sense.
        SinkUnavailableError: the file cannot be read now.
    """
    from qldb_stream.sinks._relational import RelationalSink
    from qldb_stream.sinks._relational_options import read_settings
    from qldb_stream.sinks.sqlite._database import SqliteDatabase

    if not path:
        raise UsageError("sqlite: needs a path: write sqlite:PATH")
    settings = read_settings(options)
    timeout_s = _read_timeout(options.get("timeout_s", "5"))
    db = SqliteDatabase(path, prefix=settings["prefix"], timeout_s=timeout_s)
    try:
        return RelationalSink(db, settings)
    except BaseException:
        db.close()
        raise


def _read_timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MAX_TIMEOUT_S:
        raise UsageError(f"option timeout_s: expected 0 to 3600 seconds, found {text!r}")
    return seconds
