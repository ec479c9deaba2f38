"""
AWS Signature Version 4 in the Authorization header, checked: pure, the time is an argument.

Source: "Signature Version 4 signing process" of AWS's General Reference, and botocore's
`auth.SigV4Auth`, which signs on the other side. Rules: the payload is always signed and its hash
recomputed; `host`, the date and every `x-amz-*` header must be signed, or an attacker could add
them; the path is encoded twice, as for every service but S3; any region is taken, since there is
none here. A signature is compared in constant time, against a made-up secret for an unknown key.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from posixpath import normpath
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import attrs

from qldb_stream.server._faults import Fault
from qldb_stream.server._keys import Caller, Key
from qldb_stream.server._messages import Request

__all__ = ["MAX_SKEW_S", "Signatures"]

MAX_SKEW_S: Final = 900
"""How far a client's clock may be off, in seconds; AWS's 15 minutes."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SERVICE: Final = "qldb"  # the signing name of both APIs (facts 6.1 and 7)
_TERMINATOR: Final = "aws4_request"
_DATE: Final = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+"
    r"Credential=(?P<credential>[^,\s]{1,512}),\s*"
    r"SignedHeaders=(?P<headers>[a-z0-9;_-]{1,4096}),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SPACES: Final = re.compile(r" +")


@attrs.frozen
class _Authorization:
    access_key: str
    scope: tuple[str, str, str]  # date, region, service
    signed: tuple[str, ...]
    signature: str


class Signatures:
    """Checks who signed a request."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys: Final = keys
        self._nobody: Final = Key("nobody", secrets.token_hex(20))

    def check(self, request: Request, now_ms: int) -> Caller:
        """
        Say who signed a request.

        Raises:
            Fault: nobody did, the signature is wrong, or it is too old. The names are those
                that AWS's services give and SDKs know.
        """
        authorization = _parse_authorization(request)
        signed_at = _check_time(request, authorization, now_ms)
        key = self._keys.get(authorization.access_key, self._nobody)
        expected = _sign(request, authorization, signed_at, key)
        is_right = hmac.compare_digest(expected, authorization.signature)
        if key is self._nobody:
            raise _unrecognized()
        if not is_right:
            raise Fault(
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided",
                403,
            )
        return key.caller

    def check_head(self, request: Request, now_ms: int) -> None:
        """
        Say whether a request's head can be that of a signed one, before there is a body.

        Raises:
            Fault: it cannot: `check` would raise it whatever the body is.
        """
        authorization = _parse_authorization(request)
        _check_time(request, authorization, now_ms)
        if authorization.access_key not in self._keys:
            raise _unrecognized()


def _parse_authorization(request: Request) -> _Authorization:
    text = request.header(b"authorization")
    if text is None:
        raise Fault("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    found = _AUTHORIZATION.fullmatch(text)
    parts = found["credential"].split("/") if found else []
    if found is None or len(parts) != 5 or parts[4] != _TERMINATOR:  # noqa: PLR2004 - key and scope
        raise _incomplete("the header Authorization is not one of Signature Version 4")
    if parts[3] != _SERVICE:
        raise _incomplete(f"the credential is for the service {_SERVICE}")
    signed = tuple(found["headers"].split(";"))
    _check_signed(request, signed)
    return _Authorization(parts[0], (parts[1], parts[2], parts[3]), signed, found["signature"])


def _check_signed(request: Request, signed: Sequence[str]) -> None:
    """Refuse a request with headers that matter and are not signed."""
    present = {name.decode("latin-1") for name, _ in request.headers}
    needed = {name for name in present if name.startswith("x-amz-")} | {"host"}
    if not needed.issubset(signed):
        raise _incomplete("host and every x-amz-* header must be among the SignedHeaders")


def _check_time(request: Request, authorization: _Authorization, now_ms: int) -> str:
    signed_at = request.header(b"x-amz-date") or ""
    try:
        moment = datetime.strptime(signed_at, _DATE).replace(tzinfo=UTC)
    except ValueError as exc:
        raise _incomplete("the header X-Amz-Date is missing or malformed") from exc
    if not signed_at.startswith(authorization.scope[0]):
        raise _incomplete("the credential's date is not that of X-Amz-Date")
    if abs(moment.timestamp() - now_ms / 1000) > MAX_SKEW_S:
        now = datetime.fromtimestamp(now_ms / 1000, UTC).strftime(_DATE)
        # SDKs look for these words to correct their clock.
        raise Fault(
            "InvalidSignatureException",
            f"Signature expired: {signed_at} is not within 15 min of {now}",
            403,
        )
    return signed_at


def _sign(request: Request, authorization: _Authorization, signed_at: str, key: Key) -> str:
    date, region, service = authorization.scope
    canonical = _canonical_request(request, authorization.signed)
    to_sign = "\n".join(
        (
            _ALGORITHM,
            signed_at,
            f"{date}/{region}/{service}/{_TERMINATOR}",
            hashlib.sha256(canonical).hexdigest(),
        )
    )
    signing_key = f"AWS4{key.secret_key}".encode()
    for part in (date, region, service, _TERMINATOR, to_sign):
        signing_key = hmac.digest(signing_key, part.encode("latin-1"), "sha256")
    return signing_key.hex()


def _canonical_request(request: Request, signed: Sequence[str]) -> bytes:
    headers = "".join(f"{name}:{_header(request, name)}\n" for name in signed)
    return "\n".join(
        (
            request.method,
            _canonical_path(request.path),
            _canonical_query(request.query),
            headers,
            ";".join(signed),
            _payload_hash(request),
        )
    ).encode("latin-1")


def _payload_hash(request: Request) -> str:
    """Hash what came; a declared hash must be that one, so nothing goes unsigned."""
    actual = hashlib.sha256(request.body).hexdigest()
    declared = request.header(b"x-amz-content-sha256")
    if declared is not None and declared != actual:
        raise _incomplete("X-Amz-Content-Sha256 is not the hash of the body")
    return actual


def _header(request: Request, name: str) -> str:
    wanted = name.encode("latin-1")
    values = [value for key, value in request.headers if key == wanted]
    return ",".join(_SPACES.sub(" ", value.decode("latin-1").strip()) for value in values)


def _canonical_path(path: bytes) -> str:
    text = path.decode("latin-1")
    normal = normpath(text).replace("//", "/") if text else "/"
    if text.endswith("/") and not normal.endswith("/"):
        normal += "/"
    return quote(normal, safe="/~")


def _canonical_query(query: bytes) -> str:
    pairs = []
    for pair in filter(None, query.split(b"&")):
        name, _, value = pair.partition(b"=")
        pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: bytes) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _unrecognized() -> Fault:
    return Fault("UnrecognizedClientException", "The security token included is invalid", 403)


def _incomplete(message: str) -> Fault:
    return Fault("IncompleteSignatureException", message, 403)
