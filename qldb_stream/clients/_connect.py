"""pyqldb's driver, ready to use on whatever boto3 and amazon.ion are installed."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from qldb_stream.clients._compat import load_ionhash, missing_extra
from qldb_stream.clients._sessions import boto3_session, make_botocore_session
from qldb_stream.errors import UsageError
from qldb_stream.loopback import is_loopback

__all__ = ["connect"]

# A server on loopback checks no signature, but a client does not send without one (facts 6.1).
_NO_CREDENTIALS: Final = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
_NO_REGION: Final = "us-east-1"
# Asks the machine it runs on over the network, and waits long where nobody answers.
_MACHINE_CREDENTIALS: Final = "iam-role"

_OWN_SESSION: Final = "boto3_session"


def connect(
    ledger_name: str,
    *,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    **options: Any,
) -> Any:
    """
    Make pyqldb's driver for a ledger; no request is sent yet.

    Where no credentials are given, boto3 looks for them as it always does. For an endpoint on
    this machine (localhost, 127.0.0.0/8, ::1) it does not ask the machine's own role, and when
    nothing is configured uses made-up ones: our server needs none there. With any endpoint, the
    region is us-east-1 when none is configured: it only goes into the signature.

    Args:
        ledger_name: the ledger's name.
        endpoint_url: where a `qldb-session` server answers, as http://127.0.0.1:8765; None
            for AWS's own address, where nothing has answered since 2025-07-31.
        region_name: the region to sign for.
        aws_access_key_id: half of the key to sign with; both or none.
        aws_secret_access_key: the other half.
        aws_session_token: the token that goes with temporary keys.
        options: what else pyqldb's driver takes: retry_config, read_ahead, executor, verify,
            config, max_concurrent_transactions. With `boto3_session`, region and credentials
            are that session's, which must know `qldb-session`.

    Returns:
        A `pyqldb.driver.qldb_driver.QldbDriver`; close it, or use it in a `with`.

    Raises:
        UsageError: the extra `qldb` is not installed; no region is configured; a name, an
            endpoint or an option that boto3 or pyqldb refuses.
    """
    load_ionhash()
    try:
        from botocore.exceptions import BotoCoreError
        from pyqldb.driver.qldb_driver import QldbDriver
    except ModuleNotFoundError as exc:
        raise missing_extra(exc) from exc
    given = {
        "region_name": region_name,
        "aws_access_key_id": aws_access_key_id,
        "aws_secret_access_key": aws_secret_access_key,
        "aws_session_token": aws_session_token,
    }
    session = _choose_session(options, endpoint_url, given)
    try:
        return QldbDriver(ledger_name, endpoint_url=endpoint_url, boto3_session=session, **options)
    except (BotoCoreError, TypeError, ValueError) as exc:
        raise UsageError(f"pyqldb does not make such a driver: {exc}") from exc


def _choose_session(
    options: dict[str, Any], endpoint_url: str | None, given: dict[str, str | None]
) -> Any:
    """Take the caller's own session out of the options, or make one."""
    session = options.pop(_OWN_SESSION, None)
    if session is None:
        return _make_session(endpoint_url, given)
    if any(given.values()):
        raise UsageError("with boto3_session, region and credentials are the session's own")
    return session


def _make_session(endpoint_url: str | None, given: dict[str, str | None]) -> Any:
    """Make a session from what is given and configured, and from what an endpoint allows."""
    if bool(given["aws_access_key_id"]) != bool(given["aws_secret_access_key"]):
        raise UsageError("aws_access_key_id and aws_secret_access_key go together")
    from botocore.exceptions import BotoCoreError

    try:
        base = make_botocore_session()
        if endpoint_url is not None and not given["region_name"]:
            given["region_name"] = base.get_config_variable("region") or _NO_REGION
        if endpoint_url is not None and _is_loopback(endpoint_url) and not _has_keys(given):
            base.get_component("credential_provider").remove(_MACHINE_CREDENTIALS)
            if base.get_credentials() is None:
                given |= _NO_CREDENTIALS
    except BotoCoreError as exc:
        raise UsageError(f"boto3's configuration cannot be used: {exc}") from exc
    return boto3_session(base, **given)


def _has_keys(given: dict[str, str | None]) -> bool:
    return any(value for name, value in given.items() if name.startswith("aws_"))


def _is_loopback(endpoint_url: str) -> bool:
    """Tell whether an endpoint is this machine, by its name or address alone."""
    try:
        return is_loopback(urlsplit(endpoint_url).hostname or "")
    except ValueError:
        return False
