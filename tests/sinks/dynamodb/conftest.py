"""A DynamoDB on loopback, as moto plays it."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def dynamodb_url(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Where it is; boto3 finds it by the environment.

    For each action of a transaction moto copies the whole table, item by item, to put it back
    if the transaction fails. A copy that shares the items does, where they are put and deleted
    but not changed in place, and takes no minutes.
    """
    from moto.dynamodb import models
    from moto.dynamodb.models.table import Table

    def copied(value: Any) -> Any:
        if not isinstance(value, Table):
            return copy.deepcopy(value)
        made = copy.copy(value)
        made.items = copy.copy(value.items)
        made.items.update({hashed: dict(ranged) for hashed, ranged in value.items.items()})
        return made

    monkeypatch.setattr(models, "copy", SimpleNamespace(deepcopy=copied))
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", aws)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return aws
