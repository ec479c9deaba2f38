"""
A DynamoDB on loopback, as moto plays it.

moto does two things that take minutes where a table has some hundred items, and both are done
here in a way that gives the same: it copies the whole table, item by item, for each action of a
transaction; and it walks AWS's model of the API for each attribute of an answer.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.inbox.tables import serve_aws


@pytest.fixture(scope="session")
def _serial_aws() -> Iterator[str]:
    """Where requests do not run into each other's transactions."""
    with serve_aws() as url:
        yield url


@pytest.fixture
def dynamodb_url(aws: str, _serial_aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where it is; boto3 finds it by the environment, of which `aws` takes care."""
    from moto.core.serialize import BaseJSONSerializer
    from moto.dynamodb import models

    walk = BaseJSONSerializer._serialize_type_map  # noqa: SLF001 - see above

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.value.name == "AttributeValue":
            serialized[key] = {name: _on_the_wire(member) for name, member in value.items()}
        else:
            walk(self, serialized, value, shape, key)

    monkeypatch.setattr(BaseJSONSerializer, "_serialize_type_map", serialize)
    monkeypatch.setattr(models, "copy", SimpleNamespace(deepcopy=_copied))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", _serial_aws)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return _serial_aws


def _on_the_wire(value: dict[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    if kind == "B":
        data = content.encode() if isinstance(content, str) else content
        return {"B": base64.b64encode(data).decode()}
    if kind == "M":
        return {"M": {name: _on_the_wire(member) for name, member in content.items()}}
    return {"L": list(map(_on_the_wire, content))} if kind == "L" else value


def _copied(value: Any) -> Any:
    """Copy a table so that it can be put back; items are put and deleted, never changed."""
    from moto.dynamodb.models.table import Table

    if not isinstance(value, Table):
        return copy.deepcopy(value)
    made = copy.copy(value)
    made.items = copy.copy(value.items)
    made.items.update({hashed: dict(ranged) for hashed, ranged in value.items.items()})
    return made
