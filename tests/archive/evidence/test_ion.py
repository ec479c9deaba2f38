"""Ion in verify.py: it reads, hashes and writes as the library does, from its own code."""

from __future__ import annotations

from hashlib import new as new_hash
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from qldb_stream.archive.evidence import verify
from qldb_stream.errors import QldbStreamError
from qldb_stream.hashing import dot, merkle_proof, merkle_root
from qldb_stream.ion import (
    IVM,
    IonSlice,
    int_of,
    iter_elements,
    iter_fields,
    iter_slices,
    iter_text,
    load_slice,
    read_struct,
    to_slice,
)
from qldb_stream.testing.strategies import ion_values

MARKER = b"\xe0\x01\x00\xea"


def slices(folder: Path) -> list[bytes]:
    """Every value of the Ion project's good files, as a stream of its own."""
    found = []
    for file in sorted(folder.rglob("*.10n")):
        for value in iter_slices(file.read_bytes()):
            try:
                found.append(value.to_bytes())
            except QldbStreamError:  # what no stream has at its top level
                continue
    return found


def test_the_ion_projects_values(vectors: Path) -> None:
    """Each value hashes as the library says, and its text reads back as the same value."""
    checked = 0
    for stream in slices(vectors / "ion-binary" / "good"):
        try:
            node = verify.read_ion(stream)
        except verify.RefusedError:
            assert b"imports" in stream or b"\x86" in stream  # symbols known by number only
            continue
        expected = load_slice(stream).hash()
        assert expected == verify.ion_hash(node)
        (back,) = iter_text(verify.ion_text(node))
        assert expected == back.hash()
        checked += 1
    assert checked > 250


def test_the_ion_hash_suite(vectors: Path) -> None:
    """Each case of the suite is serialised and digested as it says, where it has one value."""
    checked = 0
    for case in iter_text((vectors / "ion-hash" / "ion_hash_tests.ion").read_bytes()):
        fields = read_struct(case)
        raw = IVM + octets(fields["10n"]) if "10n" in fields else fields["ion"].to_bytes()
        node = verify.read_ion(raw)
        for algorithm, steps in iter_fields(fields["expect"]):
            assert algorithm is not None
            final = [
                octets(s) for s in iter_elements(steps) if "digest" in (s.annotations[0] or "")
            ]
            digests: list[bytes] = []

            def digest(fed: bytes, name: str = algorithm, into: list[bytes] = digests) -> bytes:
                into.append(fed if name == "identity" else new_hash(name, fed).digest())
                return into[-1]

            digest(verify.serialize(node, digest))
            assert final[-1] == digests[-1]
            checked += 1
    assert 171 == checked


def octets(sexp: IonSlice) -> bytes:
    """The bytes that an s-expression of ints stands for."""
    return bytes(int_of(octet) for octet in iter_elements(sexp))


@given(ion_values())
def test_any_value(value: object) -> None:
    """What the library writes of any value is read, hashed and written as the same value."""
    written = to_slice(value)
    node = verify.read_ion(written.to_bytes())

    assert written.hash() == verify.ion_hash(node)
    (back,) = iter_text(verify.ion_text(node))
    assert written.hash() == back.hash()


@given(st.binary(max_size=64))
def test_any_bytes(data: bytes) -> None:
    """Random bytes are a value or refused, and nothing else."""
    try:
        verify.ion_text(verify.read_ion(MARKER + data))
    except verify.RefusedError:
        return


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        MARKER,
        MARKER + b"\x20\x20",
        MARKER + b"\x31\x00",
        MARKER + b"\xbe" + b"\x00" * 20,
        MARKER + b"\xb1" * 400,
        MARKER + b"\x7e" + b"\x01" * 30 + b"\x81",
        MARKER + b"\x5e\xb0\x01" + bytes(5000),
        MARKER + b"\x71\x63",
        MARKER + b"\xe3\x81\x84\x20" + b"\xe3",
        MARKER + b"\x81\xff",
        MARKER + b"\x62\xc0\x80" + b"\x20",
    ],
)
def test_broken_streams_are_refused(stream: bytes) -> None:
    """Nothing, two values, minus zero, padding that runs on, and too much of anything."""
    with pytest.raises(verify.RefusedError):
        verify.read_ion(stream)


def test_symbols_do_not_multiply() -> None:
    """A long symbol that is named again and again is refused before it fills the memory."""
    name = b"\x8e" + length(1 << 20) + b"x" * (1 << 20)
    symbols = b"\xbe" + length(len(name)) + name
    table = b"\x81\x83\xde" + length(len(symbols) + 1) + b"\x87" + symbols
    many = b"\x71\x0a" * 200
    stream = MARKER + b"\xee" + length(len(table)) + table + b"\xbe" + length(len(many)) + many
    with pytest.raises(verify.RefusedError, match="symbols"):
        verify.read_ion(stream)


def test_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte is a value, and a value takes far more memory than that."""
    stream = MARKER + b"\xbe" + length(1000) + b"\x0f" * 1000
    assert 1000 == len(verify.items_of(verify.read_ion(stream)))
    monkeypatch.setattr(verify, "MAX_VALUES", 1000)
    with pytest.raises(verify.RefusedError, match="over 1000 values"):
        verify.read_ion(stream)


def length(number: int) -> bytes:
    """Write a VarUInt of four bytes."""
    return bytes(number >> shift & 0x7F | (0x80 if not shift else 0) for shift in (21, 14, 7, 0))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_the_tree_is_the_librarys(leaves: list[bytes], data: st.DataObject) -> None:
    """Root, path and the path's length are those of the library's tree."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = verify.merkle(leaves, index)

    assert (merkle_root(leaves), merkle_proof(leaves, index)) == (root, tuple(path))
    assert root == verify.fold(leaves[index], path)
    assert len(path) == verify.path_length(index, len(leaves))
    assert dot(leaves[0], leaves[-1]) == verify.dot(leaves[-1], leaves[0])
