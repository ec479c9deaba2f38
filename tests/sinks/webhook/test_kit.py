"""The kit, over TLS, with what the receiver took as the content."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from qldb_stream.sinks.webhook._sink import WebhookSink
from qldb_stream.testing.kit import check_sink
from tests.sinks.webhook.server import Receiver


def test_it_passes_the_kit(tls_receiver: Receiver, certificate: Path) -> None:
    """Repeats carry the same id and the same body; nothing is lost, and all is in order."""

    def read_back(sink: WebhookSink) -> Any:
        path = urlsplit(sink._settings.url).path  # noqa: SLF001 - where it sends to
        taken = tls_receiver.taken.get(path, ())
        return [(headers["webhook-id"], body) for headers, body in taken]

    url = f"webhook+https://127.0.0.1:{tls_receiver.port}/{{n}}?ca={certificate}"
    report = check_sink(url, read_back, kills=2)
    assert ("at least once, harmless", "in order", "does not erase, and claims nothing") == (
        report.badge.guarantee,
        report.badge.order,
        report.badge.erase,
    )


def test_certificates_are_verified(tls_receiver: Receiver) -> None:
    """One that nobody vouches for ends the run before anything is sent."""
    from qldb_stream.errors import UsageError
    from qldb_stream.pipeline import Pipeline
    from qldb_stream.testing import make_journal

    with pytest.raises(UsageError, match="a certificate that is not trusted; see the option ca"):
        Pipeline(f"webhook+https://127.0.0.1:{tls_receiver.port}/unseen").run(
            make_journal(1, blocks=2)
        )
    assert "/unseen" not in tls_receiver.taken
