from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    SSOTokenLoadError,
)

from qldb_stream.boto import code_of, is_passing, may_pass, told

PASSING = [
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "KMSInternalException",
    "KMSThrottlingException",
    "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
]
LASTING = [
    "AccessDenied",
    "AccessDeniedException",
    "ConditionalCheckFailedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "ItemCollectionSizeLimitExceededException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "MalformedDetail",
    "MissingAuthenticationTokenException",
    "NoSuchBucket",
    "ParameterValueInvalid",
    "PermanentRedirect",
    "RequestTimeTooSkewed",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "SignatureDoesNotMatch",
    "TooManyEntriesInBatchRequest",
    "UnrecognizedClientException",
    "ValidationException",
]


def refusal(code: str, status: int = 400) -> ClientError:
    """An answer of AWS's that refuses, in words that quote a document."""
    said = {
        "Code": code,
        "Message": "Value '[Entry(detail={\"name\": \"a secret\"})]' at 'entries'",
    }
    answer = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "PutEvents")


@pytest.mark.parametrize("code", PASSING)
def test_codes_that_pass(code: str) -> None:
    """Load, and failures of the service's own, by whatever names the services have for them."""
    assert is_passing(code)
    assert may_pass(refusal(code))


@pytest.mark.parametrize("code", LASTING)
def test_codes_that_last(code: str) -> None:
    """Rights, credentials, what is not there and what was asked wrongly are for people."""
    assert not is_passing(code)
    assert not may_pass(refusal(code, 403))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_statuses_that_pass(status: int) -> None:
    """A new code with a status of load or failure passes too."""
    assert may_pass(refusal("SomethingNew", status))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (EndpointConnectionError(endpoint_url="x"), True),
        (ConnectTimeoutError(endpoint_url="x"), True),
        (ReadTimeoutError(endpoint_url="x"), True),
        (ProxyConnectionError(proxy_url="x"), True),
        (ResponseStreamingError(error="x"), True),
        (SSLError(endpoint_url="x", error="x"), True),
        (CredentialRetrievalError(provider="x", error_msg="x"), True),
        (NoCredentialsError(), False),
        (PartialCredentialsError(provider="x", cred_var="x"), False),
        (SSOTokenLoadError(error_msg="x"), False),
        (NoRegionError(), False),
        (ParamValidationError(report="x"), False),
    ],
)
def test_errors_without_an_answer(error: BotoCoreError, passes: bool) -> None:  # noqa: FBT001 - a case
    """What had no answer passes; what was never sent, for want of set-up, does not."""
    assert passes is may_pass(error)
    assert type(error).__name__ == code_of(error)


def test_what_is_told() -> None:
    """Call and code, or the endpoint; nothing of a request."""
    assert "PutEvents: ValidationException" == told(refusal("ValidationException"))
    away = EndpointConnectionError(endpoint_url="https://host/bucket?prefix=a")
    assert "EndpointConnectionError at https://host/bucket" == told(away)
    assert "ParamValidationError" == told(ParamValidationError(report="a secret"))


def test_they_are_what_boto3_raises(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a real connection: none without credentials, none where nobody listens."""
    away = boto3.client("sqs", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(BotoCoreError) as info:
        away.list_queues()
    assert may_pass(info.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(BotoCoreError) as info:
        boto3.Session().client("sqs", endpoint_url=aws).list_queues()
    assert not may_pass(info.value)
