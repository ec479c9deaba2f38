"""What the errors of DynamoDB, S3 and botocore mean for an inbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.boto import code_of, may_pass
from qldb_stream.errors import InboxFileError, InboxUnavailableError, QldbStreamError

__all__ = ["is_transient", "reasons_of", "translate"]

_REASONS: Final = frozenset(
    {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
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
    "ResourceNotFoundException": "there is no such table {place}; make it with "
    "?create=yes, or by the CDK app",
    "UnrecognizedClientException": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "ExpiredTokenException": "the credentials have expired; get new ones",
    "ValidationException": "{operation} was refused; expected a table with the keys pk and sk, "
    "both strings",
    "KMSAccessDeniedException": "the key that encrypts the table may not be used; grant the role "
    "kms:Decrypt",
}


def reasons_of(exc: Exception) -> list[str]:
    """Give why each action of a transaction did not pass, `None` where it would have."""
    response: Mapping[str, Any] = getattr(exc, "response", None) or {}
    return [str(reason.get("Code", "None")) for reason in response.get("CancellationReasons", ())]


def is_transient(exc: Exception) -> bool:
    """Say whether waiting can mend an error: throttling, conflicts, 5xx, connections."""
    return may_pass(exc) or bool(_REASONS.intersection(reasons_of(exc)))


def translate(name: str, operation: str, exc: Exception, place: str) -> QldbStreamError:
    """Give our error for one of botocore's, of a call to some place; it quotes no request."""
    code = code_of(exc)
    assert code != "ParamValidationError", f"{operation} cannot be sent: {code}"
    if is_transient(exc):
        return InboxUnavailableError(name, f"{operation} failed again and again: {code}; repeat")
    if getattr(exc, "response", None) is None:
        problem = f"{operation} was not sent: no credentials for AWS, or no such set-up ({code})"
        return InboxFileError(name, f"{problem}; see AWS_PROFILE and the like")
    problem = _FOR_GOOD.get(code, "{operation} was refused: {code}")
    return InboxFileError(name, problem.format(operation=operation, code=code, place=place))
