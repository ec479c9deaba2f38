"""Python's values as DynamoDB's, in its API's own form: ``{"S": "text"}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from qldb_stream.errors import InboxFileError

__all__ = ["Item", "Value", "from_item", "maybe_number", "need", "to_value", "to_values"]

Value: TypeAlias = str | int | float | bytes | frozenset[str]
"""What an attribute may be here."""

Item: TypeAlias = dict[str, Any]
"""An item with Python's values, or an attribute's value in the API's form."""


def to_value(value: Value) -> Item:
    """Give a value in the API's form."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, frozenset):
        return {"SS": sorted(value)}
    return {"N": repr(value)}  # the shortest text that is the number: 17 digits, DynamoDB has 38


def to_values(values: Mapping[str, Value | None]) -> Item:
    """Give all values that are not None, by name."""
    return {name: to_value(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> Item:
    """Read an item; what is of a type that is never written here is None."""
    return {name: _read(value) for name, value in item.items()}


def _read(value: Mapping[str, Any]) -> Value | None:
    for kind, found in value.items():
        if kind == "N":
            number = float(found)
            return int(found) if found.lstrip("-").isdigit() else number
        if kind == "SS":
            return frozenset(found)
        if kind in ("S", "B"):
            return bytes(found) if kind == "B" else str(found)
    return None


def need(item: Mapping[str, Any], name: str, kind: type, inbox: str) -> Any:
    """
    Give an attribute that must be there.

    Raises:
        InboxFileError: it is not, or is of another type.
    """
    value = item.get(name)
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind):
        what = f"{item.get('pk')}, {item.get('sk')}"
        problem = f"the table is damaged: expected {kind.__name__} as {name} of item {what}"
        raise InboxFileError(inbox, problem)
    return value


def maybe_number(item: Mapping[str, Any] | None, name: str) -> int:
    """Give a counter; 0 where it is not."""
    value = None if item is None else item.get(name)
    return value if isinstance(value, int) else 0
