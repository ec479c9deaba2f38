from __future__ import annotations

import json

import attrs
import pytest

from qldb_stream.errors import SinkRefusedError
from qldb_stream.events import Block, RedactionInfo
from qldb_stream.ion import IonSlice, to_slice
from qldb_stream.sinks._messages import MessageType, Sent, messages_of
from qldb_stream.testing import Story
from qldb_stream.testing.journals import JournalShape, make_journal

JOURNAL = make_journal(9, blocks=80, shape=JournalShape(redactions=0.3, deletes=0.2, system=0.3))
BLOCKS = list(JOURNAL)


def test_keys_follow_from_the_journal_alone() -> None:
    """Each message has one, no two have the same, and what comes redacted has another."""
    found = [message for block in BLOCKS for message in messages_of("x", block)]
    again = [message for block in BLOCKS for message in messages_of("x", block)]
    keys = [message.key for message in found]
    assert keys == [message.key for message in again]
    assert len(set(keys)) == len(keys)
    erased = [message for block in JOURNAL.with_erased() for message in messages_of("x", block)]
    changed = [message for message in erased if message.type is MessageType.REDACTED]
    assert changed
    assert not {message.key for message in changed} & set(keys)
    assert max(map(len, keys)) <= 90


def test_each_revision_has_a_message() -> None:
    """Of those of which only the hash left QLDB there is none; proof and document are there."""
    for block in BLOCKS:
        told = [message for message in messages_of("x", block) if message.is_revision]
        written = [r for r in block.revisions if r.metadata is not None]
        assert [r.document_id for r in written] == [message.group for message in told]
        for revision, message in zip(written, told, strict=True):
            read = json.loads(message.as_json({"more": 1}))
            assert (1, revision.hash.hex(), block.block_hash.hex()) == (
                read["more"],
                read["hash"],
                read["blockHash"],
            )
            assert (revision.data_ion is None) == (read["data"] is None)
            assert "data" not in json.loads(message.as_json(with_data=False))


def test_a_redaction_names_what_has_to_be_forgotten() -> None:
    """By document, version, table and block."""
    block = next(b for b in BLOCKS if b.summary.redaction_info is not None)
    assert block.summary.redaction_info is not None
    (asked,) = block.summary.redaction_info.revisions
    (message,) = [m for m in messages_of("x", block) if m.type is MessageType.REDACTION]
    assert asked.document_id == message.group
    read = json.loads(message.as_json())
    assert (asked.document_id, asked.version, asked.table_id, asked.block_address.sequence_no) == (
        read["documentId"],
        read["version"],
        read["tableId"],
        read["redactedSequenceNo"],
    )
    assert "data" not in read


def test_masks_are_shown() -> None:
    """What a filter changed or keeps back is told, and the hash stays the source's."""
    story = Story(1)
    story.create_table("Person")
    story.insert("Person", {"name": "x", "born": 1970})
    block = story.blocks()[1]
    (revision,) = block.revisions
    shown = attrs.evolve(revision, masked=("born",), data_hash=bytes(32))
    kept = attrs.evolve(revision, data_ion=None, data_hash=bytes(32), is_withheld=True)
    (message,) = messages_of("x", attrs.evolve(block, revisions=(shown,)))
    (withheld,) = messages_of("x", attrs.evolve(block, revisions=(kept,)))
    assert (["born"], "00" * 32) == (message.fields["masked"], message.fields["dataHash"])
    assert (MessageType.WITHHELD, f"{revision.hash.hex()}.withheld") == (
        withheld.type,
        withheld.key,
    )


def test_what_cannot_be_read_is_refused() -> None:
    """Damaged documents and redactions, by the block's number."""
    block = next(b for b in BLOCKS if b.revisions and b.revisions[0].data_ion is not None)
    whole = block.revisions[0].data_ion
    assert whole is not None
    cut = IonSlice(b"\xff" * len(whole.buf), whole.start, whole.end, whole.symbols)
    documents = attrs.evolve(block, revisions=(attrs.evolve(block.revisions[0], data_ion=cut),))
    asked = attrs.evolve(block.summary, redaction_info=RedactionInfo(to_slice({"revisions": 1})))
    for damaged in (documents, Block(asked)):
        with pytest.raises(SinkRefusedError) as caught:
            messages_of("x", damaged)
        assert block.address.sequence_no == caught.value.sequence_no


def test_what_was_sent_is_counted() -> None:
    """Revisions, and each redaction once."""
    sent = Sent()
    sent.count(BLOCKS)
    sent.count(BLOCKS)
    redactions = [b.address for b in BLOCKS if b.summary.redaction_info is not None]
    revisions = sum(r.metadata is not None for b in BLOCKS for r in b.revisions)
    assert 2 * revisions == sent.summary().documents
    assert tuple((a.strand_id, a.sequence_no) for a in redactions) == (
        sent.summary().redactions_pending
    )
