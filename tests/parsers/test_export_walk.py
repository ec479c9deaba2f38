"""The walk through an export's object: every form, and what damage costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from amazon.ion import simpleion
from attrs import evolve
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import DecodeError, EnvelopeError, IonDecodeError
from qldb_stream.events import Block, Undecodable
from qldb_stream.ion import IVM, ion_hash, to_slice
from qldb_stream.parsers.effort import Effort
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.export_places import (
    FoundBlock,
    FoundTables,
    Sight,
    read_block,
    read_tables,
)
from qldb_stream.parsers.export_walk import iter_export_object
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.testing import exported_block, flip_bit, make_export, make_journal, records
from qldb_stream.testing.exports import ExportFormat, SymbolTables
from tests.parsers.text_tables import Tables, write_text

JOURNAL = make_journal(33, blocks=12)
BLOCKS = [evolve(block, summary=evolve(block.summary, stream_arn=None)) for block in JOURNAL]
FORMS: Sequence[tuple[ExportFormat, SymbolTables]] = [
    ("ion-text", "own"),
    ("ion-binary", "own"),
    ("ion-binary", "shared"),
    ("ion-binary", "appending"),
    ("ion-text", "shared"),
    ("ion-text", "appending"),
]


def written(output_format: ExportFormat, tables: SymbolTables) -> bytes:
    """Write the journal as one object; text with tables as another tool rewrites it."""
    if output_format == "ion-text" and tables != "own":
        return write_text(BLOCKS, tables)
    made = make_export(BLOCKS, output_format, tables=tables)
    return made.objects[made.keys[0]]


OBJECTS = {form: written(*form) for form in FORMS}


def walk(data: bytes, seams: Sequence[int] = ()) -> tuple[list[Block], list[Undecodable]]:
    """Walk an object, and read each block again by what was told of it; both ways alike."""
    read, damages = _walk(data, seams, lambda _value: None)
    # What is damaged cannot be compared: an error counts by where it is, a block by its hash.
    picked, others = _walk(data, seams, None)
    assert [one.block_hash for one in picked] == [one.block_hash for one in read]
    assert [(one.offset, one.length) for one in others] == [
        (one.offset, one.length) for one in damages
    ]
    return read, damages


def _walk(
    data: bytes, seams: Sequence[int], sight: Sight | None
) -> tuple[list[Block], list[Undecodable]]:
    readable = BytesReadable(data, "object")
    tables = {-1: read_tables(b"")}
    blocks: list[Block] = []
    damages: list[Undecodable] = []
    for found in iter_export_object(readable, seams=seams, sight=sight):
        if isinstance(found, Undecodable):
            damages.append(found)
            continue
        part = data[found.offset : found.offset + found.length]
        if isinstance(found, FoundTables):
            tables[found.number] = read_tables(part, tables[found.parent])
        else:
            try:
                block = read_block(part, tables[found.tables])
            except DecodeError as exc:
                damages.append(Undecodable("object", found.offset, found.length, exc, part))
                continue
            hashes = {found.leaves[at : at + 32] for at in range(0, len(found.leaves), 32)}
            assert (block.address, block.block_hash) == (found.address, found.block_hash)
            assert hashes >= {revision.hash for revision in block.revisions}
            blocks.append(block)
    return blocks, damages


def places_of(data: bytes) -> list[tuple[int, int]]:
    """Find where the blocks of a sound object start and end, symbol tables left out."""
    found = [
        one for one in iter_export_object(BytesReadable(data, "x")) if isinstance(one, FoundBlock)
    ]
    places = [(one.offset, one.offset + one.length) for one in found]
    if data.startswith((IVM, b"$ion_s")) and found[-1].tables >= 0:
        places[0] = (places[0][1] - 100, places[0][1])  # its own tables stand before it
    return places


PLACES = {form: places_of(data) for form, data in OBJECTS.items()}


def numbers(blocks: Sequence[Block]) -> list[int]:
    """Give the numbers of blocks."""
    return [block.address.sequence_no for block in blocks]


@pytest.mark.parametrize("form", FORMS)
def test_a_sound_object_is_read_block_by_block(form: tuple[ExportFormat, SymbolTables]) -> None:
    """Each block can be read again by itself and the tables that it needs."""
    blocks, damages = walk(OBJECTS[form])
    assert (list(range(12)), []) == (numbers(blocks), damages)


def test_objects_that_were_joined_are_read(vectors: object) -> None:
    """A version marker, or nothing at all, stands between them."""
    joined = OBJECTS["ion-binary", "appending"] + OBJECTS["ion-binary", "shared"]
    assert [*range(12), *range(12)] == numbers(walk(joined)[0])
    text = b"\xef\xbb\xbf$ion_1_0 " + OBJECTS["ion-text", "own"] + b"// the end\n/* * */ "
    assert (list(range(12)), []) == (numbers(walk(text)[0]), walk(text)[1])


def test_padding_and_empty_objects_are_passed() -> None:
    """NOP padding is sound Ion; an object without blocks is one, too."""
    head = OBJECTS["ion-binary", "own"]
    assert list(range(12)) == numbers(walk(head + b"\x00\x05aaaaa" + IVM)[0])
    for empty in (b"", IVM, b" \n", b"// nothing"):
        assert ([], []) == walk(empty)


@pytest.mark.parametrize("form", [form for form in FORMS if OBJECTS[form][:1] == b"{"])
@pytest.mark.parametrize("bit", range(8))
def test_text_whose_first_byte_is_damaged_is_text(
    form: tuple[ExportFormat, SymbolTables], bit: int
) -> None:
    """Its bracket may look like binary Ion; what follows does not, and one block is lost."""
    blocks, damages = walk(flip_bit(OBJECTS[form], bit))
    assert (list(range(1, 12)), 1) == (numbers(blocks), len(damages))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_costs_a_block_at_most(
    form: tuple[ExportFormat, SymbolTables], data: st.DataObject
) -> None:
    """What is damaged is one located part; all blocks before it come, and those after it."""
    sound = OBJECTS[form]
    bit = data.draw(st.integers(0, 8 * len(sound) - 1))
    blocks, damages = walk(flip_bit(sound, bit))
    places = PLACES[form]
    before = [number for number, (_, end) in enumerate(places) if end <= bit // 8]
    assert before == numbers(blocks)[: len(before)]
    if bit // 8 >= places[0][0] and form[1] != "appending":  # a table costs all that need it
        assert len(damages) <= 1
        assert len(numbers(blocks)) >= 11
    for one, other in pairwise([(damage.offset, damage.length) for damage in damages]):
        assert sum(one) <= other[0]


@pytest.mark.parametrize("form", FORMS)
def test_an_object_that_is_cut_off_gives_the_blocks_before(
    form: tuple[ExportFormat, SymbolTables],
) -> None:
    """The rest of the last one is told with its place, to the end."""
    data = OBJECTS[form]
    blocks, (damage,) = walk(data[:-100])
    assert list(range(11)) == numbers(blocks)
    assert len(data) - 100 == damage.offset + damage.length
    assert damage.data == data[damage.offset : -100]


@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_is_no_block_costs_itself(form: tuple[ExportFormat, SymbolTables]) -> None:
    """A stream record between blocks is told, and the blocks around it are read."""
    value = to_slice({"a": 1})
    extra = b"{a:1}" if form[0] == "ion-text" else value.to_bytes()
    data = OBJECTS[form]
    blocks, (damage,) = walk(data + extra + data)
    assert [*range(12), *range(12)] == numbers(blocks)
    assert isinstance(damage.error, EnvelopeError)
    assert (len(data), len(extra)) in (
        (damage.offset, damage.length),
        (damage.offset - len(extra) + damage.length, len(extra)),
    )


def test_a_damaged_table_costs_what_needs_it() -> None:
    """Names of later blocks are not guessed; the next version marker ends the damage."""
    data = OBJECTS["ion-binary", "shared"]
    table_start = data.index(b"blockAddress") - 1
    broken = data[:table_start] + b"\x8f\xff" + data[table_start + 2 :]
    broken = bytes([*data[:6], 0x71, *data[7:]])
    blocks, (damage,) = walk(broken + data)
    assert list(range(12)) == numbers(blocks)
    assert (4, len(data) - 4) == (damage.offset, damage.length)


def test_text_between_blocks_is_told() -> None:
    """Garbage costs no block."""
    lines = OBJECTS["ion-text", "own"].splitlines(keepends=True)
    blocks, (damage,) = walk(lines[0] + b"garbage }" + b"".join(lines[1:]))
    assert list(range(12)) == numbers(blocks)
    assert len(lines[0]) == damage.offset
    blocks, (damage,) = walk(lines[0] + b"1 two " + b"".join(lines[1:]))
    assert list(range(12)) == numbers(blocks)
    assert (len(lines[0]), 6) == (damage.offset, damage.length)


@pytest.mark.parametrize("form", [FORMS[0], FORMS[2]])
@pytest.mark.parametrize("junk", [b"x", b"\xff", b"\x0f"])
def test_blocks_behind_long_damage_are_found(
    form: tuple[ExportFormat, SymbolTables], junk: bytes
) -> None:
    """It may be longer than what is held; what is long is named and not kept."""
    data = OBJECTS[form]
    blocks, damages = walk(data + junk * 3_000_000 + data)
    assert [*range(12), *range(12)] == numbers(blocks)
    assert (len(data), None) == (damages[0].offset, damages[0].data)


def test_values_that_are_too_long_or_cut_off_are_told() -> None:
    """Neither is read; what lies behind the first one is searched."""
    data = OBJECTS["ion-binary", "own"]
    long = b"\xde\x7f\x7f\x7f\xff"
    blocks, (damage,) = walk(data + long + data)
    assert [*range(12), *range(12)] == numbers(blocks)
    assert (len(data), len(long)) == (damage.offset, damage.length)
    assert "longer than" in str(damage.error)
    _, (damage,) = walk(data + b"\xde\x01\x80")
    assert "cut off" in str(damage.error)


def test_a_table_that_nothing_needs_is_passed() -> None:
    """Text may have one, and a version marker that ends it."""
    table = b'$ion_symbol_table::{symbols:["a"]}\n'
    text = OBJECTS["ion-text", "own"]
    for data in (table + text, table + b"$ion_1_0 " + text):
        assert (list(range(12)), []) == (numbers(walk(data)[0]), walk(data)[1])


@pytest.mark.parametrize("tables", ["each", "shared", "appending"])
def test_tables_behind_damage_are_found(tables: Tables) -> None:
    """What follows a part that is cut off is read under its own table, not the one before."""
    data = OBJECTS["ion-text", "shared"]
    other = b"$ion_1_0\n" + write_text(BLOCKS[::-1], tables)
    cut = PLACES["ion-text", "shared"][5][0] + 100
    blocks, (damage,) = walk(data[:cut] + other)
    assert [*BLOCKS[:5], *BLOCKS[::-1]] == blocks
    assert cut - 100 <= damage.offset < cut


@pytest.mark.parametrize("flaw", [b"symbols:(", b"$ion_symbol_tables::{symbols:["])
def test_a_damaged_table_in_text_costs_what_needs_it(flaw: bytes) -> None:
    """Its blocks are not read under the one before; those behind the next one are."""
    shared = write_text(BLOCKS[4:8], "shared")
    whole = b"$ion_symbol_table::{symbols:[" if flaw.startswith(b"$") else b"symbols:["
    data = OBJECTS["ion-text", "shared"] + shared.replace(whole, flaw, 1)
    blocks, damages = walk(data + OBJECTS["ion-text", "appending"])
    assert [*BLOCKS, *BLOCKS] == blocks
    assert damages
    assert len(OBJECTS["ion-text", "shared"]) == damages[0].offset


@pytest.mark.parametrize("tables", ["each", "shared", "appending"])
def test_amazon_ion_reads_the_same(tables: Tables) -> None:
    """What is read under tables has the hashes that the peer's values have, block by block."""
    data = write_text(BLOCKS, tables)
    assert b"blockHash:" not in data
    peers = simpleion.loads(data.decode(), single_value=False)
    assert [exported_block(block).hash() for block in walk(data)[0]] == [
        ion_hash(peer) for peer in peers
    ]
    assert BLOCKS == walk(data)[0] == list(parse_export(data))
    assert BLOCKS == list(parse_export([data[n : n + 1000] for n in range(0, len(data), 1000)]))


def test_each_block_with_its_own_table_needs_nothing_else() -> None:
    """Its place holds the table, too."""
    found = list(iter_export_object(BytesReadable(write_text(BLOCKS, "each"), "x")))
    assert [-1] * 12 == [one.tables for one in found if isinstance(one, FoundBlock)]
    assert 12 == len(found)


def test_no_block_goes_across_a_seam() -> None:
    """Where bytes are known to be lost, a walk starts anew."""
    for form in FORMS[:2]:
        data = OBJECTS[form]
        places = PLACES[form]
        (start, end), (after, _) = places[4], places[6]
        seam = (start + end) // 2
        blocks, damages = walk(data[:seam] + data[after:], [seam])
        assert [0, 1, 2, 3, *range(6, 12)] == numbers(blocks)
        (damage,) = damages
        assert start <= damage.offset
        assert seam == damage.offset + damage.length


def test_a_block_of_another_strand_inside_damage_is_a_document() -> None:
    """What looks like a block within a damaged one is taken only if it is of the same strand."""
    other = exported_block(next(iter(make_journal(5, blocks=1))))
    text = OBJECTS["ion-text", "own"].splitlines(keepends=True)
    made = make_export([next(iter(make_journal(5, blocks=1)))])
    inner = made.objects[made.keys[0]].strip()
    broken = b"{blockAddress:1,data:" + inner + b"}\n"
    blocks, (damage,) = walk(text[0] + broken + text[1])
    assert [0, 1] == numbers(blocks)
    assert len(broken) == damage.length
    assert other is not None


def test_records_of_a_stream_are_no_blocks() -> None:
    """A file of records that is walked as an export is told, and nothing is made up."""
    data = b"".join(records(BLOCKS[3]))
    blocks, damages = walk(data)
    assert [] == blocks
    assert damages


def test_bytes_of_one_block_hold_one() -> None:
    """More, or nothing, is refused."""
    data = exported_block(BLOCKS[0]).to_bytes()
    for wrong in (data + data, IVM, b"{} {}", b"1 2", b"{a:1} {a:1}"):
        with pytest.raises((EnvelopeError, IonDecodeError)):
            read_block(wrong)


def test_appending_tables_are_bounded_by_what_stands_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Long objects may add a table before each block; what counts is how much each byte copies."""
    data = OBJECTS["ion-binary", "appending"]
    monkeypatch.setattr("qldb_stream.ion._tables.MAX_COPIED_SYMBOLS", 200)
    assert (list(range(12)), []) == (numbers(walk(data)[0]), walk(data)[1])
    monkeypatch.setattr("qldb_stream.parsers.export_places._FREE_COPIES", 0)
    monkeypatch.setattr("qldb_stream.parsers.export_places._COPIES_PER_BYTE", 0)
    _, damages = walk(data)
    assert "copy too many symbols" in str(damages[0].error)


def test_too_many_tables_in_a_row_are_refused() -> None:
    """They cost their bytes, and are one problem."""
    table = b"\xe7\x81\x83\xd4\x87\xb2\x81a"
    assert ([], []) == walk(IVM + 16 * table)
    _, damages = walk(IVM + 40 * table)
    assert "more than 16 symbol tables" in str(damages[0].error)


@pytest.mark.parametrize("piece", [b"{", b"{blockAddress:{},transactionId:", b"\xde\x01\xff", IVM])
def test_what_is_looked_at_in_vain_is_paid(piece: bytes) -> None:
    """Hostile bytes cost in proportion to their length."""
    costs: list[int] = []
    for times in (2_000, 20_000):
        data = OBJECTS["ion-binary", "shared"] * (piece[0] > 0x7F) + piece * times
        effort = Effort(len(data))
        list(iter_export_object(BytesReadable(data, "x"), effort=effort))
        costs.append(effort.spent)
    assert costs[1] <= 40 * max(costs[0], 1 << 18)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(FORMS), st.integers(0, 3000), st.integers(0, 400))
def test_any_bytes_are_told_or_read(
    junk: bytes, form: tuple[ExportFormat, SymbolTables], at: int, lost: int
) -> None:
    """Whatever is put in the place of some bytes, nothing raises and nothing is lost unsaid."""
    data = OBJECTS[form]
    blocks, damages = walk(data[:at] + junk + data[at + lost :])
    assert damages or len(blocks) >= 11 or not junk


def test_text_is_read_in_full_line_by_line() -> None:
    """Blocks that fill their lines are read as they are found, in the places that they have."""
    data = OBJECTS["ion-text", "own"]
    picked = list(iter_export_object(BytesReadable(data, "x")))
    read = list(iter_export_object(BytesReadable(data, "x"), sight=lambda _value: None))
    assert BLOCKS == [one.seen for one in read if isinstance(one, FoundBlock)]
    assert [(one.offset, one.length) for one in picked] == [
        (one.offset, one.length) for one in read
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b" "),
        lambda text: text.replace(b"\n", b" \r\n\n"),
        lambda text: text.replace(b",", b",\n"),
        lambda text: text.replace(b",", b", /* , */ "),
        lambda text: text.rstrip(),
    ],
)
def test_text_of_other_lines_is_the_same_in_full(change: Callable[[bytes], bytes]) -> None:
    """Several blocks a line, several lines a block and comments change nothing."""
    blocks, damages = walk(change(OBJECTS["ion-text", "own"]))
    assert (BLOCKS, []) == (blocks, damages)
