"""Laws of reading, writing and hashing, on drawn values of all types."""

from __future__ import annotations

import io
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import Any

import pytest
from amazon.ion import simpleion
from amazon.ion.equivalence import ion_equals
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import (
    IVM,
    IonSlice,
    IonType,
    dumps,
    ion_hash,
    iter_elements,
    iter_fields,
    iter_slices,
    iter_text,
    load_slice,
    loads,
    to_slice,
    to_text,
)
from qldb_stream.testing.strategies.ion_encodings import ion_encodings
from qldb_stream.testing.strategies.ion_values import ion_documents, ion_values
from tests.ledger import published


@given(ion_values())
def test_decoding_and_encoding_keeps_the_value(value: Any) -> None:
    """What is decoded encodes to the same Ion value: the hash of a stream survives both."""
    stream = dumps(value)
    assert ion_hash(stream) == ion_hash(dumps(loads(stream)))


@given(ion_values())
def test_decoding_gives_back_what_was_encoded(value: Any) -> None:
    """What was drawn and what is read of it are equal to amazon.ion, types and annotations too."""
    assert ion_equals([value], [loads(dumps(value))])


@given(ion_values())
def test_encoding_is_canonical(value: Any) -> None:
    """Encoding, decoding and encoding again gives the same bytes, and so does copying."""
    stream = dumps(value)
    assert stream == dumps(loads(stream))
    assert stream == load_slice(stream).to_bytes()
    assert stream == dumps(load_slice(stream))


@given(st.data(), ion_values())
def test_the_form_of_a_value_does_not_matter(data: st.DataObject, value: Any) -> None:
    """Every binary form of a value has its hash, decodes to it and is copied as it."""
    expected = to_slice(value).hash()
    other_form = load_slice(data.draw(ion_encodings(value)))
    assert expected == other_form.hash()
    assert expected == to_slice(other_form.decode()).hash()
    assert expected == load_slice(other_form.to_bytes()).hash()
    assert ion_hash([value, value]) == ion_hash([other_form, value])


@given(ion_values())
def test_amazon_ion_reads_what_we_write(value: Any) -> None:
    """amazon.ion's reader, its Python part, reads our bytes as the same value."""
    stream = dumps([value])
    # Its reader scales decimals in the context of the moment, whose exponents end at 999,999.
    with localcontext(Context(Emax=MAX_EMAX, Emin=MIN_EMIN)):
        read = simpleion.load_python(io.BytesIO(stream))
    assert ion_hash([value]) == ion_hash(read)


@given(ion_values())
def test_we_read_what_amazon_ion_writes(value: Any) -> None:
    """Our reader reads the bytes of amazon.ion's writer, its Python part, as the same value."""
    written = io.BytesIO()
    simpleion.dump_python([value], written)
    assert ion_hash([value]) == ion_hash(written.getvalue())


def _is_safe_for_c(value: IonSlice) -> bool:
    """Tell whether amazon.ion's C reader keeps a value: decimals to 34 digits, nine places."""
    kind = value.ion_type
    if value.is_null:
        return True
    if kind is IonType.STRUCT:
        return all(_is_safe_for_c(field) for _name, field in iter_fields(value))
    if kind in {IonType.LIST, IonType.SEXP}:
        return all(_is_safe_for_c(element) for element in iter_elements(value))
    if kind is IonType.DECIMAL:
        _sign, digits, exponent = Decimal(value.decode()).as_tuple()
        return len(digits) <= 34 and abs(int(exponent)) < 6000
    if kind is IonType.TIMESTAMP:
        fraction = getattr(value.decode(), "fractional_seconds", None)
        return fraction is None or fraction.as_tuple().exponent >= -9
    return True


@given(ion_values().map(lambda value: to_slice([value])).filter(_is_safe_for_c))
def test_amazon_ion_by_default_reads_what_we_write(value: IonSlice) -> None:
    """amazon.ion as it is called by everyone reads our bytes as the same value."""
    assert value.hash() == ion_hash(simpleion.loads(value.to_bytes()))


@given(ion_values(unknown_symbols=False))
def test_the_reference_ionhash_agrees(value: Any) -> None:
    """AWS's own ionhash gives the same digest."""
    with localcontext(Context(Emax=MAX_EMAX, Emin=MIN_EMIN)):  # its reader obeys the caller's
        parsed = simpleion.load_python(io.BytesIO(dumps([value])))
    assert published.ion_hash(parsed) == ion_hash([value])


@given(ion_values(), st.sampled_from([None, "", "  "]))
def test_text_keeps_the_value(value: Any, indent: str | None) -> None:
    """What is written as text, indented or not, amazon.ion reads back as the same value."""
    expected = to_slice([value])
    text = to_text(expected, indent=indent)
    assert [expected] == list(iter_text(text))
    (read,) = simpleion.load_python(io.StringIO(text), single_value=False)
    assert expected == to_slice(read)


@settings(max_examples=50)
@given(st.data(), ion_documents())
def test_a_document_is_equal_whatever_the_order_of_its_fields(
    data: st.DataObject, document: dict[str, Any]
) -> None:
    """Field order does not count, in hash and equality; a missing field does."""
    names = data.draw(st.permutations(list(document)))
    shuffled = {name: document[name] for name in names}
    assert to_slice(document) == to_slice(shuffled)
    for name in names:
        less = {key: value for key, value in document.items() if key != name}
        assert to_slice(document) != to_slice(less)


@settings(max_examples=50)
@given(st.lists(ion_values(max_leaves=4), max_size=4))
def test_streams_of_several_values(values: list[Any]) -> None:
    """Streams written one after the other are read as one, value by value."""
    joined = b"".join([dumps(value) for value in values])
    expected = [ion_hash(dumps(value)) for value in values]
    assert expected == ([value.hash() for value in iter_slices(joined)] if joined else [])


@given(st.binary(max_size=60))
def test_random_bytes_are_read_or_refused(noise: bytes) -> None:
    """Random bytes give values or an IonDecodeError; what decodes hashes, and conversely."""
    _check_read_or_refused(IVM + noise)


def _check_read_or_refused(data: bytes) -> None:
    """Check that what is wrong is an IonDecodeError within the bytes, for decoding and hashing."""
    values: list[IonSlice] = []
    error = _error_of(lambda: values.extend(iter_slices(data)))
    assert error is None or 0 <= error.offset <= len(data)
    for value in values:
        errors = [_error_of(value.decode), _error_of(value.hash)]
        assert errors == [None, None] or None not in errors
        assert all(error is None or 0 <= error.offset <= len(data) for error in errors)


def _error_of(use: Callable[[], object]) -> IonDecodeError | None:
    try:
        use()
    except IonDecodeError as error:
        return error
    return None


@settings(max_examples=200)
@given(st.data(), ion_values(max_leaves=4))
def test_damaged_streams_are_read_or_refused(data: st.DataObject, value: Any) -> None:
    """A stream with one byte changed, removed or added gives values or an IonDecodeError."""
    stream = dumps(value)
    at = data.draw(st.integers(4, len(stream)))
    patch = data.draw(st.binary(max_size=2))
    _check_read_or_refused(stream[:at] + patch + stream[at + data.draw(st.integers(0, 2)) :])


@pytest.mark.parametrize("end", range(4, 40))
def test_a_cut_stream_is_refused(end: int) -> None:
    """A record that is cut anywhere is an IonDecodeError within what is left."""
    stream = dumps({"name": "a text of some length", "other": [1, 2.5]})
    if end < len(stream):
        with pytest.raises(IonDecodeError) as caught:
            loads(stream[:end])
        assert 0 <= caught.value.offset <= end
