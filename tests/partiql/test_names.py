"""Names that only their case tells from a source: the exact field first, row by row (facts 5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from qldb_stream.errors import PartiqlSemanticError
from qldb_stream.partiql import Lookup
from tests.partiql.tables import Tables, changes, decode, rows, sliced

WITH: Any = {"i": {"f": 1}, "f": 2}
WITHOUT: Any = {"I": 0, "f": 3}


def tables() -> Tables:
    """A table `I` with a document that has a field `i`, and one that has none."""
    return Tables({"I": sliced(WITH, WITHOUT), "J": sliced({"i": 7})})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT i FROM I", [{"i": {"f": 1}}, {"i": WITHOUT}]),
        ("SELECT VALUE i FROM I", [{"f": 1}, WITHOUT]),
        ("SELECT VALUE i.f FROM I", [1, 3]),
        ("SELECT VALUE i['f'] FROM I", [1, 3]),
        ("SELECT VALUE [i.f] FROM I WHERE i.f = 1", [[1]]),
        ("SELECT VALUE I.f FROM I", [2, 3]),
        ("SELECT VALUE @i.f FROM I", [2, 3]),
        ("SELECT VALUE x.f FROM I AS X", [2, 3]),
        ('SELECT VALUE "i" FROM I', [{"f": 1}, None]),
        ("SELECT VALUE i FROM I, J WHERE i.f IS MISSING", [7, 7]),
        ("SELECT VALUE i FROM J, I AS k WHERE k.f = 2", [{"f": 1}]),
        ("SELECT VALUE e FROM I, i.f AS e", [1, 3]),
        ("SELECT VALUE (SELECT VALUE i.f FROM << 0 >> AS n) FROM I", [[1], [3]]),
    ],
)
def test_an_exact_field_comes_before_a_table(text: str, expected: list[Any]) -> None:
    """A field of that very spelling is read where there is one, else the source."""
    assert expected == rows(text, tables=tables())


@pytest.mark.parametrize(
    ("text", "lookups"),
    [
        ("SELECT * FROM I WHERE I.f = 3", (Lookup("f", (3,)),)),
        ("SELECT * FROM I AS x WHERE X.f = 3", (Lookup("f", (3,)),)),
        ("SELECT * FROM I WHERE i.f = 3", ()),
        ("SELECT * FROM I WHERE f = i.f", ()),
    ],
)
def test_no_look_up_leaves_rows_out(text: str, lookups: tuple[Lookup, ...]) -> None:
    """An index is asked only where the name means the same in every row."""
    asked = tables()
    rows(text, tables=asked)
    assert [lookups] == [found for _, _, found, _ in asked.asked]


def test_group_by_tells_the_two_apart() -> None:
    """A key is another one when its name may mean a field."""
    text = "SELECT i.f AS f, COUNT(*) AS n FROM I GROUP BY i.f"
    assert [{"f": 1, "n": 1}, {"f": 3, "n": 1}] == rows(text, tables=tables(), extensions=True)
    with pytest.raises(PartiqlSemanticError):
        rows("SELECT I.f FROM I GROUP BY i.f", tables=tables(), extensions=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UPDATE I SET i.f = 9", [{"i": {"f": 9}, "f": 2}, {"I": 0, "f": 9}]),
        ("UPDATE I SET I.f = 9", [{"i": {"f": 1}, "f": 9}, {"I": 0, "f": 9}]),
        ("UPDATE I REMOVE i.f", [{"i": {}, "f": 2}, {"I": 0}]),
    ],
)
def test_changes_mean_what_queries_mean(text: str, expected: list[Any]) -> None:
    """SET and REMOVE change the field where the document has it, else the document's own."""
    assert expected == changed(text, tables())


def test_elements_are_changed_where_they_were_found() -> None:
    """A nested collection is that of the exact field where there is one."""
    doc = {"i": {"l": [{"n": 1}]}, "l": [{"n": 2}]}
    found = Tables({"I": sliced(doc, {"l": [{"n": 3}]})})
    text = "FROM I, i.l AS e SET e.n = 9"
    expected = [{"i": {"l": [{"n": 9}]}, "l": [{"n": 2}]}, {"l": [{"n": 9}]}]
    assert expected == changed(text, found)


def test_an_element_may_be_named_like_a_field() -> None:
    """The document's field of exactly that name is changed, else the element."""
    found = Tables({"I": sliced({"l": {"n": 2}, "L": [1]}, {"L": [{"n": 3}]})})
    expected = [{"l": {"n": 9}, "L": [1]}, {"L": [{"n": 9}]}]
    assert expected == changed("FROM I, I.L SET l.n = 9", found)


def test_elements_without_a_sure_place_are_not_changed() -> None:
    """With other sources the field may be another row's, and nothing is guessed."""
    with pytest.raises(PartiqlSemanticError):
        changed("FROM I, I.l AS x, i.l AS e SET e.n = 9", Tables({"I": sliced({"l": [1]})}))


def changed(text: str, found: Tables) -> list[Any]:
    """What a statement makes of the documents."""
    return [decode(change.after) for change in changes(text, found)]
