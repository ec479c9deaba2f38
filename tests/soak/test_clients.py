"""Clients that work at once lose nothing, and meet no error but conflicts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from qldb_stream.ledger import Ledger
from tests.ledger.support import check_state
from tests.soak import http_clients
from tests.soak.clients import Run, Tally, main, run_threads

SECONDS: Final = float(os.environ.get("QLDB_STREAM_SOAK_SECONDS", "600"))
# Four clients have all the time; two meet less often, and have a fifth of it besides.
SOAKS: Final = [(4, SECONDS), (2, SECONDS / 5)]


@pytest.mark.parametrize("clients", [2, 4])
def test_no_client_loses_an_update(tmp_path: Path, clients: int) -> None:
    """Counter, money and documents are what clients were answered in some seconds."""
    with Ledger.open(tmp_path / "clients.ledger") as ledger:
        done = run_threads(ledger, 2.0, clients)
        done.check(ledger)
        check_state(ledger)
    assert clients == len(done.tallies)
    assert all(tally.added and tally.inserted and tally.moved for tally in done.tallies)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(("clients", "seconds"), SOAKS)
def test_clients_work_for_minutes_in_flat_memory(clients: int, seconds: float) -> None:
    """The same holds for QLDB_STREAM_SOAK_SECONDS, ten minutes by default, in flat memory."""
    assert 0 == main(["--seconds", str(seconds), "--clients", str(clients)])


@pytest.mark.parametrize("clients", [2, 4])
def test_no_client_of_a_server_loses_an_update(tmp_path: Path, clients: int) -> None:
    """The same holds for pyqldb in processes, over HTTP."""
    done = http_clients.run_processes(tmp_path, 3.0, clients)
    with Ledger.open(tmp_path / "clients.ledger") as ledger:
        done.check(ledger)
        check_state(ledger)
    assert clients == len(done.tallies)
    assert all(tally.inserted for tally in done.tallies)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(("clients", "seconds"), SOAKS)
def test_clients_of_a_server_work_for_minutes_in_its_flat_memory(
    clients: int, seconds: float
) -> None:
    """So it does, for the same time, in the memory of the server's process."""
    assert 0 == http_clients.main(["--seconds", str(seconds), "--clients", str(clients)])


def test_memory_that_grows_is_seen() -> None:
    """After the first minute of a long run, or the first quarter of a short one."""
    grows = [100.0 + 2 * number for number in range(40)]
    flat = [20.0 * number for number in range(4)] + [80.0] * 36
    Run([Tally()], flat, 600.0).check_memory()
    for seconds in (600.0, 60.0):
        with pytest.raises(AssertionError, match="MB to"):
            Run([Tally()], grows, seconds).check_memory()


def test_an_update_that_is_lost_is_seen(tmp_path: Path) -> None:
    """One more addition answered than the counter has."""
    with Ledger.open(tmp_path / "clients.ledger") as ledger:
        done = run_threads(ledger, 0.1, 2)
        done.tallies[0].added += 1
        with pytest.raises(AssertionError, match="an update was lost"):
            done.check(ledger)
