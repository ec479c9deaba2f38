"""One state of a ledger's file, for long work beside those who write it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from qldb_stream.ledger._file import MEMORY, connect_reader
from qldb_stream.ledger._store import Store

__all__ = ["snapshot"]


@contextmanager
def snapshot(store: Store) -> Iterator[Store]:
    """
    Give a file as it is now, on a connection of its own; one in memory is locked instead.

    Raises:
        LedgerFileError: the file cannot be read.
    """
    if store.path == MEMORY:
        with store.lock:
            yield store
        return
    connection = connect_reader(store.path)
    try:
        beside = Store(connection, store.path, threading.RLock())
        beside.query("BEGIN")
        yield beside
    finally:
        connection.close()
