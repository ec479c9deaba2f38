"""A replay that is killed at random moments loses nothing and repeats nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.kill_replay import main, run_round


@pytest.mark.parametrize("seed", [1, 3, 10])
def test_a_killed_replay_equals_its_source(seed: int, tmp_path: Path) -> None:
    """Killed with SIGKILL and started again until done, the destination equals the source."""
    run_round(tmp_path, seed, blocks=300, kills=4).check()


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_many_killed_replays_equal_their_sources() -> None:
    """The same holds for 2,000 blocks and QLDB_STREAM_SOAK_ROUNDS rounds, 200 by default."""
    rounds = os.environ.get("QLDB_STREAM_SOAK_ROUNDS", "200")
    assert 0 == main(["--rounds", rounds])
