"""AWS on loopback for all tests of the sink."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def endpoint(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client of boto3 goes to moto's server."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
