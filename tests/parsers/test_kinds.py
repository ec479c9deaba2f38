"""What a file is, by how it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qldb_stream.ion import to_slice, to_text
from qldb_stream.parsers.kinds import Kind, kind_of
from qldb_stream.parsers.manifest import CompletedManifest, parse_manifest
from qldb_stream.testing import aggregate, make_export, make_journal, records
from qldb_stream.testing.exports import ExportFormat, SymbolTables
from tests.parsers.text_tables import Tables, write_text

JOURNAL = make_journal(3, blocks=5)
BLOCKS = list(JOURNAL)
RECORDS = list(JOURNAL.iter_records())


@pytest.mark.parametrize("tables", ["own", "shared", "appending"])
@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary", "json"])
def test_an_export_is_told(output_format: ExportFormat, tables: SymbolTables) -> None:
    """Its objects hold blocks, its manifests are manifests, in every format."""
    made = make_export(BLOCKS, output_format, tables=tables)
    for key, data in made.objects.items():
        expected = Kind.EXPORT if key in made.keys else Kind.MANIFEST
        assert expected is kind_of(data)


@pytest.mark.parametrize("tables", ["each", "shared", "appending"])
def test_text_with_symbol_tables_is_told_by_their_names(tables: Tables) -> None:
    """As binary Ion is; a manifest, too."""
    assert Kind.EXPORT is kind_of(write_text(BLOCKS, tables))
    manifest = b'$ion_1_0 $ion_symbol_table::{symbols:["keys"]} {$10:["a"]}'
    assert Kind.MANIFEST is kind_of(manifest)
    assert CompletedManifest(("a",)) == parse_manifest(manifest)


@pytest.mark.parametrize("head", [b"\xef\xbb\xbf", b"$ion_1_0 ", b"// a\n", b"/* {a:1} */ \n"])
def test_what_stands_before_the_first_value_does_not_matter(head: bytes) -> None:
    """Marks, version and comments say nothing of what a file holds."""
    made = make_export(BLOCKS)
    assert Kind.EXPORT is kind_of(head + made.objects[made.keys[0]])


def test_records_are_records() -> None:
    """Binary, aggregated, as text, as JSON in base64, or nothing at all."""
    text = to_text(to_slice({"qldbStreamArn": "x", "recordType": "CONTROL", "payload": {}}))
    payload = to_text(to_slice({"blockAddress": 1, "revisionSummaries": []}))
    batch = json.dumps({"Records": [{"Data": "blockAddress transactionId"}]})
    found = [*RECORDS, aggregate(RECORDS), text.encode(), payload.encode(), batch.encode(), b""]
    assert {Kind.RECORDS} == {kind_of(data) for data in found}
    assert Kind.RECORDS is kind_of(b"".join(records(BLOCKS[3])))


def test_fields_in_another_order_are_told_by_their_names() -> None:
    """A block need not begin with its address."""
    names = ["revisions", "blockAddress", "transactionId", "blockHash", "entriesHash"]
    fields = dict.fromkeys([*names, "previousBlockHash"], 1)
    assert Kind.EXPORT is kind_of(to_text(to_slice(fields)).encode())
    assert Kind.RECORDS is kind_of(to_text(to_slice({"payload": fields})).encode())
    assert Kind.RECORDS is kind_of(to_text(to_slice({"a": 1})).encode())


def test_a_damaged_byte_hides_nothing(vectors: Path) -> None:
    """Wherever one bit is flipped, an export is not taken for records."""
    made = make_export(BLOCKS, "ion-binary")
    for data in (made.objects[made.keys[0]], (vectors / "block-100/block.ion").read_bytes()):
        for place in range(40):
            flipped = bytes([*data[:place], data[place] ^ 0x10, *data[place + 1 :]])
            assert Kind.EXPORT is kind_of(flipped)
