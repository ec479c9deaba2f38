"""Secrets out of moto's Secrets Manager over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from qldb_stream.aws._secrets import export_ledger_keys, ledger_keys_of, sink_url_of
from qldb_stream.clients import ledger_keys
from qldb_stream.errors import SinkUnavailableError, UsageError

Deploy = Callable[..., None]
Secret = Callable[..., str]


@pytest.fixture
def secret(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secret]:
    """Make a secret of a text or of an object; they are gone after the test."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    client: Any = boto3.client("secretsmanager")
    made: list[str] = []

    def make(value: object) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        made.append(client.create_secret(Name=f"secret-{len(made)}", SecretString=text)["ARN"])
        return made[-1]

    yield make
    for arn in made:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_credentials_go_into_the_url(secret: Secret) -> None:
    """User and password of RDS's form go into a URL, escaped; another text is the URL."""
    rds = secret({"username": "app", "password": "p@:/?w", "engine": "postgres", "port": 5432})

    assert "postgresql://app:p%40%3A%2F%3Fw@db/cars?x=1" == sink_url_of(
        "postgresql://db/cars?x=1", rds
    )
    assert "sqlite:a.db" == sink_url_of(None, secret(" sqlite:a.db\n"))


def test_secrets_that_do_not_fit(secret: Secret) -> None:
    """A secret that does not go with the URL says so, and not what is in it."""
    rds, text = secret({"username": "app", "password": "hidden"}), secret("hidden")
    wrong = (
        ("sqlite:a.db", rds),
        ("postgresql://me:x@db/cars", rds),
        (None, rds),
        ("postgresql://db/cars", text),
        ("postgresql://db/cars", secret({"username": "app"})),
        (None, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none-abcdef"),
    )
    for url, arn in wrong:
        with pytest.raises(UsageError) as caught:
            sink_url_of(url, arn)
        assert "hidden" not in str(caught.value)


def test_keys_of_a_ledger(secret: Secret, deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger's keys are one pair, or the first of a server's file that may write."""
    deploy()
    pair = {"access_key": "a", "secret_key": "b"}
    expected = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    readers = {"keys": [{"access_key": "r", "secret_key": "s", "permission": "read-only"}, pair]}

    aws_names = {"access_key_id": "a", "secret_access_key": "b"}

    found = [ledger_keys_of(secret(value)) for value in (pair, readers, aws_names)]
    assert [expected] * 3 == found
    assert {} == ledger_keys()
    export_ledger_keys(secret(pair))
    assert expected == ledger_keys()
    monkeypatch.delenv("QLDB_STREAM_LEDGER_ACCESS_KEY")
    with pytest.raises(UsageError, match="go together"):
        ledger_keys()
    for bad in ({"keys": 5}, {"keys": [5]}, {"access_key": "a"}, "text"):
        with pytest.raises(UsageError, match="holds no access_key_id"):
            ledger_keys_of(secret(bad))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", SinkUnavailableError),
        ("TooManyRequestsException", SinkUnavailableError),
        ("InternalServiceError", SinkUnavailableError),
        ("InternalFailure", SinkUnavailableError),
        ("AccessDeniedException", UsageError),
        ("ExpiredTokenException", UsageError),
    ],
)
def test_refusals(
    aws: str, monkeypatch: pytest.MonkeyPatch, code: str, expected: type[Exception]
) -> None:
    """Throttling passes, a missing right does not."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    client: Any = boto3.client("secretsmanager")

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "GetSecretValue")

    client.meta.events.register("before-call.secrets-manager.GetSecretValue", refuse)
    monkeypatch.setattr(boto3, "client", lambda *_args, **_options: client)
    with pytest.raises(expected, match=code):
        sink_url_of(None, "arn:s")


def test_a_service_that_is_away(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Secrets Manager does not answer, it may later."""
    assert aws
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(SinkUnavailableError, match="EndpointConnectionError"):
        sink_url_of(None, "arn:s")


def test_binary_secrets(secret: Secret) -> None:
    """A secret of bytes is refused."""
    secret("of the fixture's client")
    client: Any = boto3.client("secretsmanager")
    arn = client.create_secret(Name="bytes", SecretBinary=b"x")["ARN"]
    try:
        with pytest.raises(UsageError, match="holds bytes"):
            sink_url_of(None, arn)
    finally:
        client.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
