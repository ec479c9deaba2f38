"""Clients that work at once lose nothing, and meet no error but conflicts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from tests.ledger.support import check_state
from tests.soak import http_clients
from tests.soak.clients import main, run_threads


def test_no_client_loses_an_update(tmp_path: Path) -> None:
    """Counter, money and documents are what four clients were answered in some seconds."""
    with Ledger.open(tmp_path / "clients.ledger") as ledger:
        done = run_threads(ledger, 3.0)
        done.check(ledger)
        check_state(ledger)
    assert all(tally.added and tally.inserted and tally.moved for tally in done.tallies)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_clients_work_for_minutes_in_flat_memory() -> None:
    """The same holds for QLDB_STREAM_SOAK_SECONDS, ten minutes by default, in flat memory."""
    assert 0 == main(["--seconds", os.environ.get("QLDB_STREAM_SOAK_SECONDS", "600")])


def test_no_client_of_a_server_loses_an_update(tmp_path: Path) -> None:
    """The same holds for pyqldb in four processes, over HTTP."""
    done = http_clients.run_processes(tmp_path, 4.0)
    with Ledger.open(tmp_path / "clients.ledger") as ledger:
        done.check(ledger)
        check_state(ledger)
    assert all(tally.inserted for tally in done.tallies)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_clients_of_a_server_work_for_minutes_in_its_flat_memory() -> None:
    """So it does, for the same time, in the memory of the server's process."""
    seconds = os.environ.get("QLDB_STREAM_SOAK_SECONDS", "600")
    assert 0 == http_clients.main(["--seconds", seconds])
