"""Where a cluster is, who asks, and what indices are called: out of the URL and environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.loopback import is_loopback

__all__ = ["PASSWORD", "USER", "Address", "parse_address"]

USER: Final = "QLDB_STREAM_OPENSEARCH_USER"
PASSWORD: Final = "QLDB_STREAM_OPENSEARCH_PASSWORD"

_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_PORTS: Final = {"https": 443, "http": 9200}


@attrs.frozen
class Address:
    """Where to go and how to prove who asks; `basic` is user and password."""

    host: str
    port: int
    is_https: bool
    prefix: str
    basic: tuple[str, str] | None = attrs.field(default=None, repr=False)
    is_signed: bool = False
    region: str | None = None
    ca_file: str | None = None

    @property
    def name(self) -> str:
        """Name the sink in messages."""
        scheme = "https" if self.is_https else "http"
        return f"opensearch+{scheme}://{self.host}:{self.port}/{self.prefix}"


def parse_address(scheme: str, path: str, options: Mapping[str, str]) -> Address:
    """
    Read a sink's URL and options.

    Args:
        scheme: https or http.
        path: ``//HOST:PORT/PREFIX``; the port is 443, of http 9200, unless it is given.
        options: of the URL.

    Raises:
        UsageError: there is no host or prefix, a password is in the URL, http would leave this
            machine, or credentials are missing.
    """
    parts = urlsplit(f"{scheme}:{path}")
    if "@" in parts.netloc:
        raise UsageError(f"no password in the URL: set {USER} and {PASSWORD}")
    try:
        host, port = parts.hostname, parts.port or _PORTS[scheme]
    except ValueError as exc:
        raise UsageError(f"opensearch+{scheme}: the port is no number of a port") from exc
    if not path.startswith("//") or not host:
        raise UsageError(f"write opensearch+{scheme}://HOST:PORT/PREFIX")
    if scheme == "http" and not is_loopback(host):
        raise UsageError(f"opensearch+http: is for this machine only, not for {host}")
    prefix = parts.path.strip("/")
    if _PREFIX.fullmatch(prefix) is None:
        raise UsageError(
            f"opensearch+{scheme}: names of indices begin with 1 to 60 of a-z, 0-9, _ and -, no _ "
            f"or - first, not with {prefix!r}: write opensearch+{scheme}://HOST:PORT/PREFIX"
        )
    return Address(
        host,
        port,
        scheme == "https",
        prefix,
        _basic(options),
        options.get("auth") == "sigv4",
        options.get("region"),
        options.get("ca"),
    )


def _basic(options: Mapping[str, str]) -> tuple[str, str] | None:
    user, password = os.environ.get(USER), os.environ.get(PASSWORD)
    auth = options.get("auth")
    if auth not in {None, "basic"}:
        return None
    if user and password:
        return user, password
    if auth == "basic" or user or password:
        raise UsageError(f"auth=basic needs both {USER} and {PASSWORD} in the environment")
    return None
