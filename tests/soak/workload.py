"""
Transactions of all kinds, redactions among them, for processes that are killed or watched.

    python -m tests.soak.workload PATH --seed 1 --commits 100 --pad 20000

writes a ledger and answers each commit on standard output, once it is durable: number of
the last block, digest up to it. The ledger is closed and opened again on the way, and at
the end the process goes without closing it.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Iterator
from functools import partial
from itertools import islice

from qldb_stream.ledger import Executor, Ledger

# Few keys, so that most are updated, moved to and deleted in turn.
_KEYS = 40
_GROUPS = 0.2
_CATALOG_CHANGES = 0.03
_REDACTIONS = 0.05
_LONGEST_GROUP = 6

_DELETE = "DELETE FROM Car AS c WHERE c.vin = ?"
_MOVE = "UPDATE Car AS c SET c.vin = ?, c.moved = ? WHERE c.vin = ?"
_DRIVE = "UPDATE Car AS c SET c.miles = ? WHERE c.vin = ?"


def answer_of(ledger: Ledger) -> str:
    """Say what is durable: the last block's number and the digest up to it."""
    digest = ledger.digest()
    return f"{digest.tip.sequence_no} {digest.digest.hex()}"


def iter_commits(ledger: Ledger, chance: random.Random, pad_bytes: int) -> Iterator[None]:
    """Write for ever; yields whenever what was written is durable."""
    driver = ledger.driver()
    tables = driver.list_tables()
    for table in ("Car", "Owner"):
        if table not in tables:
            driver.execute_lambda(partial(_run, f"CREATE TABLE {table}"))
            driver.execute_lambda(partial(_run, f"CREATE INDEX ON {table} (vin)"))
            yield
    while True:
        if chance.random() < _GROUPS:
            with ledger.group_commit():
                for _ in range(chance.randint(2, _LONGEST_GROUP)):
                    driver.execute_lambda(partial(_change, chance, pad_bytes))
        elif chance.random() < _CATALOG_CHANGES:
            driver.execute_lambda(_toggle_index)
        elif chance.random() < _REDACTIONS:
            driver.execute_lambda(partial(_redact, chance))
        else:
            driver.execute_lambda(partial(_change, chance, pad_bytes))
        yield


def _run(text: str, txn: Executor) -> None:
    txn.execute_statement(text)


def _change(chance: random.Random, pad_bytes: int, txn: Executor) -> None:
    """Insert into both tables, or change or delete what has a key."""
    key = f"vin {chance.randrange(_KEYS)}"
    kind = chance.random()
    if kind < 0.4:
        pad = chance.randbytes(chance.randint(0, pad_bytes))
        txn.execute_statement("INSERT INTO Car ?", {"vin": key, "miles": 0, "pad": pad})
        txn.execute_statement("INSERT INTO Owner ?", {"vin": key, "name": txn.transaction_id})
    elif kind < 0.6:
        txn.execute_statement(_DRIVE, chance.randrange(1000), key)
    elif kind < 0.75:
        txn.execute_statement(_MOVE, f"vin {chance.randrange(_KEYS)}", True, key)
    else:
        txn.execute_statement(_DELETE, key)
        txn.execute_statement("DELETE FROM Owner AS o WHERE o.vin = ?", key)


def _toggle_index(txn: Executor) -> None:
    """Drop the index on Owner, or build it over what is there."""
    text = "SELECT VALUE t.indexes FROM information_schema.user_tables AS t WHERE t.name = 'Owner'"
    (indexes,) = txn.execute_statement(text)
    if indexes:
        txn.execute_statement(f'DROP INDEX "{indexes[0]["indexId"]}" ON Owner WITH (purge = true)')
    else:
        txn.execute_statement("CREATE INDEX ON Owner (vin)")


def _redact(chance: random.Random, txn: Executor) -> None:
    """Redact some revision of a car that is no longer current, when there is one with data."""
    (table_id,) = txn.execute_statement(
        "SELECT VALUE t.tableId FROM information_schema.user_tables AS t WHERE t.name = 'Car'"
    )
    text = "SELECT h.blockAddress, h.metadata.id, h.metadata.version, h.data FROM history(Car) AS h"
    rows = list(txn.execute_statement(text))
    newest = {row["id"]: row["version"] for row in rows}  # the oldest revision comes first
    past = [row for row in rows if row["version"] < newest[row["id"]] and row.get("data")]
    if past:
        row = chance.choice(past)
        text = "EXEC REDACT_REVISION ?, ?, ?"
        txn.execute_statement(text, row["blockAddress"], table_id, row["id"])


def main() -> None:
    """Write, and answer what is durable."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--commits", type=int, required=True)
    parser.add_argument("--pad", type=int, required=True)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with Ledger.open(options.path) as ledger:
        _write(ledger, chance, options.commits // 4, options.pad)
    ledger = Ledger.open(options.path)
    _write(ledger, chance, options.commits - options.commits // 4, options.pad)
    os._exit(0)  # nothing is closed, as when the power fails


def _write(ledger: Ledger, chance: random.Random, commits: int, pad_bytes: int) -> None:
    for _ in islice(iter_commits(ledger, chance, pad_bytes), commits):
        os.write(1, f"{answer_of(ledger)}\n".encode())


if __name__ == "__main__":
    main()
