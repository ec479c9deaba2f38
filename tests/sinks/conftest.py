"""What the tests of ledger sinks share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qldb_stream.ledger import Ledger


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """An empty destination in memory."""
    with Ledger.open(":memory:") as opened:
        yield opened
