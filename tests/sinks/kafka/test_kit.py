"""The kit on a broker; see `brokers.REAL` for what a mock cannot show."""

from __future__ import annotations

from qldb_stream.testing.kit import check_sink
from tests.sinks.kafka.brokers import GUARANTEE, OPTIONS, read_back


def test_it_passes_the_kit(brokers: str) -> None:
    """Whatever happens to it, what a consumer reads is what one clean run leaves."""
    url = f"kafka:{brokers}/kit-{{n}}?{OPTIONS}"
    report = check_sink(url, read_back, guarantee=GUARANTEE, kills=2)
    assert ("in order", "does not erase, and claims nothing") == (
        report.badge.order,
        report.badge.erase,
    )
