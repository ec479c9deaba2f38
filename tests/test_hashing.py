"""The tree of hashes: facts 2.5, 2.7 and the constructed vectors of 2.9."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.hashing import MerkleFrontier, dot, fold_proof, merkle_proof, merkle_root, subtrees

digests = st.binary(min_size=32, max_size=32)


def sha(text: str) -> bytes:
    """Give SHA-256 of ASCII text, the leaf that the facts' vectors use."""
    return sha256(text.encode("ascii")).digest()


ROOTS = {
    1: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
    2: "b9b10a1bc77d2a241d120324db7f3b81b2edb67eb8e9cf02af9c95d30329aef5",
    3: "c80f77387d860fa469920d7ac2f8a959ef83a651f76dc54923734ed76daaef53",
    4: "3adc753b7317e280a98c1438447f17cbb0842a9b83724fff70ad4f0b454f4805",
    5: "a0ee53656a3c8800955b1c7c928e41195ce8d3a2d58c299cd083274ad9ab863b",
    7: "ccd5ecd1825539b1b4315c41a22b86fcb82c6d85080669a580ebdd96b29eaa56",
}


def reference_dot(a: bytes, b: bytes) -> bytes:
    """Join as facts 2.5 words it: signed bytes, compared from the last backwards."""
    for x, y in zip(reversed(a), reversed(b), strict=True):
        signed_x = x - 256 if x > 127 else x
        signed_y = y - 256 if y > 127 else y
        if signed_x != signed_y:
            return sha256(a + b if signed_x < signed_y else b + a).digest()
    return sha256(b + a).digest()


def test_dot_gives_the_published_vector() -> None:
    """The Rust driver's vector holds."""
    expected = "940ed9abddfb5ef28004408546bc5043cda391232b6afe07267f9f8ed2b500c9"
    assert expected == dot(sha("1"), sha("2")).hex()


@given(digests, digests)
def test_dot_follows_the_wording_of_the_rule_and_commutes(a: bytes, b: bytes) -> None:
    """Dot equals a literal transcription of the facts, whichever operand comes first."""
    assert reference_dot(a, b) == dot(a, b) == dot(b, a)


@given(digests, digests, st.binary(min_size=1, max_size=31))
def test_dot_orders_digests_that_end_alike(a: bytes, b: bytes, tail: bytes) -> None:
    """Equal last bytes send the comparison on to the bytes before them."""
    a, b = a[: -len(tail)] + tail, b[: -len(tail)] + tail
    assert reference_dot(a, b) == dot(a, b)


@given(digests)
def test_the_empty_bytes_are_neutral(a: bytes) -> None:
    """Joining with nothing changes nothing, on either side."""
    assert a == dot(a, b"") == dot(b"", a)


def test_nothing_joined_with_nothing_is_nothing() -> None:
    """Two empty operands stay empty."""
    assert b"" == dot(b"", b"")


@pytest.mark.parametrize("operands", [(b"x", sha("1")), (sha("1"), b"x" * 33), (b"", b"x")])
def test_dot_refuses_what_is_no_digest(operands: tuple[bytes, bytes]) -> None:
    """An operand of another length is the caller's mistake."""
    with pytest.raises(UsageError, match="dot takes digests"):
        dot(*operands)


@pytest.mark.parametrize(("count", "root"), ROOTS.items())
def test_merkle_root_gives_the_constructed_vectors(count: int, root: str) -> None:
    """The roots of facts 2.9 hold, odd levels included."""
    assert root == merkle_root(sha(str(i)) for i in range(count)).hex()


def test_a_tree_without_leaves_has_an_empty_root() -> None:
    """No leaves give the neutral element."""
    assert b"" == merkle_root([]) == MerkleFrontier().root()


@given(st.lists(digests, max_size=40))
def test_the_frontier_has_the_root_of_the_whole_tree_after_each_leaf(leaves: list[bytes]) -> None:
    """Keeping only the full subtrees' roots loses nothing."""
    frontier = MerkleFrontier()
    for count, leaf in enumerate(leaves, start=1):
        frontier.append(leaf)
        assert (merkle_root(leaves[:count]), count) == (frontier.root(), frontier.size)


@given(st.lists(st.lists(digests, max_size=20), max_size=6))
def test_leaves_in_bulk_are_leaves(several: list[list[bytes]]) -> None:
    """Extending by leaves is appending each."""
    frontier, one_by_one = MerkleFrontier(), MerkleFrontier()
    for leaves in several:
        frontier.extend(leaves)
        for leaf in leaves:
            one_by_one.append(leaf)
        assert one_by_one.root() == frontier.root()
        assert one_by_one.size == frontier.size
    with pytest.raises(UsageError, match="32 bytes"):
        frontier.extend([bytes(32), b"short"])
    assert one_by_one.root() == frontier.root()


@given(st.lists(st.lists(digests, max_size=20), max_size=6))
def test_subtrees_are_their_leaves(several: list[list[bytes]]) -> None:
    """Leaves hashed together elsewhere, by their number alone, are each of them appended."""
    frontier, one_by_one = MerkleFrontier(), MerkleFrontier()
    for leaves in several:
        found = subtrees(one_by_one.size, leaves)
        for leaf in leaves:
            one_by_one.append(leaf)
        for level, node in found:
            frontier.append_subtree(level, node)
        assert (one_by_one.root(), one_by_one.size) == (frontier.root(), frontier.size)
        assert len(found) <= 2 * len(leaves).bit_length()


def test_subtrees_are_of_whole_digests_and_in_their_place() -> None:
    """A leaf of another length is refused; a subtree at another place is a mistake of ours."""
    with pytest.raises(UsageError, match="has 31"):
        subtrees(0, [bytes(32), bytes(31)])
    frontier = MerkleFrontier()
    frontier.append(sha("0"))
    with pytest.raises(AssertionError, match="multiple of its size"):
        frontier.append_subtree(1, sha("1"))


def test_the_frontier_stays_as_it_was_when_it_refuses_a_leaf() -> None:
    """A leaf of another length leaves size and root alone."""
    frontier = MerkleFrontier()
    frontier.append(sha("0"))
    with pytest.raises(UsageError, match="has 31"):
        frontier.append(bytes(31))
    assert (sha("0"), 1) == (frontier.root(), frontier.size)


@given(st.lists(digests, min_size=1, max_size=40), st.data())
def test_a_proof_leads_from_its_leaf_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """Folding a leaf's proof gives the root of the tree."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    assert merkle_root(leaves) == fold_proof(leaves[index], merkle_proof(leaves, index))


def test_proofs_have_the_lengths_of_the_facts() -> None:
    """A promoted odd node contributes nothing to its proof (facts 2.9)."""
    leaves = [sha(str(i)) for i in range(7)]
    assert [3, 3, 2] == [len(merkle_proof(leaves, i)) for i in (0, 4, 6)]


@given(st.lists(digests, min_size=2, max_size=20, unique=True))
def test_a_proof_fits_no_other_leaf(leaves: list[bytes]) -> None:
    """A neighbour's proof does not lead to the root."""
    root = merkle_root(leaves)
    for index, (leaf, other) in enumerate(pairwise(leaves)):
        proof = merkle_proof(leaves, index)
        if proof[0] != other:  # a sibling pair is symmetric: dot commutes
            assert root != fold_proof(other, proof)
        assert root == fold_proof(leaf, proof)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(index: int) -> None:
    """An index outside the leaves is refused."""
    with pytest.raises(UsageError, match="of 2 leaves"):
        merkle_proof([sha("0"), sha("1")], index)


def test_roots_and_proofs_refuse_what_is_no_digest() -> None:
    """Leaves and siblings have 32 bytes."""
    with pytest.raises(UsageError, match="has 5"):
        merkle_root([b"short"])
    with pytest.raises(UsageError, match="has 5"):
        merkle_proof([b"short"], 0)
    with pytest.raises(UsageError, match="has 0"):
        fold_proof(sha("0"), [b""])


def test_the_path_of_a_leaf_is_its_proof_whatever_comes_after() -> None:
    """A path that grows with the tree is what `merkle_proof` gives over all leaves."""
    leaves = [sha(str(number)) for number in range(37)]
    for index in range(len(leaves)):
        frontier = MerkleFrontier()
        for leaf in leaves[:index]:
            frontier.append(leaf)
        path = frontier.path_of_next()
        for size in range(index + 1, len(leaves) + 1):
            assert merkle_proof(leaves[:size], index) == path.siblings()
            if size < len(leaves):
                path.append(leaves[size])


def test_a_path_stays_as_it_was_when_it_refuses_a_leaf() -> None:
    """A leaf that is no digest is a UsageError, and not in the path."""
    path = MerkleFrontier().path_of_next()
    with pytest.raises(UsageError):
        path.append(bytes(31))
    assert () == path.siblings()
