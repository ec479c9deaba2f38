"""Journals delivered through an inbox while workers die and sinks fail end as in one clean run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.delivery import main, run_round


@pytest.mark.parametrize("seed", range(1, 31))
def test_a_delivery_that_crashes_ends_as_a_clean_run(seed: int, tmp_path: Path) -> None:
    """Whatever dies or fails at whatever moment, every sink equals the journal."""
    run_round(tmp_path, seed)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_many_deliveries_end_as_clean_runs() -> None:
    """The same holds for QLDB_STREAM_SOAK_ROUNDS rounds, 500 by default."""
    assert 0 == main(["--rounds", os.environ.get("QLDB_STREAM_SOAK_ROUNDS", "500")])
