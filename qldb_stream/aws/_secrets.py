"""
Credentials out of AWS Secrets Manager, read once for a container.

URLs and environments are shown in consoles and logs; secrets are not. What a secret holds gets into
no message.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final
from urllib.parse import quote

from qldb_stream.boto import may_pass, told
from qldb_stream.errors import SinkUnavailableError, UsageError

__all__ = ["export_ledger_keys", "ledger_keys_of", "sink_url_of"]

_CONNECT_S: Final = 5
_READ_S: Final = 10


def sink_url_of(url: str | None, secret_id: str) -> str:
    """
    Put a secret's credentials into a sink's URL.

    Args:
        url: without credentials; None when the secret is the whole URL.
        secret_id: the secret's ARN or name. A JSON object with `username` and `password`, as RDS
            makes them, goes into the URL; anything else is the URL itself.

    Raises:
        UsageError: the secret cannot be read, or does not go with the URL.
        SinkUnavailableError: Secrets Manager cannot be reached now.
    """
    text = _read(secret_id)
    found = _maybe_object(text)
    if found is None:
        if url is not None:
            raise UsageError(f"secret {secret_id} has no username and password to put into a URL")
        return text.strip()
    user, password = found.get("username"), found.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise UsageError(f"secret {secret_id} has no username and password")
    scheme, slashes, rest = (url or "").partition("://")
    if not slashes or "@" in rest.partition("/")[0]:
        raise UsageError(
            f"the credentials of secret {secret_id} go into a URL such as "
            "postgresql://HOST/DATABASE, which has none of its own"
        )
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def export_ledger_keys(secret_id: str) -> None:
    """
    Let `qldb:` sinks sign with a secret's keys, as `qldb_stream.clients.ledger_keys` has it.

    Raises:
        UsageError, SinkUnavailableError: as `ledger_keys_of`.
    """
    keys = ledger_keys_of(secret_id)
    os.environ["QLDB_STREAM_LEDGER_ACCESS_KEY"] = keys["aws_access_key_id"]
    os.environ["QLDB_STREAM_LEDGER_SECRET_KEY"] = keys["aws_secret_access_key"]


def ledger_keys_of(secret_id: str) -> dict[str, str]:
    """
    Read the keys that a ledger server's requests are signed with.

    Args:
        secret_id: of a JSON object with `access_key_id` and `secret_access_key` (or `access_key`
            and `secret_key`), or of the server's own file of keys (`qldb-stream ledger serve
            --keys`), of which the first that may write is taken.

    Returns:
        What `qldb_stream.clients.connect` takes.

    Raises:
        UsageError: the secret cannot be read, or holds no such keys.
        SinkUnavailableError: Secrets Manager cannot be reached now.
    """
    found = _maybe_object(_read(secret_id)) or {}
    listed = found.get("keys", [found])
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("permission", "read-write") != "read-write":
            continue
        key = each.get("access_key_id", each.get("access_key"))
        secret = each.get("secret_access_key", each.get("secret_key"))
        if isinstance(key, str) and isinstance(secret, str) and key and secret:
            return {"aws_access_key_id": key, "aws_secret_access_key": secret}
    raise UsageError(
        f"secret {secret_id} holds no access_key_id and secret_access_key that may write"
    )


def _maybe_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read(secret_id: str) -> str:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ModuleNotFoundError as exc:
        problem = "secrets need the extra `aws`: pip install 'qldb-stream[aws]'"
        raise UsageError(problem) from exc
    config = Config(
        connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 3}
    )
    try:
        client = boto3.client("secretsmanager", config=config)
        answer = client.get_secret_value(SecretId=secret_id)
    except (BotoCoreError, ClientError) as exc:
        if may_pass(exc):
            raise SinkUnavailableError(f"secret {secret_id}", told(exc)) from exc
        raise UsageError(
            f"secret {secret_id} cannot be read ({told(exc)}): it must exist, and this function's "
            "role may GetSecretValue and, with a key of its own, Decrypt"
        ) from exc
    text = answer.get("SecretString")
    if not isinstance(text, str):
        raise UsageError(f"secret {secret_id} holds bytes, expected text")
    return text
