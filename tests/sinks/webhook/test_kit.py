"""The kit, over TLS, with what the receiver took as the content."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.pipeline import Pipeline
from qldb_stream.report import Guarantee
from qldb_stream.sinks.webhook._sink import WebhookSink
from qldb_stream.testing import make_journal
from qldb_stream.testing.kit import ReadBack, check_sink
from tests.sinks.messages.kits import check_quickly
from tests.sinks.webhook.server import Receiver


@pytest.fixture
def url(tls_receiver: Receiver, certificate: Path) -> str:
    """The URL of a sink over TLS, for the kit."""
    return f"webhook+https://127.0.0.1:{tls_receiver.port}/{{n}}?ca={certificate}"


@pytest.fixture
def read_back(tls_receiver: Receiver) -> ReadBack:
    """Gives ids and bodies of what was taken on a sink's path."""

    def read(sink: WebhookSink) -> Any:
        path = urlsplit(sink._settings.url).path  # noqa: SLF001 - where it sends to
        taken = tls_receiver.taken.get(path, ())
        return [(headers["webhook-id"], body) for headers, body in taken]

    return read


def test_it_passes_the_kit(url: str, read_back: ReadBack) -> None:
    """Repeats carry the same id and the same body; nothing is lost, and all is in order."""
    report = check_quickly(
        url, read_back, Guarantee.AT_LEAST_ONCE, "one clean run", "killed at random moments"
    )
    assert ("at least once, harmless", "in order", "does not erase, and claims nothing") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_it_passes_all_of_the_kit(url: str, read_back: ReadBack) -> None:
    """Crashes, and two workers at once, too."""
    assert check_sink(url, read_back).ok


def test_certificates_are_verified(tls_receiver: Receiver) -> None:
    """One that nobody vouches for ends the run before anything is sent."""
    with pytest.raises(UsageError, match="a certificate that is not trusted; see the option ca"):
        Pipeline(f"webhook+https://127.0.0.1:{tls_receiver.port}/unseen").run(
            make_journal(1, blocks=2)
        )
    assert "/unseen" not in tls_receiver.taken
