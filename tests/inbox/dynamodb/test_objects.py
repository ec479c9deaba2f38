"""What is too long for an item is an object in the bucket, and goes with its item."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import attrs
import pytest

from qldb_stream.errors import CarrierError, InboxFileError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.inbox.dynamodb import DynamoDbInbox
from qldb_stream.report import ParkedBlock, ParkReason, Position
from tests.inbox.dynamodb.faults import (
    Faults,
    KilledError,
    accepted,
    document_of,
    long_event,
    open_table,
    where_of,
)
from tests.inbox.support import BLOCKS
from tests.inbox.tables import client_of, items_of, objects_of

WHEN = datetime(2026, 1, 2, tzinfo=UTC)
ERROR = CarrierError("kinesis", 0, "cut off")


def parked_of(seed: int = 1) -> ParkedBlock:
    """A parked block with the long revision."""
    event, _ = long_event(500_000, seed)
    block = next(b for b in BLOCKS if b.address == event.revision.address)
    parked = attrs.evolve(block, revisions=(event.revision,))
    return ParkedBlock("a", parked, ParkReason.REFUSED, "", WHEN)


def test_long_records_come_back_whole(
    dynamodb: str, bucket: str, table_inbox: DynamoDbInbox
) -> None:
    """A record of half a megabyte is in the bucket, below the prefix, and is given back."""
    event, _ = long_event(500_000)
    (other, _), where = long_event(200_000), where_of(event)
    assert 2 == table_inbox.put([event, other], 1.0)

    assert (event, other) == table_inbox.block(*where)
    found = objects_of(dynamodb, bucket)
    assert [True] == [name.startswith(f"long/{where[0]}/0000") for name in found]
    assert 0 == table_inbox.put([event, other], 2.0)
    assert found == objects_of(dynamodb, bucket)


def test_what_packs_needs_no_bucket(dynamodb: str, table: str) -> None:
    """A record that zlib makes short enough stays in its item."""
    event, _ = long_event(0)
    text = "the same again and again " * 40_000
    noise = Undecodable("shard", 1, len(text), ERROR, text.encode())
    inbox = open_table(dynamodb, table)
    inbox.put([event, noise], 1.0)

    assert [noise] == [found.item for found in inbox.quarantined()]
    inbox.close()


def test_without_a_bucket(dynamodb: str, table: str) -> None:
    """Without one a long record is refused, with what to do; noise loses its bytes."""
    event, _ = long_event(500_000)
    inbox = open_table(dynamodb, table)
    with pytest.raises(UsageError, match=r"a record of block \w+/\d+ has 500,.*\?bucket=NAME"):
        inbox.put([event], 1.0)
    with pytest.raises(UsageError, match=r"parked block .* has 50"):
        inbox.park(parked_of())
    noise = Undecodable("shard", 1, 500_000, ERROR, document_of(event))
    inbox.put([noise], 1.0)

    assert [None] == [found.item.data for found in inbox.quarantined()]
    inbox.close()


def test_what_is_longer_than_anything(table_inbox: DynamoDbInbox) -> None:
    """Beyond 64 MiB a parked block is refused, and noise is kept without its bytes."""
    data = bytes((64 << 20) + 1)
    table_inbox.put([Undecodable("shard", 1, len(data), ERROR, data)], 1.0)
    assert [None] == [found.item.data for found in table_inbox.quarantined()]

    documents = frozenset(["d" * ((64 << 20) + 1)])
    with pytest.raises(UsageError, match="of 67,108,864 at most"):
        table_inbox.park(attrs.evolve(parked_of(), documents=documents))


def test_trimming_removes_the_object(
    dynamodb: str, bucket: str, table_inbox: DynamoDbInbox
) -> None:
    """With the record goes its object, and what said that it is to go."""
    event, _ = long_event(500_000)
    table_inbox.put([event], 1.0)
    table_inbox.store_position("a", Position(where_of(event)[0], 99, bytes(32)), 1)
    assert 1 == table_inbox.trim(where_of(event)[0])

    assert_nothing_is_left(dynamodb, bucket, table_inbox)


def assert_nothing_is_left(url: str, bucket: str, inbox: DynamoDbInbox) -> None:
    """No object, and no note of one."""
    assert {} == objects_of(url, bucket)
    items = items_of(url, inbox.name.removeprefix("dynamodb:"))
    assert [] == [item for item in items if item["pk"]["S"] == "object"]


@pytest.mark.parametrize("versioned", [False, True])
def test_erasing_removes_every_version(
    dynamodb: str, bucket: str, table_inbox: DynamoDbInbox, *, versioned: bool
) -> None:
    """After `erase` the document is in no object and in no item, parked and noise included."""
    if versioned:
        client = client_of("s3", dynamodb)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    event, asked = long_event(500_000)
    noise = Undecodable("shard", 1, 500_000, ERROR, asked.document_id.encode() + document_of(event))
    table_inbox.put([event, noise], 1.0)
    table_inbox.park(parked_of())
    assert 3 == len(objects_of(dynamodb, bucket))

    assert 2 == table_inbox.erase([asked])
    assert_nothing_is_left(dynamodb, bucket, table_inbox)
    (left,) = table_inbox.block(*where_of(event))
    assert document_of(event) not in repr(left).encode()
    assert [None] == [found.item.data for found in table_inbox.quarantined()]
    assert 0 == table_inbox.put([event], 2.0)
    assert_nothing_is_left(dynamodb, bucket, table_inbox)


def test_long_blocks_are_parked(dynamodb: str, bucket: str, table_inbox: DynamoDbInbox) -> None:
    """A long parked block is an object, which goes when it is replaced or unparked."""
    for seed in (1, 2):
        table_inbox.park(parked_of(seed))
    parked = parked_of(2)
    address = parked.address
    assert [parked] == list(table_inbox.parked("a", address.strand_id))
    assert 1 == len(objects_of(dynamodb, bucket))
    assert (("a", address.strand_id, 1),) == table_inbox.status().parked

    table_inbox.unpark("a", address.strand_id, address.sequence_no)
    assert_nothing_is_left(dynamodb, bucket, table_inbox)
    table_inbox.park(parked)
    table_inbox.forget("a")
    assert_nothing_is_left(dynamodb, bucket, table_inbox)


def test_discarded_noise_leaves_no_object(
    dynamodb: str, bucket: str, table_inbox: DynamoDbInbox
) -> None:
    """With a long unreadable record goes its object."""
    event, _ = long_event(500_000)
    noise = Undecodable("shard", 1, 500_000, ERROR, document_of(event))
    table_inbox.put([noise], 1.0)
    assert [noise] == [found.item for found in table_inbox.quarantined()]
    assert 1 == table_inbox.discard_quarantined(1.0)

    assert_nothing_is_left(dynamodb, bucket, table_inbox)


def test_an_object_that_somebody_deleted(
    dynamodb: str, bucket: str, table_inbox: DynamoDbInbox
) -> None:
    """A record whose object is gone is damage, not an absent record."""
    event, _ = long_event(500_000)
    noise = Undecodable("shard", 1, 500_000, ERROR, document_of(event))
    table_inbox.put([event, noise], 1.0)
    table_inbox.park(parked_of())
    client = client_of("s3", dynamodb)
    for name in objects_of(dynamodb, bucket):
        client.delete_object(Bucket=bucket, Key=name.partition(" ")[0])

    with pytest.raises(InboxFileError, match=r"object of block .* is gone"):
        table_inbox.block(*where_of(event))
    with pytest.raises(InboxFileError, match=r"object of parked block .* is gone"):
        list(table_inbox.parked("a", where_of(event)[0]))
    with pytest.raises(InboxFileError, match=r"object of a quarantined record is gone"):
        list(table_inbox.quarantined())


def test_opened_without_its_bucket(dynamodb: str, table: str, table_inbox: DynamoDbInbox) -> None:
    """Who opens the inbox without the bucket is told to name it."""
    event, _ = long_event(500_000)
    table_inbox.put([event], 1.0)
    other = open_table(dynamodb, table)
    with pytest.raises(UsageError, match=r"name it with \?bucket="):
        other.block(*where_of(event))
    other.close()


def test_a_bucket_that_is_not_there(dynamodb: str, table: str) -> None:
    """The first long record finds out that there is no such bucket."""
    inbox = open_table(dynamodb, table, bucket="no-such-bucket")
    with pytest.raises(InboxFileError, match="bucket is not there"):
        inbox.put([long_event(500_000)[0]], 1.0)
    inbox.close()


def test_versions_come_in_pages(dynamodb: str, table: str, bucket: str, faults: Faults) -> None:
    """All pages of an object's versions are gone through."""
    inbox = open_table(dynamodb, table, bucket=bucket)
    event, _ = long_event(500_000)
    inbox.put([event], 1.0)
    inbox.store_position("a", Position(where_of(event)[0], 99, bytes(32)), 1)
    client = client_of("s3", dynamodb)
    client.put_object(Bucket=bucket, Key="a", Body=b"")  # moto leaves out the first after a marker
    page = accepted(IsTruncated=True, NextKeyMarker="a")
    faults.before = lambda operation, count: (
        page if operation == "ListObjectVersions" and count == 1 else None
    )
    inbox.trim(where_of(event)[0])

    assert ["a null"] == list(objects_of(dynamodb, bucket))
    assert 2 == faults.counts["ListObjectVersions"]
    inbox.close()


def test_an_object_that_is_not_ours(dynamodb: str, table: str, bucket: str, faults: Faults) -> None:
    """An object that is longer than anything that was ever written is not read."""
    inbox = open_table(dynamodb, table, bucket=bucket)
    event, _ = long_event(500_000)
    inbox.put([event], 1.0)
    answer = accepted(ContentLength=1 << 40, Body=io.BytesIO())
    faults.before = lambda operation, _count: answer if operation == "GetObject" else None
    with pytest.raises(InboxFileError, match="is not what was written"):
        inbox.block(*where_of(event))
    inbox.close()


def test_what_a_crash_left_goes_after_a_day(
    dynamodb: str, table: str, bucket: str, faults: Faults
) -> None:
    """An object whose record was never stored is kept a day; who opens then, removes it."""
    now_s = datetime.now(UTC).timestamp()
    left = []
    for age_s in (90_000.0, 10.0):
        inbox = open_table(dynamodb, table, bucket=bucket)
        faults.before = lambda operation, _count: (
            KilledError() if operation == "TransactWriteItems" else None
        )
        with pytest.raises(KilledError):
            inbox.put([long_event(500_000)[0]], now_s - age_s)
        faults.dead = False
        left.append(len(objects_of(dynamodb, bucket)))
        open_table(dynamodb, table, bucket=bucket).close()
        left.append(len(objects_of(dynamodb, bucket)))

    assert [1, 0, 1, 1] == left
