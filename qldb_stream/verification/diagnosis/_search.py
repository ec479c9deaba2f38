"""
Look for the changes with which a document has a hash, likeliest first.

A document is tried with one value changed; then with all values of a kind changed by one rule
(every float a decimal of two places), for several kinds at once; then so, and one or two of its
fields otherwise; then with any two values changed; then with damage to one; then with a digit of
each two numbers exchanged. A field of a list's elements counts as one field. What fits is no
guess: the hash is SHA-256. The bound is on the bytes that are hashed, not on time, so that the same
document has the same diagnosis on every machine; what lies beyond it is not found, and that the
search ended there is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set as AbstractSet
from itertools import chain, combinations, islice
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import HashNode, HashTree, IonSlice, IonType, annotated_form, hash_form
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._damage import (
    iter_damage,
    iter_digits,
    iter_names,
    iter_texts,
)
from qldb_stream.verification.diagnosis._found import Changes, Found
from qldb_stream.verification.diagnosis._losses import iter_losses, kind_of
from qldb_stream.verification.diagnosis._pairs import (
    MAX_OPTIONS,
    iter_all_pairs,
    iter_pairs,
    pair_options,
)

__all__ = ["Effort", "Efforts", "Known", "search"]

_MAX_VALUES: Final = 5000  # in one document; what has more is a table, and each try is dear
_MAX_KINDS: Final = 8  # changed at once
_MAX_RULES: Final = 5  # of a kind, where several kinds change at once
_MAX_CHOICES: Final = 500  # of rules for all kinds
_LIKELY_CHOICES: Final = 16  # of them, that are tried before and with everything else
_MAX_BASES: Final = 64  # of these choices, from which one field deviates
# Of what is left, for one kind of tries.
_SHARE: Final = 0.5
_SHARE_OF_SEVERAL: Final = 0.35  # where one or two accidents are likelier
_SHARE_OF_PAIRS: Final = 0.45
_SHARE_OF_DIGITS: Final = 0.5  # the last: what is left is for other revisions
_SHARE_OF_OPTIONS: Final = 0.1  # to lay out what pairs are made of
_MAX_FIELDS: Final = 60  # that may deviate in pairs
_START_BYTES: Final = 4096  # what laying out a document costs beside its bytes
_INDEX: Final = re.compile(r"\[[0-9]+\]")
_MOST_ANNOTATIONS: Final = 64
_SYSTEM_SYMBOLS: Final = 10

_FEW_OPTIONS: Final = 3  # that are made for each value before anything else is tried
_MAX_OPTIONS: Final = 40  # of a value, where several change at once
_OPTION_BYTES: Final = 256  # what making one costs

# What looks like another type is likely to be it, where types were lost.
_LIKELY: Final = ("STRING TIME", "STRING BASE64", "DECIMAL LONG", "FLOAT")
_KINDS: Final = (*_LIKELY, "DECIMAL", "TIMESTAMP", "STRING NUMBER", "INT", "NULL", "STRING")

Known: TypeAlias = Callable[[HashNode], Iterator[Candidate]]


def _nothing_known(_node: HashNode) -> Iterator[Candidate]:
    yield from ()


@attrs.define
class Effort:
    """
    How many bytes may still be hashed; what is spent once is spent.

    `stops` counts the searches that ended at their bound, so that what they looked for may still
    be there.
    """

    left: int
    stops: int = 0

    def spend(self, work: int) -> bool:
        """Take some; say whether there is any left."""
        self.left -= work
        return self.left > 0

    def part(self, most: int) -> Effort:
        """Take a part out; what is left of it comes back by `give_back`."""
        found = Effort(max(0, min(most, self.left)))
        self.left -= found.left
        return found

    def give_back(self, part: Effort) -> None:
        """Put back what was not spent of a part."""
        self.left += part.left
        self.stops += part.stops
        part.left = part.stops = 0


@attrs.define
class Efforts:
    """
    What may be spent in a run, in bytes that are hashed: on failures, and on rebuilding.

    A minute or so for failures, and some ten minutes for the documents of JSON exports. What
    comes when it is spent is verified all the same, and not diagnosed.
    """

    failures: Effort = attrs.field(factory=lambda: Effort(1 << 30))
    rebuilding: Effort = attrs.field(factory=lambda: Effort(1 << 33))


@attrs.frozen
class _Field:
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


def search(
    value: IonSlice,
    fits: Callable[[bytes], bool],
    effort: Effort,
    *,
    known: Known = _nothing_known,
    lost_types: bool = False,
    one_only: bool = False,
    only: AbstractSet[str] | None = None,
) -> Found | None:
    """
    Look for the changes with which a value has a hash.

    Args:
        value: a document, or another part that is hashed for itself.
        fits: says of a digest whether it is the one.
        effort: what may be spent; the caller's, for all that it looks for.
        known: gives, of a value, what else it may have been: what the block says elsewhere.
        lost_types: it comes from where all types were lost; several losses at once are
            likelier then than one accident.
        one_only: no two values are changed at once.
        only: paths of values, whose types alone are tried, and of what is in them; None
            for all, and for accidents as well.

    Returns:
        The changes; None when none were found within the bound. Where that was the reason,
        `effort.stops` has risen.
    """
    tree = None
    if effort.spend(_START_BYTES + (value.end - value.start)):
        try:
            tree = HashTree(value, limit=_MAX_VALUES)
        except QldbStreamError:
            return None
    if tree is None or not tree.is_whole:
        effort.stops += 1
        return None
    looking = _Search(tree, fits, effort, known, only)
    found = looking.run(lost_types=lost_types, one_only=one_only)
    effort.stops += found is None and looking.has_stopped
    return found


class _Search:
    """One search in one document."""

    def __init__(
        self,
        tree: HashTree,
        fits: Callable[[bytes], bool],
        effort: Effort,
        known: Known,
        only: AbstractSet[str] | None,
    ) -> None:
        self.has_stopped = False
        self._types_only = only is not None
        self._nodes = [node for node in tree.nodes if only is None or _is_in(node.path, only)]
        self._tree = tree
        self._fits = fits
        self._effort = effort
        self._known = known
        self._spent = 0

    def run(self, *, lost_types: bool, one_only: bool) -> Found | None:
        """Try everything, likeliest first; each kind of tries leaves room for the next."""
        accidents = iter(()) if self._types_only else self._accidents()
        phases = [(self._singles(), _SHARE)]
        if not one_only:
            several = (self._several(), _SHARE if lost_types else _SHARE_OF_SEVERAL)
            phases.insert(0 if lost_types else 1, several)
            phases.append((self._pairs(types_only=lost_types), _SHARE_OF_PAIRS))
        for tries, share in (*phases, (accidents, 1.0)):
            found = self._try_all(tries, share)
            if found is not None:
                return found
        found = None if self._types_only else self._renamed()
        if found is None and not (one_only or lost_types):
            found = self._try_all(self._digits(), _SHARE_OF_DIGITS)
        return found

    def _try_all(self, tries: Iterator[Changes], share: float) -> Found | None:
        """Give the first changes that fit, within a share of what may still be spent."""
        floor = self._effort.left - int(share * self._effort.left)
        for changes in tries:
            if self._fits_with(changes):
                return Found(self._tree, changes)
            if self._effort.left <= floor:
                self.has_stopped = True
                break
        return None

    def _fits_with(self, changes: Changes) -> bool:
        """Say whether the document fits with changes, and pay for it."""
        exchanged = {index: candidate.exchange for index, candidate in changes.items()}
        return self._pay_for(self._tree.digest(exchanged))

    def _pay_for(self, digest: bytes) -> bool:
        spent, self._spent = self._tree.work - self._spent, self._tree.work
        self._effort.spend(spent)
        return self._fits(digest)

    def _singles(self) -> Iterator[Changes]:
        """Change one value by what may have become of its type."""
        for node in self._nodes:
            for candidate in chain(self._known(node), _iter_options(node)):
                yield {node.index: candidate}

    def _several(self) -> Iterator[Changes]:
        """Change several values by rules: first by few of each, then by all that are known."""
        for most in (_FEW_OPTIONS, _MAX_OPTIONS):
            options = {node.index: tuple(islice(_iter_options(node), most)) for node in self._nodes}
            if not self._effort.spend(_OPTION_BYTES * sum(map(len, options.values()))):
                self.has_stopped = True
                return
            fields = _fields(self._nodes, options)
            yield from _iter_likely(fields) if most == _FEW_OPTIONS else _iter_several(fields)

    def _pairs(self, *, types_only: bool) -> Iterator[Changes]:
        """Change any two values, as far as there is room to lay out what they may have been."""
        cost = _OPTION_BYTES * MAX_OPTIONS * len(self._nodes)
        if cost > _SHARE_OF_OPTIONS * self._effort.left or not self._effort.spend(cost):
            self.has_stopped = True
            return
        others = () if types_only else (self._known, _iter_left_out, iter_texts)
        options = [(node, pair_options(node, _iter_options, others)) for node in self._nodes]
        yield from iter_pairs([(node, own) for node, own in options if own])

    def _accidents(self) -> Iterator[Changes]:
        """Change one value by accidents, the cheaper ones to try first."""
        nodes = self._tree.nodes
        for node in nodes:
            for candidate in chain(iter_texts(node), _iter_around(node)):
                yield {node.index: candidate}
        for node in nodes:
            if not node.children:
                for candidate in iter_damage(node):
                    yield {node.index: candidate}

    def _digits(self) -> Iterator[Changes]:
        """Exchange a digit of each two numbers or times."""
        options: list[tuple[HashNode, tuple[Candidate, ...]]] = []
        for node in self._nodes:
            own = tuple(iter_digits(node))
            if own and (
                len(options) == _MAX_FIELDS or not self._effort.spend(_OPTION_BYTES * len(own))
            ):
                self.has_stopped = True
                break
            if own:
                options.append((node, own))
        yield from iter_all_pairs(options)

    def _renamed(self) -> Found | None:
        """Try other names for each field, as far as there is something left to spend."""
        for node in self._tree.nodes:
            for text, form in iter_names(node):
                if self._effort.left <= 0:
                    self.has_stopped = True
                    return None
                if self._pay_for(self._tree.digest({}, {node.index: form})):
                    return Found(self._tree, {}, (node, text))
        return None


def _is_in(path: str, tops: AbstractSet[str]) -> bool:
    """Say whether a path is one of some, or leads into one."""
    return any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in tops)


# --- what one value may have been ----------------------------------------------------------


def _iter_options(node: HashNode) -> Iterator[Candidate]:
    """Iterate over what a node may have been before its type was lost, by rules."""
    value = node.value
    if value.ion_type in (IonType.LIST, IonType.SEXP) and not value.is_null:
        yield from _iter_kinds_of_lists(node)
        return
    if value.ion_type is IonType.STRUCT and not value.is_null:
        return
    for loss, values in iter_losses(value):
        for known in values:
            yield Candidate.of(node, loss.code, loss.wanted, known)


def _iter_kinds_of_lists(node: HashNode) -> Iterator[Candidate]:
    if node.value.annotations:
        return
    if node.value.ion_type is IonType.LIST:
        yield Candidate(
            "LIST_FOR_SEXP", "a sexp, not a list", _with_kind(0xC0), "sexp", kind=IonType.SEXP
        )
    else:
        yield Candidate(
            "SEXP_FOR_LIST", "a list, not a sexp", _with_kind(0xB0), "list", kind=IonType.LIST
        )


def _with_kind(type_qualifier: int) -> Callable[[bytes], bytes]:
    return lambda form: bytes((0x0B, type_qualifier)) + form[2:]


def _iter_around(node: HashNode) -> Iterator[Candidate]:
    """Iterate over a value without its annotations, with others, and left out."""
    value = node.value
    yield from _iter_left_out(node)
    if not value.annotations:
        texts = value.symbols.texts[_SYSTEM_SYMBOLS : _SYSTEM_SYMBOLS + _MOST_ANNOTATIONS]
        for text in dict.fromkeys(texts):
            yield Candidate("ANNOTATION", "annotated", _annotating(text), "annotated with", text)


def _iter_left_out(node: HashNode) -> Iterator[Candidate]:
    """Iterate over a value without its annotations, and left out itself."""
    value = node.value
    if value.annotations:
        bare = IonSlice(value.buf, value.value_start(), value.end, value.symbols)
        yield Candidate("ANNOTATION", "without annotations", hash_form(bare))
    if node.index:
        yield Candidate("ADDED", "not there", b"")


def _annotating(text: str | None) -> Callable[[bytes], bytes]:
    return lambda form: annotated_form([text], form)


# --- several values at once ----------------------------------------------------------------


def _fields(values: Sequence[HashNode], options: Mapping[int, Sequence[Candidate]]) -> list[_Field]:
    """Sort values into fields: by path without the numbers of elements, and by kind."""
    found: dict[tuple[str, str], list[HashNode]] = {}
    for node in values:
        if options[node.index]:
            kind = kind_of(node.value)
            found.setdefault((_INDEX.sub("[]", node.path), kind), []).append(node)
    return [
        _Field(tuple(nodes), tuple([options[node.index] for node in nodes]), kind)
        for (_, kind), nodes in found.items()
    ]


def _iter_likely(fields: Sequence[_Field]) -> Iterator[Changes]:
    """Change all fields of some kinds by the likeliest rules, then each one field otherwise."""
    chosen, ranks = _kinds_and_ranks(fields, _LIKELY_CHOICES)
    for rank in ranks:
        yield _base(chosen, rank)
    for rank in ranks[:_FEW_OPTIONS]:
        yield from _iter_one_deviating(_base(chosen, rank), fields, _FEW_OPTIONS)


def _iter_several(fields: Sequence[_Field]) -> Iterator[Changes]:
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
        for deviating in combinations(fields[:_MAX_FIELDS], 2):
            yield from _iter_deviations(_base(chosen, rank), deviating)


def _kinds_and_ranks(
    fields: Sequence[_Field], most: int
) -> tuple[list[list[_Field]], list[tuple[int, ...]]]:
    """Sort fields by kind, and choose for each kind a rule, the likelier choices first."""
    kinds: dict[str, list[_Field]] = {}
    for field in fields:
        kinds.setdefault(field.kind, []).append(field)
    names = sorted(kinds, key=_likelihood)[:_MAX_KINDS]
    orders = [_order_of_rules(name, kinds[name]) for name in names]
    return [kinds[name] for name in names], list(islice(_iter_ranks(orders), most))


def _likelihood(kind: str) -> int:
    """Rank kinds: those that look like another type first."""
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _order_of_rules(kind: str, fields: Sequence[_Field]) -> Sequence[int]:
    """Order a kind's rules by likelihood; 0 is for none, and what looks like another type is it."""
    rules = list(range(min(_MAX_RULES, max(field.rules for field in fields)) + 1))
    if kind in _LIKELY:
        rules[:2] = (1, 0)
    return rules


def _base(kinds: Sequence[Sequence[_Field]], rank: Sequence[int]) -> Changes:
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


def _iter_one_deviating(base: Changes, fields: Sequence[_Field], most: int) -> Iterator[Changes]:
    """Iterate over a base with each one field otherwise, the likelier rules of all fields first."""
    for field in fields:
        without = _without(base, field)
        if len(without) < len(base):
            yield without
    for rule in range(min(most, max((field.rules for field in fields), default=0))):
        for field in fields:
            if rule < field.rules:
                yield {**_without(base, field), **dict(field.by_rule(rule))}


def _without(base: Changes, field: _Field) -> Changes:
    own = {node.index for node in field.nodes}
    return {index: candidate for index, candidate in base.items() if index not in own}


def _iter_deviations(base: Changes, chosen: Sequence[_Field]) -> Iterator[Changes]:
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
