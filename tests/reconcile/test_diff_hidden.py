"""What a filter masked or withheld in a sink is never written there in clear by a repair."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.errors import UsageError
from qldb_stream.events import Block
from qldb_stream.filters import Filter, parse_filter
from qldb_stream.pipeline import FixedToken, Pipeline
from qldb_stream.plugins import open_sink
from qldb_stream.reconcile import SinkDiff
from qldb_stream.reconcile._diff_rules import Verified
from qldb_stream.sinks.dynamodb._read import stored_revision as read_item
from qldb_stream.sinks.opensearch._read import stored_revision as read_document
from qldb_stream.testing import Story
from tests.reconcile.contents import by_hand, codes, position_at, source_of

SECRET = "Govt-No-5550123"
MASKED = "UPDATE person_history SET qldb_masked = ?"


def people() -> Sequence[Block]:
    """Give a journal of two people, one of whom a condition does not admit."""
    story = Story(21)
    story.create_table("Person")
    shown = story.insert("Person", {"GovId": SECRET, "Address": {"Street": SECRET}, "Age": 40})
    story.insert("Person", {"GovId": SECRET, "Age": 12})
    story.update(shown, {"GovId": SECRET, "Address": {"Street": SECRET}, "Age": 41})
    story.insert("Person", {"Age": 50})
    return story.blocks()


def rules(**more: Any) -> Filter:
    """Give what hides the secret."""
    masks = {"GovId": "hash", "Address.Street": "drop"}
    given = {"mask": {"Person": masks}, "where": {"Person": "Age > 18"}} | more
    return parse_filter(given, salt=b"s" * 16)


def mask(text: str, db: sqlite3.Connection) -> None:
    """Say something in the place of masks."""
    db.execute(MASKED, (text,))


def is_clear(folder: Path) -> bool:
    """Say whether a file of a folder has the secret."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return any(SECRET.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize("scheme", ["sqlite", "parquet", "memory"])
@pytest.mark.parametrize(
    ("compared_with", "expected"),
    [
        (None, {"masked", "withheld", "current_masked"}),
        (rules(where={}), {"withheld"}),
        (rules(mask={"Person": {"GovId": "hash"}}), {"masked", "current_masked"}),
        (rules(mask={"Person": {"GovId": "hash", "Address": "drop"}}), {"altered"}),
    ],
)
def test_what_is_hidden_in_the_sink_is_not_repaired(
    tmp_path: Path, scheme: str, compared_with: Filter | None, expected: set[str]
) -> None:
    """Without the filter of the delivery there is no plan, and a repair is refused."""
    source = source_of(tmp_path / "in", people())
    place = tmp_path / "out"
    place.mkdir()
    url = "memory:" if scheme == "memory" else f"{scheme}:{place / 'sink'}"
    apply = None if compared_with is None else compared_with.apply
    with closing(open_sink(url)) as sink:
        Pipeline(sink, filter=rules()).run(source)
        with SinkDiff(sink, source, filter=apply) as work:
            report = work.compare()
            is_hidden = expected != {"altered"}
            if is_hidden:
                assert () == report.strands[0].plan
                with pytest.raises(UsageError, match="give the filter"):
                    work.repair(report, FixedToken(0))
            else:  # what hides more may be written
                work.repair(report, FixedToken(0))
        with SinkDiff(sink, source, filter=rules().apply) as work:
            right = work.compare()

    assert not report.ok
    assert expected <= codes(report), report
    assert is_hidden == bool(report.strands[0].hidden)
    assert is_hidden == right.ok
    assert is_hidden != bool(right.strands[0].hidden)
    assert not is_clear(place)


def test_a_plan_of_ones_own_is_looked_at_again(tmp_path: Path) -> None:
    """Whoever names blocks by hand, or has compared with another filter, reveals nothing."""
    blocks = people()
    source = source_of(tmp_path / "in", blocks)
    place = tmp_path / "out"
    place.mkdir()
    with closing(open_sink(f"sqlite:{place / 'x'}")) as sink:
        Pipeline(sink, filter=rules()).run(source)
        verified = {blocks[0].address.strand_id: Verified(position_at(blocks[-1]))}
        with SinkDiff(sink, source, verified=verified) as work:
            report = work.compare()
        last = blocks[-1].address.sequence_no
        strand = attrs.evolve(report.strands[0], plan=((0, last),), hidden=0)
        with SinkDiff(sink, source) as work:
            work.compare()
            with pytest.raises(UsageError, match="written in clear"):
                work.repair(attrs.evolve(report, strands=(strand,)), FixedToken(0))

    assert not is_clear(place)


def test_masks_that_nobody_can_read_count_as_masks(tmp_path: Path) -> None:
    """What stands in `qldb_masked` and is no list of paths is not taken for nothing."""
    source = source_of(tmp_path / "in", people())
    path = tmp_path / "x.db"
    for damage in ("no JSON", '{"a": 1}'):
        with closing(open_sink(f"sqlite:{path}")) as sink:
            Pipeline(sink).run(source)
            by_hand(path, partial(mask, damage))
            with SinkDiff(sink, source) as work:
                report = work.compare()

        assert {"masked"} == codes(report)
        assert ("data.?",) == report.differences[0].fields


@pytest.mark.parametrize(
    ("item", "document", "expected"),
    [
        ({}, {}, ()),
        ({"qldb_masked": {"L": [{"S": "a.b"}]}}, {"masked": ["a.b"]}, ("a.b",)),
        ({"qldb_masked": {"N": "5"}}, {"masked": 5}, ("?",)),
    ],
)
def test_items_and_documents_tell_their_masks(
    item: dict[str, Any], document: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """Tables of DynamoDB and indices of OpenSearch keep the paths, and may be written by others."""
    assert expected == read_item({"sk": {"S": "V#0"}} | item).masked
    assert expected == read_document({"qldb": document}).masked
