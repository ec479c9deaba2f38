"""The Ion project's own binary test data: what must be read, is refused, or is equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import (
    IonSlice,
    IonType,
    dumps,
    ion_hash,
    iter_elements,
    iter_slices,
    to_slice,
)


def _good_files(vectors: Path) -> list[Path]:
    files = sorted((vectors / "ion-binary" / "good").rglob("*.10n"))
    assert files
    return files


def test_every_good_file_is_read(vectors: Path) -> None:
    """Each file of good/ decodes and hashes whole."""
    for file in _good_files(vectors):
        for value in iter_slices(file.read_bytes()):
            value.decode()
            assert 32 == len(value.hash()), file.name


def test_every_good_file_holds_values_or_padding_only(vectors: Path) -> None:
    """Only the files that are named for padding, and one of a lone version marker, hold none."""
    empty = [f.name for f in _good_files(vectors) if not list(iter_slices(f.read_bytes()))]
    assert [
        "T15.10n",
        "emptyThreeByteNopPad.10n",
        "nopPad16Bytes.10n",
        "nopPadOneByte.10n",
    ] == sorted(empty)


def test_every_bad_file_is_refused(vectors: Path) -> None:
    """Each file of bad/ is an IonDecodeError within the file, by decoding and by hashing alike."""
    files = sorted((vectors / "ion-binary" / "bad").rglob("*.10n"))
    assert files
    for file in files:
        data = file.read_bytes()
        for use in (IonSlice.decode, IonSlice.hash):
            with pytest.raises(IonDecodeError) as caught:
                [use(value) for value in iter_slices(data)]
            assert 0 <= caught.value.offset <= len(data), file.name


def test_equivalent_values_have_one_hash(vectors: Path) -> None:
    """In each group of good/equivs all values have one hash, and are equal slices."""
    groups = 0
    for file in sorted((vectors / "ion-binary" / "good" / "equivs").rglob("*.10n")):
        for group in iter_slices(file.read_bytes()):
            members = list(iter_elements(group))
            groups += 1
            assert 1 == len({member.hash() for member in members}), file.name
            assert all(members[0] == member for member in members), file.name
            assert 1 == len(set(members)), file.name
    assert groups


def test_good_values_survive_decoding_and_encoding(vectors: Path) -> None:
    """The hash of a value is that of what its Python value is encoded to."""
    for file in _good_files(vectors):
        for value in iter_slices(file.read_bytes()):
            expected = value.hash()
            assert expected == ion_hash(dumps(value.decode())), file.name
            assert expected == to_slice(value.decode()).hash(), file.name


def test_good_values_survive_copying(vectors: Path) -> None:
    """A value's own stream has its hash and its type."""
    for file in _good_files(vectors):
        for value in iter_slices(file.read_bytes()):
            (copy,) = iter_slices(value.to_bytes())
            assert value == copy, file.name
            assert value.ion_type is copy.ion_type, file.name
            assert value.annotations == copy.annotations, file.name


def test_every_prefix_of_a_good_file_is_read_or_refused(vectors: Path) -> None:
    """A file cut anywhere gives fewer values or an IonDecodeError, never anything else."""
    for file in _good_files(vectors):
        data = file.read_bytes()[:300]
        for end in range(len(data)):
            error = _error_of(data[:end])
            assert error is None or 0 <= error.offset <= end, file.name


def _error_of(data: bytes) -> IonDecodeError | None:
    try:
        for value in iter_slices(data):
            value.decode()
    except IonDecodeError as error:
        return error
    return None


def test_a_known_file_has_known_values(vectors: Path) -> None:
    """One file is spelled out, so that reading nothing cannot pass for reading well."""
    folder = vectors / "ion-binary" / "good"
    (value,) = iter_slices((folder / "structOrdered.10n").read_bytes())
    assert IonType.STRUCT is value.ion_type
    assert {"name": None, "version": False, "imports": True} == value.decode()
