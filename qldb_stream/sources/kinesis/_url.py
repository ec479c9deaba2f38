"""The name of a data stream: ``kinesis://STREAM?region=REGION&endpoint_url=URL``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

import attrs

from qldb_stream.errors import UsageError

__all__ = ["StreamUrl", "is_stream_url", "parse_stream_url"]

_SCHEME: Final = "kinesis:"
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
_NAME: Final = re.compile(r"(?://)?([A-Za-z0-9_.-]{1,128})")
_OPTIONS: Final = ("region", "endpoint_url")


@attrs.frozen
class StreamUrl:
    """A data stream's name, and where it is; None for what boto3 finds by itself."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None

    def __str__(self) -> str:
        return f"kinesis://{self.name}"


def is_stream_url(text: str) -> bool:
    """Say whether a text is meant as the URL of a data stream."""
    return text.startswith(_SCHEME)


def parse_stream_url(url: str) -> StreamUrl:
    """
    Read the URL of a data stream.

    Args:
        url: ``kinesis://STREAM``, or the same without slashes, with ``region`` and
            ``endpoint_url`` as options.

    Raises:
        UsageError: it is none, or has an option that there is not, or one twice.
    """
    place, _, query = url.removeprefix(_SCHEME).partition("?")
    found = _NAME.fullmatch(place)
    if not is_stream_url(url) or found is None:
        raise UsageError(f"{url.partition('?')[0]!r} is no stream: write kinesis://STREAM")
    pairs = parse_qsl(query, keep_blank_values=True)
    options = {name: value for name, value in pairs if value}
    if len(options) < len(pairs) or not options.keys() <= set(_OPTIONS):
        raise UsageError(
            f"kinesis://{found[1]} takes the options {' and '.join(_OPTIONS)}, each once and with "
            "a value"
        )
    return StreamUrl(found[1], options.get("region"), options.get("endpoint_url"))
