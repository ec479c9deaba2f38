"""The sink passes the kit, on a DynamoDB that moto plays."""

from __future__ import annotations

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import check_sink
from tests.sinks.messages.kits import check_quickly

SINK = "tests.sinks.dynamodb.kit_sinks:dynamodb"
MORE = (
    "one clean run",
    "a crash within each apply",
    "killed at random moments",
    "two workers at once",
)


@pytest.mark.timeout(600)
def test_it_passes_the_kit(dynamodb_url: str) -> None:
    """Whatever happens to it, its content is that of one clean run."""
    report = check_quickly(SINK, None, Guarantee.EXACTLY_ONCE, *MORE)
    assert ("exactly once", "erases") == (report.badge.guarantee, report.badge.erase)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_all_of_the_kit(dynamodb_url: str) -> None:
    """Every way to crash with every hard document, too."""
    report = check_sink(SINK)
    assert ("exactly once", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )
