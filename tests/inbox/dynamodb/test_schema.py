"""The table: how it is made and known again, what its names mean, and damage."""

from __future__ import annotations

import sys
import zlib
from typing import Any

import attrs
import pytest
from botocore.exceptions import ConnectionClosedError

from qldb_stream.errors import CarrierError, InboxFileError, InboxUnavailableError, UsageError
from qldb_stream.events import Undecodable
from qldb_stream.inbox import open_inbox
from qldb_stream.inbox.dynamodb import (
    HASH_KEY,
    RANGE_KEY,
    TTL_ATTRIBUTE,
    DynamoDbInbox,
    DynamoDbOptions,
    create_table,
)
from qldb_stream.inbox.dynamodb._contents import join_parts, split_parts, unpack
from qldb_stream.report import Lease, Position
from tests.inbox.dynamodb.faults import Faults, open_table, refusal
from tests.inbox.support import EVENTS, STRAND
from tests.inbox.tables import client_of, items_of


def test_what_is_made(dynamodb: str) -> None:
    """The table is billed by request, has two keys and a TTL, and is made once."""
    for _ in range(2):
        create_table("made", endpoint_url=dynamodb, kms_key="alias/aws/dynamodb")
    client = client_of("dynamodb", dynamodb)
    found = client.describe_table(TableName="made")["Table"]
    ttl = client.describe_time_to_live(TableName="made")["TimeToLiveDescription"]

    assert [(HASH_KEY, "HASH"), (RANGE_KEY, "RANGE")] == [
        (key["AttributeName"], key["KeyType"]) for key in found["KeySchema"]
    ]
    assert "PAY_PER_REQUEST" == found["BillingModeSummary"]["BillingMode"]
    assert "KMS" == found["SSEDescription"]["SSEType"]
    assert ("ENABLED", TTL_ATTRIBUTE) == (ttl["TimeToLiveStatus"], ttl["AttributeName"])


def test_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3 is not installed, the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    for call in (lambda: open_inbox("dynamodb:table"), lambda: create_table("table")):
        with pytest.raises(UsageError, match=r"pip install 'qldb-stream\[aws\]'"):
            call()


def test_making_is_refused(dynamodb: str, faults: Faults) -> None:
    """Without the permission no table is made."""
    faults.before = lambda operation, _count: (
        refusal("AccessDeniedException") if operation == "CreateTable" else None
    )
    with pytest.raises(InboxFileError, match="dynamodb:CreateTable is not allowed"):
        create_table("never-made", endpoint_url=dynamodb)


def test_a_connection_that_ends_while_the_table_is_made(dynamodb: str, faults: Faults) -> None:
    """What fails in between is an error of ours, too, and may be tried again."""
    faults.before = lambda operation, _count: (
        ConnectionClosedError(endpoint_url="x") if operation == "DescribeTable" else None
    )
    with pytest.raises(InboxUnavailableError, match="DescribeTable failed"):
        create_table("half-made", endpoint_url=dynamodb)


def test_names(dynamodb: str) -> None:
    """A name has the table and its options; `create=yes` makes the table, unless it must exist."""
    name = f"dynamodb:by.name_1?endpoint_url={dynamodb}&region=eu-west-1&shards=2"
    with pytest.raises(InboxFileError, match="no such table"):
        open_inbox(name)
    with pytest.raises(InboxFileError, match="no such table"):
        open_inbox(f"{name}&create=yes", must_exist=True)
    inbox = open_inbox(f"{name}&create=yes&bucket=b&prefix=p/")
    assert isinstance(inbox, DynamoDbInbox)
    assert "dynamodb:by.name_1" == inbox.name
    inbox.close()
    with pytest.raises(UsageError, match="has 2 shards, not 3; they stay"):
        open_inbox(name.replace("shards=2", "shards=3"))
    open_inbox(name.replace("&shards=2", "")).close()


REFUSED = {
    "dynamodb:": "names no table",
    "dynamodb:a b": "names no table",
    "dynamodb:table?bukket=x": "option 'bukket' is not known; there are region",
    "dynamodb:table?region=a&region=b": "given twice",
    "dynamodb:table?shards=0": "from 1 to 64",
    "dynamodb:table?shards=99999999999999999999": "from 1 to 64",
    "dynamodb:table?shards=four": "from 1 to 64",
    "dynamodb:table?create=maybe": "create is yes or no",
}


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_none(name: str) -> None:
    """What a name says wrong is said before anything is asked of AWS."""
    with pytest.raises(UsageError, match=REFUSED[name]):
        open_inbox(name)


def test_a_table_of_another_application(dynamodb: str) -> None:
    """A table with other keys is no inbox, and is not written to."""
    client = client_of("dynamodb", dynamodb)
    client.create_table(
        TableName="foreign",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(InboxFileError, match="expected a table with the keys pk and sk"):
        DynamoDbInbox("foreign", DynamoDbOptions(endpoint_url=dynamodb))


def change(url: str, table: str, pk: str, **attributes: Any) -> None:
    """Change all items of a kind behind the inbox's back; None removes."""
    client = client_of("dynamodb", url)
    for item in items_of(url, table):
        if item["pk"]["S"].startswith(pk):
            changed = {name: value for name, value in (item | attributes).items() if value}
            client.put_item(TableName=table, Item=changed)


META = {
    "version 99, this package reads 1; install": {"version": {"N": "99"}},
    "expected int as version": {"version": {"S": "1"}},
    "damaged: 0 shards": {"shards": {"N": "0"}},
}


@pytest.mark.parametrize("sentence", META)
def test_a_format_that_is_not_ours(dynamodb: str, table: str, sentence: str) -> None:
    """What another version wrote is not guessed at."""
    open_table(dynamodb, table).close()
    change(dynamodb, table, "meta", **META[sentence])
    with pytest.raises(InboxFileError, match=sentence):
        open_table(dynamodb, table)


def test_a_damaged_record_is_unreadable_in_its_place(dynamodb: str, table: str) -> None:
    """Of a record that somebody changed the bytes and the place are told."""
    inbox = open_table(dynamodb, table)
    inbox.put(EVENTS[:1], 1.0)
    change(dynamodb, table, "record#", data={"B": b"\0"})
    (found,) = inbox.block(STRAND, 0)
    inbox.close()

    assert isinstance(found, Undecodable)
    assert b"\0" == found.data


DAMAGE: list[tuple[str, dict[str, Any], str]] = [
    ("record#", {"data": None}, "has no data"),
    ("record#", {"data": {"S": "text"}}, "the bytes of item"),
    ("record#", {"packed": {"N": "1"}}, "the bytes of item"),
    ("record#", {"arrived_s": {"BOOL": True}}, "expected float as arrived_s"),
    ("record#", {"sk": {"S": "x"}}, "the key of a record"),
    ("position", {"data": {"B": b"{}"}}, "a position cannot be read"),
    ("lease", {"token": {"S": "a"}}, "expected int as token"),
    ("quarantine", {"value": {"S": "{}"}}, "a quarantined record"),
    ("strand", {"strand_id": None}, "expected str as strand_id"),
]


@pytest.mark.parametrize(("pk", "attributes", "sentence"), DAMAGE)
def test_damage(
    dynamodb: str, table: str, pk: str, attributes: dict[str, Any], sentence: str
) -> None:
    """What cannot be what an inbox wrote is called damaged, not guessed at."""
    inbox = open_table(dynamodb, table)
    inbox.put([EVENTS[0], Undecodable("s", 1, 3, CarrierError("s", 0, "cut off"), b"abc")], 1.0)
    inbox.store_position("a", Position(STRAND, 1, bytes(32)), 1)
    assert isinstance(inbox.lease("a", 1.0, 1.0), Lease)
    change(dynamodb, table, pk, **attributes)
    with pytest.raises(InboxFileError, match=f"damaged.*{sentence}"):
        _read_all(inbox)
    inbox.close()


def _read_all(inbox: DynamoDbInbox) -> None:
    inbox.block(STRAND, 0)
    list(inbox.quarantined())
    inbox.status()


def test_parts() -> None:
    """Parts are given again as they were joined, absent and empty ones too."""
    parts = [b"a", None, b"", b"bc" * 300]

    assert parts == list(split_parts(join_parts(parts)))
    with pytest.raises(ValueError, match="5"):
        list(split_parts(b"\0\0\0\x05abc"))


def test_a_bomb_is_not_unpacked() -> None:
    """What would unpack to more than was ever written is damage."""
    bomb = zlib.compress(bytes((64 << 20) + 1), 9)
    with pytest.raises(InboxFileError, match="the bytes of item"):
        unpack({"data": bomb, "packed": 1, "pk": "p", "sk": "s"}, "inbox")


def test_a_position_that_is_too_long(dynamodb: str, table: str) -> None:
    """A long position is packed; one that names too much is refused, and what to do."""
    inbox = open_table(dynamodb, table)
    position = Position(STRAND, 10**15, bytes(32), frozenset(range(10**6, 10**6 + 60_000)))
    inbox.store_position("a", position, 1)
    assert position == inbox.position("a", STRAND)
    inbox.store_position("a", Position(STRAND, 1, bytes(32)), 1)
    assert Position(STRAND, 1, bytes(32)) == inbox.position("a", STRAND)
    many = frozenset(range(10**6, 10**6 + 10**6))
    with pytest.raises(UsageError, match="requeue some"):
        inbox.store_position("a", attrs.evolve(position, parked=many), 1)
    inbox.close()
