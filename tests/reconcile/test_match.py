"""Revisions beside revisions: each way to differ has its name, and the fields are named."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from qldb_stream.events import RevisionKind
from qldb_stream.reconcile._content import ContentDifference, DiffCode
from qldb_stream.reconcile._match import altered_fields, match_revisions
from qldb_stream.report import StoredRevision


def stored(number: int, document_id: str = "d", version: int = 0, **more: Any) -> StoredRevision:
    """Make a revision."""
    given: dict[str, Any] = {
        "hash": b"x",
        "kind": RevisionKind.INSERT,
        "data_hash": b"h",
        "data": {"a": 1, "b": [1, {"c": 2}]},
    }
    return StoredRevision("s", number, "T", document_id, version, **(given | more))


ONE, TWO, THREE = stored(1), stored(2, version=1), stored(3, "e")


def differences(*found: StoredRevision) -> list[tuple[str, int]]:
    """Compare with ONE, TWO and THREE."""
    return [(d.code.value, d.sequence_no) for d in match_revisions([ONE, TWO, THREE], found)]


def test_equal_is_no_difference() -> None:
    """The same revisions in order agree."""
    assert [] == differences(ONE, TWO, THREE)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((ONE, THREE), [("missing", 2)]),
        ((ONE, TWO, THREE, stored(3, "f")), [("extra", 3)]),
        ((ONE, TWO, TWO, THREE), [("twice", 2)]),
        ((TWO, ONE, THREE), [("wrong_order", 1)]),
        ((ONE, stored(3, version=1), THREE), [("wrong_block", 2)]),
        ((ONE, stored(2, version=7), THREE), [("wrong_version", 2)]),
        ((ONE, TWO, attrs.evolve(THREE, hash=b"y")), [("altered", 3)]),
        (
            (ONE, TWO, attrs.evolve(THREE, kind=RevisionKind.REDACTED, data=None)),
            [("erased", 3)],
        ),
        (
            (ONE, TWO, attrs.evolve(THREE, kind=RevisionKind.REDACTED, data=None, data_hash=None)),
            [("altered", 3)],
        ),
        ((), [("missing", 1), ("missing", 2), ("missing", 3)]),
    ],
)
def test_each_difference_has_its_name(
    found: tuple[StoredRevision, ...], expected: list[tuple[str, int]]
) -> None:
    """One thing that is wrong is one difference."""
    assert expected == differences(*found)


@pytest.mark.parametrize("kind", [RevisionKind.REDACTED, RevisionKind.WITHHELD])
def test_data_that_should_be_gone(kind: RevisionKind) -> None:
    """What is redacted or withheld in the source must have no data in the sink."""
    hidden = attrs.evolve(ONE, kind=kind, data=None)

    (found,) = match_revisions([hidden], [ONE])

    assert ContentDifference.of(DiffCode.NOT_ERASED, hidden) == found


def test_a_revision_at_another_block_names_both() -> None:
    """Source and sink each have it somewhere."""
    (found,) = match_revisions([ONE], [stored(9)])

    assert (1, 9) == (found.sequence_no, found.found_no)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"table": "U"}, ("table",)),
        ({"kind": RevisionKind.UPDATE}, ("kind",)),
        ({"data_hash": b"i"}, ("dataHash",)),
        ({"data": {"a": 2, "b": [1, {"c": 2}]}}, ("data.a",)),
        ({"data": {"b": [1, {"c": 2}], "z": 1}}, ("data.a", "data.z")),
        ({"data": {"a": 1, "b": [1, {"c": 3}]}}, ("data.b[1].c",)),
        ({"data": {"a": 1, "b": [1]}}, ("data.b",)),
        ({"data": None}, ("data",)),
    ],
)
def test_what_is_altered_is_named(changes: dict[str, Any], fields: tuple[str, ...]) -> None:
    """Fields are named by their paths, values never."""
    assert fields == altered_fields(ONE, attrs.evolve(ONE, **changes))


def test_names_are_bounded() -> None:
    """A document of a thousand altered fields names twenty; a deep one names where it gets deep."""
    wide = attrs.evolve(ONE, data={str(n): n for n in range(1000)})
    deep: Any = 1
    other: Any = 2
    for _ in range(100):
        deep, other = {"a": deep}, {"a": other}

    assert 20 == len(altered_fields(wide, attrs.evolve(ONE, data={})))
    (name,) = altered_fields(attrs.evolve(ONE, data=deep), attrs.evolve(ONE, data=other))
    assert "data" + ".a" * 16 == name
