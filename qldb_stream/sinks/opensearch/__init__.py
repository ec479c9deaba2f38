"""
`opensearch+https://HOST:PORT/PREFIX`: documents to search, and every revision, in OpenSearch.

At least once, and repeats are harmless: each write has an external version, so that what is older
never takes the place of what is newer. docs/sinks-search.md has the indices.

`opensearch+http:` is for a server on this machine only. Options of the URL:

- ``auth=basic|sigv4|none``: basic takes QLDB_STREAM_OPENSEARCH_USER and
  QLDB_STREAM_OPENSEARCH_PASSWORD from the environment, and is the default where they are; sigv4
  signs with boto3's credentials, for a domain of Amazon OpenSearch Service.
- ``region=NAME``: what sigv4 signs for.
- ``ca=FILE``: certificates to trust, in the place of the usual ones.
- ``refresh=wait``: an apply waits until searches see what it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.report import Guarantee

if TYPE_CHECKING:
    from qldb_stream.sinks.opensearch._sink import OpenSearchSink

__all__ = ["open_opensearch", "qldb_stream_register_sinks"]


def open_opensearch(scheme: str, path: str, options: Mapping[str, str]) -> OpenSearchSink:
    """
    Make ready to write to a cluster; no request is sent yet.

    Args:
        scheme: https or http.
        path: ``//HOST:PORT/PREFIX``.
        options: those that the sink's type lists.

    Raises:
        UsageError: opensearch-py is not installed, the URL or an option makes no sense, or there
            are no credentials.
    """
    from qldb_stream.sinks.opensearch._address import parse_address

    address = parse_address(scheme, path, options)
    try:
        from qldb_stream.sinks.opensearch._client import Cluster
        from qldb_stream.sinks.opensearch._sink import OpenSearchSink
    except ImportError as exc:
        raise UsageError(
            f"opensearch+{scheme}: needs the extra `opensearch`: "
            "pip install 'qldb-stream[opensearch]'"
        ) from exc
    cluster = Cluster(address)
    return OpenSearchSink(cluster, address.prefix, waits=options.get("refresh") == "wait")


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sinks `opensearch+https:` and `opensearch+http:`."""
    options = (
        SinkOption("auth", "how to prove who asks", None, ("basic", "sigv4", "none")),
        SinkOption("region", "what sigv4 signs for", "boto3's"),
        SinkOption("ca", "a file of certificates to trust", "certifi's"),
        SinkOption("refresh", "wait: until searches see what was written", "no", ("wait", "no")),
    )
    return [
        SinkType(
            f"opensearch+{scheme}",
            partial(open_opensearch, scheme),
            summary,
            options,
            Guarantee.AT_LEAST_ONCE,
            form="//HOST:PORT/PREFIX",
        )
        for scheme, summary in (
            ("https", "OpenSearch: documents to search, and history with its proof"),
            ("http", "the same on this machine, without TLS"),
        )
    ]
