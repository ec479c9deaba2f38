"""
An OpenSearch on loopback.

The real one is a Java server that no package index brings. osmem speaks its API from its own code,
compared with the real one by its authors, in a process of its own behind real sockets.
QLDB_STREAM_OPENSEARCH_URL names a real one instead (`http://127.0.0.1:9200`); what the tests
make there stays there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    """Where it is, for all tests: `http://HOST:PORT`."""
    named = os.environ.get("QLDB_STREAM_OPENSEARCH_URL")
    if named:
        yield named.rstrip("/")
        return
    from osmem_server import OsmemServer  # few tests need it

    server = OsmemServer.start(japanese=False)
    yield server.url.rstrip("/")
    assert server.process.stdin is not None
    assert server.process.stdout is not None
    server.process.stdin.close()  # it ends then
    server.process.wait(10)
    server.process.stdout.close()
