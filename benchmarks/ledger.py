"""
The embedded ledger in process: durable inserts, look-ups, history, memory, opening.

Small rounds, in turn with what they are compared to; the best round counts, because the
others say what else the machine did. What a process's memory and its first opening come
to is measured in a process of its own: `python -m benchmarks.ledger PATH DOCUMENTS`.
"""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._disk import bare_commits
from benchmarks._ledgers import FOLDER, OLDEST, REVISIONS, ask, document, key_of, ledger_of
from benchmarks._timing import ROUNDS, Row, best_us, ceiling_row, rate_row
from qldb_stream.ledger import Executor, Ledger

SMALL, LARGE = 10_000, 1_000_000

INSERT_ROUNDS = 12
INSERTS = 150  # in a round: a tenth of a second
SELECTS = 2_000  # in a transaction
SELECT = "SELECT * FROM T AS t WHERE t.k = ?"
HISTORY = "SELECT * FROM history(T) AS h WHERE h.metadata.id = ?"
HISTORIES = 50


def run() -> list[Row]:
    """Measure, and give the table's rows."""
    small, large = ledger_of(SMALL), ledger_of(LARGE)
    return [
        *_insert_rows(large),
        *_read_rows(small, large),
        *_process_rows(small, large),
    ]


# --- durable inserts -----------------------------------------------------------------------


def _insert_rows(large: Path) -> list[Row]:
    """Insert into a new ledger and into a copy of the large one, a commit for each."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        new, copy, bare = (Path(folder) / name for name in ("new", "copy", "bare"))
        shutil.copyfile(large, copy)
        with Ledger.open(new) as empty, Ledger.open(copy) as full:
            ask(empty, "CREATE TABLE T")
            ask(empty, "CREATE INDEX ON T (k)")
            rounds = [
                (_insert(empty), _insert(full), bare_commits(bare, INSERTS))
                for _ in range(INSERT_ROUNDS)
            ]
    into_new = max(per_s for (per_s, _), _, _ in rounds)
    into_large = max(per_s for _, (per_s, _), _ in rounds)
    cpu_us = min(us for _, (_, us), _ in rounds)
    return [
        rate_row("single inserts, each its own durable commit", into_new, 1_200),
        rate_row(f"  into {LARGE:,} documents", into_large, 1_200),
        Row("  of that, this process's CPU", f"{cpu_us:.0f} us each"),
        Row(
            "  bare SQLite commits of 2 kB, in turn", f"{max(bare for _, _, bare in rounds):,.0f}/s"
        ),
    ]


def _insert(ledger: Ledger) -> tuple[float, float]:
    """Insert a round's documents; give transactions per second, and CPU microseconds each."""
    driver = ledger.driver()
    documents = iter([document(number, random.randbytes(8).hex()) for number in range(INSERTS)])

    def insert(txn: Executor) -> None:
        txn.execute_statement("INSERT INTO T ?", next(documents))

    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(INSERTS):
        driver.execute_lambda(insert)
    seconds = time.perf_counter() - started
    return INSERTS / seconds, (time.process_time() - cpu) / INSERTS * 1e6


# --- reading -------------------------------------------------------------------------------


def _read_rows(small: Path, large: Path) -> list[Row]:
    with Ledger.open(small) as one, Ledger.open(large) as other:
        cpu_us = _cpu_us(_selects(other, LARGE))
        selects = best_us({"small": _selects(one, SMALL), "large": _selects(other, LARGE)}, SELECTS)
        history = best_us({"small": _histories(one), "large": _histories(other)}, HISTORIES)
    return [
        rate_row(f"point SELECTs over {LARGE:,} documents", 1e6 / selects["large"], 10_000),
        Row("  of that, this process's CPU", f"{cpu_us:.0f} us each"),
        _slower_row(f"  slower than over {SMALL:,}", selects, 1.5),
        _slower_row(f"history of {REVISIONS} revisions, slower so", history, 1.5),
    ]


def _slower_row(what: str, times_us: dict[str, float], target: float) -> Row:
    ratio = times_us["large"] / times_us["small"]
    value = f"{ratio:.2f}x  ({times_us['large']:.1f} us against {times_us['small']:.1f} us)"
    return Row(what, value, f"<= {target:g}x", ratio <= target)


def _selects(ledger: Ledger, documents: int) -> Callable[[], None]:
    """Look up documents by their indexed field, all in one transaction, never one twice."""
    chance = random.Random(7)

    def select() -> None:
        transaction = ledger.start_transaction()
        for number in chance.sample(range(documents), SELECTS):
            (row,) = transaction.execute_statement(SELECT, key_of(number))
            assert row["miles"] == number
        transaction.commit()

    return select


def _cpu_us(select: Callable[[], None]) -> float:
    """Time look-ups by this process's own clock, which stands still while others run."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        select()
        best = min(best, time.process_time() - started)
    return best / SELECTS * 1e6


def _histories(ledger: Ledger) -> Callable[[], None]:
    (document_id,) = ask(ledger, "SELECT VALUE id FROM T AS t BY id WHERE t.k = ?", OLDEST)

    def read() -> None:
        for _ in range(HISTORIES):
            assert len(ask(ledger, HISTORY, document_id)) == REVISIONS

    return read


# --- a process of its own ------------------------------------------------------------------


def _process_rows(small: Path, large: Path) -> list[Row]:
    of_small, of_large = _in_a_process(small, SMALL), _in_a_process(large, LARGE)
    grown = of_large["used_mb"] - of_small["used_mb"]
    return [
        ceiling_row(
            f"opening {LARGE:,} documents, in a new process", of_large["first_ms"], "ms", 200
        ),
        Row("  again", f"{of_large['again_ms']:.1f} ms, {of_small['again_ms']:.1f} of {SMALL:,}"),
        Row("resident memory after import", f"{of_large['import_mb']:.0f} MB"),
        Row(
            "  of a ledger opened",
            f"{of_large['open_mb']:.0f} MB, {of_small['open_mb']:.0f} of {SMALL:,}",
        ),
        Row("  and used", f"{of_large['used_mb']:.0f} MB, {of_small['used_mb']:.0f} of {SMALL:,}"),
        ceiling_row("  difference; SQLite's cache may take 16.8", grown, "MB", 20),
    ]


def _in_a_process(path: Path, documents: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.ledger", str(path), str(documents)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _measure(path: str, documents: int) -> dict[str, float]:
    """Open a ledger, read much of it, and say what that took."""
    found = {"import_mb": _resident_mb()}
    found["first_ms"], ledger = _open_ms(path)
    found["open_mb"] = _resident_mb()
    select = _selects(ledger, documents)
    for _ in range(10):
        select()
    _count(ledger)
    gc.collect()
    found["used_mb"] = _resident_mb()
    ledger.close()
    again_ms = []
    for _ in range(10):
        took_ms, ledger = _open_ms(path)
        ledger.close()
        again_ms.append(took_ms)
    return found | {"again_ms": min(again_ms)}


def _open_ms(path: str) -> tuple[float, Ledger]:
    started = time.perf_counter()
    ledger = Ledger.open(path)
    return (time.perf_counter() - started) * 1000, ledger


def _count(ledger: Ledger) -> None:
    """Go once through the whole table."""
    ((counted,),) = ((row["_1"],) for row in ask(ledger, "SELECT COUNT(*) FROM T"))
    assert counted > 1


def _resident_mb() -> float:
    """Ask Linux for the pages that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _main(arguments: list[str]) -> dict[str, Any]:
    path, documents = arguments
    return _measure(path, int(documents))


if __name__ == "__main__":
    print(json.dumps(_main(sys.argv[1:])))
