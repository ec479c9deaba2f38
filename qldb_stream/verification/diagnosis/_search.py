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

from collections.abc import Callable, Iterator, Set as AbstractSet
from itertools import chain, islice
from typing import Final, TypeAlias

import attrs

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import HashNode, HashTree, IonSlice
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._damage import (
    iter_damage,
    iter_digits,
    iter_names,
    iter_texts,
)
from qldb_stream.verification.diagnosis._found import Changes, Found
from qldb_stream.verification.diagnosis._options import iter_around, iter_left_out, iter_options
from qldb_stream.verification.diagnosis._pairs import (
    MAX_OPTIONS,
    iter_all_pairs,
    iter_pairs,
    pair_options,
)
from qldb_stream.verification.diagnosis._several import (
    FEW_OPTIONS,
    MAX_FIELDS,
    fields_of,
    iter_likely,
    iter_several,
    likely_bases,
)

__all__ = ["Effort", "Efforts", "Known", "search", "search_edited"]

_MAX_VALUES: Final = 5000  # in one document; what has more is a table, and each try is dear
# Of what is left, for one kind of tries.
_SHARE: Final = 0.5
_SHARE_OF_SEVERAL: Final = 0.35  # where one or two accidents are likelier
_SHARE_OF_PAIRS: Final = 0.45
_SHARE_OF_DIGITS: Final = 0.5  # the last: what is left is for other revisions
_SHARE_OF_OPTIONS: Final = 0.1  # to lay out what pairs are made of
_START_BYTES: Final = 4096  # what laying out a document costs beside its bytes

_MAX_OPTIONS: Final = 40  # of a value, where several change at once
_EDITED_BASES: Final = 4  # choices of types with each of which one value is edited
_OPTION_BYTES: Final = 256  # what making one costs


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
    tree = _maybe_tree(value, effort)
    if tree is None:
        return None
    looking = _Search(tree, fits, effort, known, only)
    found = looking.run(lost_types=lost_types, one_only=one_only)
    effort.stops += found is None and looking.has_stopped
    return found


def search_edited(value: IonSlice, fits: Callable[[bytes], bool], effort: Effort) -> Found | None:
    """
    Look for another number or text in a document all of whose types were lost.

    The types are put back by the likeliest rules alone, and the number or text has the type that
    it was left with. Arguments and answer are as those of `search`; few of the edits are looked for
    at all, so that the effort ends is no reason to tell.
    """
    stops = effort.stops
    tree = _maybe_tree(value, effort)
    effort.stops = stops
    return None if tree is None else _Search(tree, fits, effort, _nothing_known, None).run_edited()


def _maybe_tree(value: IonSlice, effort: Effort) -> HashTree | None:
    """Lay a document out; None where it cannot be read, or there is no room to look into it."""
    if effort.spend(_START_BYTES + (value.end - value.start)):
        try:
            tree = HashTree(value, limit=_MAX_VALUES)
        except QldbStreamError:
            return None
        if tree.is_whole:
            return tree
    effort.stops += 1
    return None


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

    def run_edited(self) -> Found | None:
        """Put types back by the likeliest rules, and try other numbers and texts with them."""
        return self._try_all(self._edited(), 1.0)

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
            for candidate in chain(self._known(node), iter_options(node)):
                yield {node.index: candidate}

    def _several(self) -> Iterator[Changes]:
        """Change several values by rules: first by few of each, then by all that are known."""
        for most in (FEW_OPTIONS, _MAX_OPTIONS):
            options = {node.index: tuple(islice(iter_options(node), most)) for node in self._nodes}
            if not self._effort.spend(_OPTION_BYTES * sum(map(len, options.values()))):
                self.has_stopped = True
                return
            fields = fields_of(self._nodes, options)
            yield from iter_likely(fields) if most == FEW_OPTIONS else iter_several(fields)

    def _pairs(self, *, types_only: bool) -> Iterator[Changes]:
        """Change any two values, as far as there is room to lay out what they may have been."""
        cost = _OPTION_BYTES * MAX_OPTIONS * len(self._nodes)
        if cost > _SHARE_OF_OPTIONS * self._effort.left or not self._effort.spend(cost):
            self.has_stopped = True
            return
        others = () if types_only else (self._known, iter_left_out, iter_texts)
        options = [(node, pair_options(node, iter_options, others)) for node in self._nodes]
        yield from iter_pairs([(node, own) for node, own in options if own])

    def _accidents(self) -> Iterator[Changes]:
        """Change one value by accidents, the cheaper ones to try first."""
        nodes = self._tree.nodes
        for node in nodes:
            for candidate in chain(iter_texts(node), iter_around(node)):
                yield {node.index: candidate}
        for node in nodes:
            if not node.children:
                for candidate in iter_damage(node):
                    yield {node.index: candidate}

    def _edited(self) -> Iterator[Changes]:
        """Change all values by likely rules, and one by an edit in place of its rule."""
        few = {node.index: tuple(islice(iter_options(node), FEW_OPTIONS)) for node in self._nodes}
        edits: list[tuple[HashNode, Candidate]] = []
        for node in self._nodes:
            own = [(node, edit) for edit in chain(iter_digits(node), iter_texts(node))]
            if not self._effort.spend(_OPTION_BYTES * (len(few[node.index]) + len(own))):
                return
            edits += own
        for base in likely_bases(fields_of(self._nodes, few), _EDITED_BASES):
            for node, edit in edits:
                yield {**base, node.index: edit}

    def _digits(self) -> Iterator[Changes]:
        """Exchange a digit of each two numbers or times."""
        options: list[tuple[HashNode, tuple[Candidate, ...]]] = []
        for node in self._nodes:
            own = tuple(iter_digits(node))
            if own and (
                len(options) == MAX_FIELDS or not self._effort.spend(_OPTION_BYTES * len(own))
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
