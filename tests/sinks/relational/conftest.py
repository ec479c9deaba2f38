"""Each test of what the relational sinks share runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.relational.databases import Place, SqliteFile, make_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        folder = tmp_path / "db"
        folder.mkdir()
        yield SqliteFile(folder)
        return
    with make_postgres(request.getfixturevalue("postgres")) as made:
        yield made
