"""What pyqldb and botocore raise, as errors of this package."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    SSLError,
)

from qldb_stream.clients import load_ionhash, translated_errors
from qldb_stream.errors import (
    EndpointError,
    LambdaAbortedError,
    OccConflictError,
    QldbStreamError,
    StatementError,
    TransactionClosedError,
    UsageError,
)

HERE = "http://127.0.0.1:8182"


def _said(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "SendCommand")


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (
            _said("BadRequestException", "Digests don't match"),
            StatementError("Digests don't match"),
        ),
        (_said("OccConflictException", "OCC"), OccConflictError("")),
        (
            _said("InvalidSessionException", "Transaction abc has expired"),
            TransactionClosedError("abc", "has expired"),
        ),
        (
            _said("InvalidSessionException", "No such session"),
            EndpointError(HERE, "InvalidSessionException: No such session"),
        ),
        (_said("500"), EndpointError(HERE, "500")),
        (EndpointConnectionError(endpoint_url=HERE), EndpointError(HERE, "nothing answers there")),
        (
            NoCredentialsError(),
            EndpointError(HERE, "it needs credentials, and none are configured"),
        ),
        (
            SSLError(endpoint_url=HERE, error="self-signed certificate"),
            EndpointError(
                HERE,
                "no TLS with it: its certificate is not trusted here (AWS_CA_BUNDLE names a file "
                "of those that are), or it speaks plain http",
            ),
        ),
        (BotoCoreError(), EndpointError(HERE, "botocore says BotoCoreError")),
        (
            ParamValidationError(report="LedgerName\nis too short"),
            UsageError("Parameter validation failed: LedgerName is too short"),
        ),
    ],
)
def test_errors_of_botocore(foreign: Exception, ours: QldbStreamError) -> None:
    """Each has its leaf, and the foreign one is its cause."""
    load_ionhash()
    with pytest.raises(QldbStreamError) as caught, translated_errors(HERE):
        raise foreign

    assert ours == caught.value
    assert foreign is caught.value.__cause__


def test_errors_of_pyqldb() -> None:
    """Pyqldb's own errors have leaves, too; what is nobody's passes through."""
    load_ionhash()
    from pyqldb import errors

    with pytest.raises(LambdaAbortedError), translated_errors(HERE):
        raise errors.LambdaAbortedError
    with pytest.raises(StatementError, match="closed driver"), translated_errors(HERE):
        raise errors.DriverClosedError
    with pytest.raises(KeyError), translated_errors(HERE):
        raise KeyError
