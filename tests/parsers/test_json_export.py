"""JSON exports: what has a schema gets its types back, the rest is kept digit for digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from qldb_stream.errors import EnvelopeError, IonDecodeError, QldbStreamError
from qldb_stream.events import Block, Undecodable
from qldb_stream.formulas import summary_recomputes
from qldb_stream.ion import loads, to_json, to_slice
from qldb_stream.parsers.export import parse_export
from qldb_stream.parsers.export_places import FoundBlock, read_block
from qldb_stream.parsers.export_walk import iter_export_object
from qldb_stream.parsers.json_export import MAX_DIGITS, is_json, parse_json_block
from qldb_stream.parsers.window import BytesReadable
from qldb_stream.pipeline import verify_source
from qldb_stream.report import Level
from qldb_stream.testing import JournalShape, exported_block, make_export, make_journal

JOURNAL = make_journal(8, blocks=40)
BLOCKS = [evolve(block, summary=evolve(block.summary, stream_arn=None)) for block in JOURNAL]
MADE = make_export(BLOCKS, "json", object_blocks=40)
DATA = MADE.objects[MADE.keys[0]]
LINES = DATA.splitlines()
REASON = "the document comes from a JSON export, which lost Ion's types"

LINE: dict[str, Any] = next(
    json.loads(line)
    for line, block in zip(LINES, BLOCKS, strict=True)
    if block.revisions and block.revisions[0].data_ion is not None
)


def line_with(document: str) -> bytes:
    """Write a block whose first document is some JSON."""
    line = json.loads(json.dumps(LINE))
    line["revisions"] = [{**line["revisions"][0], "data": "@@"}]
    return json.dumps(line).replace('"@@"', document).encode()


def document_of(text: str) -> Any:
    """Read a document as a JSON export has it."""
    return parse_json_block(line_with(text)).revisions[0].data


def test_all_but_the_documents_is_what_it_was() -> None:
    """Hashes, times, transactionInfo, redactionInfo and metadata are equal, and so hash equally."""
    for line, block in zip(LINES, BLOCKS, strict=True):
        found = parse_json_block(line)
        assert block.summary == found.summary
        assert summary_recomputes(found.summary)
        bare = [evolve(one, data_ion=None) for one in found.revisions]
        assert [evolve(one, data_ion=None) for one in block.revisions] == bare
        assert [one.data_ion is not None for one in block.revisions] == [
            one.from_json for one in found.revisions
        ]


def test_a_json_export_verifies_in_part() -> None:
    """Whatever can be checked is, and what cannot is counted with its reason."""
    whole, part = verify_source(BLOCKS), verify_source(parse_export(DATA))
    assert () == part.problems
    assert Level.PARTIAL is part.level
    assert whole.strands == part.strands
    assert part.not_checkable[REASON] > 50


def test_a_document_whose_types_json_has_is_verified() -> None:
    """Texts, ints, decimals, bools, null, lists and structs lose nothing."""

    def document(*_: object) -> dict[str, Any]:
        values = [1, -7, 10**30, Decimal("1.50"), Decimal("0.00"), "a", True, False, None, {}]
        return {"values": [*values, [], {"x": "\u00e9\U0001f600\n"}], "n": Decimal("-12.340")}

    blocks = list(make_journal(2, blocks=12, shape=JournalShape(document=document)))
    made = make_export(blocks, "json")
    report = verify_source(parse_export(made.objects[made.keys[0]]))
    assert () == report.problems
    assert REASON not in report.not_checkable


def test_it_is_read_whole_or_in_pieces() -> None:
    """However it comes, and however its lines are broken."""
    expected = [parse_json_block(line) for line in LINES]
    assert expected == list(parse_export(DATA))
    assert expected == list(parse_export(DATA.decode()))
    assert expected == list(parse_export(BytesReadable(DATA, "x")))
    assert expected == list(parse_export([DATA[:7], DATA[7:9000], DATA[9000:]]))
    pretty = DATA.replace(b'"blockAddress": {', b'\n "blockAddress":\n {\n')
    assert expected == list(parse_export(pretty))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12345678901234567890123456789012345678901234567890", int("1234567890" * 5)),
        ("1.50", Decimal("1.50")),
        ("-0.0", Decimal("-0.0")),
        ("0.1234567890123456789012345678901234567890", Decimal("0." + "1234567890" * 4)),
        ("1e400", Decimal("1E+400")),
        ("1.0E-2", Decimal("0.010")),
        ('"2020-01-01T00:00:00.000Z"', "2020-01-01T00:00:00.000Z"),
        ('"aGVsbG8="', "aGVsbG8="),
        ("null", None),
        ('"\\ud83d\\ude00\\/"', "\U0001f600/"),
    ],
)
def test_numbers_and_texts_are_kept(text: str, expected: object) -> None:
    """No digit is rounded, and nothing in a document is taken for a time or blob."""
    found = document_of(f'{{"a": {text}}}')["a"]
    assert expected == found
    assert str(expected) == str(found)


def test_a_name_that_a_document_repeats_stays_repeated() -> None:
    """Ion allows it, so an export may have it; in a fixed part it is damage."""
    found = document_of('{"a": 1, "b": 2, "a": 3}')
    assert [("a", 1), ("b", 2), ("a", 3)] == sorted(found.items(), key=lambda item: item[1])
    twice = line_with("{}").replace(b'"blockHash"', b'"blockHash": 1, "blockHash"', 1)
    with pytest.raises(EnvelopeError, match="blockHash"):
        parse_json_block(twice)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (line_with("NaN"), "NaN is no number of JSON"),
        (line_with("-Infinity"), "-Infinity is no number of JSON"),
        (line_with("9" * (MAX_DIGITS + 1)), "a number in JSON has more than 4000 digits"),
        (line_with("1." + "9" * MAX_DIGITS), "a number in JSON has more than 4000 digits"),
        (line_with("1e99999999999999999999"), "JSON|exponent"),
        (line_with('{"a": "\\ud800"}'), "lone surrogate"),
        (line_with("[" * 300 + "]" * 300), "nest deeper than 200 levels"),
        (line_with("[" * 90_000 + "]" * 90_000), "nests too deeply"),
        (line_with("{}")[:-1], "not JSON"),
        (line_with('"\xff"').replace(b"\xc3", b""), "JSON is not UTF-8"),
    ],
)
def test_what_json_or_ion_cannot_hold_is_an_error(data: bytes, problem: str) -> None:
    """It is bounded, and told."""
    with pytest.raises(IonDecodeError, match=problem):
        parse_json_block(data)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("blockHash", "not base64!", "a blob"),
        ("blockHash", 5, "a blob"),
        ("blockHash", "aGVsbG8=", "32 bytes"),
        ("blockTimestamp", "yesterday", "a timestamp"),
        ("blockTimestamp", "2020-13-41T00:00:00.000Z", "a timestamp"),
        ("blockTimestamp", "2020-13", "a timestamp"),
        ("blockTimestamp", 5, "a timestamp"),
        ("entriesHashList", "x", "a list"),
        ("entriesHashList", ["x"], "a blob"),
        ("transactionInfo", [], "a struct"),
        ("revisions", {}, "a list"),
    ],
)
def test_a_part_of_another_type_is_named(name: str, value: object, expected: str) -> None:
    """It is told by the field, as in Ion."""
    with pytest.raises(EnvelopeError) as caught:
        parse_json_block(json.dumps({**LINE, name: value}).encode())
    assert caught.value.path.startswith(name)


def test_times_of_other_precision_are_times() -> None:
    """The service wrote three places; what an editor made of them is still read."""
    for text in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.1234567Z", "2020-01-01T01:00+01:00"):
        block = parse_json_block(json.dumps({**LINE, "blockTimestamp": text}).encode())
        assert 2020 == block.summary.block_timestamp.year


def test_damage_in_a_line_costs_that_line() -> None:
    """The blocks before and after it come."""
    for wrong in (LINES[3][:-200], LINES[3][200:], b'{"blockAddress": }', b"garbage", b"{}"):
        data = b"\n".join([*LINES[:3], wrong, *LINES[4:]])
        found = list(iter_export_object(BytesReadable(data, "x")))
        blocks = [one for one in found if isinstance(one, FoundBlock)]
        (damage,) = [one for one in found if isinstance(one, Undecodable)]
        assert [0, 1, 2, *range(4, 40)] == [block.address.sequence_no for block in blocks]
        assert len(b"\n".join(LINES[:3])) + 1 == damage.offset


def test_a_line_of_any_length_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is longer than a block can be is given up."""
    monkeypatch.setattr("qldb_stream.parsers.export_walk.MAX_BLOCK_BYTES", 1 << 17)
    data = LINES[0] + b"\n" + line_with('"' + "x" * (1 << 19) + '"') + b"\n" + LINES[5]
    found = list(iter_export_object(BytesReadable(data, "x")))
    assert 3 == len(found)
    assert isinstance(found[1], Undecodable)
    assert None is found[1].data


def test_ion_text_may_quote_its_names() -> None:
    """What looks like JSON and has blobs is Ion."""
    text = json.dumps(LINE)
    quoted = '{"blockAddress": {"strandId": "a", "sequenceNo": 1}, "blockHash": {{AAAA}}}'
    assert is_json(quoted.encode())
    assert not is_json(b"{blockAddress:1}")
    with pytest.raises(EnvelopeError):
        read_block(quoted.encode())
    with pytest.raises(IonDecodeError, match="not JSON"):
        read_block(text[:-1].encode())


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: int(number.as_tuple().exponent) < 0
)


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | DECIMALS,
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_we_write_as_json_comes_back(value: Any) -> None:
    """A document of types that JSON has is the same Ion value after the way through JSON."""
    data = {"a": value}
    found = parse_json_block(line_with(to_json(to_slice(data)))).revisions[0]
    assert found.data_ion == to_slice(data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 1500), st.integers(0, 60))
def test_any_bytes_are_a_block_or_an_error(junk: bytes, at: int, lost: int) -> None:
    """Nothing but an error of ours is raised, in a line or instead of one."""
    line = LINES[5]
    for data in (junk, b'{"' + junk + b'"}', line[:at] + junk + line[at + lost :]):
        try:
            parse_json_block(data)
        except QldbStreamError:
            continue


def test_a_block_is_what_its_line_says() -> None:
    """The public reader of Ion values agrees about the parts that JSON keeps."""
    block: Block = parse_json_block(LINES[0])
    assert loads(exported_block(BLOCKS[0]).to_bytes())["blockHash"] == block.block_hash
