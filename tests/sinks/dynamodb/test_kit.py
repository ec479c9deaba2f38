"""The sink passes the kit, on a DynamoDB that moto plays."""

from __future__ import annotations

import pytest

from qldb_stream.testing.kit import check_sink


@pytest.mark.timeout(600)
def test_it_passes_the_kit(dynamodb_url: str) -> None:
    """Whatever happens to it, its content is that of one clean run."""
    report = check_sink("tests.sinks.dynamodb.kit_sinks:dynamodb", kills=1)
    assert ("exactly once", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )
