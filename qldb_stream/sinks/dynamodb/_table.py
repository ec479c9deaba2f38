"""
The table itself: boto3's client of DynamoDB, and what its errors mean to a sink.

Reads are consistent ones. The client tries again by itself, a bounded number of times, what is
throttled or not answered; what is left then is a `SinkUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from qldb_stream import boto
from qldb_stream.errors import SinkUnavailableError, UsageError
from qldb_stream.sinks.dynamodb._items import Item, Key, key_of
from qldb_stream.sinks.dynamodb._plan import Change
from qldb_stream.sinks.dynamodb._values import AttributeValue

__all__ = ["READ_TOGETHER", "LostError", "RefusedError", "Table", "open_table"]

_ATTEMPTS: Final = 5
_CONNECT_S: Final = 5
_READ_S: Final = 20
READ_TOGETHER: Final = 100  # keys of one BatchGetItem
_READS: Final = 50  # how often what a batch left unread is asked for
_ACTIVE: Final = {"Delay": 1, "MaxAttempts": 60}

_FAILED: Final = "ConditionalCheckFailed"
_NOT_NOW: Final = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
)
_OWNERS: Final = {
    "AccessDeniedException": "allow the caller to read and write the table",
    "InvalidSignatureException": "check the credentials and the region",
    "KMSAccessDeniedException": "allow the caller to use the table's key",
    "ResourceNotFoundException": "there is no such table {place}; make it, with the "
    "string keys pk and sk, or give create=yes",
    "UnrecognizedClientException": "check the credentials and the region",
}
"""Errors that are for people to mend, and how."""
_ANY: Final = "check the credentials, the region and the table"

_SCHEMA: Final = (("pk", "HASH"), ("sk", "RANGE"))
_NEWEST: Final = "attribute_not_exists(qldb_version) OR qldb_version <= :version"
_SAME: Final = "qldb_revision = :revision"
_NONE: Final = "attribute_not_exists(pk)"


class LostError(Exception):
    """Somebody else has changed the position since it was read."""


class RefusedError(Exception):
    """DynamoDB will never take an item, and why, without its contents."""


class Table:
    """
    One table of DynamoDB.

    Args:
        name: its name or ARN.
        client: boto3's.
    """

    def __init__(self, name: str, client: Any) -> None:
        self.name: Final = f"dynamodb:{name}"
        self._table: Final = name
        self._client: Final = client

    def create(self) -> None:
        """
        Make the table, charged by request, unless it is there; wait until it can be used.

        Raises:
            UsageError: that is not allowed.
            SinkUnavailableError: DynamoDB cannot be reached, or takes more than a minute.
        """
        from botocore.exceptions import ClientError, WaiterError

        with self._translated():
            try:
                self._client.create_table(
                    TableName=self._table,
                    BillingMode="PAY_PER_REQUEST",
                    AttributeDefinitions=[
                        {"AttributeName": name, "AttributeType": "S"} for name, _ in _SCHEMA
                    ],
                    KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in _SCHEMA],
                )
            except ClientError as exc:
                if boto.code_of(exc) != "ResourceInUseException":
                    raise
            waiter = self._client.get_waiter("table_exists")
            try:
                waiter.wait(TableName=self._table, WaiterConfig=_ACTIVE)
            except WaiterError as exc:
                raise SinkUnavailableError(self.name, "the table is not ready yet") from exc

    def get(self, key: Key) -> Item | None:
        """
        Read one item; None where there is none.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        with self._translated():
            answer = self._client.get_item(
                TableName=self._table, Key=_key(key), ConsistentRead=True
            )
        item: Item | None = answer.get("Item")
        return item

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """
        Read the items of these keys that are there; the keys are all different.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        found: dict[Key, Item] = {}
        for start in range(0, len(keys), READ_TOGETHER):
            wanted = [_key(key) for key in keys[start : start + READ_TOGETHER]]
            for item in self._read_batch(wanted):
                found[key_of(item)] = item
        return found

    def query(
        self, partition: str, first: str, last: str, *, newest_first: int = 0
    ) -> Iterator[Item]:
        """
        Iterate over a partition's items from one sort key to another, in order.

        Args:
            partition: all of whose items have this.
            first: the lowest sort key.
            last: the highest, included.
            newest_first: if not 0, from the highest down, so many to a request.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        yield from self._pages(
            self._client.query,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues={
                ":pk": {"S": partition},
                ":first": {"S": first},
                ":last": {"S": last},
            },
            **({"ScanIndexForward": False, "Limit": newest_first} if newest_first else {}),
        )

    def scan(self, condition: str, values: Mapping[str, AttributeValue]) -> Iterator[Item]:
        """
        Read the whole table for the items that meet a condition.

        Raises:
            UsageError, SinkUnavailableError: see the module.
        """
        yield from self._pages(
            self._client.scan, FilterExpression=condition, ExpressionAttributeValues=dict(values)
        )

    def transact(self, changes: Sequence[Change], position: Item, expected: int | None) -> None:
        """
        Make changes and write the position, all of it or nothing.

        Args:
            changes: of different items, as many as a transaction takes.
            position: the strand's new item.
            expected: the revision of the item that was read; None where none was.

        Raises:
            LostError: another revision is there.
            RefusedError: DynamoDB will never take one of the changes.
            UsageError, SinkUnavailableError: see the module.
        """
        actions = [self._position(position, expected), *map(self._action, changes)]
        with self._translated():
            self._client.transact_write_items(TransactItems=actions)

    def _position(self, item: Item, expected: int | None) -> dict[str, Any]:
        put: dict[str, Any] = {"TableName": self._table, "Item": item}
        if expected is None:
            return {"Put": put | {"ConditionExpression": _NONE}}
        values = {":revision": {"N": str(expected)}}
        condition = {"ConditionExpression": _SAME, "ExpressionAttributeValues": values}
        return {"Put": put | condition}

    def _action(self, change: Change) -> dict[str, Any]:
        condition: dict[str, Any] = {"TableName": self._table}
        if change.version is not None:
            values = {":version": {"N": str(change.version)}}
            condition |= {"ConditionExpression": _NEWEST, "ExpressionAttributeValues": values}
        if change.item is None:
            return {"Delete": condition | {"Key": _key(change.key)}}
        return {"Put": condition | {"Item": change.item}}

    def _pages(self, ask: Any, **request: Any) -> Iterator[Item]:
        start: dict[str, Any] = {}
        while True:
            with self._translated():
                page = ask(TableName=self._table, ConsistentRead=True, **request, **start)
            yield from page["Items"]
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _read_batch(self, keys: list[Item]) -> Iterator[Item]:
        left = {self._table: {"Keys": keys, "ConsistentRead": True}}
        for _ in range(_READS):
            with self._translated():
                answer = self._client.batch_get_item(RequestItems=left)
            for items in answer["Responses"].values():
                yield from items
            left = answer.get("UnprocessedKeys")
            if not left:
                return
        raise SinkUnavailableError(self.name, f"items are still unread after {_READS} requests")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as exc:
            raise _translate(self.name, exc, boto.place_of(self._client)) from exc
        except BotoCoreError as exc:
            if boto.may_pass(exc):
                raise SinkUnavailableError(self.name, boto.told(exc)) from exc
            raise UsageError(f"{self.name}: {boto.told(exc)}: check the credentials") from exc


def open_table(name: str, region: str | None, endpoint: str | None) -> Table:
    """
    Make ready to use a table; no request is sent.

    Raises:
        UsageError: boto3 is not installed, or has no region or endpoint to go to.
    """
    client = boto.make_client(
        "dynamodb",
        lack="dynamodb: needs the extra `aws`",
        failed="dynamodb: no client of DynamoDB can be made",
        region=region,
        endpoint_url=endpoint,
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    return Table(name, client)


def _key(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _translate(sink: str, exc: Any, place: str) -> Exception:
    """Say what an error means; DynamoDB's own texts may quote a document, and stay out."""
    code = boto.code_of(exc)
    reasons = [str(reason.get("Code")) for reason in exc.response.get("CancellationReasons", ())]
    if code == "TransactionCanceledException" and reasons:
        return _cancelled(sink, reasons)
    if boto.may_pass(exc):
        return SinkUnavailableError(sink, code)
    if code in ("ValidationException", "ItemCollectionSizeLimitExceededException"):
        return RefusedError(_INVALID)
    return UsageError(f"{sink}: {code}: {_OWNERS.get(code, _ANY).format(place=place)}")


_INVALID: Final = (
    "DynamoDB finds an item invalid (ValidationError): the table's keys must be the strings pk and "
    "sk, and a field that an index is over must have the index's type"
)


def _cancelled(sink: str, reasons: Sequence[str]) -> Exception:
    """Say why a transaction was cancelled; the position is its first action."""
    if reasons[0] == _FAILED:
        return LostError()
    told = sorted({reason for reason in reasons if reason != "None"})
    if _NOT_NOW.intersection(told):
        return SinkUnavailableError(sink, ", ".join(told))
    if _FAILED in told:
        return RefusedError(
            "the table has a newer version of one of its documents, which this sink did not write"
        )
    return RefusedError(f"{_INVALID} [{', '.join(told)}]")
