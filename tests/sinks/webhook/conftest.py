"""Receivers for all tests of the sink."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks.webhook.server import SECRET, Receiver, make_certificate, run_receiver


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is where the sink looks for it."""
    monkeypatch.setenv("QLDB_STREAM_WEBHOOK_SECRET", SECRET)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback, with its key."""
    return make_certificate(tmp_path_factory.mktemp("tls") / "server.pem")


@pytest.fixture(scope="session")
def tls_receiver(certificate: Path) -> Iterator[Receiver]:
    """A receiver over TLS."""
    with run_receiver(certificate) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of this test's own, on this machine alone."""
    with run_receiver() as running:
        yield running
