"""Rules that did nothing are named: their names may be misspelt."""

from __future__ import annotations

from qldb_stream.filters import Filter, UnmetRules, parse_filter
from tests.filters.support import given_block
from tests.replay.blocks import block

BLOCK = given_block()


def unmet(rules: Filter) -> tuple[str, ...]:
    """The rules that are not met in the example's block."""
    watch = UnmetRules(rules)
    watch.note(rules.apply(block(0)))
    watch.note(rules.apply(BLOCK))
    return watch.rules()


def test_rules_that_are_met() -> None:
    """Tables that were seen, left out ones too, and masks that met a field are not named."""
    rules = parse_filter(
        {
            "exclude_tables": ["Cars"],
            "rename": {"People": "Persons"},
            "where": {"People": "true"},
            "mask": {"People": {"ssn": "drop"}, "*": {"home.city": "drop"}},
        }
    )
    assert () == unmet(rules)


def test_rules_that_are_not_met() -> None:
    """Tables that nothing touched and masks that met no field are named."""
    rules = parse_filter(
        {
            "tables": ["People", "Persn"],
            "mask": {"People": {"ssn": "drop", "home.citty": "drop"}, "*": {"vin": "drop"}},
        }
    )
    assert ("table Persn", "mask *.vin", "mask People.home.citty") == unmet(rules)


def test_a_mask_behind_another() -> None:
    """A mask for every table is not met where a table has a mask of its own."""
    rules = parse_filter({"mask": {"People": {"ssn": "drop"}, "*": {"ssn": "text:x"}}})

    assert ("mask *.ssn",) == unmet(rules)
