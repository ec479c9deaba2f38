"""
boto3 in one place: how clients are made, and which of its errors waiting can mend.

boto3 is imported when a client is made and not before: few need it, and it is slow to load.

AWS has no list of errors that pass; each service has codes of its own, of which most speak of load
or of the service's own failure in one of a few words. Rooms add the codes that mean something
to them alone. AWS's texts may quote a request, and so a document: `told` leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from qldb_stream.errors import UsageError

__all__ = ["code_of", "is_passing", "make_client", "may_pass", "place_of", "told"]

# https://docs.aws.amazon.com/general/latest/gr/api-retries.html and the services' references.
_PASSING: Final = re.compile(
    "Throttl|TooManyRequests|SlowDown|Internal|Unavailable|Timeout|ThroughputExceeded"
    "|^(Request)?LimitExceeded|^Transaction(Conflict|InProgress)|^OperationAborted"
)
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500

# Of botocore's own: no answer, a damaged one, or none from where credentials are fetched. What is
# left (no credentials at all, no region, a request that cannot be sent) is for people to mend.
_NO_ANSWER: Final = (
    "ConnectionError",
    "HTTPClientError",
    "IncompleteReadError",
    "ChecksumError",
    "FlexibleChecksumError",
    "CredentialRetrievalError",
    "MetadataRetrievalError",
)


def make_client(
    service: str,
    *,
    lack: str,
    failed: str,
    region: str | None = None,
    endpoint_url: str | None = None,
    **settings: Any,
) -> Any:
    """
    Make a boto3 client; no request is sent.

    Args:
        service: boto3's name of it.
        lack: who needs what, for where boto3 is not installed.
        failed: what cannot be made, for where there is no region, or no such endpoint.
        region: AWS's region; what boto3 finds in environment and files when None.
        endpoint_url: where the service is; what boto3 finds when None.
        settings: what `botocore.config.Config` takes; without any, boto3's own.

    Raises:
        UsageError: boto3 is not installed, no region is known, or the URL is none.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, NoRegionError
    except ImportError as exc:
        raise UsageError(f"{lack}: pip install 'qldb-stream[aws]'") from exc
    try:
        config = Config(**settings) if settings else None
        return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=config)
    except NoRegionError as exc:
        problem = f"{failed}: no region is known; set AWS_DEFAULT_REGION, or region in the URL"
        raise UsageError(f"{problem} where it takes that") from exc
    except (BotoCoreError, ValueError) as exc:  # ValueError: an endpoint that is no URL
        raise UsageError(f"{failed}: {exc}") from exc


def may_pass(exc: BaseException) -> bool:
    """
    Say whether waiting can mend an error of botocore's.

    Args:
        exc: a ClientError or BotoCoreError; the former's answer is looked at, code and status.
    """
    response = _response_of(exc)
    if response is None:
        return any(kind.__name__ in _NO_ANSWER for kind in type(exc).__mro__)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return is_passing(code_of(exc)) or status == _TOO_MANY or status >= _SERVER_ERROR


def is_passing(code: str) -> bool:
    """Say whether a code, of a call or of one entry of a batch, is of load or of the service."""
    return _PASSING.search(code) is not None


def code_of(exc: BaseException) -> str:
    """Give the service's code for an error; the error's own name where it has none."""
    response = _response_of(exc) or {}
    return str(response.get("Error", {}).get("Code") or type(exc).__name__)


def told(exc: BaseException) -> str:
    """Say what failed, without the text, which may quote a request: call, code, endpoint."""
    call = getattr(exc, "operation_name", None)
    if call is not None:
        return f"{call}: {code_of(exc)}"
    place = getattr(exc, "kwargs", {}).get("endpoint_url")
    return code_of(exc) if place is None else f"{code_of(exc)} at {str(place).partition('?')[0]}"


def place_of(client: Any) -> str:
    """Say where a client asks; what is not found there is, more often than not, elsewhere."""
    meta = client.meta
    return f"in {meta.region_name} at {meta.endpoint_url}"


def _response_of(exc: BaseException) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = getattr(exc, "response", None)
    return found
