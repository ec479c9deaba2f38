"""What the errors of DynamoDB, S3 and botocore mean for an inbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import InboxFileError, InboxUnavailableError, QldbStreamError

__all__ = ["code_of", "is_transient", "reasons_of", "translate"]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html and
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_TRANSIENT: Final = frozenset(
    {
        "InternalError",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "ThrottlingException",
        "Throttling",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_REASONS: Final = frozenset(
    {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
)
_SERVER_ERROR: Final = 500

# botocore's own, by name, which waiting does not mend either.
_UNSENT: Final = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "ProfileNotFound"}
)
_CREDENTIALS: Final = "AWS takes no such credentials; see AWS_PROFILE and the like"

# What waiting does not mend.
_FOR_GOOD: Final[Mapping[str, str]] = {
    "AccessDenied": "{operation} is not allowed; the role needs what docs/inbox-dynamodb.md lists",
    "AccessDeniedException": "{operation} is not allowed; the role needs what "
    "docs/inbox-dynamodb.md lists",
    "ItemCollectionSizeLimitExceededException": "the table has a local index, which limits a "
    "strand to 10 GB; make a table without",
    "NoSuchBucket": "the bucket is not there; make it, or name another with ?bucket=",
    "ResourceNotFoundException": "there is no such table; make it with ?create=yes, or by the CDK "
    "app",
    "UnrecognizedClientException": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "ExpiredTokenException": "the credentials have expired; get new ones",
    "ValidationException": "{operation} was refused; expected a table with the keys pk and sk, "
    "both strings",
    "KMSAccessDeniedException": "the key that encrypts the table may not be used; grant the role "
    "kms:Decrypt",
}


def code_of(exc: Exception) -> str:
    """Give the service's code for an error; the error's own name where it has none."""
    response = getattr(exc, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(exc).__name__)


def reasons_of(exc: Exception) -> list[str]:
    """Give why each action of a transaction did not pass, `None` where it would have."""
    response: Mapping[str, Any] = getattr(exc, "response", None) or {}
    return [str(reason.get("Code", "None")) for reason in response.get("CancellationReasons", ())]


def is_transient(exc: Exception) -> bool:
    """Say whether waiting can mend an error: throttling, conflicts, 5xx, connections."""
    response = getattr(exc, "response", None)
    if response is None:
        return type(exc).__name__ not in _UNSENT  # others: no answer
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code_of(exc) in _TRANSIENT or status >= _SERVER_ERROR:
        return True
    return bool(_REASONS.intersection(reasons_of(exc)))


def translate(name: str, operation: str, exc: Exception) -> QldbStreamError:
    """Give our error for one of botocore's; it quotes no request."""
    code = code_of(exc)
    assert code != "ParamValidationError", f"{operation} cannot be sent: {code}"
    if code in _UNSENT:
        return InboxFileError(name, f"there are no credentials for AWS ({code}); see AWS_PROFILE")
    if is_transient(exc):
        return InboxUnavailableError(name, f"{operation} failed again and again: {code}; repeat")
    problem = _FOR_GOOD.get(code, "{operation} was refused: {code}")
    return InboxFileError(name, problem.format(operation=operation, code=code))
