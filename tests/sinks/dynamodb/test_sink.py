"""`dynamodb:`: what stands in the table, what is refused, what a block in parts leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from botocore.exceptions import ClientError

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import loads
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.dynamodb._sink import DynamodbSink
from qldb_stream.testing import Story
from qldb_stream.typing import ErasingSink, ReadableSink
from tests.reconcile.contents import BLOCKS, ERASED, STRAND, codes, compare, fill, source_of
from tests.sinks.dynamodb.support import client, items, new_table, opened

pytestmark = pytest.mark.usefixtures("dynamodb_url")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sinks-aws.md"
(REDACTING, *_) = [n for n, block in enumerate(BLOCKS) if block.summary.redaction_info]


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, -1, b"", start=0).at(block)


def deliver(sink: DynamodbSink, blocks: Sequence[Block], token: int = 1) -> None:
    """Apply blocks in one run."""
    assert position_at(blocks[-1]) == sink.apply(blocks, position_at(blocks[-1]), token)


def cars(*documents: Any) -> list[Block]:
    """Tell of documents that are inserted into one table, one a block."""
    story = Story(21)
    story.create_table("Cars")
    for document in documents:
        story.insert("Cars", document)
    return story.blocks()


def fleet(count: int) -> list[Block]:
    """Tell of one transaction that inserts many documents."""
    story = Story(22)
    story.create_table("Cars")
    with story.transaction():
        for number in range(count):
            story.insert("Cars", {"vin": f"vin-{number}", "number": number})
    story.insert("Cars", {"vin": "last"})
    return story.blocks()


# --- what stands in the table --------------------------------------------------------------


def test_a_document_is_an_item_and_each_revision_another() -> None:
    """The current item has the document's fields, the history's has them in one map."""
    story = Story(23)
    story.create_table("Cars")
    car = story.insert("Cars", {"vin": "A", "price": 1})
    story.update(car, {"vin": "A", "price": 2, "pk": "shadowed", "qldb_kind": "shadowed"})
    table = new_table()
    with opened(table) as sink:
        deliver(sink, story.blocks())
    found = items(table)
    current, first = found[f"D#{car}", "CURRENT"], found[f"D#{car}", "V#000000000000"]

    assert ({"S": "A"}, {"N": "2"}) == (current["vin"], current["price"])
    assert ({"S": f"D#{car}"}, {"S": "update"}) == (current["pk"], current["qldb_kind"])
    assert {"vin": "A", "price": 2, "pk": "shadowed", "qldb_kind": "shadowed"} == loads(
        current["qldb_ion"]["B"]
    )
    assert {"M": {"vin": {"S": "A"}, "price": {"N": "1"}}} == first["qldb_data"]
    assert "vin" not in first
    assert {"S": "Cars"} == current["qldb_current_table"]
    assert 3 + 3 + 1 == len(found)  # current and two versions; three blocks; the position


def test_a_delete_takes_the_current_item_and_keeps_the_history() -> None:
    """The delete itself is a revision without a document."""
    story = Story(24)
    story.create_table("Cars")
    car = story.insert("Cars", {"vin": "A"})
    story.delete(car)
    table = new_table()
    with opened(table) as sink:
        deliver(sink, story.blocks())
        assert [] == list(sink.current(story.strand_id))
    found = items(table)

    assert (f"D#{car}", "CURRENT") not in found
    assert {"S": "delete"} == found[f"D#{car}", "V#000000000001"]["qldb_kind"]


def test_every_attribute_of_the_proof_is_documented() -> None:
    """The page names each attribute that begins with qldb_, and every option."""
    table = new_table()
    with opened(table) as sink:
        deliver(sink, BLOCKS)
    text = PAGE.read_text(encoding="utf-8")
    names = {name for item in items(table).values() for name in item if name.startswith("qldb_")}

    assert [] == sorted(name for name in names if f"`{name}`" not in text)
    assert [] == [name for name in ("region", "endpoint", "prefix", "create") if name not in text]


def test_other_things_may_stand_in_the_table() -> None:
    """With a prefix all keys begin with it, and what others put there is not touched."""
    table = new_table()
    with opened(table, prefix="cars/") as sink:
        client().put_item(TableName=table, Item={"pk": {"S": "D#x"}, "sk": {"S": "CURRENT"}})
        deliver(sink, BLOCKS[:20])
        assert len({r.document_id for b in BLOCKS[:20] for r in b.revisions}) >= len(
            list(sink.current(STRAND))
        )
    assert {"cars/", "D#x"} == {pk[:5] if pk != "D#x" else pk for pk, _ in items(table)}


# --- redactions ----------------------------------------------------------------------------


def test_it_erases_and_can_be_read() -> None:
    """Copies that come redacted later take the data out; both hashes stay."""
    whole, copies = BLOCKS[:REDACTING], ERASED[:REDACTING]
    table = new_table()
    with opened(table) as sink:
        assert isinstance(sink, ErasingSink)
        assert isinstance(sink, ReadableSink)
        sink.erase(copies, 1)  # nothing is here yet
        fill(sink, whole)
        for _ in range(2):
            sink.erase(copies, 1)
            assert list(sink.expect(copies)) == list(sink.history(STRAND, 0, 2**62))
        hidden = [r for r in sink.history(STRAND, 0, 2**62) if r.kind is RevisionKind.REDACTED]
    assert hidden
    assert all(r.data is None and r.data_hash is not None for r in hidden)


def test_an_erasure_that_the_table_does_not_take_is_an_error_of_ours() -> None:
    """Whatever DynamoDB has against an item without its data, its owner is told."""
    with opened(new_table()) as sink:
        fill(sink, BLOCKS[:REDACTING])

        def answer(**_: Any) -> None:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "TransactWriteItems")

        events = sink._table._client.meta.events  # noqa: SLF001 - a third party's client answers
        events.register("before-call.dynamodb.TransactWriteItems", answer)
        with pytest.raises(UsageError, match="cannot erase: DynamoDB finds an item invalid"):
            sink.erase(ERASED[:REDACTING], 1)


def test_a_parked_block_that_was_redacted_since_comes_without_its_data() -> None:
    """A block that is applied after its redaction never writes what was redacted."""
    info = BLOCKS[REDACTING].summary.redaction_info
    assert info is not None
    (redacted,) = info.revisions
    number = redacted.block_address.sequence_no
    last = position_at(BLOCKS[-1])
    table = new_table()
    with opened(table) as sink:
        deliver(sink, BLOCKS[:number])
        sink.apply(BLOCKS[number + 1 :], attrs.evolve(last, parked=frozenset({number})), 1)
        sink.apply([BLOCKS[number]], last, 1)
        found = [r for r in sink.history(STRAND, number, number) if r.kind is RevisionKind.REDACTED]
    assert redacted.document_id in [revision.document_id for revision in found]
    assert all(revision.data is None for revision in found)


# --- diff ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort_key", "attribute", "expected"),
    [
        ("CURRENT", None, "current_missing"),
        ("CURRENT", "remark", "current_altered"),
        ("V#000000000000", "qldb_data", "altered"),
        ("V#000000000000", "qldb_ion", "altered"),
        ("V#000000000000", None, "missing"),
    ],
)
def test_changes_by_others_are_found(
    tmp_path: Path, sort_key: str, attribute: str | None, expected: str
) -> None:
    """`diff` names what was deleted or altered behind the sink's back."""
    source, table = source_of(tmp_path / "in"), new_table()
    with opened(table) as sink:
        fill(sink, BLOCKS)
        assert compare(sink, source).ok
        for (pk, sk), item in items(table).items():
            if sk == sort_key and (attribute is None or attribute in item):
                _alter(table, pk, sk, attribute)
        assert expected in codes(compare(sink, source))


def _alter(table: str, pk: str, sk: str, attribute: str | None) -> None:
    key = {"pk": {"S": pk}, "sk": {"S": sk}}
    if attribute is None:
        client().delete_item(TableName=table, Key=key)
        return
    client().update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": attribute},
        ExpressionAttributeValues={":value": {"B": b"no Ion"}},
    )


# --- large blocks and large documents ------------------------------------------------------


def test_a_block_beyond_a_transaction_goes_in_parts() -> None:
    """The position moves with the last part, and the summary names the block."""
    blocks, table = fleet(130), new_table()
    with opened(table) as sink:
        deliver(sink, blocks)
        strand_id = blocks[0].address.strand_id
        assert ((strand_id, 1),) == sink.summary().not_atomic
        assert 131 == sink.summary().documents == len(list(sink.current(strand_id)))
        assert list(sink.expect(blocks)) == list(sink.history(strand_id, 0, 9))


@pytest.mark.parametrize("survives", [1, 2])
def test_what_a_crash_between_parts_left_is_made_good(survives: int) -> None:
    """The position is where it was, and the next apply leads to the same content."""
    blocks, table = fleet(130), new_table()
    with opened(table) as sink:
        calls: list[int] = []

        def die(**_: Any) -> None:
            calls.append(1)
            if len(calls) > survives:
                raise KeyboardInterrupt

        events = sink._table._client.meta.events  # noqa: SLF001 - to die between two requests
        events.register("before-call.dynamodb.TransactWriteItems", die)
        with pytest.raises(KeyboardInterrupt):
            sink.apply(blocks, position_at(blocks[-1]), 1)
        events.unregister("before-call.dynamodb.TransactWriteItems", die)
        before = sink.position(blocks[0].address.strand_id)
        assert before is None or before.sequence_no < 1
        with opened(table) as other:
            deliver(other, blocks, token=2)
        with pytest.raises(StaleTokenError):
            sink.apply(blocks, position_at(blocks[-1]), 1)
        assert list(sink.expect(blocks)) == list(sink.history(blocks[0].address.strand_id, 0, 9))


def test_a_document_whose_attributes_are_too_large_stands_as_ion_only() -> None:
    """Two bytes of Ion can be six of DynamoDB's: beyond 400 KB only the Ion is kept."""
    document: dict[str, Any] = {"empty": [[] for _ in range(100_000)]}
    blocks, table = cars(document, {"vin": "B"}), new_table()
    with opened(table) as sink:
        deliver(sink, blocks)
        strand_id = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand_id, 0, 9))
    flags = [item for item in items(table).values() if "qldb_ion_only" in item]

    assert 2 == len(flags)  # the revision's and the current item
    assert all("qldb_data" not in item and "empty" not in item for item in flags)


def test_a_document_beyond_an_item_is_refused_by_name() -> None:
    """What is before it in the run is applied, and then the block is named."""
    blocks = cars({"vin": "A"}, {"text": "x" * 500_000}, {"vin": "B"})
    strand_id = blocks[0].address.strand_id
    with opened(new_table()) as sink:
        reached = sink.apply(blocks, position_at(blocks[-1]), 1)
        assert 1 == reached.sequence_no
        with pytest.raises(SinkRefusedError, match="400 KB") as info:
            sink.apply(blocks[2:], position_at(blocks[-1]), 1)
        assert (strand_id, 2) == (info.value.strand_id, info.value.sequence_no)
        assert reached == sink.position(strand_id)


def test_a_position_that_names_too_many_parked_blocks_is_refused() -> None:
    """It would not fit into an item; the position stays what it was."""
    blocks = cars({"vin": "A"})
    crowded = attrs.evolve(position_at(blocks[0]), parked=frozenset(range(1, 90_000)))
    with opened(new_table()) as sink, pytest.raises(SinkRefusedError, match="position"):
        sink.apply(blocks[:1], crowded, 1)


@pytest.mark.parametrize(
    ("reason", "error", "text"),
    [
        ("ValidationError", SinkRefusedError, "an index is over"),
        ("TransactionConflict", SinkUnavailableError, "TransactionConflict"),
        ("ThrottlingError", SinkUnavailableError, "ThrottlingError"),
    ],
)
def test_why_a_transaction_was_cancelled_is_told(
    reason: str, error: type[Exception], text: str
) -> None:
    """A field that an index does not take refuses its block; a conflict may be tried again."""
    blocks = cars({"vin": "A"}, {"vin": 17}, {"vin": "B"})

    def cancel(params: dict[str, Any], **_: Any) -> None:
        if b'"vin": {"N": "17"}' in params["body"]:
            answer = {
                "Error": {"Code": "TransactionCanceledException", "Message": "secret"},
                "CancellationReasons": [{"Code": "None"}, {"Code": reason}],
            }
            raise ClientError(answer, "TransactWriteItems")

    with opened(new_table()) as sink:
        events = sink._table._client.meta.events  # noqa: SLF001 - a third party's client answers
        events.register("before-call.dynamodb.TransactWriteItems", cancel)
        if error is SinkRefusedError:  # the blocks before it are applied, and it is found
            assert 1 == sink.apply(blocks, position_at(blocks[-1]), 1).sequence_no
            blocks = blocks[2:]
        with pytest.raises(error, match=text) as info:
            sink.apply(blocks, position_at(blocks[-1]), 1)
        assert "secret" not in str(info.value)


def test_a_newer_version_that_others_wrote_is_not_overwritten() -> None:
    """Current items are written on the condition of their version."""
    blocks, table = cars({"vin": "A"}), new_table()
    (document_id,) = [str(r.document_id) for r in blocks[1].revisions]
    with opened(table) as sink:
        item = {"pk": {"S": f"D#{document_id}"}, "sk": {"S": "CURRENT"}, "qldb_version": {"N": "7"}}
        client().put_item(TableName=table, Item=item)
        with pytest.raises(SinkRefusedError, match="newer version"):
            sink.apply(blocks[1:], position_at(blocks[-1]), 1)


# --- errors --------------------------------------------------------------------------------


def test_a_table_that_is_not_there_is_said_to_its_owner() -> None:
    """Without create=yes nothing is made."""
    sink = open_sink("dynamodb:nowhere")
    with pytest.raises(UsageError, match=r"no such table in [a-z0-9-]+ at http://.*create=yes"):
        sink.position(STRAND)


def test_a_table_with_other_keys_is_refused() -> None:
    """The message says what they must be."""
    table = new_table()
    client().create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    with opened(table) as sink, pytest.raises(UsageError, match="strings pk and sk"):
        sink.position(STRAND)


def test_a_table_of_a_later_format_is_refused() -> None:
    """It is never guessed at."""
    table = new_table()
    with opened(table) as sink:
        item = {"pk": {"S": f"P#{STRAND}"}, "sk": {"S": "POSITION"}, "qldb_format": {"N": "2"}}
        client().put_item(TableName=table, Item=item)
        with pytest.raises(UsageError, match="format is 2"):
            sink.position(STRAND)


def test_a_server_that_is_away_is_unavailable() -> None:
    """It may be tried again."""
    sink = open_sink("dynamodb:cars?endpoint=http://127.0.0.1:9")
    with pytest.raises(SinkUnavailableError, match=r"127\.0\.0\.1:9"):
        sink.position(STRAND)
    with pytest.raises(SinkUnavailableError):
        open_sink("dynamodb:cars?endpoint=http://127.0.0.1:9&create=yes")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("dynamodb:", "needs a table's name"),
        ("dynamodb:cars?endpoint=nowhere", "no client"),
        ("dynamodb:cars?prefix=" + "x" * 201, "200 bytes"),
        ("dynamodb:cars?create=maybe", "yes, no"),
    ],
)
def test_options_that_make_no_sense_are_refused(url: str, problem: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=re.escape(problem)):
        open_sink(url)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDeniedException", UsageError),
        ("UnrecognizedClientException", UsageError),
        ("ExpiredTokenException", UsageError),
        ("SomethingNew", UsageError),
        ("ThrottlingException", SinkUnavailableError),
        ("InternalServerError", SinkUnavailableError),
    ],
)
def test_what_the_service_answers_is_translated(code: str, error: type[Exception]) -> None:
    """Rights are for people to mend; what passes by itself may be tried again."""
    with opened(new_table()) as sink:

        def answer(**_: Any) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "secret"}}, "GetItem")

        events = sink._table._client.meta.events  # noqa: SLF001 - a third party's client answers
        events.register("before-call.dynamodb.GetItem", answer)
        with pytest.raises(error, match=code) as info:
            sink.position(STRAND)
        assert "secret" not in str(info.value)


def test_without_credentials_it_is_no_matter_of_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none is told so at once, instead of being tried again and again."""
    table = new_table()
    with opened(table):
        pass
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(UsageError, match="NoCredentialsError: check the credentials"):
        open_sink(f"dynamodb:{table}").position(STRAND)


def test_two_with_one_token_find_out() -> None:
    """Who has been overtaken changes nothing, and may try again."""
    table = new_table()
    with opened(table) as one, opened(table) as other:
        deliver(one, BLOCKS[:5])
        stale = one._current(STRAND, 1)  # noqa: SLF001 - what a slow worker has read
        deliver(other, BLOCKS[:9])
        with pytest.raises(SinkUnavailableError, match="another worker"):
            one._commit(stale, {}, stale.position, 1)  # noqa: SLF001 - and what it does then
        with pytest.raises(StaleTokenError):
            one._commit(stale, {}, stale.position, 0)  # noqa: SLF001 - as above
