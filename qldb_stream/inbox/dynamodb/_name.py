"""Names of inboxes in DynamoDB: ``dynamodb:TABLE?region=...&bucket=...``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from qldb_stream.errors import UsageError
from qldb_stream.inbox._limits import InboxLimits
from qldb_stream.inbox.dynamodb._inbox import DynamoDbInbox, DynamoDbOptions
from qldb_stream.inbox.dynamodb._schema import MOST_SHARDS, create_table

__all__ = ["open_dynamodb"]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_TEXTS: Final = ("region", "endpoint_url", "bucket", "prefix", "s3_endpoint_url")
_OPTIONS: Final = (*_TEXTS, "shards", "create")


def open_dynamodb(
    name: str, *, limits: InboxLimits | None = None, must_exist: bool = False
) -> DynamoDbInbox:
    """
    Open the inbox that a name means.

    Args:
        name: ``dynamodb:TABLE``, with options after a question mark.
        limits: how much it may hold.
        must_exist: do not make a table, even if the name says so.

    Raises:
        UsageError: the name is none, or has an unknown option.
        InboxFileError: there is no such table, or it is no inbox of this version.
        InboxUnavailableError: DynamoDB does not answer.
    """
    table, _, query = name.removeprefix("dynamodb:").partition("?")
    if not _TABLE.fullmatch(table):
        raise UsageError(f"{name!r} names no table: write dynamodb:TABLE")
    given = _read_options(name, query)
    options = DynamoDbOptions(
        shards=_read_shards(given), **{key: given[key] for key in _TEXTS if given.get(key)}
    )
    if given.get("create") == "yes" and not must_exist:
        create_table(table, region=options.region, endpoint_url=options.endpoint_url)
    return DynamoDbInbox(table, options, limits=limits)


def _read_options(name: str, query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    options = dict(pairs)
    unknown = sorted(options.keys() - set(_OPTIONS))
    if unknown or len(options) < len(pairs):
        what = f"option {unknown[0]!r} is not known" if unknown else "an option is given twice"
        raise UsageError(f"inbox {name}: {what}; there are {', '.join(_OPTIONS)}")
    if options.get("create", "no") not in ("yes", "no"):
        raise UsageError(f"inbox {name}: create is yes or no")
    return options


def _read_shards(options: dict[str, str]) -> int | None:
    text = options.get("shards")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_SHARDS):
        raise UsageError(f"shards is a number from 1 to {MOST_SHARDS}")
    return int(text[:4])
