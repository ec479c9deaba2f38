"""
SendCommand over one kept connection: what pyqldb asks of botocore's client, and no more.

botocore spends more on a call than our server does: a model is walked on both ways, hooks
are called, headers pass four layers. A replay makes five or six calls a block, so it goes
straight: JSON, Signature Version 4 (facts 6.1), `http.client`. Errors are botocore's own, because
pyqldb decides by them whether to try again.

Where botocore's settings would matter (a proxy, a client certificate) it is not used.
"""

from __future__ import annotations

import hmac
import http.client
import json
import select
import ssl
import threading
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["SessionWire", "maybe_wire"]

_TARGET: Final = "QLDBSession.SendCommand"
_TYPE: Final = "application/x-amz-json-1.0"
_SERVICE: Final = "qldb"
_TIMEOUT_S: Final = 60.0  # botocore's; a transaction of QLDB's has 30
_OPERATION: Final = "SendCommand"
_SIGNED: Final = "host;x-amz-content-sha256;x-amz-date;x-amz-target"
# A page of 200 documents of 128 KB in base64 is 34 MB; a server that sends more means no good.
_MAX_ANSWER_BYTES: Final = 64 << 20


class SessionWire:
    """
    A connection to a session API; used by one thread at a time, waits for its turn otherwise.

    Args:
        endpoint_url: http or https, without a path.
        region: what is signed for.
        credentials: gives frozen credentials: access_key, secret_key, token.
        ca_bundle: a file of trusted certificates; None for the system's.
        now: gives the time that is signed.
    """

    def __init__(
        self,
        endpoint_url: str,
        region: str,
        credentials: Callable[[], Any],
        *,
        ca_bundle: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        parts = urlsplit(endpoint_url)
        self._url: Final = endpoint_url
        self._host: Final = parts.netloc
        self._region: Final = region
        self._credentials: Final = credentials
        self._now: Final = now
        self._turn: Final = threading.Lock()
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")
        self._connection: Final = _connection(parts.hostname or "", parts.port, parts, ca_bundle)

    def send_command(self, **request: Any) -> dict[str, Any]:
        """
        Send one command, as botocore's client for `qldb-session` does.

        Raises:
            ClientError: the service refused it (botocore's).
            EndpointConnectionError, ConnectTimeoutError, SSLError: nobody answers, or not
                with a certificate that is trusted (botocore's).
            ConnectionClosedError, ReadTimeoutError: the answer broke off, or does not come
                (botocore's).
        """
        body = json.dumps(request, default=_base64).encode()
        with self._turn:
            status, headers, answer = self._exchange(body)
        return _read_answer(self._url, status, headers, answer)

    def _exchange(self, body: bytes) -> tuple[int, http.client.HTTPMessage, bytes]:
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        connection = self._connection
        self._connect()
        assert connection.sock is not None, "it is connected"
        try:
            # In one piece: `connection.request` would wake the server twice, for head and body.
            connection.sock.sendall(self._head(body) + body)
            response = http.client.HTTPResponse(connection.sock, method="POST")
            response.begin()
            answer = response.read(_MAX_ANSWER_BYTES + 1)
        except TimeoutError as exc:
            connection.close()
            raise ReadTimeoutError(endpoint_url=self._url, error=exc) from exc
        except (OSError, http.client.HTTPException) as exc:
            connection.close()
            raise ConnectionClosedError(endpoint_url=self._url, error=exc) from exc
        is_whole = not response.length and len(answer) <= _MAX_ANSWER_BYTES
        if response.will_close or not is_whole:
            connection.close()
        if not is_whole:
            raise ConnectionClosedError(endpoint_url=self._url)
        return response.status, response.headers, answer

    def _connect(self) -> None:
        """Open the connection, again if the server closed it while it was idle."""
        from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, SSLError

        connection = self._connection
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        if connection.sock is not None:
            return
        try:
            connection.connect()
        except ssl.SSLError as exc:
            raise SSLError(endpoint_url=self._url, error=exc) from exc
        except TimeoutError as exc:
            raise ConnectTimeoutError(endpoint_url=self._url, error=exc) from exc
        except OSError as exc:
            raise EndpointConnectionError(endpoint_url=self._url, error=exc) from exc

    def _head(self, body: bytes) -> bytes:
        lines = [f"{name}: {value}\r\n" for name, value in self._headers(body).items()]
        head = f"POST / HTTP/1.1\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"
        return head.encode("latin-1")

    def _headers(self, body: bytes) -> dict[str, str]:
        """Sign a request (Signature Version 4); all other headers may be changed on the way."""
        keys = self._credentials()
        moment = self._now().strftime("%Y%m%dT%H%M%SZ")
        day = moment[:8]
        scope = f"{day}/{self._region}/{_SERVICE}/aws4_request"
        hashed = sha256(body).hexdigest()
        signed = {
            "host": self._host,
            "x-amz-content-sha256": hashed,
            "x-amz-date": moment,
        }
        names = _SIGNED
        if keys.token:
            signed["x-amz-security-token"] = keys.token
            names = names.replace("x-amz-target", "x-amz-security-token;x-amz-target")
        signed["x-amz-target"] = _TARGET
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        canonical = sha256(f"POST\n/\n\n{lines}\n{names}\n{hashed}".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{canonical}"
        signature = hmac.digest(self._signing_key(keys.secret_key, day), text.encode(), "sha256")
        signed["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature.hex()}"
        )
        signed["content-type"] = _TYPE
        return signed

    def _signing_key(self, secret_key: str, day: str) -> bytes:
        """Derive the day's key; it is kept, since it costs four hashes."""
        known, key = self._key
        if known != (secret_key, day):
            key = f"AWS4{secret_key}".encode()
            for part in (day, self._region, _SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = ((secret_key, day), key)
        return key

    def close(self) -> None:
        """Close the connection; the next command opens it again."""
        with self._turn:
            self._connection.close()


def maybe_wire(client: Any) -> SessionWire | None:
    """
    Make what goes straight to where a botocore client goes; None where only botocore can.

    Args:
        client: of the service `qldb-session`.
    """
    endpoint_url: str = client.meta.endpoint_url
    parts = urlsplit(endpoint_url)
    config = client.meta.config
    signer = client._request_signer  # noqa: SLF001 - botocore has no other way to its credentials
    is_plain = parts.path in ("", "/") and not parts.query
    has_proxy = config.proxies or _is_proxied(parts.scheme, parts.hostname or "")
    credentials = signer._credentials  # noqa: SLF001 - as above
    if not is_plain or has_proxy or config.client_cert or credentials is None:
        return None
    verify = client._endpoint.http_session._verify  # noqa: SLF001 - where AWS_CA_BUNDLE ends up
    if verify is False:
        return None
    ca_bundle = verify if isinstance(verify, str) else None
    return SessionWire(
        endpoint_url,
        client.meta.region_name,
        credentials.get_frozen_credentials,
        ca_bundle=ca_bundle,
    )


def _is_proxied(scheme: str, host: str) -> bool:
    return scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _connection(
    host: str, port: int | None, parts: Any, ca_bundle: str | None
) -> http.client.HTTPConnection:
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=ca_bundle)
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _read_answer(
    url: str, status: int, headers: http.client.HTTPMessage, body: bytes
) -> dict[str, Any]:
    """Read an answer as botocore does: blobs are bytes, errors are ClientError."""
    from botocore.exceptions import ClientError, ConnectionClosedError

    metadata = {
        "HTTPStatusCode": status,
        "HTTPHeaders": {name.lower(): value for name, value in headers.items()},
    }
    try:
        answer = json.loads(body, object_hook=_with_bytes) if body else {}
    except ValueError as exc:
        if status < http.HTTPStatus.MULTIPLE_CHOICES:
            raise ConnectionClosedError(endpoint_url=url, error=exc) from exc
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status >= http.HTTPStatus.MULTIPLE_CHOICES:
        said = str(answer.get("__type") or headers.get("x-amzn-errortype") or status)
        code = said.rpartition("#")[2].partition(":")[0]
        message = answer.get("Message") or answer.get("message") or ""
        error = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
        raise ClientError(error, _OPERATION)
    return answer | {"ResponseMetadata": metadata}


def _with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    for name in ("IonBinary", "CommitDigest"):
        if name in found:
            found[name] = b64decode(found[name])
    return found
