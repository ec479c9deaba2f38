"""`opensearch+http:`: what stands in the indices, what is newer stays, what is refused."""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from opensearchpy import OpenSearch

from qldb_stream.errors import (
    SinkRefusedError,
    SinkUnavailableError,
    StaleTokenError,
    UsageError,
)
from qldb_stream.events import Block, RevisionKind
from qldb_stream.ion import to_slice
from qldb_stream.plugins import open_sink
from qldb_stream.report import Position
from qldb_stream.sinks.opensearch._sink import OpenSearchSink
from qldb_stream.testing import Story
from qldb_stream.typing import ErasingSink, ReadableSink
from tests.reconcile.contents import BLOCKS, ERASED, STRAND, codes, compare, fill, source_of

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sinks-search.md"
NUMBERS = itertools.count()
(REDACTING, *_) = [n for n, block in enumerate(BLOCKS) if block.summary.redaction_info]


@pytest.fixture
def client(opensearch_url: str) -> Iterator[Any]:
    """A client that looks behind the sink."""
    made = OpenSearch(hosts=[opensearch_url])
    yield made
    made.close()


@pytest.fixture
def prefix() -> str:
    """What the indices of this test begin with."""
    return f"t{os.getpid()}-{next(NUMBERS)}"


@pytest.fixture
def url(opensearch_url: str, prefix: str) -> str:
    """The URL of a sink of this test's own."""
    return f"opensearch+{opensearch_url}/{prefix}"


@contextmanager
def opened(url: str, **options: str) -> Iterator[OpenSearchSink]:
    """A sink that is closed afterwards."""
    sink = open_sink(url, **options)
    assert isinstance(sink, OpenSearchSink)
    try:
        yield sink
    finally:
        sink.close()


def position_at(block: Block) -> Position:
    """Give the position that a block leads to."""
    return Position(block.address.strand_id, -1, b"", start=0).at(block)


def deliver(sink: OpenSearchSink, blocks: Sequence[Block], token: int = 1) -> None:
    """Apply blocks in one run."""
    assert position_at(blocks[-1]) == sink.apply(blocks, position_at(blocks[-1]), token)


def cars(*documents: Any) -> list[Block]:
    """Tell of documents that are inserted into one table, one a block."""
    story = Story(31)
    story.create_table("Cars")
    for document in documents:
        story.insert("Cars", document)
    return story.blocks()


def hits(client: Any, index: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Search, and give what the documents say."""
    client.indices.refresh(index=index)
    found = client.search(index=index, body={"query": query, "size": 100})["hits"]["hits"]
    return [hit["_source"] for hit in found]


# --- what stands in the indices ------------------------------------------------------------


def test_documents_can_be_searched_by_their_fields(url: str, prefix: str, client: Any) -> None:
    """The alias of a table shows living documents; the history has every revision."""
    story = Story(32)
    story.create_table("Cars")
    car = story.insert("Cars", {"vin": "A", "color": "red"})
    story.update(car, {"vin": "A", "color": "green"})
    gone = story.insert("Cars", {"vin": "B", "color": "green"})
    story.delete(gone)
    with opened(url, refresh="wait") as sink:
        deliver(sink, story.blocks())
        assert 4 == sink.summary().documents
    (found,) = hits(client, f"{prefix}-cars", {"match": {"document.color": "green"}})
    tombstone = client.get(index=f"{prefix}-qldb-current-cars", id=gone)["_source"]

    assert (car, 1, True) == tuple(found["qldb"][n] for n in ("document_id", "version", "living"))
    assert {"vin": "A", "color": "green"} == found["document"]
    assert ("delete", False) == (tombstone["qldb"]["kind"], tombstone["qldb"]["living"])
    assert "document" not in tombstone
    assert 4 == len(hits(client, f"{prefix}-qldb-history", {"term": {"qldb.table": "Cars"}}))


def test_a_document_that_does_not_fit_the_mapping_is_kept_unindexed(
    url: str, prefix: str, client: Any
) -> None:
    """The first document makes the mapping; one of another shape is there, and not searched."""
    blocks = cars({"vin": "A"}, {"vin": {"a": "b"}}, {"vin": "C", "": 1}, {"vin": "D"})
    with opened(url) as sink:
        deliver(sink, blocks)
        strand_id = blocks[0].address.strand_id
        assert list(sink.expect(blocks)) == list(sink.history(strand_id, 0, 9))
        assert {str(r.data) for r in sink.history(strand_id, 0, 9)} == {
            str(r.data) for r in sink.current(strand_id)
        }
    everything = hits(client, f"{prefix}-cars", {"match_all": {}})
    kept = [source["unindexed"]["document"] for source in everything if "unindexed" in source]

    assert [{"vin": "C", "": 1}, {"vin": {"a": "b"}}] == sorted(kept, key=str)
    assert 4 == len(everything)


def test_a_document_that_is_no_struct_is_kept_unindexed(url: str, prefix: str, client: Any) -> None:
    """QLDB takes structs only; a journal may say otherwise."""
    blocks = cars({"vin": "A"})
    (revision,) = blocks[1].revisions
    odd = attrs.evolve(revision, data_ion=to_slice([1, 2]))
    with opened(url) as sink:
        deliver(sink, [blocks[0], attrs.evolve(blocks[1], revisions=(odd,))])
    (found,) = hits(client, f"{prefix}-cars", {"match_all": {}})
    assert {"document": [1, 2]} == found["unindexed"]


def test_a_table_may_be_called_as_it_likes(url: str, prefix: str, client: Any) -> None:
    """No table's alias is one of the sink's own indices; names that differ in case share one."""
    story = Story(33)
    for name in ("history", "position", "CARS", "Cars"):
        story.create_table(name)
        story.insert(name, {"of": name})
    with opened(url) as sink:
        deliver(sink, story.blocks())
        assert 4 == len(list(sink.current(story.strand_id)))
    both = hits(client, f"{prefix}-cars", {"match_all": {}})
    assert {"CARS", "Cars"} == {source["qldb"]["table"] for source in both}


def test_a_template_of_the_owner_is_left_alone(url: str, prefix: str, client: Any) -> None:
    """Who wants other mappings makes the template before."""
    index = f"{prefix}-qldb-current-cars"
    mappings = {"properties": {"document": {"properties": {"vin": {"type": "keyword"}}}}}
    template = {"index_patterns": [index], "priority": 100, "template": {"mappings": mappings}}
    client.indices.put_index_template(name=index, body=template)
    with opened(url) as sink:
        deliver(sink, cars({"vin": "A"}))
    found = client.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert "keyword" == found["document"]["properties"]["vin"]["type"]


def test_everything_is_documented(url: str, prefix: str, client: Any) -> None:
    """The page names each field of the proof, and every option."""
    with opened(url) as sink:
        deliver(sink, BLOCKS)
    text = PAGE.read_text(encoding="utf-8")
    sources = hits(client, f"{prefix}-qldb-*", {"match_all": {}})
    names = {name for source in sources for name in source.get("qldb", ())}
    assert {"strand_id", "living"} < names
    assert [] == sorted(name for name in names if f"`{name}`" not in text)
    assert [] == [name for name in ("auth", "region", "ca", "refresh") if f"`{name}`" not in text]


# --- what is newer stays -------------------------------------------------------------------


def test_repeats_and_old_workers_change_nothing(url: str) -> None:
    """Whoever writes old blocks again, by any token, finds what is newer in its place."""
    with opened(url) as sink:
        deliver(sink, BLOCKS, token=2)
        before = [*sink.history(STRAND, 0, 99), *sink.current(STRAND)]
        assert BLOCKS[-1].address.sequence_no == sink.position(STRAND).sequence_no  # type: ignore[union-attr]  # it is there
        with pytest.raises(StaleTokenError):
            sink.apply(BLOCKS[:9], position_at(BLOCKS[8]), 1)
        for first in range(0, 60, 7):  # as a worker does that had looked before
            sink._write(BLOCKS[first : first + 7])  # noqa: SLF001 - past the look at the token
        assert before == [*sink.history(STRAND, 0, 99), *sink.current(STRAND)]


def test_two_with_one_token_find_out(url: str) -> None:
    """The position is written by one of them; the very same write twice is no conflict."""
    with opened(url) as sink:
        deliver(sink, BLOCKS[:5])
        stale = sink._current(STRAND, 1)  # noqa: SLF001 - what a slow worker has read
        deliver(sink, BLOCKS[:9])
        sink._move(stale, position_at(BLOCKS[8]), 1)  # noqa: SLF001 - its answer was lost
        with pytest.raises(SinkUnavailableError, match="another worker"):
            sink._move(stale, position_at(BLOCKS[6]), 1)  # noqa: SLF001 - an old run of its own
        with pytest.raises(StaleTokenError):
            sink._move(stale, position_at(BLOCKS[6]), 0)  # noqa: SLF001 - as above


# --- redactions ----------------------------------------------------------------------------


def test_it_erases_and_can_be_read(url: str) -> None:
    """Copies that come redacted later take the data out; both hashes stay."""
    whole, copies = BLOCKS[:REDACTING], ERASED[:REDACTING]
    with opened(url) as sink:
        assert isinstance(sink, ErasingSink)
        assert isinstance(sink, ReadableSink)
        fill(sink, whole)
        for _ in range(2):
            sink.erase(copies, 1)
            assert list(sink.expect(copies)) == list(sink.history(STRAND, 0, 2**62))
        hidden = [r for r in sink.history(STRAND, 0, 2**62) if r.kind is RevisionKind.REDACTED]
    assert hidden
    assert all(r.data is None and r.data_hash is not None for r in hidden)


def test_a_current_document_can_be_erased(url: str) -> None:
    """A copy may come redacted before the block that follows it: the current one goes too."""
    story = Story(34)
    story.create_table("Cars")
    car = story.insert("Cars", {"vin": "secret"})
    first = story.blocks()
    story.update(car, {"vin": "B"})
    story.redact(car, 0)
    copies = story.blocks(erased=True)
    with opened(url) as sink:
        deliver(sink, first)
        sink.erase(copies[:2], 1)
        (current,) = sink.current(story.strand_id)
        assert (RevisionKind.REDACTED, None) == (current.kind, current.data)
        deliver(sink, story.blocks())
        (current,) = sink.current(story.strand_id)
        assert {"vin": "B"} == current.data


def test_a_parked_block_that_was_redacted_since_comes_without_its_data(url: str) -> None:
    """A block that is applied after its redaction never shows what was redacted."""
    info = BLOCKS[REDACTING].summary.redaction_info
    assert info is not None
    (redacted,) = info.revisions
    number = redacted.block_address.sequence_no
    last = position_at(BLOCKS[-1])
    with opened(url) as sink:
        deliver(sink, BLOCKS[:number])
        sink.apply(BLOCKS[number + 1 :], attrs.evolve(last, parked=frozenset({number})), 1)
        assert [] == list(sink.history(STRAND, number, number))
        sink.apply([BLOCKS[number]], last, 1)
        found = list(sink.history(STRAND, number, number))
        assert found == list(sink.expect([BLOCKS[number]]))
    hidden = [r.document_id for r in found if r.kind is RevisionKind.REDACTED and not r.data]
    assert redacted.document_id in hidden


# --- diff ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "change", "expected"),
    [
        ("current-customers", None, "current_missing"),
        ("current-customers", {"document": {"name": "x"}}, "current_altered"),
        ("history", {"document": {"name": "x"}}, "altered"),
        ("history", {"ion": "bm8gSW9u"}, "altered"),
        ("history", {"qldb": {"hash": "no hex"}}, "altered"),
        ("history", None, "missing"),
    ],
)
def test_changes_by_others_are_found(
    tmp_path: Path, url: str, prefix: str, client: Any, index: str, change: Any, expected: str
) -> None:
    """`diff` names what was deleted or altered behind the sink's back."""
    source, name = source_of(tmp_path / "in"), f"{prefix}-qldb-{index}"
    with opened(url) as sink:
        fill(sink, BLOCKS)
        assert compare(sink, source).ok
        client.indices.refresh(index=name)
        query = {"query": {"exists": {"field": "qldb.strand_id"}}, "size": 100}
        for hit in client.search(index=name, body=query)["hits"]["hits"]:
            if change is None:
                client.delete(index=name, id=hit["_id"])
            elif "ion" in hit["_source"]:
                client.update(index=name, id=hit["_id"], body={"doc": change})
        assert expected in codes(compare(sink, source))


# --- refusals and errors -------------------------------------------------------------------


def test_what_a_strict_mapping_refuses_is_named(url: str, prefix: str, client: Any) -> None:
    """What stands before it is applied; the message quotes nothing of the document."""
    index = f"{prefix}-qldb-history"
    client.indices.create(
        index=index,
        body={"mappings": {"dynamic": "strict", "properties": {"qldb": {"type": "object"}}}},
    )
    blocks = cars({"vin": "secret"}, {"vin": "B"})
    with opened(url) as sink:
        reached = sink.apply(blocks, position_at(blocks[-1]), 1)
        assert 0 == reached.sequence_no
        with pytest.raises(SinkRefusedError, match="does not fit into the index") as info:
            sink.apply(blocks[1:], position_at(blocks[-1]), 1)
        assert (1, reached) == (info.value.sequence_no, sink.position(reached.strand_id))
        assert "secret" not in str(info.value)


def test_an_index_of_a_later_format_is_refused(url: str, prefix: str, client: Any) -> None:
    """It is never guessed at."""
    client.index(index=f"{prefix}-qldb-position", id=STRAND, body={"format": 2})
    with opened(url) as sink, pytest.raises(UsageError, match="format is 2"):
        sink.position(STRAND)


def test_a_server_that_is_away_is_unavailable() -> None:
    """It may be tried again."""
    with (
        opened("opensearch+http://127.0.0.1:9/cars") as sink,
        pytest.raises(SinkUnavailableError, match="no answer"),
    ):
        sink.position(STRAND)


def test_no_document_gets_into_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client logs bodies at level DEBUG; ours does not."""
    caplog.set_level(logging.DEBUG)
    with opened(url) as sink:
        deliver(sink, cars({"vin": "a secret"}, {"vin": {"a": "secret"}}))
        list(sink.history(STRAND, 0, 9))
        list(sink.current(cars({})[0].address.strand_id))
    assert "POST" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("opensearch+http:cars", "opensearch+http://HOST:PORT/PREFIX"),
        ("opensearch+https:///cars", "opensearch+https://HOST:PORT/PREFIX"),
        ("opensearch+https://search.example:99999/cars", "port"),
        ("opensearch+https://search.example/", "begin with 1 to 60"),
        ("opensearch+https://search.example/Cars", "begin with 1 to 60"),
        ("opensearch+http://search.example/cars", "this machine only"),
        ("opensearch+https://me:secret@search.example/cars", "QLDB_STREAM_OPENSEARCH_USER"),
        ("opensearch+https://search.example/cars?auth=basic", "QLDB_STREAM_OPENSEARCH_PASSWORD"),
        ("opensearch+https://search.example/cars?auth=magic", "basic, sigv4, none"),
        ("opensearch+https://search.example/cars?ca=/nowhere.pem", "/nowhere.pem"),
    ],
)
def test_what_makes_no_sense_is_refused(url: str, problem: str) -> None:
    """Before anything is sent, and without the password."""
    with pytest.raises(UsageError, match=re.escape(problem)) as info:
        open_sink(url)
    assert "secret" not in str(info.value)


def test_half_a_credential_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a password is a mistake, not nobody."""
    monkeypatch.setenv("QLDB_STREAM_OPENSEARCH_USER", "me")
    with pytest.raises(UsageError, match="needs both"):
        open_sink("opensearch+https://search.example/cars")
    open_sink("opensearch+https://search.example/cars?auth=none").close()


def test_signing_needs_credentials_and_a_region(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are boto3's."""
    open_sink("opensearch+https://search.example/cars?auth=sigv4&region=eu-west-1").close()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="no region"):
        open_sink("opensearch+https://search.example/cars?auth=sigv4")


def test_documents_keep_every_digit(url: str, prefix: str, client: Any) -> None:
    """Numbers go as they are written; what a double cannot hold stands in the text all the same."""
    blocks = cars({"n": 9007199254740993})
    with opened(url) as sink:
        deliver(sink, blocks)
    (found,) = hits(client, f"{prefix}-cars", {"term": {"document.n": 9007199254740993}})
    assert '"n": 9007199254740993' in json.dumps(found["document"])
