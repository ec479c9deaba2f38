"""The kit on a broker; see `brokers.REAL` for what a mock cannot show."""

from __future__ import annotations

import pytest

from qldb_stream.testing.kit import check_sink
from tests.sinks.kafka.brokers import GUARANTEE, OPTIONS, read_back
from tests.sinks.messages.kits import check_quickly


def test_it_passes_the_kit(brokers: str) -> None:
    """Whatever happens to it, what a consumer reads is what one clean run leaves."""
    url = f"kafka:{brokers}/kit-{{n}}?{OPTIONS}"
    report = check_quickly(url, read_back, GUARANTEE)
    assert "does not erase, and claims nothing" == report.badge.erase


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_all_of_the_kit(brokers: str) -> None:
    """Crashes around and within each transaction, and two workers at once, too."""
    url = f"kafka:{brokers}/kit-{{n}}?{OPTIONS}"
    assert check_sink(url, read_back, guarantee=GUARANTEE).ok
