"""
A pyqldb client as a process of its own: `python -m benchmarks._pyqldb_client URL LEDGER ROUNDS`.

It warms up, says that it is ready, and then makes one round of transactions for each line that it
is sent, answering with what the round took. Which amazon.ion it has is its interpreter's business.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

__all__ = ["TRANSACTIONS", "PyqldbClient", "Rate", "interpreters", "start_clients"]

TRANSACTIONS: Final = 300
ROOT: Final = Path(__file__).resolve().parent.parent
_OTHER: Final = ROOT / ".venv-qldb" / "bin" / "python"


@attrs.frozen
class Rate:
    """Transactions a second, and what CPU time each costs the client."""

    per_s: float
    cpu_ms: float


@attrs.frozen
class PyqldbClient:
    """A client process, warmed up."""

    process: subprocess.Popen[str]
    version: str

    def begin(self) -> None:
        """Let it make a round of transactions."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> Rate:
        """Wait for the round's end."""
        return Rate(**_hear(self.process))


def interpreters() -> Iterator[str]:
    """Give this interpreter, and that of the environment with amazon.ion 0.9.3 where it is made."""
    yield sys.executable
    if _OTHER.exists() and Path(sys.prefix) != _OTHER.parent.parent:
        yield str(_OTHER)


@contextmanager
def start_clients(python: str, url: str, ledger: str, number: int) -> Iterator[list[PyqldbClient]]:
    """Start client processes; they have warmed up when this returns, and end with the `with`."""
    command = [python, "-m", "benchmarks._pyqldb_client", url, ledger]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(number)
        ]
        try:
            yield [PyqldbClient(client, _hear(client)["version"]) for client in clients]
        finally:
            for client in clients:
                assert client.stdin is not None
                client.stdin.close()


def _hear(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "a client broke off"
    return json.loads(line)


# --- in the client's process ------------------------------------------------------------------


def _insert(driver: Any, times: int) -> None:
    for n in range(times):
        document = {"n": n, "name": "x"}
        driver.execute_lambda(
            lambda txn, document=document: txn.execute_statement("INSERT INTO T ?", document)
        )


def _measure(driver: Any) -> Rate:
    began, used = time.perf_counter(), time.process_time()
    _insert(driver, TRANSACTIONS)
    cpu_ms = (time.process_time() - used) * 1000 / TRANSACTIONS
    return Rate(TRANSACTIONS / (time.perf_counter() - began), cpu_ms)


def _say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def main(arguments: Sequence[str]) -> None:
    from qldb_stream.clients import connect

    url, ledger = arguments
    with connect(ledger, endpoint_url=url) as driver:
        _insert(driver, 20)
        _say({"version": importlib.metadata.version("amazon.ion")})
        for _ in sys.stdin:
            _say(attrs.asdict(_measure(driver)))


if __name__ == "__main__":
    main(sys.argv[1:])
