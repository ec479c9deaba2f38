"""Files of other kinds are told by what is in them, once, and with what reads them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qldb_stream.errors import ForeignFileError
from qldb_stream.events import Block, Undecodable
from qldb_stream.ion import to_slice, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.report import Position
from qldb_stream.sinks.jsonl import JsonlSink
from qldb_stream.sources import open_source
from qldb_stream.sources._foreign import describe_item
from qldb_stream.testing.deliveries import firehose_object
from qldb_stream.testing.journals import make_journal
from qldb_stream.typing import Item
from tests.ledger.support import make_cars

JOURNAL = make_journal(21, blocks=12)
RECORDS = list(JOURNAL.iter_records())
BLOCK = {
    "blockAddress": {"strandId": "s" * 22, "sequenceNo": 0},
    "transactionId": "t" * 22,
    "blockHash": b"h" * 32,
    "previousBlockHash": b"p" * 32,
}


def _ledger(path: Path) -> None:
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A", "B")


def _database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()


def _jsonl(path: Path) -> None:
    blocks: list[Block] = list(JOURNAL)
    last = blocks[-1]
    sink = JsonlSink(path)
    sink.apply(blocks, Position(JOURNAL.strand_id, last.address.sequence_no, last.block_hash), 0)
    sink.close()


def _jsonl_without_header(path: Path) -> None:
    _jsonl(path)
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def _ledger_in_gzip(path: Path) -> None:
    _ledger(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def _answer(path: Path) -> None:
    text = to_text(to_slice({"blockAddress": BLOCK["blockAddress"], "metadata": {}}))
    path.write_text(json.dumps({"Revision": {"IonText": text}}, indent=2))


def _writing(data: bytes) -> Callable[[Path], None]:
    """Make what writes some bytes."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


CONSOLE = b'\xef\xbb\xbf{"digest": "AAAA", "digestTipAddress": {"sequenceNo": 3}, "ledger": "c"}'
GET_DIGEST = b'{\n "Digest": "AAAA", "DigestTipAddress": {"IonText": "{}"}\n}\n'


def read(path: Path) -> list[Item]:
    """Read everything that a path holds."""
    return list(open_source([path]).items())


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (_ledger, "a ledger; `qldb-stream compare`"),
        (_ledger_in_gzip, "a ledger; `qldb-stream compare`"),
        (_database, "a SQLite database that is no ledger"),
        (_jsonl_without_header, "a file that the sink jsonl: wrote, without its first line; "),
        (_answer, "what GetRevision answers: a revision without its block; "),
        (_writing(CONSOLE), "a digest that was saved; name it with --digest"),
        (_writing(GET_DIGEST), "a digest that was saved; name it with --digest"),
        (_writing(b"PK\x03\x04" + bytes(90)), "a zip file; unpack it"),
        (_writing(bz2.compress(firehose_object(RECORDS))), "a file that is packed in another way"),
        (_writing(lzma.compress(firehose_object(RECORDS))), "a file that is packed in another way"),
        (_writing(b"<!DOCTYPE HTML>\n<html></html>"), "a page in HTML, such as a report"),
        (_writing('\ufeff{"blockAddress": {}}'.encode("utf-16-le")), "text in UTF-16; write it"),
    ],
)
def test_a_file_is_told_by_what_is_in_it(
    tmp_path: Path, write: Callable[[Path], None], found: str
) -> None:
    """Whatever it is called, it is one item, the whole file, that says what it is."""
    path = tmp_path / "part-1.kpl"
    write(path)
    (item,) = read(path)
    assert isinstance(item, Undecodable)
    assert (str(path), 0) == (item.source, item.offset)
    assert item.length >= len(path.read_bytes()) or path.read_bytes()[:2] == b"\x1f\x8b"
    assert isinstance(item.error, ForeignFileError)
    assert str(item.error).startswith(f"expected stream records, found {found}")


def test_the_records_beside_it_are_read(tmp_path: Path) -> None:
    """A ledger in a folder of records costs one item and hides none of the records."""
    _ledger(tmp_path / "cars.ledger")
    (tmp_path / "records").write_bytes(firehose_object(RECORDS))
    items = read(tmp_path)
    assert 1 == sum(isinstance(item, Undecodable) for item in items)
    assert len(RECORDS) + 1 == len(items)


def _damaged() -> Iterator[bytes]:
    first = RECORDS[1]  # the summary of block 0: control records have no fields to lose
    for place in range(0, len(first), 7):
        for bit in (0, 3, 7):
            yield bytes([*first[:place], first[place] ^ 1 << bit, *first[place + 1 :]])
    for length in range(0, len(first), 11):
        yield first[:length]
        yield first[length:]


def test_a_damaged_record_is_no_other_file() -> None:
    """However a record at the start of a file is damaged, it is not taken for another kind."""
    assert {None} == {describe_item(data) for data in _damaged()}


def test_a_record_in_text_without_its_head_is_no_export() -> None:
    """A record's payload, which is what is left when its head is cut off, is no whole block."""
    text = to_text(to_slice({**BLOCK, "revisionSummaries": []}))
    assert None is describe_item(text.encode())
