"""How a ledger is opened: what its owner chose, checked, as a frozen value."""

from __future__ import annotations

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ledger._environment import Environment
from qldb_stream.ledger._limits import Limits, choose_limits

__all__ = ["Options", "choose_options"]


@attrs.frozen
class Options:
    """
    What a ledger's owner chose when opening it; nothing of it is stored.

    Attributes:
        environment: time, ids and waiting.
        limits: the limits to keep; None for none.
        extensions: whether statements may have what QLDB did not support.
        journals_reads: whether transactions that only read make a block.
        read_only: whether the file is opened to read only.
    """

    environment: Environment
    limits: Limits | None
    extensions: bool
    journals_reads: bool
    read_only: bool


def choose_options(
    *,
    limits: str,
    extensions: str,
    journal_reads: str,
    read_only: bool,
    environment: Environment | None,
) -> Options:
    """
    Read the settings that `Ledger.open` takes.

    Raises:
        UsageError: a setting has a value that there is not, or contradicts another.
    """
    journals_reads = _is_on("journal_reads", journal_reads)
    if journals_reads and read_only:
        raise UsageError("a ledger that is open read-only journals nothing, reads neither")
    return Options(
        environment or Environment(),
        choose_limits(limits),
        _is_on("extensions", extensions),
        journals_reads,
        read_only,
    )


def _is_on(name: str, value: str) -> bool:
    if value not in {"on", "off"}:
        raise UsageError(f"{name} is 'on' or 'off', not {value!r}")
    return value == "on"
