"""Local symbol tables: what they mean, and the cache of parsed ones."""

from __future__ import annotations

import pytest

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion import IVM, MAX_IMPORTED_SYMBOLS, dumps, iter_slices, load_slice, read_value
from qldb_stream.ion._symbols import MAX_CACHED_BYTES, SYSTEM_TEXTS, SymbolTable, SymbolTableCache


def sized(nibble: int, body: bytes) -> bytes:
    """Write a value whose length follows its type byte, in two bytes."""
    return bytes([nibble | 14, len(body) >> 7, len(body) & 0x7F | 0x80]) + body


def table(*fields: bytes) -> bytes:
    """Write a local symbol table of the given fields."""
    return sized(0xE0, b"\x81\x83" + sized(0xD0, b"".join(fields)))


def symbols(*texts: str) -> bytes:
    """Write a `symbols` field."""
    return b"\x87" + sized(0xB0, b"".join([sized(0x80, text.encode()) for text in texts]))


def imports(*tables: bytes) -> bytes:
    """Write an `imports` field."""
    return b"\x86" + sized(0xB0, b"".join([sized(0xD0, shared) for shared in tables]))


APPEND = b"\x86\x71\x03"


def texts_of(data: bytes) -> list[str | None]:
    """Read a stream of symbols."""
    return [value.decode().text for value in iter_slices(data)]


def test_ids_follow_the_system_symbols() -> None:
    """The first local symbol is id 10."""
    assert ["a", "b", "name"] == texts_of(
        IVM + table(symbols("a", "b")) + b"\x71\x0a\x71\x0b\x71\x04"
    )


def test_a_table_replaces_the_one_before() -> None:
    """A second table starts again at id 10."""
    data = IVM + table(symbols("a")) + b"\x71\x0a" + table(symbols("b")) + b"\x71\x0a"
    assert ["a", "b"] == texts_of(data)


def test_a_table_that_imports_the_current_one_appends() -> None:
    """With imports: $ion_symbol_table, ids go on."""
    data = IVM + table(symbols("a")) + table(APPEND, symbols("b")) + b"\x71\x0a\x71\x0b"
    assert ["a", "b"] == texts_of(data)


def test_the_same_appending_table_depends_on_what_is_before() -> None:
    """Equal bytes of appending tables after different tables mean different symbols."""
    appended = table(APPEND, symbols("z")) + b"\x71\x0b"
    for first in ("a", "b", "a", "b"):
        data = IVM + table(symbols(first)) + appended + b"\x71\x0a"
        assert ["z", first] == texts_of(data)


def test_a_version_marker_forgets_the_table() -> None:
    """After a version marker only the system's symbols are known."""
    data = IVM + table(symbols("a")) + b"\x71\x0a" + IVM + b"\x71\x0a"
    values = iter_slices(data)
    assert "a" == next(values).decode().text
    with pytest.raises(IonDecodeError, match="symbol id 10 is not in a symbol table of 9 symbols"):
        next(values).decode()


def test_what_is_no_string_is_a_symbol_without_text() -> None:
    """Nulls and other types in the list take an id and have no text."""
    listed = b"\x87" + sized(0xB0, b"\x0f\x21\x01\x8f\x00\x81a")
    assert [None, None, None, "a"] == texts_of(
        IVM + table(listed) + b"\x71\x0a\x71\x0b\x71\x0c\x71\x0d"
    )


def test_fields_that_are_no_lists_are_ignored() -> None:
    """Symbols and imports of another type, and other fields, mean nothing."""
    data = IVM + table(b"\x87\x21\x01", b"\x86\x21\x01", b"\x84\x11") + b"\x71\x04"
    assert ["name"] == texts_of(data)


def test_imports_take_ids_without_text() -> None:
    """A shared table takes max_id ids before the table's own."""
    shared = b"\x84\x81t\x85\x21\x02\x88\x21\x03"
    data = IVM + table(imports(shared), symbols("a")) + b"\x71\x0c\x71\x0d"
    first, second = iter_slices(data)
    assert (None, "a") == (first.decode().text, second.decode().text)
    assert ((10, "t", 2, 3),) == first.symbols.imports
    assert first == next(iter(iter_slices(first.to_bytes())))
    assert first.symbols.imports == load_slice(first.to_bytes()).symbols.imports


def test_appending_keeps_imports() -> None:
    """An appended table knows where the symbols before it come from."""
    shared = b"\x84\x81t\x88\x21\x03"
    data = IVM + table(imports(shared)) + table(APPEND, symbols("a")) + b"\x71\x0b"
    assert ("t", 2) == tuple(load_slice(data).decode().location)


IGNORED = [b"\x88\x21\x03", b"\x84\x80\x88\x21\x03", b"\x84\x84$ion\x88\x21\x03", b"\x84\x21\x01"]


@pytest.mark.parametrize("shared", IGNORED)
def test_imports_without_a_name_are_ignored(shared: bytes) -> None:
    """No name, an empty one, one that is no string, or the system's: nothing is imported."""
    assert ["a"] == texts_of(IVM + table(imports(shared), symbols("a")) + b"\x71\x0a")


def test_imports_that_are_no_structs_are_ignored() -> None:
    """Anything but a struct in the list of imports means nothing."""
    listed = b"\x86" + sized(0xB0, b"\x21\x01\xdf")
    assert ["a"] == texts_of(IVM + table(listed, symbols("a")) + b"\x71\x0a")


@pytest.mark.parametrize("max_id", [b"", b"\x88\x2f", b"\x88\x31\x01", b"\x88\x81a"])
def test_an_import_without_max_id_is_refused(max_id: bytes) -> None:
    """We have no catalog of shared tables, so how many ids are taken must be said."""
    with pytest.raises(IonDecodeError, match="max_id"):
        texts_of(IVM + table(imports(b"\x84\x81t" + max_id)) + b"\x70")


@pytest.mark.parametrize("max_id", [b"\x24\xff\xff\xff\xff", b"\x2e\x90" + b"\xff" * 16])
def test_imports_are_bounded(max_id: bytes) -> None:
    """A few bytes cannot make us allocate millions of symbols."""
    with pytest.raises(IonDecodeError, match=f"more than {MAX_IMPORTED_SYMBOLS}"):
        texts_of(IVM + table(imports(b"\x84\x81t\x88" + max_id)) + b"\x70")


@pytest.mark.parametrize("field", [symbols("a"), imports(), APPEND])
def test_a_field_given_twice_is_refused(field: bytes) -> None:
    """A table has one list of symbols and one of imports."""
    with pytest.raises(IonDecodeError, match="twice"):
        texts_of(IVM + table(field, field) + b"\x70")


def test_broken_symbols_are_refused() -> None:
    """A symbol that is no UTF-8, or runs beyond its list, is an IonDecodeError."""
    for listed in (b"\x81\xff", b"\x8e\x8e" + b"\xff" * 14, b"\x82a", b"\x8e\xffa", b"\x82"):
        with pytest.raises(IonDecodeError):
            texts_of(IVM + table(b"\x87" + sized(0xB0, listed)) + b"\x70")


def test_a_table_elsewhere_than_at_the_top_is_a_value() -> None:
    """A struct annotated $ion_symbol_table inside another value is a user's."""
    (value,) = iter_slices(IVM + sized(0xB0, table(symbols("a"))))
    assert ("$ion_symbol_table",) == tuple(
        token.text for token in value.decode()[0].ion_annotations
    )


@pytest.mark.parametrize("value", [b"\xe4\x81\x83\x21\x01", b"\xe3\x81\x83\xdf"])
def test_only_a_struct_is_a_table(value: bytes) -> None:
    """Another type, or a null struct, under that annotation is a user's value."""
    (read,) = iter_slices(IVM + value)
    assert ("$ion_symbol_table",) == read.annotations


def test_only_the_first_annotation_makes_a_table() -> None:
    """A struct whose second annotation is $ion_symbol_table is a user's value."""
    (read,) = iter_slices(IVM + b"\xe4\x82\x84\x83\xd0")
    assert ("name", "$ion_symbol_table") == read.annotations


def test_tables_of_a_repeated_record_are_one() -> None:
    """From the third sight on, records with the same table share one parsed table."""
    record = dumps({"shared by these records": 1})
    for _ in range(2):
        read_value(record, 0)
    assert read_value(record, 0)[0].symbols is read_value(record, 0)[0].symbols


def test_long_tables_are_not_kept() -> None:
    """A table of more than MAX_CACHED_BYTES is parsed each time."""
    record = dumps({"x" * MAX_CACHED_BYTES: 1})
    tables = [read_value(record, 0)[0].symbols for _ in range(4)]
    assert 4 == len({id(found) for found in tables})


def test_a_table_says_which_ids_it_has() -> None:
    """An id beyond the table is refused, with the offset where it was read."""
    with pytest.raises(IonDecodeError) as caught:
        SymbolTable(SYSTEM_TEXTS).text(10, 77)
    assert IonDecodeError(77, "symbol id 10 is not in a symbol table of 9 symbols") == caught.value


def _sight(cache: SymbolTableCache, key: bytes) -> SymbolTable | None:
    """Look a table up, and offer a new one when it is not there, as the stream reader does."""
    found = cache.maybe_table(key)
    if found is None:
        cache.offer(key, SymbolTable((key.decode(),)))
    return found


def test_a_table_enters_the_cache_on_its_second_sight() -> None:
    """The first two sights parse, the third finds it."""
    cache = SymbolTableCache()
    assert [None, None] == [_sight(cache, b"a") for _ in range(2)]
    found = _sight(cache, b"a")
    assert found is not None
    assert ("a",) == found.texts


def test_tables_that_never_repeat_do_not_flush_the_cache() -> None:
    """Thousands of block summaries, each with a table of its own, leave the repeated ones in."""
    cache = SymbolTableCache(max_tables=4, max_remembered=16)
    for _ in range(3):
        _sight(cache, b"revision")
    for number in range(10_000):
        assert None is _sight(cache, b"summary %d" % number)
        if number % 8 == 0:
            assert _sight(cache, b"revision") is not None
    assert 1 == len(cache)


def test_the_cache_is_bounded() -> None:
    """Two generations of tables are kept at most, however many repeat."""
    cache = SymbolTableCache(max_tables=4, max_remembered=64)
    for number in range(1000):
        for _ in range(2):
            _sight(cache, b"%d" % number)
        assert len(cache) <= 8


def test_the_filter_of_first_sights_is_bounded() -> None:
    """A table is forgotten when two generations of others came between its sights."""
    cache = SymbolTableCache(max_remembered=8)
    _sight(cache, b"rare")
    for number in range(16):
        _sight(cache, b"%d" % number)
    assert [None, None] == [_sight(cache, b"rare") for _ in range(2)]
    assert _sight(cache, b"rare") is not None


def test_a_table_in_use_survives_the_change_of_generations() -> None:
    """A hit in the old generation moves the table to the young one."""
    cache = SymbolTableCache(max_tables=4)
    for _ in range(2):
        _sight(cache, b"in use")
    for number in range(100):
        for _ in range(2):
            _sight(cache, b"%d" % number)
        assert _sight(cache, b"in use") is not None
