"""The sink passes the kit, on a server behind real sockets."""

from __future__ import annotations

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import check_sink
from tests.sinks.opensearch import kit_sinks


@pytest.mark.timeout(600)
def test_it_passes_the_kit(opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens to it, what stands under each key is that of one clean run."""
    monkeypatch.setenv(kit_sinks.SERVER, opensearch_url)
    report = check_sink(
        "tests.sinks.opensearch.kit_sinks:opensearch",
        kit_sinks.read_back,
        guarantee=Guarantee.AT_LEAST_ONCE,
        kills=2,
    )
    assert ("at least once, harmless", "in order", "erases") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )
