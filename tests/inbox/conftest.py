"""Every test that takes `inbox` runs in memory and on a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.inbox import open_inbox
from qldb_stream.typing import Inbox


@pytest.fixture(params=["memory", "sqlite"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inbox]:
    """A new inbox of each kind."""
    name = "memory:" if request.param == "memory" else f"sqlite:{tmp_path / 'new.inbox'}"
    opened = open_inbox(name)
    yield opened
    opened.close()
