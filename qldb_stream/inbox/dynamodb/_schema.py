"""
The table: how it is made, and how an inbox finds out that it is one.

The rule of versions: `FORMAT_VERSION` stands in the item `meta`. Whoever changes what an item
means raises it. A table of another version is refused; nothing is ever guessed. The number of
shards stands beside it, since records could not be found by another.
"""

from __future__ import annotations

from typing import Any, Final

from qldb_stream.boto import place_of
from qldb_stream.errors import InboxFileError, UsageError
from qldb_stream.inbox.dynamodb._calls import Calls, make_client
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, META, RANGE_KEY, TTL_ATTRIBUTE
from qldb_stream.inbox.dynamodb._problems import translate
from qldb_stream.inbox.dynamodb._table import Table
from qldb_stream.inbox.dynamodb._values import Item, Value, need
from qldb_stream.ledger import Environment

__all__ = ["FORMAT_VERSION", "SHARDS", "create_table", "read_shards"]

FORMAT_VERSION: Final = 1

SHARDS: Final = 4
"""Into how many partition keys a new inbox parts each strand."""

MOST_SHARDS: Final = 64

_NEW: Final = f"attribute_not_exists(#{HASH_KEY})"
_THERE: Final = "ResourceInUseException"


def create_table(
    table: str,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    kms_key: str | None = None,
    client: Any = None,
) -> None:
    """
    Create a table for an inbox, and wait until it can be used; one that is there stays.

    It is billed by request, has the keys `pk` and `sk` (strings), the TTL attribute `expires_at`,
    and no backups: what was erased would stay in those.

    Args:
        table: its name.
        region: AWS's region; what boto3 finds in environment and files when None.
        endpoint_url: where DynamoDB is; AWS's own place when None.
        kms_key: id, ARN or alias of the key that encrypts it; AWS's own key when None.
        client: a boto3 client for DynamoDB, instead of making one.

    Raises:
        UsageError: boto3 is not installed, or no client can be made.
        InboxFileError: AWS refuses it, for a permission or another reason.
        InboxUnavailableError: DynamoDB cannot be reached.
    """
    used = client or make_client("dynamodb", region=region, endpoint_url=endpoint_url)
    from botocore.exceptions import BotoCoreError, WaiterError

    calls = Calls(f"dynamodb:{table}", Environment())
    try:
        made = _create(calls, used, table, kms_key)
        used.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
        if made:
            ttl = {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}
            operation = "dynamodb:UpdateTimeToLive"
            calls.call(
                used.update_time_to_live, operation, TableName=table, TimeToLiveSpecification=ttl
            )
    except WaiterError as exc:
        raise InboxFileError(calls.name, "the table does not become active; look at it") from exc
    except BotoCoreError as exc:  # the waiter's own calls
        raise translate(calls.name, "dynamodb:DescribeTable", exc, place_of(used)) from exc
    finally:
        if client is None:
            used.close()


def _create(calls: Calls, client: Any, table: str, kms_key: str | None) -> bool:
    """Create the table; say whether it was not there."""
    arguments: Item = {
        "KeySchema": [
            {"AttributeName": HASH_KEY, "KeyType": "HASH"},
            {"AttributeName": RANGE_KEY, "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": "S"} for name in (HASH_KEY, RANGE_KEY)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if kms_key is not None:
        arguments["SSESpecification"] = {
            "Enabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": kms_key,
        }
    try:
        operation = "dynamodb:CreateTable"
        calls.call(client.create_table, operation, TableName=table, **arguments)
    except InboxFileError as exc:
        response = getattr(exc.__cause__, "response", {})
        if response.get("Error", {}).get("Code") != _THERE:
            raise
        return False
    return True


def read_shards(table: Table, shards: int | None) -> int:
    """
    Give the number of shards, after checks; a new inbox is told of its own.

    Args:
        table: with an inbox, or empty.
        shards: into how many a new one parts strands; None for the usual number.

    Raises:
        InboxFileError: it is of another version, or damaged, or there is no such table.
        UsageError: it is parted into another number of shards.
    """
    meta = table.get(META)
    if meta is None:
        item: dict[str, Value | None] = {
            HASH_KEY: META.pk,
            RANGE_KEY: META.sk,
            "version": FORMAT_VERSION,
            "shards": shards or SHARDS,
        }
        table.put(item, _NEW)
        meta = table.get(META) or {}
    version = need(meta, "version", int, table.name)
    if version != FORMAT_VERSION:
        raise InboxFileError(
            table.name,
            f"its format is version {version}, this package reads {FORMAT_VERSION}; install the "
            "qldb-stream that wrote it, or a newer one",
        )
    found = int(need(meta, "shards", int, table.name))
    if not 1 <= found <= MOST_SHARDS:
        raise InboxFileError(table.name, f"the table is damaged: {found} shards")
    if shards not in (None, found):
        raise UsageError(f"inbox {table.name} has {found} shards, not {shards}; they stay")
    return found
