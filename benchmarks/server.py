"""
The server on loopback: transactions a second through AWS's drivers, and who costs what.

The server is a process of its own. A transaction is three calls (StartTransaction, one
insert, CommitTransaction) and durable when it is answered. What the server itself takes of a
call is seen through a bare socket, which sends requests that are written already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks._bare_client import BareClient
from benchmarks._pyqldb_client import (
    TRANSACTIONS,
    PyqldbClient,
    Rate,
    interpreters,
    start_clients,
)
from benchmarks._timing import Row, rate_row
from qldb_stream.ledger import Ledger

NODE: Final = Path(__file__).resolve().parent.parent / "tests" / "drivers" / "node"
ROUNDS: Final = 3
WARM_UP: Final = 50
CALLS: Final = 3
CLIENTS: Final = 4
# Beyond amazon.ion 0.9.3 its reader is in C, and a transaction costs the client less.
TARGETS: Final = {True: 150, False: 100}


SERVE: Final = """
import sys
from qldb_stream.server import Server

with Server(sys.argv[1]) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def run() -> Iterator[Row]:
    """Measure one client and four, on each amazon.ion; Node's; and the server's own share."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for name in ("pyqldb", "node", "bare"):
            with Ledger.open(Path(folder) / f"{name}.ledger", name=name) as ledger:
                ledger.driver().execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE T"))
        with serve(folder) as (url, process):
            costs: dict[str, Rate] = {}
            for python in interpreters():
                yield from _pyqldb_rows(python, url, process, costs)
            node = _measure_node(url)
            if node.per_s:
                yield rate_row("Node driver, one client", node.per_s, 200)
                costs["the Node driver"] = node
            else:
                yield Row("Node driver", "left out: run tests/drivers first, they install it")
            used_s = cpu_seconds(process)
            bare = _measure_bare(url)
            used_s = cpu_seconds(process) - used_s
            calls = (WARM_UP + ROUNDS * TRANSACTIONS) * CALLS
            yield from _share_rows(costs, bare, used_s * 1000 / calls)


def _pyqldb_rows(
    python: str, url: str, server: subprocess.Popen[str], costs: dict[str, Rate]
) -> Iterator[Row]:
    """Measure one pyqldb client of an interpreter, then four of them, in processes."""
    with start_clients(python, url, "pyqldb", 1) as (client,):
        one = max((_measure_round([client]) for _ in range(ROUNDS)), key=_per_s)
        what = f"pyqldb, amazon.ion {client.version}"
    costs[what] = one
    yield rate_row(f"{what}, one client", one.per_s, TARGETS["0.9.3" not in what])
    with start_clients(python, url, "pyqldb", CLIENTS) as clients:
        used_s = cpu_seconds(server)
        four = max((_measure_round(clients) for _ in range(ROUNDS)), key=_per_s)
        used_s = cpu_seconds(server) - used_s
    ratio = four.per_s / one.per_s
    value = f"{four.per_s:,.0f}/s, {ratio:.2f}x one client's"
    yield Row(f"  {CLIENTS} processes", value, ">= 1.2x", ratio >= 1.2)
    server_ms = used_s * 1000 / (CLIENTS * ROUNDS * TRANSACTIONS)
    yield Row(
        "  CPU of a transaction", f"{four.cpu_ms:.2f} ms a client, {server_ms:.2f} ms the server"
    )


def _measure_round(clients: Sequence[PyqldbClient]) -> Rate:
    """Let clients make a round at once; timed from one moment to the last's end."""
    began = time.perf_counter()
    for client in clients:
        client.begin()
    rates = [client.end() for client in clients]
    elapsed_s = time.perf_counter() - began
    mean_cpu_ms = sum(rate.cpu_ms for rate in rates) / len(rates)
    return Rate(len(clients) * TRANSACTIONS / elapsed_s, mean_cpu_ms)


def _per_s(rate: Rate) -> float:
    return rate.per_s


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Ask Linux for the CPU time that a process has used; 0 elsewhere."""
    try:
        text = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _share_rows(clients: dict[str, Rate], bare: dict[str, float], cpu_ms: float) -> Iterator[Row]:
    """Say what of a call is the server's, and what the clients add to it."""
    mean_ms = sum(bare.values()) / len(bare)
    each = ", ".join(f"{name} {ms:.2f}" for name, ms in bare.items())
    yield Row("the server's share of a call", f"{mean_ms:.2f} ms", "< 0.8 ms", mean_ms < 0.8)
    yield Row("  by kind", each)
    yield Row("  its CPU time", f"{cpu_ms:.2f} ms")
    for name, rate in clients.items():
        waited_ms = 1000 / rate.per_s / CALLS
        value = f"{waited_ms - mean_ms:.2f} ms, {rate.cpu_ms / CALLS:.2f} ms of CPU"
        yield Row(f"what {name} adds to a call", value)


@contextmanager
def serve(folder: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), server
        finally:
            server.stdin.close()


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
        client.insert(WARM_UP)
        rounds = [client.insert(TRANSACTIONS) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda times: sum(times.values()))
    return {name: seconds * 1000 / TRANSACTIONS for name, seconds in best.items()}
