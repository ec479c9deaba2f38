"""
The inbox in a table of DynamoDB, for consumers on several machines: Lambda functions above all.

`docs/inbox-dynamodb.md` says what it costs, which permissions it needs, and how the table is
made. It needs the extra `aws`.
"""

from __future__ import annotations

from qldb_stream.inbox.dynamodb._inbox import DynamoDbInbox, DynamoDbOptions
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, TTL_ATTRIBUTE
from qldb_stream.inbox.dynamodb._name import open_dynamodb
from qldb_stream.inbox.dynamodb._schema import create_table

__all__ = [
    "HASH_KEY",
    "RANGE_KEY",
    "TTL_ATTRIBUTE",
    "DynamoDbInbox",
    "DynamoDbOptions",
    "create_table",
    "open_dynamodb",
]
