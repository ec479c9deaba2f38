"""A writer that is killed at random moments loses nothing that it answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.kill_writer import main, run_ledger


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_writer_loses_no_answered_commit(seed: int, tmp_path: Path) -> None:
    """After each of five kills answers are there, the chain verifies, state is the journal's."""
    run_ledger(tmp_path, seed, rounds=5)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_many_killed_writers_lose_no_answered_commit() -> None:
    """The same holds for QLDB_STREAM_SOAK_KILLS kills, 1,000 by default."""
    assert 0 == main(["--rounds", os.environ.get("QLDB_STREAM_SOAK_KILLS", "1000")])
