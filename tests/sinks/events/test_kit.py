"""The kit, on a FIFO queue of moto's server, which takes a queue's messages ever more slowly."""

from __future__ import annotations

import pytest

from qldb_stream.report import Guarantee
from qldb_stream.testing.kit import check_sink
from tests.sinks.events.channels import kit_queue, read_back
from tests.sinks.messages.kits import check_quickly


def test_it_passes_the_kit() -> None:
    """Repeats carry the same id and the same body; nothing is lost, and documents are in order."""
    report = check_quickly(kit_queue, read_back, Guarantee.AT_LEAST_ONCE)
    assert ("at least once, harmless", "does not erase, and claims nothing") == (
        report.badge.guarantee,
        report.badge.erase,
    )


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_all_of_the_kit() -> None:
    """Processes that are killed, and two at once, too."""
    assert check_sink(kit_queue, read_back, guarantee=Guarantee.AT_LEAST_ONCE, kills=2).ok
