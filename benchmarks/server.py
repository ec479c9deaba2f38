"""
The server on loopback: transactions a second through AWS's drivers, and who costs what.

The server is a process of its own. A transaction is three calls (StartTransaction, one
insert, CommitTransaction) and durable when it is answered. What the server itself takes of a
call is seen through a bare socket, which sends requests that are written already.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks._bare_client import BareClient
from benchmarks._timing import Row, rate_row
from qldb_stream.clients import connect
from qldb_stream.ledger import Ledger

NODE: Final = Path(__file__).resolve().parent.parent / "tests" / "drivers" / "node"
ROUNDS: Final = 3
TRANSACTIONS: Final = 300
CALLS: Final = 3
CLIENTS: Final = 4
# Beyond amazon.ion 0.9.3 its reader is in C, and a transaction costs the client less.
TARGETS: Final = {True: 150, False: 100}


@attrs.frozen
class Rate:
    """Transactions a second, and what CPU time each costs the client."""

    per_s: float
    cpu_ms: float


SERVE: Final = """
import sys
from qldb_stream.server import Server

with Server(sys.argv[1]) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def run() -> Iterator[Row]:
    """Measure one client, four, Node's, and the server's own share."""
    version = importlib.metadata.version("amazon.ion")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for name in ("one", "four", "node", "bare"):
            with Ledger.open(Path(folder) / f"{name}.ledger", name=name) as ledger:
                ledger.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE T"))
        with _serve(folder) as url:
            one = max((_measure_client(url, "one") for _ in range(ROUNDS)), key=_per_s)
            target = TARGETS[version != "0.9.3"]
            yield rate_row(f"pyqldb, amazon.ion {version}, one client", one.per_s, target)
            four = max(_measure_clients(url, "four") for _ in range(ROUNDS))
            ratio = four / one.per_s
            value = f"{four:,.0f}/s, {ratio:.2f}x one client's"
            yield Row(f"pyqldb, {CLIENTS} processes", value, ">= 1.2x", ratio >= 1.2)
            node = _measure_node(url)
            bare = _measure_bare(url)
            if node.per_s:
                yield rate_row("Node driver, one client", node.per_s, 200)
            else:
                yield Row("Node driver", "left out: run tests/drivers first, they install it")
            yield from _share_rows({"pyqldb": one, "the Node driver": node}, bare)


def _per_s(rate: Rate) -> float:
    return rate.per_s


def _share_rows(clients: dict[str, Rate], bare: dict[str, float]) -> Iterator[Row]:
    """Say what of a call is the server's, and what the clients add to it."""
    mean_ms = sum(bare.values()) / len(bare)
    each = ", ".join(f"{name} {ms:.2f}" for name, ms in bare.items())
    yield Row("the server's share of a call", f"{mean_ms:.2f} ms", "< 0.8 ms", mean_ms < 0.8)
    yield Row("  by kind", each)
    for name, rate in clients.items():
        if rate.per_s:
            waited_ms = 1000 / rate.per_s / CALLS
            value = f"{waited_ms - mean_ms:.2f} ms, {rate.cpu_ms / CALLS:.2f} ms of CPU"
            yield Row(f"what {name} adds to a call", value)


@contextmanager
def _serve(folder: str) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


# --- pyqldb -------------------------------------------------------------------------------


def _insert(driver: Any, times: int) -> None:
    for n in range(times):
        document = {"n": n, "name": "x"}
        driver.execute_lambda(
            lambda txn, document=document: txn.execute_statement("INSERT INTO T ?", document)
        )


def _measure_client(url: str, ledger: str) -> Rate:
    with connect(ledger, endpoint_url=url) as driver:
        _insert(driver, 20)
        began, used = time.perf_counter(), time.process_time()
        _insert(driver, TRANSACTIONS)
        cpu_ms = (time.process_time() - used) * 1000 / TRANSACTIONS
        return Rate(TRANSACTIONS / (time.perf_counter() - began), cpu_ms)


def _measure_clients(url: str, ledger: str) -> float:
    """Start the clients, let them warm up, and time them from one moment to the last's end."""
    command = [sys.executable, "-m", "benchmarks.server", url, ledger]
    clients = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENTS)
    ]
    for client in clients:
        _hear(client)
    began = time.perf_counter()
    for client in clients:
        assert client.stdin is not None
        client.stdin.write("go\n")
        client.stdin.flush()
    for client in clients:
        _hear(client)
    elapsed = time.perf_counter() - began
    for client in clients:
        client.communicate()
    return CLIENTS * TRANSACTIONS / elapsed


def _hear(client: subprocess.Popen[str]) -> None:
    assert client.stdout is not None
    assert client.stdout.readline(), "a client broke off"


def _be_a_client(url: str, ledger: str) -> None:
    with connect(ledger, endpoint_url=url) as driver:
        _insert(driver, 20)
        print("ready", flush=True)
        sys.stdin.readline()
        _insert(driver, TRANSACTIONS)
        print("done", flush=True)


# --- Node and the bare socket -------------------------------------------------------------


def _measure_node(url: str) -> Rate:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules").is_dir():
        return Rate(0.0, 0.0)
    done = subprocess.run(
        [node, str(NODE / "life.js"), "speed", url, "node", str(TRANSACTIONS * ROUNDS)],
        stdout=subprocess.PIPE,  # what goes wrong is for whoever watches
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)["insert"]
    return Rate(told["perSecond"], told["cpuMs"])


def _measure_bare(url: str) -> dict[str, float]:
    """Give milliseconds of each of a transaction's calls, the best round's mean."""
    with BareClient(url, "bare") as client:
        client.insert(50)
        rounds = [client.insert(TRANSACTIONS) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda times: sum(times.values()))
    return {name: seconds * 1000 / TRANSACTIONS for name, seconds in best.items()}


if __name__ == "__main__":
    _be_a_client(*sys.argv[1:])
