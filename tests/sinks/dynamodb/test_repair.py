"""`dynamodb:` is put right by `repair`, whatever others have done to its items."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from botocore.exceptions import ClientError

from qldb_stream.cli import main
from qldb_stream.errors import SinkRefusedError, StaleTokenError
from qldb_stream.events import Block
from qldb_stream.reconcile import ContentReport
from qldb_stream.sources import FolderSource
from qldb_stream.testing import JournalShape, Story, make_journal
from qldb_stream.typing import RepairableSink, Sink
from tests.reconcile.contents import codes, fill, position_at, repair, source_of
from tests.sinks.dynamodb.support import client, items, new_table, opened

pytestmark = pytest.mark.usefixtures("dynamodb_url")

JOURNAL = make_journal(10, blocks=14, shape=JournalShape(redactions=0.4, deletes=0.25, system=0.1))
BLOCKS = list(JOURNAL)
ERASED = list(JOURNAL.with_erased())
STRAND = JOURNAL.strand_id

Item = dict[str, Any]
Hand = Callable[[Item], Item | None]
"""Changes an item; None where it goes."""


def by_hand(table: str, sort_key: str, hand: Hand, most: int | None = None) -> int:
    """Change items behind the sink's back, by what their sort keys begin with; count them."""
    found = [item for (_, sk), item in sorted(items(table).items()) if sk.startswith(sort_key)]
    found = [item for item in found if item["pk"]["S"][:2] in ("D#", "B#", "R#")][:most]
    for item in found:
        changed = hand(dict(item))
        if changed is None or (changed["pk"], changed["sk"]) != (item["pk"], item["sk"]):
            client().delete_item(TableName=table, Key={n: item[n] for n in ("pk", "sk")})
        if changed is not None:
            client().put_item(TableName=table, Item=changed)
    return len(found)


def without(*names: str) -> Hand:
    """Take attributes away."""
    return lambda item: {name: value for name, value in item.items() if name not in names}


def having(**attributes: dict[str, Any]) -> Hand:
    """Give attributes."""
    return lambda item: item | attributes


def renamed(item: Item) -> Item:
    """Give an item's document another id, in the key and within."""
    name = item["qldb_document_id"]["S"] + "x"
    return item | {"pk": {"S": f"D#{name}"}, "qldb_document_id": {"S": name}}


@contextmanager
def table_of(blocks: Sequence[Block] = BLOCKS) -> Iterator[str]:
    """A new table that has blocks."""
    table = new_table()
    with opened(table) as sink:
        assert isinstance(sink, RepairableSink)
        fill(sink, blocks)
    yield table


def contents(table: str) -> dict[tuple[str, str], Item]:
    """Read all items of documents."""
    return {key: item for key, item in items(table).items() if key[0].startswith("D#")}


def settle(sink: Sink, source: FolderSource) -> ContentReport:
    """Repair as often as the command does."""
    for _ in range(3):
        _, _, left = repair(sink, source)
        if left.ok:
            break
    return left


@pytest.mark.parametrize(
    ("sort_key", "hand", "expected"),
    [
        ("CURRENT", lambda _: None, {"current_missing"}),
        ("CURRENT", having(name={"S": "x"}), {"current_altered"}),
        ("CURRENT", without("qldb_ion"), {"current_altered"}),
        ("CURRENT", renamed, {"current_missing", "current_extra"}),
        ("CURRENT", having(qldb_strand_id={"S": "another"}), {"current_missing"}),
        ("V#000000000000", having(qldb_ion={"B": b"no Ion"}), {"altered"}),
        ("V#000000000001", having(qldb_version={"N": "77"}), {"wrong_version"}),
        ("V#000000000001", having(qldb_version={"S": "one"}), {"wrong_version"}),
        ("V#", having(qldb_sequence_no={"N": "7.5"}), {"altered"}),
        ("V#", having(qldb_sequence_no={"N": "7"}), {"wrong_block"}),
        ("V#", having(qldb_strand_id={"S": "another"}), {"altered"}),
        ("V#", without("qldb_kind", "qldb_table"), {"altered"}),
        ("V#", lambda _: None, {"missing"}),
        ("0", having(qldb_revisions={"L": [{"S": "x"}, {"L": [{"S": "x"}]}]}), {"missing"}),
        ("0", without("qldb_revisions"), {"missing"}),
    ],
)
def test_changes_are_found_and_repaired(
    tmp_path: Path, sort_key: str, hand: Hand, expected: set[str]
) -> None:
    """Whatever was changed in many items, one repair puts it right, item by item."""
    source = source_of(tmp_path / "in", BLOCKS)
    with table_of() as table:
        whole = contents(table)
        assert by_hand(table, sort_key, hand)
        with opened(table) as sink:
            found, outcome, left = repair(sink, source)
        assert expected <= codes(found)
        assert outcome.blocks
        assert left.ok, left
        assert whole == contents(table)


@pytest.mark.parametrize("seed", range(3))
def test_any_damage_is_repaired(tmp_path: Path, seed: int) -> None:
    """Items of every kind lose attributes or go at random; the comparison agrees in the end."""
    source, choice = source_of(tmp_path / "in", BLOCKS), random.Random(seed)

    def damage(item: Item) -> Item | None:
        if choice.random() < 0.7:
            return item
        names = [name for name in sorted(item) if name not in ("pk", "sk")]
        return choice.choice([None, without(choice.choice(names))(item)])

    with table_of() as table:
        assert sum(by_hand(table, sort_key, damage) for sort_key in ("CURRENT", "V#", "0")) > 30
        with opened(table) as sink:
            left = settle(sink, source)
        assert left.ok, left


def test_the_command_repairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`diff` names what differs and ends with 1; with `--repair` it ends with 0."""
    source_of(tmp_path / "in", BLOCKS)
    with table_of() as table:
        by_hand(table, "CURRENT", lambda _: None)
        command = ["diff", str(tmp_path / "in"), "--with", f"dynamodb:{table}"]
        assert (1, 0, 0) == (main(command), main([*command, "--repair"]), main(command))
    assert "current_missing" in capsys.readouterr().out


def test_revisions_that_others_add_are_never_current(tmp_path: Path) -> None:
    """A newer version that no block names stands in no current item, and what was named goes."""
    source = source_of(tmp_path / "in", BLOCKS)
    with table_of() as table:
        whole = contents(table)
        keys = {"sk": {"S": "V#000000000999"}, "qldb_version": {"N": "999"}}
        (added, *_) = [item for (_, sk), item in sorted(whole.items()) if sk == "V#000000000000"]
        client().put_item(TableName=table, Item=added | keys)
        (at,) = [
            key
            for key, item in items(table).items()
            if item.get("qldb_sequence_no") == added["qldb_sequence_no"] and key[0].startswith("B#")
        ]
        named = {"L": [added["qldb_document_id"], {"N": "999"}]}
        block = items(table)[at]
        block["qldb_revisions"]["L"].append(named)
        by_hand(table, "CURRENT", lambda _: None)
        with opened(table) as sink:
            _, _, left = repair(sink, source)
            assert left.ok, left
            client().put_item(TableName=table, Item=block)
            for pk in (at[0], f"R#{STRAND}"):  # and what is none of the sink's
                strange = {"pk": {"S": pk}, "sk": {"S": f"{at[1]}#x"}}
                client().put_item(TableName=table, Item=block | strange)
            found, _, left = repair(sink, source)
        assert {"extra"} <= codes(found)
        assert left.ok, left
        assert whole == contents(table)


def test_what_was_redacted_stays_so(tmp_path: Path) -> None:
    """From copies with the data, and from those without, nothing that was erased comes back."""
    for name, blocks in (("whole", BLOCKS), ("erased", ERASED)):
        source = source_of(tmp_path / name, blocks)
        with table_of() as table:
            hidden = [item for item in contents(table).values() if _is_redacted(item)]
            assert hidden
            by_hand(table, "V#", without("qldb_hash"))
            by_hand(table, "0", lambda item: None if item["pk"]["S"][:1] == "R" else item)
            with opened(table) as sink:
                left = settle(sink, source)
            assert left.ok, left
            after = [item for item in contents(table).values() if _is_redacted(item)]
            assert hidden == after
            assert all("qldb_ion" not in item and "qldb_data" not in item for item in after)


def _is_redacted(item: Item) -> bool:
    return item.get("qldb_kind") == {"S": "redacted"}


def test_a_block_in_parts_is_repaired() -> None:
    """A block beyond a transaction of DynamoDB is written anew in parts."""
    story = Story(22)
    story.create_table("Cars")
    with story.transaction():
        for number in range(55):
            story.insert("Cars", {"number": number})
    blocks = story.blocks()
    with table_of(blocks) as table, opened(table) as sink:
        whole = contents(table)
        by_hand(table, "V#", lambda _: None)
        by_hand(table, "CURRENT", lambda _: None)
        sink.repair(blocks, 1)
        assert whole == contents(table)


def test_blocks_that_were_not_applied_are_passed_over() -> None:
    """Nothing is written of later blocks, of parked ones, or of strands that are not known."""
    last = position_at(BLOCKS[9])
    with opened(new_table()) as sink:
        sink.repair(BLOCKS, 1)
        sink.apply(BLOCKS[:8], attrs.evolve(last, parked=frozenset({8})), 1)
        sink.repair(BLOCKS[8:9], 1)
        sink.repair(BLOCKS[10:], 1)
        assert list(sink.expect(BLOCKS[:8])) == list(sink.history(STRAND, 0, 2**62))


def test_a_lower_token_repairs_nothing() -> None:
    """Who has lost the strand is told."""
    with opened(new_table()) as sink:
        sink.apply(BLOCKS[:5], position_at(BLOCKS[4]), 3)
        with pytest.raises(StaleTokenError):
            sink.repair(BLOCKS[:5], 2)


def test_what_is_refused_is_named_and_the_others_are_repaired() -> None:
    """A block that the table does not take stays as it is."""
    with table_of() as table, opened(table) as sink:
        whole = contents(table)
        by_hand(table, "V#", having(qldb_ion={"B": b"no Ion"}))
        bad = next(b for b in BLOCKS if b.revisions and b.revisions[0].metadata is not None)
        number = str(bad.address.sequence_no).encode()

        def answer(params: dict[str, Any], **_: Any) -> None:
            if b'"qldb_block_hash"' in params["body"] and _of_block(params["body"], number):
                raise ClientError({"Error": {"Code": "ValidationException"}}, "TransactWriteItems")

        events = sink._table._client.meta.events  # noqa: SLF001 - a third party's client answers
        events.register("before-call.dynamodb.TransactWriteItems", answer)
        with pytest.raises(SinkRefusedError) as caught:
            sink.repair(BLOCKS, 1)
        assert bad.address.sequence_no == caught.value.sequence_no
        wrong = {
            item["qldb_sequence_no"]["N"]
            for key, item in contents(table).items()
            if whole[key] != item
        }
        assert {number.decode()} == wrong


def _of_block(body: bytes, number: bytes) -> bool:
    return b'"sk": {"S": "' + number.zfill(19) + b'"}' in body
