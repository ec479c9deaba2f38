"""
Two accidents in one document: each two of its values changed, the likelier changes first.

There are many pairs, so a value takes part with few of what it may have been: of each loss its
first rules before any loss's later ones, then what an editor does to text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, combinations, islice, product, zip_longest
from typing import Final, TypeAlias

from qldb_stream.ion import HashNode
from qldb_stream.verification.diagnosis._candidate import Candidate
from qldb_stream.verification.diagnosis._found import Changes

__all__ = ["MAX_OPTIONS", "iter_all_pairs", "iter_pairs", "pair_options"]

MAX_OPTIONS: Final = 24
"""Of one value; what making them costs is paid before."""

_LOSSES: Final = 60  # of a value, that are looked through for these

Options: TypeAlias = Callable[[HashNode], Iterator[Candidate]]


def pair_options(
    node: HashNode, losses: Options, others: Sequence[Options]
) -> tuple[Candidate, ...]:
    """
    Give what a value may have been where another one is changed as well.

    Args:
        node: the value.
        losses: iterates over what types it may have lost.
        others: iterate over what else may have happened to it, the likeliest first.
    """
    by_loss: dict[str, list[Candidate]] = {}
    for candidate in islice(losses(node), _LOSSES):
        by_loss.setdefault(candidate.loss, []).append(candidate)
    turns = chain.from_iterable(zip_longest(*by_loss.values()))
    typed = (candidate for candidate in turns if candidate is not None)
    more = chain.from_iterable(other(node) for other in others)
    return tuple(islice(chain(typed, more), MAX_OPTIONS))


def iter_all_pairs(options: Sequence[tuple[HashNode, Sequence[Candidate]]]) -> Iterator[Changes]:
    """
    Iterate over each two values changed in every way, those first that have the fewest.

    Args:
        options: of each value, what it may have been; none of them is in another one.
    """
    pairs = sorted(combinations(options, 2), key=lambda pair: len(pair[0][1]) * len(pair[1][1]))
    for (a, of_a), (b, of_b) in pairs:
        for first, second in product(of_a, of_b):
            yield {a.index: first, b.index: second}


def iter_pairs(options: Sequence[tuple[HashNode, Sequence[Candidate]]]) -> Iterator[Changes]:
    """
    Iterate over each two values changed, by how far both changes are down their orders.

    Args:
        options: of each value, what it may have been; none of them without.
    """
    longest = max((len(own) for _, own in options), default=0)
    for total in range(2 * longest - 1):
        for (a, of_a), (b, of_b) in combinations(options, 2):
            for rank in range(max(0, total - len(of_b) + 1), min(total + 1, len(of_a))):
                first, second = of_a[rank], of_b[total - rank]
                if b.index < a.end and isinstance(first.exchange, bytes):
                    continue  # the second is in what the first puts something else for
                yield {a.index: first, b.index: second}
