"""Which hosts are this machine."""

from __future__ import annotations

import pytest

from qldb_stream.loopback import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "a.localhost", "127.9.9.9", "::1"])
def test_this_machine(host: str) -> None:
    """Its names and addresses are known without asking anybody."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example", "notlocalhost", "10.0.0.1", "1.0.0.0", "[::1]", "127.1"]
)
def test_others(host: str) -> None:
    """Whatever else looks like it may be anybody."""
    assert not is_loopback(host)
