"""Different copies have one order, and names are looked at only where nothing else differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, ClassVar, Final

import attrs
import pytest

from qldb_stream.assembly._copies import better_summary, choose_revision, linked_summary
from qldb_stream.events import BlockSummary, Revision, RevisionSummary, TransactionInfo
from qldb_stream.ion import SYSTEM_TABLE, IonSlice, SymbolTable, iter_elements, to_slice
from tests.assembly.events import FIRST, assemble, details, with_summary

SYSTEM: Final = len(SYSTEM_TABLE.texts)
MOST_LOOKS: Final = 10
BROKEN: Final = b"\xd4\x8a\xef\xff\xff"  # a struct with the first name of its table


class Name(str):
    """A symbol's text that counts how often it is looked at."""

    looks: ClassVar[int] = 0

    __slots__ = ()

    def __repr__(self) -> str:
        Name.looks += 1
        return super().__repr__()

    def __eq__(self, other: object) -> bool:
        Name.looks += 1
        return super().__eq__(other)

    def __lt__(self, other: str) -> bool:
        Name.looks += 1
        return super().__lt__(other)

    __hash__ = str.__hash__


def with_counted_names(part: IonSlice, more: Sequence[str] = ()) -> Callable[[IonSlice], IonSlice]:
    """Give what puts slices of the same stream under a table of names that count."""
    texts = part.symbols.texts
    table = SymbolTable((*texts[:SYSTEM], *[Name(text) for text in (*texts[SYSTEM:], *more)]))
    return lambda each: IonSlice(each.buf, each.start, each.end, table)


def documents(count: int, more: Sequence[str] = (), **others: Any) -> list[IonSlice]:
    """Make documents each of which has a name of its own, all in one table."""
    whole = to_slice([{f"name{number:05}": number, **others} for number in range(count)])
    return list(map(with_counted_names(whole, more), iter_elements(whole)))


def looks_at(count: int, *copies: Sequence[IonSlice]) -> int:
    """Count looks at names when a block of damaged documents comes in several copies."""
    assert FIRST.metadata is not None
    found = [
        attrs.evolve(
            FIRST,
            metadata=attrs.evolve(FIRST.metadata, id=f"x{number}"),
            hash=number.to_bytes(32, "big"),
            data_ion=data,
        )
        for copy in copies
        for number, data in enumerate(copy)
    ]
    leaves = [RevisionSummary(one.hash, one.document_id) for one in found[:count]]
    before = Name.looks
    summary = with_summary(revision_summaries=tuple(leaves))
    _, problems = assemble([summary, *map(details, found)], hold=True)
    assert count * (len(copies) - 1) == len(problems)
    return Name.looks - before


def differing(count: int) -> int:
    """Count looks at names where the bytes of two copies differ."""
    return looks_at(count, documents(count), documents(count, more=("x",), changed=1))


def undecodable(count: int) -> int:
    """Count looks at names where nothing differs but a table, in what no byte refers to."""
    copies = [
        [IonSlice(BROKEN + last.encode(), 0, len(BROKEN), table)] * count
        for last in "xy"
        for table in [documents(count, more=(last,))[0].symbols]
    ]
    return looks_at(count, *copies)


@pytest.mark.parametrize("looks", [differing, undecodable])
def test_names_are_looked_at_as_often_as_revisions_come(looks: Callable[[int], int]) -> None:
    """Some of those that a revision can refer to, however many stand in the table of all."""
    assert looks(300) <= MOST_LOOKS * 300


def summaries_that_differ(count: int) -> list[BlockSummary]:
    """Make two summaries of a block, whose statements' names stand in a long table."""
    info = to_slice([{"statements": 1}, {f"name{number}": 1 for number in range(count)}])
    counted = with_counted_names(info)
    part = counted(next(iter_elements(info)))
    return [
        with_summary(transaction_info=TransactionInfo(part), transaction_id=name * 22)
        for name in "ab"
    ]


def test_summaries_differ_without_their_names() -> None:
    """A long table that blocks share is not read for each block of which two summaries came."""
    few, many = summaries_that_differ(10), summaries_that_differ(1000)
    before = Name.looks
    for pair in (few, many):
        assert better_summary(*pair) is better_summary(*pair[::-1])

    assert Name.looks <= before + MOST_LOOKS


def of_names(*names: str | None) -> SymbolTable:
    """Make a table of names, the system's first."""
    return SymbolTable((*SYSTEM_TABLE.texts, *names))


@pytest.mark.parametrize(
    ("data", "tables"),
    [
        (BROKEN, [of_names("a"), of_names("b"), of_names(None), of_names("")]),
        (b"\xe5\x81\x8a\xd3\x84\xef", [of_names("a"), of_names("b")]),  # an annotation
        (b"\xd4\x84\x71\x0a\xef", [of_names("a"), of_names("b")]),  # a value
        (b"\xd4\x01\x80\xef\xff", [of_names(*"a" * 119), of_names(*"a" * 118, "b")]),
        (b"\xd4\x01\x80\xef\xff", [of_names(*"a" * 118), of_names(*"a" * 117)]),  # has none
    ],
)
def test_copies_that_differ_in_a_name_alone_have_an_order(
    data: bytes, tables: Sequence[SymbolTable]
) -> None:
    """What does not decode may still say two things; it does not matter which came first."""
    slices = [IonSlice(data, 0, len(data), table) for table in tables]
    copies = [attrs.evolve(FIRST, data_ion=each) for each in slices]

    assert 1 == len({id(best_of(order).symbols) for order in permutations(copies)})


def best_of(copies: Sequence[Revision]) -> IonSlice:
    """Choose among copies of a revision; give its data."""
    best, _ = choose_revision(list(copies), FIRST.address)
    assert best.data_ion is not None
    return best.data_ion


def test_summaries_that_differ_in_a_name_alone_have_an_order() -> None:
    """The best of them is the same whatever came first, also when the block before is known."""
    infos = [IonSlice(BROKEN, 0, len(BROKEN), of_names(name)) for name in "ab"]
    one, other = [with_summary(transaction_info=TransactionInfo(info)) for info in infos]

    assert better_summary(one, other) is better_summary(other, one)
    assert one is linked_summary(one, [other], one.previous_block_hash)
