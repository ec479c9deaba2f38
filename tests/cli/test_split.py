"""`qldb-stream replay` to an endpoint that takes less at once than the source's block holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from qldb_stream.clients import boto3_session
from qldb_stream.inbox import open_inbox
from qldb_stream.ledger import Ledger
from qldb_stream.server import Server
from qldb_stream.sources import open_source
from qldb_stream.testing import write_archive
from tests.cli.conftest import Run

COUNT = 60  # documents in one transaction; the endpoint is asked for at most 40 at once


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The sink: an empty ledger on a server."""
    (tmp_path / "ledgers").mkdir()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with Server(tmp_path / "ledgers") as server:
        client = boto3_session(region_name="us-east-1").client("qldb", endpoint_url=server.url)
        client.create_ledger(Name="copy", PermissionsMode="ALLOW_ALL")
        yield f"qldb:copy?endpoint={server.url}&split-blocks=yes"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A folder with a journal in which one block has very many documents."""
    with Ledger.open(tmp_path / "source.ledger") as ledger:
        driver = ledger.driver()
        driver.execute_lambda(lambda txn: txn.execute_statement("CREATE TABLE Things"))
        things = [{"n": number} for number in range(COUNT)]
        driver.execute_lambda(lambda txn: txn.execute_statement("INSERT INTO Things ?", things))
        write_archive(ledger.stream_records(), tmp_path / "large")
    return tmp_path / "large"


def test_what_was_not_atomic_is_told(run: Run, large: Path, url: str) -> None:
    """Programs learn which blocks could be seen half done, and of which sink; once."""
    as_json = run("replay", large, "--to", url, "--to", "memory:", "--json")
    again = run("replay", large, "--to", url)

    assert 0 == as_json.code, as_json.err
    found = as_json.json()
    (block,) = found["not_atomic"]
    assert block["strand_id"] == found["strands"][0]["strand_id"]
    assert [1, 0] == [len(sink["not_atomic"]) for sink in found["sinks"]]
    assert (0, False) == (again.code, "applied in parts" in again.out)


def test_people_are_told(run: Run, large: Path, url: str) -> None:
    """The block is named in a line of its own."""
    answer = run("replay", large, "--to", url)

    assert 0 == answer.code, answer.err
    assert "applied in parts, not atomically: block " in answer.out


def test_deliveries_from_an_inbox_tell_it_too(
    run: Run, large: Path, url: str, tmp_path: Path
) -> None:
    """`deliver` names the block once, in the object and for people; then there is nothing new."""
    inbox_path = str(tmp_path / "inbox")
    with closing(open_inbox(inbox_path)) as inbox:
        inbox.put(list(open_source([large]).items()), 1.0)
        inbox.register("somebody slow")  # so that nothing is trimmed
    deliver = ("deliver", inbox_path, "--to", url, "--start", "0")
    found = run(*deliver, "--json").json()
    again = run(*deliver, "--json").json()
    people = run("deliver", inbox_path, "--to", f"{url}&ids=any", "--start", "0")

    (strand,) = found["strands"]
    assert ["current"] == [strand["state"]]
    assert 1 == len(strand["not_atomic"])
    assert [[]] == [each["not_atomic"] for each in again["strands"]]
    assert people.code  # other rules for ids are refused: nothing of it was applied
    assert "not atomically" not in people.out
