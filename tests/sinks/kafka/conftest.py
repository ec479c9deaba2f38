"""Brokers for all tests of the sink."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from tests.sinks.kafka.brokers import OPTIONS, run_brokers

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    """Where brokers are."""
    with run_brokers() as address:
        yield address


@pytest.fixture
def url(brokers: str) -> str:
    """The URL of a sink whose topics are this test's own."""
    return f"kafka:{brokers}/cars-{os.getpid()}-{next(NUMBERS)}?{OPTIONS}"
