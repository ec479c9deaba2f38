"""
Several values at once: all of a kind by one rule, for several kinds; then one or two otherwise.

A field of a list's elements counts as one field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice
from typing import Final

import attrs

from qldb_stream.ion import HashNode
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._found import Changes
from qldb_stream.verification.diagnosis._losses import kind_of

__all__ = [
    "FEW_OPTIONS",
    "MAX_FIELDS",
    "fields_of",
    "iter_likely",
    "iter_several",
    "likely_bases",
]

_MAX_KINDS: Final = 8  # changed at once
_MAX_RULES: Final = 5  # of a kind, where several kinds change at once
_MAX_CHOICES: Final = 500  # of rules for all kinds
_LIKELY_CHOICES: Final = 16  # of them, that are tried before and with everything else
_MAX_BASES: Final = 64  # of these choices, from which one field deviates
_INDEX: Final = re.compile(r"\[[0-9]+\]")
MAX_FIELDS: Final = 60  # that may deviate in pairs
FEW_OPTIONS: Final = 3  # that are made for each value before anything else is tried
_MAX_OPTIONS: Final = 40  # of a value, where several change at once

# What looks like another type is likely to be it, where types were lost.
_LIKELY: Final = ("STRING TIME", "STRING BASE64", "DECIMAL LONG", "FLOAT")
_KINDS: Final = (*_LIKELY, "DECIMAL", "TIMESTAMP", "STRING NUMBER", "INT", "NULL", "STRING")


@attrs.frozen
class Field:
    """One field of a document: its values in all elements of a list, and what each may be."""

    nodes: tuple[HashNode, ...]
    options: tuple[Sequence[Candidate], ...]  # by node, in the same order of rules
    kind: str

    @property
    def rules(self) -> int:
        """Give the number of rules."""
        return max(map(len, self.options))

    def by_rule(self, rule: int) -> Iterator[tuple[int, Candidate]]:
        """Give the changes of all its values by one rule; by the first where that has none."""
        for node, options in zip(self.nodes, self.options, strict=True):
            if options:
                yield node.index, options[rule] if rule < len(options) else options[0]


def fields_of(
    values: Sequence[HashNode], options: Mapping[int, Sequence[Candidate]]
) -> list[Field]:
    """Sort values into fields: by path without the numbers of elements, and by kind."""
    found: dict[tuple[str, str], list[HashNode]] = {}
    for node in values:
        if options[node.index]:
            kind = kind_of(node.value)
            found.setdefault((_INDEX.sub("[]", node.path), kind), []).append(node)
    return [
        Field(tuple(nodes), tuple([options[node.index] for node in nodes]), kind)
        for (_, kind), nodes in found.items()
    ]


def likely_bases(fields: Sequence[Field], most: int) -> Iterator[Changes]:
    """Change all fields of some kinds by the likeliest rules, at most so many ways."""
    chosen, ranks = _kinds_and_ranks(fields, most)
    return (_base(chosen, rank) for rank in ranks)


def iter_likely(fields: Sequence[Field]) -> Iterator[Changes]:
    """Change all fields of some kinds by the likeliest rules, then each one field otherwise."""
    chosen, ranks = _kinds_and_ranks(fields, _LIKELY_CHOICES)
    for rank in ranks:
        yield _base(chosen, rank)
    for rank in ranks[:FEW_OPTIONS]:
        yield from _iter_one_deviating(_base(chosen, rank), fields, FEW_OPTIONS)


def iter_several(fields: Sequence[Field]) -> Iterator[Changes]:
    """Change all fields of some kinds by a rule each; then so, and one or two fields otherwise."""
    chosen, ranks = _kinds_and_ranks(fields, _MAX_CHOICES)
    # A few by rules alone, these with one field otherwise, then all the rest.
    for first, last in ((0, _LIKELY_CHOICES), (_LIKELY_CHOICES, _MAX_CHOICES)):
        for rank in ranks[first:last]:
            yield _base(chosen, rank)
        for rank in ranks[first : min(last, _MAX_BASES)]:
            yield from _iter_one_deviating(_base(chosen, rank), fields, _MAX_RULES)
    for rank in ranks[:_LIKELY_CHOICES]:
        yield from _iter_one_deviating(_base(chosen, rank), fields, _MAX_OPTIONS)
    for rank in ranks[:_LIKELY_CHOICES]:
        for deviating in combinations(fields[:MAX_FIELDS], 2):
            yield from _iter_deviations(_base(chosen, rank), deviating)


def _kinds_and_ranks(
    fields: Sequence[Field], most: int
) -> tuple[list[list[Field]], list[tuple[int, ...]]]:
    """Sort fields by kind, and choose for each kind a rule, the likelier choices first."""
    kinds: dict[str, list[Field]] = {}
    for field in fields:
        kinds.setdefault(field.kind, []).append(field)
    names = sorted(kinds, key=_likelihood)[:_MAX_KINDS]
    orders = [_order_of_rules(name, kinds[name]) for name in names]
    return [kinds[name] for name in names], list(islice(_iter_ranks(orders), most))


def _likelihood(kind: str) -> int:
    """Rank kinds: those that look like another type first."""
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _order_of_rules(kind: str, fields: Sequence[Field]) -> Sequence[int]:
    """Order a kind's rules by likelihood; 0 is for none, and what looks like another type is it."""
    rules = list(range(min(_MAX_RULES, max(field.rules for field in fields)) + 1))
    if kind in _LIKELY:
        rules[:2] = (1, 0)
    return rules


def _base(kinds: Sequence[Sequence[Field]], rank: Sequence[int]) -> Changes:
    """Change all fields of each kind by the rule of that number; 0 leaves them as they are."""
    return {
        index: candidate
        for of_kind, rule in zip(kinds, rank, strict=True)
        if rule
        for field in of_kind
        for index, candidate in field.by_rule(rule - 1)
    }


def _iter_ranks(orders: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """Iterate over all choices of a rule for each kind, by how far they are down the orders."""
    for total in range(sum(len(order) - 1 for order in orders) + 1):
        yield from _iter_ranks_of(orders, total)


def _iter_ranks_of(orders: Sequence[Sequence[int]], total: int) -> Iterator[tuple[int, ...]]:
    if not orders:
        if not total:
            yield ()
        return
    # The first kinds, the likelier ones, go farthest down their orders first.
    for place, rule in reversed(list(enumerate(orders[0][: total + 1]))):
        for rest in _iter_ranks_of(orders[1:], total - place):
            yield (rule, *rest)


def _iter_one_deviating(base: Changes, fields: Sequence[Field], most: int) -> Iterator[Changes]:
    """Iterate over a base with each one field otherwise, the likelier rules of all fields first."""
    for field in fields:
        without = _without(base, field)
        if len(without) < len(base):
            yield without
    for rule in range(min(most, max((field.rules for field in fields), default=0))):
        for field in fields:
            if rule < field.rules:
                yield {**_without(base, field), **dict(field.by_rule(rule))}


def _without(base: Changes, field: Field) -> Changes:
    own = {node.index for node in field.nodes}
    return {index: candidate for index, candidate in base.items() if index not in own}


def _iter_deviations(base: Changes, chosen: Sequence[Field]) -> Iterator[Changes]:
    """Iterate over a base with some fields by each other rule of theirs, or as they are."""
    if not chosen:
        yield base
        return
    field, rest = chosen[0], chosen[1:]
    without = _without(base, field)
    if len(without) < len(base):
        yield from _iter_deviations(without, rest)
    for rule in range(field.rules):
        yield from _iter_deviations({**without, **dict(field.by_rule(rule))}, rest)
