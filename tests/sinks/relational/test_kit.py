"""The relational sinks pass the kit, on real databases."""

from __future__ import annotations

import json

import pytest

from qldb_stream.testing.kit import check_sink
from tests.sinks import kit_read_backs
from tests.sinks.relational import kit_sinks


@pytest.mark.timeout(600)
def test_sqlite_passes_the_kit() -> None:
    """Whatever happens to it, its content is that of one clean run."""
    report = check_sink("sqlite:{tmp}/x.db", kit_read_backs.relational, kills=3)
    assert ("exactly once", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )


@pytest.mark.timeout(900)
def test_postgresql_passes_the_kit(
    postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on a PostgreSQL server."""
    monkeypatch.setenv(kit_sinks.SERVER, json.dumps(postgres))
    report = check_sink(
        "tests.sinks.relational.kit_sinks:postgres",
        kit_read_backs.relational,
        kills=3,
        can_park=True,
        takes_filtered=True,
    )
    assert ("exactly once", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )
