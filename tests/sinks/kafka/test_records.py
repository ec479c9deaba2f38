from __future__ import annotations

import json

import pytest

from qldb_stream.ion import load_slice
from qldb_stream.sinks._messages import MessageType, messages_of
from qldb_stream.sinks.kafka._records import Record, RecordForm
from qldb_stream.testing import Story
from qldb_stream.testing.journals import JournalShape, make_journal

BLOCKS = list(make_journal(5, blocks=60, shape=JournalShape(redactions=0.3, deletes=0.2)))
MESSAGES = [message for block in BLOCKS for message in messages_of("kafka", block)]


def records(kind: MessageType, form: RecordForm) -> list[Record]:
    """Make the records of all messages of a type."""
    found = [form.record(message) for message in MESSAGES if message.type is kind]
    assert found
    return found


def form(value: str = "json", key: str = "document", deletes: str = "tombstone") -> RecordForm:
    """Say how records look."""
    return RecordForm(value, key, deletes, partitions=4)


def test_a_record_has_its_proof_beside_it() -> None:
    """Key, document and headers are those of the revision."""
    block = next(b for b in BLOCKS if any(r.data_ion is not None for r in b.revisions))
    revision = next(r for r in block.revisions if r.data_ion is not None)
    record = form().record(messages_of("kafka", block)[0])
    headers = dict(record.headers)
    assert revision.metadata is not None
    assert revision.data_ion is not None
    assert revision.table is not None
    assert revision.metadata.id.encode() == record.key
    assert {
        "qldb-type": f"revision.{revision.kind.value}",
        "qldb-message": revision.hash.hex(),
        "qldb-strand-id": block.address.strand_id,
        "qldb-sequence-no": str(block.address.sequence_no),
        "qldb-block-hash": block.block_hash.hex(),
        "qldb-tx-id": block.summary.transaction_id,
        "qldb-tx-time": block.summary.block_timestamp.isoformat(timespec="milliseconds"),
        "qldb-table": revision.table.table_name,
        "qldb-table-id": revision.table.table_id,
        "qldb-document-id": revision.metadata.id,
        "qldb-version": str(revision.metadata.version),
        "qldb-kind": revision.kind.value,
        "qldb-hash": revision.hash.hex(),
        "qldb-data-hash": revision.data_ion.hash().hex(),
    } == {name: value.decode() for name, value in headers.items()}
    assert record.value is not None
    assert set(revision.data) == set(json.loads(record.value))


def test_ion_values_are_the_documents_themselves() -> None:
    """What `value=ion` writes has the hash that the header says; where none is, it is null."""
    for record in records(MessageType.UPDATE, form("ion")):
        assert record.value is not None
        assert (
            dict(record.headers)["qldb-data-hash"] == load_slice(record.value).hash().hex().encode()
        )
    for record in records(MessageType.REDACTION, form("ion")):
        assert record.value is not None
        assert load_slice(record.value).is_null


@pytest.mark.parametrize(
    ("key", "deletes", "expected"),
    [
        ("document", "tombstone", None),
        ("document", "record", b"null"),
        ("revision", "tombstone", b"null"),
    ],
)
def test_deletes(key: str, deletes: str, expected: bytes | None) -> None:
    """A tombstone takes the document out of a compacted topic; history has nothing to lose."""
    found = records(MessageType.DELETE, form(key=key, deletes=deletes))
    assert {expected} == {record.value for record in found}


@pytest.mark.parametrize("key", ["document", "revision"])
def test_redactions(key: str) -> None:
    """By revision they take the redacted record's place; by document they touch nothing."""
    written = [record for m in MESSAGES if m.is_revision for record in [form(key=key).record(m)]]
    keys = {record.key for record in written}
    for record in records(MessageType.REDACTION, form(key=key)):
        assert b"null" == record.value
        assert (key == "revision") == (record.key in keys)


def test_a_document_stays_in_one_partition() -> None:
    """All that is about it goes there, whatever the key is."""
    for key in ("document", "revision"):
        places: dict[str, set[int]] = {}
        for message in MESSAGES:
            places.setdefault(message.group, set()).add(form(key=key).record(message).partition)
        assert {1} == {len(found) for found in places.values()}
        assert 4 == len({number for found in places.values() for number in found})


def test_tables() -> None:
    """What drops a table is told under the table's name, what brings it back under its id."""
    story = Story(1)
    table = story.create_table("Vehicle")
    story.insert("Vehicle", {"VIN": "1"})
    story.drop_table("Vehicle")
    story.undrop_table(table)
    made = [form().record(m) for block in story.blocks() for m in messages_of("kafka", block)]
    assert [b"table/Vehicle", f"table/{table.table_id}".encode()] == [r.key for r in made[1:]]
    assert {b"null"} == {record.value for record in made[1:]}
