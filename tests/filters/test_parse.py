"""Filters as mappings, as JSON and TOML hold them."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.filters import Filter, Mask, MaskMethod, parse_filter
from tests.filters.support import SALT

TOML = """
exclude_tables = ["Sessions"]

[rename]
People = "persons"

[where]
People = "home.country = 'SE'"

[mask."*"]
ssn = "hash"

[mask.People]
name = "text:(a name)"
home.street = "drop"
"odd\\".x\\"" = "drop"
"""

EXPECTED = Filter(
    exclude_tables={"Sessions"},
    rename={"People": "persons"},
    where={"People": "home.country = 'SE'"},
    masks=[
        Mask("*", ("ssn",), MaskMethod.HASH),
        Mask("People", ("name",), MaskMethod.TEXT, "(a name)"),
        Mask("People", ("home", "street"), MaskMethod.DROP),
    ],
    salt=SALT,
)


def test_toml_and_json() -> None:
    """A TOML file, and the JSON that says the same, make the filter that they say."""
    rules = tomllib.loads(TOML.replace('"odd\\".x\\"" = "drop"', ""))

    assert EXPECTED == parse_filter(rules, salt=SALT)
    assert EXPECTED == parse_filter(json.loads(json.dumps(rules)), salt=SALT)


def test_an_empty_one() -> None:
    """An empty mapping is a filter that lets all pass."""
    assert Filter() == parse_filter({})
    assert not Filter().hides


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"table": ["A"]}, "no 'table', only tables, exclude_tables, rename, mask, where"),
        ({"tables": "A"}, "tables of a filter must be a list of texts"),
        ({"exclude_tables": [1]}, "exclude_tables of a filter must be a list"),
        ({"rename": ["A"]}, "rename of a filter must be an object"),
        ({"where": {"A": 1}}, "where of a filter must map texts to texts"),
        ({"mask": {"A": "drop"}}, "mask.A of a filter must be an object"),
        ({"mask": {"A": {"b": ["drop"]}}}, "mask.A.b of a filter must be an object"),
        ({"mask": {"A": {"b": "remove"}}}, "not by 'remove'"),
        ({"mask": {"A": {"b..c": "drop"}}}, "is no path"),
    ],
)
def test_what_is_no_filter(mapping: dict[str, Any], problem: str) -> None:
    """Other keys and types are refused by name."""
    with pytest.raises(UsageError, match=problem):
        parse_filter(mapping)
