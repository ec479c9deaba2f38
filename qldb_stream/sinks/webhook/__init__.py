"""
`webhook+https://HOST/PATH`: one signed request for each block, at least once, in order.

Needs urllib3 (extra `webhook`). Requests are signed as Standard Webhooks says
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
`webhook-id`, `webhook-timestamp` and `webhook-signature`, HMAC-SHA256 with a secret that comes
from an environment variable or a file, never from the URL. `webhook+http:` is for this machine
alone: whatever goes over a network is encrypted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption, SinkType, hookimpl
from qldb_stream.report import Guarantee

if TYPE_CHECKING:
    from qldb_stream.sinks.webhook._sink import WebhookSink

__all__ = ["open_webhook", "qldb_stream_register_sinks"]

_SCHEMES: Final = {
    "webhook+https": "signed JSON to a web server, a request for each block",
    "webhook+http": "the same without encryption, for servers on this machine alone",
}
_OPTIONS: Final = (
    SinkOption("secret_env", "the variable that holds the secret", "QLDB_STREAM_WEBHOOK_SECRET"),
    SinkOption("secret_file", "a file that holds it instead; several, one a line, all sign"),
    SinkOption("body_bytes", "the largest body; a block with a larger one is refused", "8388608"),
    SinkOption("timeout_s", "how long to wait for a whole answer, in seconds", "30"),
)
_CA: Final = SinkOption(
    "ca", "file of the authorities that may have signed the server's certificate"
)


@hookimpl
def qldb_stream_register_sinks() -> Sequence[SinkType]:
    """Name the sinks `webhook+https:` and `webhook+http:`."""
    return [
        SinkType(
            scheme,
            partial(open_webhook, scheme),
            summary,
            (*_OPTIONS, _CA) if scheme.endswith("s") else _OPTIONS,
            guarantee=Guarantee.AT_LEAST_ONCE,
            form="//HOST/PATH",
        )
        for scheme, summary in _SCHEMES.items()
    ]


def open_webhook(scheme: str, path: str, options: Mapping[str, str]) -> WebhookSink:
    """
    Open a sink; nothing is sent before the first block.

    Raises:
        UsageError: urllib3 is not installed, there is no secret, or the URL or an option
            makes no sense.
    """
    from qldb_stream.sinks.webhook._settings import read_settings

    settings = read_settings(scheme, path, options)
    try:
        from qldb_stream.sinks.webhook._sink import WebhookSink
    except ImportError as exc:
        raise UsageError(f"{scheme}: needs urllib3: pip install 'qldb-stream[webhook]'") from exc
    return WebhookSink(settings)
