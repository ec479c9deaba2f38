"""Ledgers of a given size, made through the public interface and kept in .bench/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qldb_stream.errors import LedgerFileError
from qldb_stream.ledger import Executor, Ledger

FOLDER = Path(".bench")
# Of what is built; a higher number leaves older files alone and builds anew.
BUILD = 1

DOCUMENTS_IN_A_TRANSACTION = 1_000
DOCUMENTS_IN_A_COMMIT = 10_000

OLDEST = "the one with a history"
REVISIONS = 20  # of the document OLDEST


def document(number: int, key: str) -> dict[str, Any]:
    """Make a document of about 100 bytes."""
    maker = {"name": "Tesla", "year": 2_019}
    return {"k": key, "owner": f"person {number % 1000}", "miles": number, "maker": maker}


def key_of(number: int) -> str:
    """Give the indexed value of a document."""
    return f"{number:09}"


def ledger_of(documents: int) -> Path:
    """Give the ledger of so many documents in one indexed table; build it when there is none."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{documents}-v{BUILD}.ledger"
    if not _is_whole(path, documents):
        for left in FOLDER.glob(f"{path.name}*"):
            left.unlink()
        print(f"  building {path} once", file=sys.stderr, flush=True)
        _build(path, documents)
    return path


def _is_whole(path: Path, documents: int) -> bool:
    """Tell whether a file holds what was to be built: its last document, in this format."""
    try:
        with Ledger.open(path, read_only=True) as ledger:
            rows = ask(ledger, "SELECT VALUE t.k FROM T AS t WHERE t.k = ?", key_of(documents - 1))
            return rows == [key_of(documents - 1)]
    except LedgerFileError:
        return False


def _build(path: Path, documents: int) -> None:
    with Ledger.open(path) as ledger:
        ask(ledger, "CREATE TABLE T")
        ask(ledger, "CREATE INDEX ON T (k)")
        ask(ledger, "INSERT INTO T ?", document(0, OLDEST))
        for number in range(1, REVISIONS):
            ask(ledger, "UPDATE T AS t SET t.miles = ? WHERE t.k = ?", number, OLDEST)
        for first in range(0, documents, DOCUMENTS_IN_A_COMMIT):
            with ledger.group_commit():
                _insert(ledger, range(first, min(documents, first + DOCUMENTS_IN_A_COMMIT)))


def _insert(ledger: Ledger, numbers: range) -> None:
    for first in range(numbers.start, numbers.stop, DOCUMENTS_IN_A_TRANSACTION):
        part = range(first, min(numbers.stop, first + DOCUMENTS_IN_A_TRANSACTION))
        ask(ledger, "INSERT INTO T ?", [document(number, key_of(number)) for number in part])


def ask(ledger: Ledger, statement: str, *parameters: Any) -> list[Any]:
    """Run one statement in a transaction of its own and give its rows."""

    def work(txn: Executor) -> list[Any]:
        return list(txn.execute_statement(statement, *parameters))

    return ledger.driver().execute_lambda(work)
