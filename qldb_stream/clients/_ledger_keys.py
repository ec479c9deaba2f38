"""Keys of a ledger's server, where they are others than boto3's own."""

from __future__ import annotations

import os
from typing import Final

from qldb_stream.errors import UsageError

__all__ = ["ACCESS_KEY", "SECRET_KEY", "ledger_keys"]

ACCESS_KEY: Final = "QLDB_STREAM_LEDGER_ACCESS_KEY"
SECRET_KEY: Final = "QLDB_STREAM_LEDGER_SECRET_KEY"


def ledger_keys() -> dict[str, str]:
    """
    Give the keys that the environment has for a ledger's server.

    A function on AWS signs for AWS with its role's keys, which no other server knows.

    Returns:
        What `connect` takes: `aws_access_key_id` and `aws_secret_access_key`; empty where
        QLDB_STREAM_LEDGER_ACCESS_KEY and QLDB_STREAM_LEDGER_SECRET_KEY are not set.

    Raises:
        UsageError: only one of them is set.
    """
    access_key, secret_key = os.environ.get(ACCESS_KEY), os.environ.get(SECRET_KEY)
    if bool(access_key) != bool(secret_key):
        raise UsageError(f"{ACCESS_KEY} and {SECRET_KEY} go together")
    if not access_key or not secret_key:
        return {}
    return {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
