"""Hash trees: the same hash as of the whole value, with and without exchanges."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given

from qldb_stream.ion import (
    HashTree,
    IonSlice,
    IonType,
    annotated_form,
    hash_form,
    ion_hash,
    iter_text,
    name_form,
    replaced,
    retyped,
    to_slice,
)
from qldb_stream.testing.strategies import ion_values

DOCUMENT: dict[str, Any] = {
    "sku": "A-1",
    "lines": [{"price": 12.5, "n": 1}, {"price": 3.0, "n": 2}],
    "none": None,
    "deep": {"a": {"b": [[], {}]}},
}


def node(tree: HashTree, path: str) -> int:
    """Find the number of the node at a path."""
    return next(found.index for found in tree.nodes if found.path == path)


@given(ion_values())
def test_a_tree_has_the_hash_of_its_value(value: Any) -> None:
    """Of every value, annotations, repeated names and nulls included."""
    found = to_slice(value)
    assert found.hash() == HashTree(found, limit=10_000).digest({})


def test_a_changed_value_changes_the_hash_as_if_it_were_written_so() -> None:
    """Exchanged one by one, at any depth, and several at once."""
    found = to_slice(DOCUMENT)
    tree = HashTree(found, limit=100)
    random = Random(5)
    for _ in range(200):
        chosen = random.sample([n for n in tree.nodes if not n.children], random.randint(1, 4))
        new = {
            n.index: random.choice([None, 7, "x", Decimal("12.50"), [1], {"a": 2}]) for n in chosen
        }
        starts = {n.value.start: new[n.index] for n in chosen}
        exchanged = {index: hash_form(value) for index, value in new.items()}
        assert replaced(found, starts).hash() == tree.digest(exchanged)


def test_names_annotations_and_kinds_of_lists_are_exchanged() -> None:
    """A name, an annotation around a value, and a sexp for a list whose elements change too."""
    tree = HashTree(to_slice(DOCUMENT), limit=100)
    wanted = to_slice(
        DOCUMENT
        | {
            "lines": retyped(
                IonType.SEXP, [{"price": Decimal("12.50"), "n": 1}, {"price": 3.0, "n": 2}]
            )
        }
    )
    lines = node(tree, "lines")
    sexp = {lines: lambda form: b"\x0b\xc0" + form[2:]}
    assert wanted.hash() == tree.digest(
        {**sexp, node(tree, "lines[0].price"): hash_form(Decimal("12.50"))}
    )

    renamed = {("SKU" if name == "sku" else name): value for name, value in DOCUMENT.items()}
    assert ion_hash(renamed) == tree.digest({}, {node(tree, "sku"): name_form("SKU")})


def test_an_annotation_put_around() -> None:
    """The form of an annotated value is made of the form without."""
    bare = HashTree(to_slice([1]), limit=9)
    noted = to_slice([load_text("kg::1")])
    assert noted.hash() == bare.digest({1: lambda form: annotated_form(["kg"], form)})


def load_text(text: str) -> IonSlice:
    """Read one value of Ion text."""
    return next(iter_text(text))


def test_a_large_document_has_no_nodes() -> None:
    """Beyond the limit there is nothing to exchange, and it says so."""
    tree = HashTree(to_slice(list(range(100))), limit=10)
    assert (False, []) == (tree.is_whole, tree.nodes)


def test_work_is_counted_by_what_is_put_together() -> None:
    """A change deep in a document costs the way to the root; none costs nothing."""
    tree = HashTree(to_slice(DOCUMENT), limit=100)
    tree.digest({})
    assert 0 == tree.work
    tree.digest({node(tree, "lines[1].n"): hash_form(3)})
    assert 0 < tree.work < 2000
