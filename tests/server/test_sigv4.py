"""Signature Version 4: what botocore signs is accepted, anything else is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings, strategies as st

from qldb_stream.server._faults import Fault
from qldb_stream.server._messages import Request
from qldb_stream.server._sigv4 import Signatures
from tests.server.support import KEY, READER, TARGET

ZEROS = "0" * 64
SIGNATURES = Signatures({KEY.access_key: KEY, READER.access_key: READER})


def now_ms() -> int:
    """The time: botocore's signer looks at the machine's clock."""
    return int(datetime.now(UTC).timestamp() * 1000)


def sign(
    method: str = "POST",
    url: str = "http://localhost:8765/",
    body: bytes = b"{}",
    *,
    key: Any = KEY,
    region: str = "eu-west-1",
    service: str = "qldb",
    headers: dict[str, str] | None = None,
) -> Request:
    """Let botocore sign a request, and read it as it comes over the wire."""
    sent = AWSRequest(method, url, headers={"X-Amz-Target": TARGET, **(headers or {})}, data=body)
    credentials = Credentials(key.access_key, key.secret_key)
    SigV4Auth(credentials, service, region).add_auth(sent)
    address, _, query = sent.url.partition("?")
    _, _, rest = address.removeprefix("http://").partition("/")
    pairs = [(name.lower().encode(), str(value).encode()) for name, value in sent.headers.items()]
    pairs.append((b"host", b"localhost:8765"))
    return Request("R" * 22, method, f"/{rest}".encode(), query.encode(), pairs, body)


def refused(request: Request, at_ms: int | None = None) -> str:
    """Give the name of the error that a request is refused with."""
    with pytest.raises(Fault) as caught:
        SIGNATURES.check(request, now_ms() if at_ms is None else at_ms)
    assert 403 == caught.value.status
    assert KEY.secret_key not in str(caught.value)
    return caught.value.name


def with_header(request: Request, name: bytes, value: bytes | None) -> Request:
    """The same request with a header changed, added, or left out."""
    pairs = [pair for pair in request.headers if pair[0] != name]
    return attrs.evolve(request, headers=pairs + ([] if value is None else [(name, value)]))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/", b'{"StartSession":{"LedgerName":"cars"}}'),
        ("POST", "/", b""),
        ("GET", "/ledgers?max_results=10&next_token=YWZ0ZXI6YQ%3D%3D", b""),
        ("GET", "/ledgers?next_token=&max_results=1", b""),
        ("DELETE", "/ledgers/cars", b""),
        ("DELETE", "/tags/arn%3Aaws%3Aqldb%3A%3A%3Aledger%2Fcars?tagKeys=a%20b&tagKeys=c%2Bd", b""),
        ("GET", "/tags/arn:aws:qldb:us-east-1:0:ledger/cars", b""),
        ("GET", "/a//b/./c/", b""),
    ],
)
def test_what_botocore_signs_is_accepted(method: str, path: str, body: bytes) -> None:
    """For each kind of path, query and body, and any region."""
    request = sign(method, f"http://localhost:8765{path}", body)
    assert KEY.caller == SIGNATURES.check(request, now_ms())


def test_a_key_says_what_its_caller_may() -> None:
    """A read-only key's caller is known as one."""
    assert READER.caller == SIGNATURES.check(sign(key=READER, region="local"), now_ms())


@given(st.sampled_from(("method", "path", "query", "body", "target", "signature", "date")))
@settings(max_examples=20)
def test_what_is_changed_after_signing_is_refused(part: str) -> None:
    """Whichever part it is."""
    request = sign()
    changed = {
        "method": attrs.evolve(request, method="GET"),
        "path": attrs.evolve(request, path=b"/ledgers"),
        "query": attrs.evolve(request, query=b"a=b"),
        "body": attrs.evolve(request, body=b"{ }"),
        "target": with_header(request, b"x-amz-target", b"QLDBSession.Other"),
        "signature": with_header(
            request,
            b"authorization",
            (request.header(b"authorization") or "")[:-64].encode() + b"0" * 64,
        ),
        "date": with_header(
            request,
            b"x-amz-date",
            (request.header(b"x-amz-date") or "")[:9].encode() + b"000000Z",
        ),
    }[part]
    assert "InvalidSignatureException" == refused(changed)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_signature_is_good_for_a_quarter_of_an_hour(minutes: int) -> None:
    """Before and after; SDKs read the words to set their clock."""
    request, shift = sign(), timedelta(minutes=minutes) // timedelta(milliseconds=1)
    with pytest.raises(Fault, match="Signature expired"):
        SIGNATURES.check(request, now_ms() + shift)
    assert KEY.caller == SIGNATURES.check(request, now_ms() + shift * 14 // 16)


def test_an_unknown_key_is_refused() -> None:
    """Its name is not told from a wrong secret by time."""
    unknown = attrs.evolve(KEY, access_key="unknown")
    assert "UnrecognizedClientException" == refused(sign(key=unknown))


def test_a_wrong_secret_is_refused() -> None:
    """The error is the one that SDKs know."""
    assert "InvalidSignatureException" == refused(sign(key=attrs.evolve(KEY, secret_key="x" * 20)))


def test_another_service_is_refused() -> None:
    """A signature for S3 is none for QLDB."""
    assert "IncompleteSignatureException" == refused(sign(service="s3"))


def test_nothing_goes_unsigned() -> None:
    """The body's declared hash must be its hash; headers that matter must be signed."""
    unsigned = sign(headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"})
    assert "IncompleteSignatureException" == refused(unsigned)
    added = with_header(sign(), b"x-amz-security-token", b"abc")
    assert "IncompleteSignatureException" == refused(added)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer abc",
        "AWS4-HMAC-SHA256 Credential=a/b/c/qldb/aws4_request, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature={ZEROS}",
        f"AWS4-HMAC-SHA256 Credential=a/b/c/qldb/x, SignedHeaders=host, Signature={ZEROS}",
        f"AWS4-HMAC-SHA256 Credential=a/b/c/qldb/aws4_request, SignedHeaders=a, Signature={ZEROS}",
        "\xff" * 100_000,
    ],
)
def test_a_malformed_authorization_is_refused(authorization: str | None) -> None:
    """With an error of its own when there is none at all."""
    raw = None if authorization is None else authorization.encode("latin-1")
    expected = (
        "MissingAuthenticationTokenException" if raw is None else "IncompleteSignatureException"
    )
    assert expected == refused(with_header(sign(), b"authorization", raw))


@pytest.mark.parametrize("date", [None, b"", b"yesterday", b"20200101T000000Z"])
def test_the_date_must_be_there_and_the_credentials(date: bytes | None) -> None:
    """A date that is missing, malformed or another day's is refused."""
    assert "IncompleteSignatureException" == refused(with_header(sign(), b"x-amz-date", date))


@given(st.binary(max_size=200), st.binary(max_size=50), st.binary(max_size=50))
def test_any_bytes_are_refused(authorization: bytes, path: bytes, query: bytes) -> None:
    """Nothing that a client sends raises anything but a fault."""
    request = with_header(sign(), b"authorization", b"AWS4-HMAC-SHA256 " + authorization)
    refused(attrs.evolve(request, path=path, query=query))
