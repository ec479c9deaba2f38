"""
Several pyqldb clients at once on a server, each a process, for as long as is wanted.

    python -m tests.soak.http_clients --seconds 600 --clients 4

What they do and what is checked afterwards is that of `clients`. The server is the command, in a
process of its own, whose memory is watched. A client retries conflicts for ever, and breaks off at
any other error, also at those that pyqldb would try again after.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.ledger import Ledger
from tests.soak.clients import (
    CLIENTS,
    SAMPLES,
    Run,
    Tally,
    is_over,
    parse_options,
    prepare,
    report,
    resident_mb,
    run_client,
)

__all__ = ["run_processes"]

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_MODULE: Final = "tests.soak.http_clients"
_LEDGER: Final = "clients"
_FIRST_WAIT_MS: Final = 5
_LONGEST_WAIT_MS: Final = 100


def run_processes(folder: Path, seconds: float, clients: int = CLIENTS) -> Run:
    """
    Let clients work in processes of their own; the ledger is `folder`/clients.ledger, made here.

    Raises:
        RuntimeError: a client met an error that is no conflict, or the server did not end well.
    """
    with Ledger.open(folder / f"{_LEDGER}.ledger", name=_LEDGER) as ledger:
        prepare(ledger)
    command = [sys.executable, "-m", "qldb_stream", "ledger", "serve", str(folder)]
    server = _start([*command, "--port", "0", "--json"])
    try:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())["url"]
        at_work = [
            _start([sys.executable, "-m", _MODULE, "--be", url, str(number), str(seconds)])
            for number in range(clients)
        ]
        seen_mb = _watch(at_work, server.pid, seconds)
        tallies = [_result(client) for client in at_work]
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate()
    if server.returncode != 0:
        raise RuntimeError(f"the server ended with {server.returncode}")
    return Run(tallies, seen_mb, seconds)


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def _watch(clients: list[subprocess.Popen[str]], server: int, seconds: float) -> list[float]:
    """Look at the server's memory from time to time, until all clients are done."""
    seen_mb: list[float] = []
    while any(client.poll() is None for client in clients):
        time.sleep(seconds / SAMPLES)
        seen_mb.append(resident_mb(server))
    return seen_mb


def _result(client: subprocess.Popen[str]) -> Tally:
    said, _ = client.communicate()
    if client.returncode != 0:
        raise RuntimeError(f"a client ended with {client.returncode}; it said why")
    return Tally(**json.loads(said))


def _be_a_client(url: str, number: int, seconds: float) -> None:
    """Work, and say what was answered."""
    from qldb_stream.clients import connect, load_ionhash

    load_ionhash()
    from pyqldb.config.retry_config import RetryConfig

    patience = RetryConfig(retry_limit=sys.maxsize, custom_backoff=_wait_ms)
    with connect(_LEDGER, endpoint_url=url, retry_config=patience) as driver:
        end = time.monotonic() + seconds
        name = f"client {number}"
        tally = run_client(driver.execute_lambda, name, number, partial(is_over, end))
    sys.stdout.write(json.dumps(attrs.asdict(tally)))


def _wait_ms(attempt: int, error: Any, _transaction_id: str) -> int:
    """Choose a wait after a conflict, and break off after anything else."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    if code != "OccConflictException":
        raise RuntimeError("a client met what is no conflict") from error
    return min(_LONGEST_WAIT_MS, _FIRST_WAIT_MS * attempt)


def main(arguments: list[str]) -> int:
    """Run clients for some time, and check what they leave; or be one of them."""
    if arguments[:1] == ["--be"]:
        url, number, seconds_text = arguments[1:]
        _be_a_client(url, int(number), float(seconds_text))
        return 0
    seconds, clients = parse_options(arguments)
    with tempfile.TemporaryDirectory() as folder:
        done = run_processes(Path(folder), seconds, clients)
        with Ledger.open(Path(folder) / f"{_LEDGER}.ledger") as ledger:
            return report(done, ledger)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
