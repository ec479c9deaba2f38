"""Order: a state machine against a naive model, and each rule by an example."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from qldb_stream.errors import BacklogError, ConflictError, SequenceGapError, UsageError
from qldb_stream.events import NEED_MORE, Block, BlockAddress, BlockSummary, Need, Revision
from qldb_stream.ion import IonSlice
from qldb_stream.ordering import EARLIEST, Earliest, Sequencer
from qldb_stream.report import Gap
from qldb_stream.testing import JournalShape, make_journal

LIMIT: Final = 8
STRANDS: Final = ("A", "B")
TIME: Final = datetime(2024, 1, 1, tzinfo=UTC)


def make_block(strand: str, number: int, version: str = "genuine") -> Block:
    """Make a block that has nothing but its place and its hash."""
    digest = sha256(f"{strand}/{number}/{version}".encode()).digest()
    address = BlockAddress(strand, number)
    return Block(BlockSummary("arn", address, "tx", TIME, digest, digest, b"", (digest,)))


def drain(sequencer: Sequencer) -> Iterator[Block]:
    """Ask until there is no more."""
    block = sequencer.next_block()
    while not isinstance(block, Need):
        yield block
        block = sequencer.next_block()


def numbers(sequencer: Sequencer) -> list[int]:
    """Ask until there is no more, for the numbers alone."""
    return [block.address.sequence_no for block in drain(sequencer)]


class NaiveModel:
    """What a sequencer does, without any thought for speed or memory."""

    def __init__(self, starts: dict[str, int], gaps: dict[str, list[Gap]]) -> None:
        self.starts = starts
        self.declared = {
            s: {n for g in found for n in range(g.first, g.last + 1)} for s, found in gaps.items()
        }
        self.fed: dict[str, dict[int, Block]] = {strand: {} for strand in STRANDS}

    def wanted(self, strand: str) -> Iterator[int]:
        """Iterate over the numbers that a strand must give, for ever."""
        number = self.starts[strand]
        while True:
            if number not in self.declared.get(strand, ()):
                yield number
            number += 1

    def given(self, strand: str) -> list[Block]:
        """List what a strand must have given by now."""
        found: list[Block] = []
        for number in self.wanted(strand):
            if number not in self.fed[strand]:
                return found
            found.append(self.fed[strand][number])
        raise AssertionError

    def expected(self, strand: str) -> int:
        """Give the number that a strand wants next."""
        return next(n for n in self.wanted(strand) if n not in self.fed[strand])

    def waiting(self) -> int:
        """Count the blocks that wait behind a hole."""
        return sum(
            number > self.expected(strand) for strand in STRANDS for number in self.fed[strand]
        )

    def missing(self, strand: str) -> list[int]:
        """List the numbers that are missing before the last one."""
        last = max(self.fed[strand], default=-1)
        found: list[int] = []
        for number in self.wanted(strand):
            if number > last:
                return found
            if number not in self.fed[strand]:
                found.append(number)
        raise AssertionError


@st.composite
def gap_lists(draw: st.DrawFn) -> list[Gap]:
    """Draw declared gaps, which may touch or overlap."""
    firsts = draw(st.lists(st.integers(0, 20), max_size=3))
    return [Gap(first, first + draw(st.integers(0, 3)), "lost") for first in firsts]


class SequencerMachine(RuleBasedStateMachine):
    """Feeds blocks of two strands in any order, with copies and conflicts."""

    fed = Bundle("fed")

    @initialize(
        starts=st.fixed_dictionaries({strand: st.integers(0, 4) for strand in STRANDS}),
        gaps=st.fixed_dictionaries({strand: gap_lists() for strand in STRANDS}),
    )
    def make(self, starts: dict[str, int], gaps: dict[str, list[Gap]]) -> None:
        """Make sequencer and model alike."""
        self.model = NaiveModel(starts, gaps)
        self.sequencer = Sequencer(starts, limit=LIMIT, gaps=gaps)
        self.given: dict[str, list[Block]] = {strand: [] for strand in STRANDS}

    @rule(target=fed, strand=st.sampled_from(STRANDS), ahead=st.integers(-3, 9))
    def feed(self, strand: str, ahead: int) -> Any:
        """Feed a block near the one that is wanted."""
        number = max(0, self.model.expected(strand) + ahead)
        block = make_block(strand, number)
        model = self.model
        if number in model.declared[strand] and number >= model.starts[strand]:
            with pytest.raises(UsageError):
                self.sequencer.feed(block)
            return multiple()
        # What is in its turn is taken in any case.
        is_new = number >= model.starts[strand] and number not in model.fed[strand]
        is_ahead = number != self.next_given(strand)
        if is_new and is_ahead and model.waiting() + self.undrained() >= LIMIT:
            with pytest.raises(BacklogError):
                self.sequencer.feed(block)
            return multiple()
        self.sequencer.feed(block)
        if number >= model.starts[strand]:
            model.fed[strand].setdefault(number, block)
            return block
        return multiple()

    @rule(block=fed)
    def feed_a_copy(self, block: Block) -> None:
        """Feed a copy that another stream carried."""
        self.sequencer.feed(
            attrs.evolve(block, summary=attrs.evolve(block.summary, stream_arn="x"))
        )

    @rule(block=fed)
    def feed_a_forgery(self, block: Block) -> None:
        """Feed another block with the address of one that was fed."""
        address = block.address
        with pytest.raises(ConflictError) as caught:
            self.sequencer.feed(make_block(address.strand_id, address.sequence_no, "forged"))
        assert (address.strand_id, address.sequence_no) == caught.value.args[:2] or (
            address.sequence_no == caught.value.sequence_no
        )

    @rule()
    def ask(self) -> None:
        """Take everything that can be given."""
        self.take_all()
        for strand in STRANDS:
            assert self.model.given(strand) == self.given[strand]

    @invariant()
    def expects_what_the_model_wants(self) -> None:
        """What is expected next is what was not given yet."""
        for strand in STRANDS if hasattr(self, "model") else ():
            if self.given[strand]:
                assert self.next_given(strand) == self.sequencer.expect(strand)

    def next_given(self, strand: str) -> int:
        """Give the number that comes out of a strand next."""
        return next(islice(self.model.wanted(strand), len(self.given[strand]), None))

    def take_all(self) -> None:
        """Take everything, and put it where it belongs."""
        for block in drain(self.sequencer):
            self.given[block.address.strand_id].append(block)

    def undrained(self) -> int:
        """Count what could be given and was not asked for."""
        return sum(len(self.model.given(s)) - len(self.given[s]) for s in STRANDS)

    def teardown(self) -> None:
        """Close, take the rest, and compare the holes."""
        if not hasattr(self, "model"):
            return
        errors = self.sequencer.close()
        self.take_all()
        named: dict[str, list[int]] = {strand: [] for strand in STRANDS}
        for error in errors:
            assert error.last is not None
            named[error.strand_id] += range(error.first, error.last + 1)
        for strand in STRANDS:
            assert self.model.given(strand) == self.given[strand]
            assert self.model.missing(strand) == named[strand]


SequencerMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
TestSequencer = SequencerMachine.TestCase


# --- starts ---


@given(st.permutations(range(12)), st.integers(0, 12))
def test_a_start_cuts_off_what_is_before_it(order: list[int], start: int) -> None:
    """Law 2: from the start on, numbers rise by exactly one, whatever the order."""
    sequencer = Sequencer(start)
    given: list[int] = []
    for number in order:
        sequencer.feed(make_block("A", number))
        given += numbers(sequencer)
    assert list(range(start, 12)) == given
    assert () == sequencer.close()


@given(st.sets(st.integers(0, 20), min_size=1), st.randoms())
def test_earliest_gives_nothing_before_close(present: set[int], chance: Any) -> None:
    """After close everything comes up to the first hole, from the lowest on."""
    sequencer = Sequencer(EARLIEST)
    order = sorted(present)
    chance.shuffle(order)
    for number in order:
        sequencer.feed(make_block("A", number))
        assert NEED_MORE is sequencer.next_block()
        assert sequencer.expect("A") is None
    errors = sequencer.close()
    lowest = min(present)
    run = next(n for n in range(lowest, 99) if n not in present)
    assert list(range(lowest, run)) == numbers(sequencer)
    missing = {n for error in errors for n in range(error.first, (error.last or 0) + 1)}
    assert set(range(lowest, max(present))) - present == missing


def test_strands_do_not_wait_for_each_other() -> None:
    """A hole in one strand stops that one alone; each has its start."""
    sequencer = Sequencer({"A": 0, "B": 5})
    for strand, number in (("A", 1), ("B", 5), ("B", 6)):
        sequencer.feed(make_block(strand, number))
    assert [5, 6] == numbers(sequencer)
    assert (0, 7, None) == tuple(sequencer.expect(strand) for strand in ("A", "B", "C"))
    assert (SequenceGapError("A", 0, 0),) == sequencer.close()


def test_a_strand_without_a_start_is_wrong_usage() -> None:
    """The error names the strand and the number seen."""
    sequencer = Sequencer({"A": 0})
    with pytest.raises(UsageError, match="strand B has no start; the lowest number seen is 7"):
        sequencer.feed(make_block("B", 7))


@pytest.mark.parametrize("start", [-1, {"A": -1}])
def test_starts_and_gaps_make_sense(start: Any) -> None:
    """Negative numbers and gaps that end before they begin are refused."""
    with pytest.raises(UsageError, match="block 0 or later"):
        Sequencer(start)
    for first, last in ((3, 2), (-1, 2)):
        with pytest.raises(UsageError, match="a gap from"):
            Sequencer(0, gaps={"A": [Gap(first, last, "lost")]})


def test_nothing_is_fed_after_close() -> None:
    """A closed sequencer refuses what comes."""
    sequencer = Sequencer(0)
    assert () == sequencer.close()
    with pytest.raises(UsageError, match="after close"):
        sequencer.feed(make_block("A", 0))
    assert Earliest.EARLIEST is EARLIEST


# --- limits ---


def test_too_many_waiting_blocks_are_refused_by_name() -> None:
    """The error says what they wait for; the block that fills the hole is taken."""
    sequencer = Sequencer(0, limit=2)
    for number in (1, 2):
        sequencer.feed(make_block("A", number))
    with pytest.raises(BacklogError) as caught:
        sequencer.feed(make_block("A", 3))
    assert BacklogError(2, "blocks", "block A/0") == caught.value
    sequencer.feed(make_block("A", 0))
    with pytest.raises(BacklogError, match="being asked for"):
        sequencer.feed(make_block("A", 3))
    assert [0, 1, 2] == numbers(sequencer)


def test_earliest_is_bounded_too() -> None:
    """Without a start everything waits for the end of the input."""
    sequencer = Sequencer(EARLIEST, limit=1)
    sequencer.feed(make_block("A", 1))
    with pytest.raises(BacklogError, match="the end of the input"):
        sequencer.feed(make_block("B", 1))
    assert () == sequencer.close()
    assert [1] == numbers(sequencer)


# --- copies ---

DOCUMENTED: Final = next(
    block
    for block in make_journal(5, blocks=30, shape=JournalShape(least_revisions=2, empty=0.0))
    if all(revision.data_ion is not None for revision in block.revisions) and block.revisions
)


def redacted(block: Block, place: int, digest: bytes | None = None) -> Block:
    """Redact one revision of a block."""
    revision = block.revisions[place]
    assert revision.data_ion is not None
    gone = attrs.evolve(revision, data_ion=None, data_hash=digest or revision.data_ion.hash())
    revisions = (*block.revisions[:place], gone, *block.revisions[place + 1 :])
    return attrs.evolve(block, revisions=revisions)


def sequencer_at(block: Block) -> Sequencer:
    """Make a sequencer whose next number is the block's second next: everything waits."""
    return Sequencer(block.address.sequence_no - 1)


@pytest.mark.parametrize("order", [1, -1])
def test_a_redacted_copy_wins_before_delivery(order: int) -> None:
    """Full and redacted copies are one block, and the redacted form is given out."""
    number = DOCUMENTED.address.sequence_no
    copies = [redacted(DOCUMENTED, 0), redacted(DOCUMENTED, 1), DOCUMENTED][::order]
    sequencer = sequencer_at(DOCUMENTED)
    for copy in copies:
        sequencer.feed(copy)
    sequencer.feed(make_block(DOCUMENTED.address.strand_id, number - 1))
    _, given = drain(sequencer)
    assert redacted(redacted(DOCUMENTED, 0), 1) == given


def damaged(revision: Revision) -> Revision:
    """Replace a document's bytes by some that do not decode."""
    assert revision.data_ion is not None
    return attrs.evolve(
        revision, data_ion=IonSlice(b"\xd3\x84\xef\xff", 0, 4, revision.data_ion.symbols)
    )


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda b: redacted(b, 0, bytes(32)), "data_ion"),
        (lambda b: attrs.evolve(b, revisions=b.revisions[:-1]), "the number of revisions"),
        (
            lambda b: attrs.evolve(b, summary=attrs.evolve(b.summary, transaction_id="x")),
            "transaction_id",
        ),
        (
            lambda b: attrs.evolve(b, revisions=(damaged(b.revisions[0]), *b.revisions[1:])),
            "bytes that do not decode",
        ),
        (
            lambda b: attrs.evolve(
                b, revisions=(attrs.evolve(b.revisions[0], table=None), *b.revisions[1:])
            ),
            "table",
        ),
    ],
)
def test_two_blocks_of_one_address_are_a_conflict(change: Any, difference: str) -> None:
    """Law 2: never a silent choice; the first one stays."""
    sequencer = sequencer_at(DOCUMENTED)
    sequencer.feed(DOCUMENTED)
    with pytest.raises(ConflictError) as caught:
        sequencer.feed(change(DOCUMENTED))
    assert difference == caught.value.difference
    address = DOCUMENTED.address
    assert (address.strand_id, address.sequence_no) == (
        caught.value.strand_id,
        caught.value.sequence_no,
    )


def test_what_was_given_out_is_remembered_within_the_limit() -> None:
    """A forgery of a number given out long ago falls out unseen, as documented."""
    sequencer = Sequencer(0, limit=2)
    for number in range(5):
        sequencer.feed(make_block("A", number))
        assert [number] == numbers(sequencer)
    sequencer.feed(make_block("A", 2, "forged"))
    with pytest.raises(ConflictError):
        sequencer.feed(make_block("A", 3, "forged"))
    assert [] == numbers(sequencer)


# --- sorted input ---


@given(
    st.sets(st.integers(0, 30)), st.integers(0, 5) | st.just(EARLIEST), gap_lists(), st.booleans()
)
def test_sorted_input_passes_holes_and_names_them(
    present: set[int],
    start: int | Earliest,
    gaps: list[Gap],
    eager: bool,  # noqa: FBT001 - drawn
) -> None:
    """Every block comes at once, in order; what is missing and not declared is named."""
    declared = {n for gap in gaps for n in range(gap.first, gap.last + 1)}
    sequencer = Sequencer(start, limit=1, gaps={"A": gaps}, sorted_input=True)
    given: list[int] = []
    fed = sorted(present - declared)
    for number in fed:
        sequencer.feed(make_block("A", number))
        if eager:
            given += numbers(sequencer)
    errors = sequencer.close()
    given += numbers(sequencer)
    first = start if isinstance(start, int) else (fed or [0])[0]
    expected = [number for number in fed if number >= first]
    assert expected == given
    missing = {n for error in errors for n in range(error.first, (error.last or 0) + 1)}
    wanted = set(range(first, max(expected, default=0))) - present - declared
    assert wanted == missing


def test_sorted_input_must_be_sorted() -> None:
    """A number that was passed comes too late; copies of one given out do not."""
    for drained in (True, False):
        sequencer = Sequencer(EARLIEST, sorted_input=True)
        for number in (1, 4):
            sequencer.feed(make_block("A", number))
        if drained:
            assert [1, 4] == numbers(sequencer)
        sequencer.feed(make_block("A", 1))
        sequencer.feed(make_block("A", 4))
        with pytest.raises(UsageError, match="sorted"):
            sequencer.feed(make_block("A", 2))
        with pytest.raises(ConflictError):
            sequencer.feed(make_block("A", 4, "forged"))


def test_a_block_of_a_declared_gap_is_wrong_usage() -> None:
    """What was declared missing is not delivered behind the owner's back."""
    sequencer = Sequencer(0, gaps={"A": [Gap(3, 5, "lost in a fire")]})
    with pytest.raises(UsageError, match="lost in a fire"):
        sequencer.feed(make_block("A", 4))
    for number in (0, 1, 2, 6):
        sequencer.feed(make_block("A", number))
    assert [0, 1, 2, 6] == numbers(sequencer)
    with pytest.raises(UsageError, match="narrow the gap"):
        sequencer.feed(make_block("A", 4))
    resumed = Sequencer(6, gaps={"A": [Gap(3, 5, "lost in a fire")]})
    resumed.feed(make_block("A", 4))
    assert [] == numbers(resumed)
