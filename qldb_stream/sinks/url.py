"""
The URLs that name sinks: ``SCHEME:PATH?option=value&option=value``.

The scheme ends at the first colon, the path at the first question mark; both path and
options are percent-decoded (a question mark in a file's name is written ``%3F``). What
a path means is the sink's own business. A plus sign stays a plus sign.

Every URL that gets into a message goes through `mask_url` first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import attrs

from qldb_stream.errors import UsageError

__all__ = ["SCHEME", "SinkUrl", "mask_url", "parse_sink_url"]

SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
"""What a scheme looks like (RFC 3986, section 3.1, lower case only)."""

_MASK: Final = "***"
# Greedy up to the last @: a password with an unescaped @, / or ? in it stays hidden too.
_CREDENTIALS: Final = re.compile(r"(//[^:/@?]*:).*@", re.DOTALL)
_SECRET_OPTION: Final = re.compile(
    r"([?&][^=&]*(?:passw|pwd|secret|token|credential|key)[^=&]*=)[^&]*", re.IGNORECASE
)


@attrs.frozen
class SinkUrl:
    """A sink's URL, taken apart and percent-decoded."""

    scheme: str
    path: str
    options: Mapping[str, str]


def parse_sink_url(url: str) -> SinkUrl:
    """
    Take a sink's URL apart.

    Args:
        url: ``SCHEME:PATH`` with or without ``?option=value&...``.

    Raises:
        UsageError: there is no scheme, an option lacks its value or comes twice. The
            message shows the URL with passwords masked.
    """
    scheme, colon, rest = url.partition(":")
    if not colon or SCHEME.fullmatch(scheme) is None:
        raise UsageError(
            f"{mask_url(url)!r} names no sink: write SCHEME:PATH, such as ledger:copy.ledger"
        )
    path, _, query = rest.partition("?")
    return SinkUrl(scheme, unquote(path), _parse_options(url, query))


def mask_url(url: str) -> str:
    """Hide the password and every secret option of a URL, for messages and logs."""
    return _SECRET_OPTION.sub(rf"\1{_MASK}", _CREDENTIALS.sub(rf"\1{_MASK}@", url))


def _parse_options(url: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    if "@" in query and "//" in url and _CREDENTIALS.search(f"{url.partition('?')[0]}@"):
        raise UsageError(
            f"{mask_url(url)}: an @ behind a question mark; write %3F for a question mark in a "
            "password, and %40 for an @ in an option"
        )
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not equals:
            raise UsageError(
                f"option {name!r} of {mask_url(url)} has no value: write {name}=VALUE, or %3F for "
                "a question mark in the path"
            )
        if name in options:
            raise UsageError(f"option {name!r} of {mask_url(url)} is given twice")
        options[name] = unquote(value)
    return options
