"""
One table, by the calls that are made of it: no Scan among them, and every read is consistent.

Expressions name attributes as ``#name`` and values as ``:name``; DynamoDB has 573 reserved
words, and nobody remembers them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from qldb_stream.errors import UsageError
from qldb_stream.inbox.dynamodb._calls import ATTEMPTS, Calls, FailedConditionError
from qldb_stream.inbox.dynamodb._keys import HASH_KEY, RANGE_KEY, Key
from qldb_stream.inbox.dynamodb._values import Item, Value, from_item, to_value, to_values

__all__ = ["MOST_ACTIONS", "MOST_BYTES", "Action", "Table"]

Action: TypeAlias = dict[str, Any]
"""One action of a transaction, in the API's form."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MOST_ACTIONS: Final = 100
MOST_BYTES: Final = 3_500_000  # of 4 MB: names and numbers count too
_MOST_GOT: Final = 100
_MOST_WRITTEN: Final = 25

_NAMES: Final = re.compile(r"#(\w+)")


class Table:
    """
    A table, through one boto3 client.

    Args:
        client: of DynamoDB.
        table: its name.
        calls: makes its calls.
    """

    def __init__(self, client: Any, table: str, calls: Calls) -> None:
        self.table: Final = table
        self.calls: Final = calls
        self._client: Any = client

    @property
    def name(self) -> str:
        """Give the inbox's name."""
        return self.calls.name

    def get(self, key: Key) -> Item | None:
        """Give an item; None when it is not there."""
        answer = self._call("get_item", Key=_key(key), ConsistentRead=True)
        return from_item(answer["Item"]) if answer.get("Item") else None

    def get_many(self, keys: Iterable[Key], *only: str) -> dict[Key, Item]:
        """Give those items that are there, by key, with some attributes or all."""
        wanted = list(dict.fromkeys(keys))
        found: dict[Key, Item] = {}
        for begin in range(0, len(wanted), _MOST_GOT):
            request: Item = {"Keys": [_key(k) for k in wanted[begin : begin + _MOST_GOT]]}
            request |= {"ConsistentRead": True, **_projection(*only)}
            for answer in self._batch("batch_get_item", request, "UnprocessedKeys"):
                for item in map(from_item, answer.get("Responses", {}).get(self.table, ())):
                    found[Key(item[HASH_KEY], item[RANGE_KEY])] = item
        return found

    def delete_many(self, keys: Iterable[Key]) -> None:
        """Delete items, whether they are there or not."""
        requests = [{"DeleteRequest": {"Key": _key(key)}} for key in keys]
        for begin in range(0, len(requests), _MOST_WRITTEN):
            chunk = requests[begin : begin + _MOST_WRITTEN]
            for _answer in self._batch("batch_write_item", chunk, "UnprocessedItems"):
                pass

    def query(
        self,
        pk: str,
        first: str = "!",
        last: str = "\x7f",
        *,
        only: Sequence[str] = (),
        limit: int | None = None,
        forward: bool = True,
    ) -> Iterator[Item]:
        """Iterate over the items of a partition key, from one sort key to another."""
        values: dict[str, Value] = {"pk": pk, "first": first, "last": last}
        condition = f"#{HASH_KEY} = :pk AND #{RANGE_KEY} BETWEEN :first AND :last"
        arguments = {
            "KeyConditionExpression": condition,
            "ConsistentRead": True,
            "ScanIndexForward": forward,
            **_projection(*only),
        }
        arguments["ExpressionAttributeNames"] = _names(condition, *[f"#{name}" for name in only])
        arguments["ExpressionAttributeValues"] = _values(values)
        if limit is not None:
            arguments["Limit"] = limit
        while True:
            answer = self._call("query", **arguments)
            yield from map(from_item, answer.get("Items", ()))
            if limit is not None or not answer.get("LastEvaluatedKey"):
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def put(self, item: Mapping[str, Value | None], condition: str | None = None) -> bool:
        """Write an item; False when its condition does not hold."""
        action = self.put_action(item, condition)["Put"]
        return self._conditional("put_item", action)

    def update(
        self,
        key: Key,
        expression: str,
        values: Mapping[str, Value],
        condition: str | None = None,
    ) -> bool:
        """Change an item; False when its condition does not hold."""
        action = self.update_action(key, expression, values, condition)["Update"]
        return self._conditional("update_item", action)

    def delete(self, key: Key) -> None:
        """Delete an item, if it is there."""
        self._call("delete_item", Key=_key(key))

    def transact(self, actions: Sequence[Action]) -> tuple[int, ...]:
        """
        Do all of some actions or none; each is of another item.

        Returns:
            The indexes of those whose conditions did not hold; nothing was done then.
        """
        token = self.calls.new_id()
        try:
            self._call_plain(
                "transact_write_items", TransactItems=list(actions), ClientRequestToken=token
            )
        except FailedConditionError as exc:
            return exc.failed
        return ()

    def put_action(self, item: Mapping[str, Value | None], condition: str | None = None) -> Action:
        """Give the action that writes an item."""
        return {"Put": self._action({"Item": to_values(item)}, {}, condition)}

    def update_action(
        self,
        key: Key,
        expression: str,
        values: Mapping[str, Value],
        condition: str | None = None,
    ) -> Action:
        """Give the action that changes an item."""
        fields = {"Key": _key(key), "UpdateExpression": expression}
        return {"Update": self._action(fields, values, condition)}

    def delete_action(self, key: Key, condition: str = f"attribute_exists(#{HASH_KEY})") -> Action:
        """Give the action that deletes an item that is there."""
        return {"Delete": self._action({"Key": _key(key)}, {}, condition)}

    def check_action(self, key: Key, condition: str, values: Mapping[str, Value]) -> Action:
        """Give the action that only checks a condition."""
        return {"ConditionCheck": self._action({"Key": _key(key)}, values, condition)}

    def close(self) -> None:
        """Close the client; every method is a UsageError from then on."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _action(
        self, fields: Item, values: Mapping[str, Value], condition: str | None
    ) -> dict[str, Any]:
        names = _names(str(fields.get("UpdateExpression", "")), condition or "")
        action = {"TableName": self.table, **fields}
        if condition:
            action["ConditionExpression"] = condition
        if names:
            action["ExpressionAttributeNames"] = names
        if values:
            action["ExpressionAttributeValues"] = _values(values)
        return action

    def _conditional(self, operation: str, arguments: Item) -> bool:
        try:
            self._call_plain(operation, **arguments)
        except FailedConditionError:
            return False
        return True

    def _batch(self, operation: str, request: Any, rest: str) -> Iterator[Any]:
        """Iterate over the answers until nothing of a batch is left unprocessed."""
        attempt, items = 1, {self.table: request}
        while items:
            answer = self._call_plain(operation, RequestItems=items)
            yield answer
            items = answer.get(rest) or {}
            if items:
                if attempt == ATTEMPTS:
                    raise self.calls.busy("its table")
                self.calls.pause(attempt)
                attempt += 1

    def _call(self, operation: str, **arguments: Any) -> Any:
        return self._call_plain(operation, TableName=self.table, **arguments)

    def _call_plain(self, operation: str, **arguments: Any) -> Any:
        client = self._client
        if client is None:
            raise UsageError(f"inbox {self.name} is closed")
        words = "".join(word.capitalize() for word in operation.split("_"))
        return self.calls.call(getattr(client, operation), f"dynamodb:{words}", **arguments)


def _key(key: Key) -> Item:
    return {HASH_KEY: to_value(key.pk), RANGE_KEY: to_value(key.sk)}


def _names(*expressions: str) -> dict[str, str]:
    return {f"#{name}": name for each in expressions for name in _NAMES.findall(each)}


def _values(values: Mapping[str, Value]) -> Item:
    return {f":{name}": to_value(value) for name, value in values.items()}


def _projection(*only: str) -> Item:
    if not only:
        return {}
    expression = ", ".join(f"#{name}" for name in only)
    return {"ProjectionExpression": expression, "ExpressionAttributeNames": _names(expression)}
