"""Open a ledger that a command is told to read."""

from __future__ import annotations

from pathlib import Path

from qldb_stream.errors import UsageError
from qldb_stream.ledger import Ledger

__all__ = ["open_existing_ledger"]


def open_existing_ledger(path: str) -> Ledger:
    """
    Open a ledger file; unlike `Ledger.open`, never make one.

    Raises:
        UsageError: there is no such file.
        LedgerFileError: the file is no ledger.
    """
    if not Path(path).is_file():
        raise UsageError(f"there is no ledger file {path}")
    return Ledger.open(path)
