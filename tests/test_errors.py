"""The error tree: dispositions, equality, pickling, and messages that help."""

from __future__ import annotations

import inspect
import pickle

import attrs
import pytest

from qldb_stream import errors
from qldb_stream.errors import (
    ChainBreakError,
    ConflictError,
    Disposition,
    HashMismatchError,
    IncompleteBlockError,
    IonDecodeError,
    QldbStreamError,
    SequenceGapError,
)

LEAVES = sorted(
    (
        leaf
        for leaf in vars(errors).values()
        if inspect.isclass(leaf) and issubclass(leaf, QldbStreamError) and attrs.has(leaf)
    ),
    key=lambda leaf: leaf.__name__,
)

BRANCHES = {
    errors.DecodeError: Disposition.QUARANTINE,
    errors.IntegrityError: Disposition.HALT,
    errors.UsageError: Disposition.HALT,
}


def make_error(leaf: type[QldbStreamError]) -> QldbStreamError:
    """Fill every field of a leaf with a plain value of its type."""
    samples = {"bool": True, "int": 7, "int | None": 9, "tuple[str, ...]": ("a", "b", "c", "d")}
    annotations = inspect.get_annotations(leaf)
    return leaf(*(samples.get(kind, "text") for kind in annotations.values()))


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_survives_pickling_whole(leaf: type[QldbStreamError]) -> None:
    """An error that crossed a process boundary equals the one that was raised."""
    error = make_error(leaf)
    assert error == pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_says_something_and_has_a_disposition(leaf: type[QldbStreamError]) -> None:
    """Every leaf has a message of its own and tells what to do."""
    error = make_error(leaf)
    assert str(error)
    assert isinstance(error.disposition, Disposition)
    assert leaf.__name__ in errors.__all__


@pytest.mark.parametrize(("branch", "disposition"), BRANCHES.items())
def test_a_branch_fixes_the_disposition(
    branch: type[QldbStreamError], disposition: Disposition
) -> None:
    """What to do follows from the branch of the tree, not from the leaf."""
    assert {disposition} == {leaf.disposition for leaf in LEAVES if issubclass(leaf, branch)}


def test_errors_compare_by_type_and_fields() -> None:
    """Two errors are equal when they say the same of the same place."""
    assert IonDecodeError(1, "x") == IonDecodeError(1, "x")
    assert IonDecodeError(1, "x") != IonDecodeError(2, "x")
    assert IonDecodeError(1, "x") != errors.AggregationError(1, "x")
    assert hash(IonDecodeError(1, "x")) == hash(IonDecodeError(1, "x"))


def test_an_error_is_frozen() -> None:
    """What an error says cannot be changed on its way up."""
    error = IonDecodeError(1, "x")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        error.offset = 2  # type: ignore[misc]  # that it fails is the point


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (
            "block S/3, document D: revision hash failed; run",
            HashMismatchError("S", 3, "revision hash", "D"),
        ),
        ("block S/3: revision hash failed; run", HashMismatchError("S", 3, "revision hash")),
        (
            "block S/3: previousBlockHash is bb, the block before has blockHash aa",
            ChainBreakError("S", 3, "aa", "bb"),
        ),
        ("strand S: blocks from 3 to 5 are missing; add", SequenceGapError("S", 3, 5)),
        ("strand S: blocks from 3 on are missing; add", SequenceGapError("S", 3)),
        ("strand S: block 3 is missing; add", SequenceGapError("S", 3, 3)),
        (
            "block S/3, document D: two copies differ in data; find",
            ConflictError("S", 3, "data", "D"),
        ),
        ("block S/3: two copies differ in data; find", ConflictError("S", 3, "data")),
        (
            "block S/3: missing a, b, c and 1 more; add",
            IncompleteBlockError("S", 3, ("a", "b", "c", "d")),
        ),
        (
            "block S/3: missing a; revisions that fit no summary: x; add",
            IncompleteBlockError("S", 3, ("a",), ("x",)),
        ),
        (
            "block S/3: revisions that its summary does not list: x; they were left out: find",
            IncompleteBlockError("S", 3, (), ("x",)),
        ),
        ("Transaction 7 has expired", errors.TransactionClosedError("7", "has expired")),
    ],
)
def test_a_message_says_where_and_what(expected: str, error: QldbStreamError) -> None:
    """A message names the place, what is wrong there, and what to do."""
    assert str(error).startswith(expected)


def test_an_occ_conflict_speaks_the_services_words() -> None:
    """Applications match on the service's wording (facts 6.4)."""
    assert (
        "Optimistic concurrency control (OCC) failure encountered while committing the transaction"
        == str(errors.OccConflictError("7"))
    )
