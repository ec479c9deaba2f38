"""docs/inbox-dynamodb.md: what calls cost, which permissions they need, its code and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from qldb_stream.cli import main
from qldb_stream.inbox.dynamodb import create_table
from qldb_stream.inbox.dynamodb._name import _OPTIONS
from qldb_stream.parsers.record import parse_record
from qldb_stream.report import Position
from qldb_stream.testing import make_journal, write_archive
from tests.inbox.dynamodb.faults import Faults, open_table
from tests.inbox.dynamodb.test_crashes import ASKED, METHODS, fill

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "inbox-dynamodb.md").read_text("utf-8")
JOURNAL = make_journal(3, blocks=60)
RECORDS = [parse_record(record) for record in JOURNAL.iter_records()][:99]
STRAND = JOURNAL.strand_id

# What IAM calls some operations: https://docs.aws.amazon.com/service-authorization/
ACTIONS = {
    "TransactWriteItems": ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"],
    "DeleteObject": ["DeleteObjectVersion"],
    "ListObjectVersions": ["ListBucketVersions"],
}


def fenced(language: str) -> str:
    """The page's block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_requests(dynamodb: str, table: str, faults: Faults) -> None:
    """Each call makes as many requests as the page says."""
    inbox = open_table(dynamodb, table)
    inbox.store_position("a", Position(STRAND, -1, bytes(32)), 1)

    def cost(call: Callable[[], object]) -> int:
        before = faults.calls()
        call()
        return faults.calls() - before

    lease = inbox.lease("b", 9.0, 1.0)
    assert lease is not None
    found = {
        "`put` of 99 records of a strand": cost(lambda: inbox.put(RECORDS, 1.0)),
        "the same again": cost(lambda: inbox.put(RECORDS, 1.0)),
        "`block`, `arrivals`, `strands`, `position`": cost(lambda: inbox.block(STRAND, 0)),
        "`waiting`": cost(lambda: inbox.waiting(STRAND)),
        "`lease`": cost(lambda: inbox.lease("a", 9.0, 1.0)),
        "`renew`, `release`": cost(lambda: inbox.renew(lease, 9.0, 1.0)),
        "`trim` of nothing": cost(lambda: inbox.trim(STRAND)),
        "`store_position`": cost(lambda: inbox.store_position("a", _end(), 1)),
        "`trim` of 99 records": cost(lambda: inbox.trim(STRAND)),
    }
    assert [1, 1, 1] == [
        cost(lambda: inbox.arrivals(STRAND)),
        cost(lambda: inbox.position("a", STRAND)),
        cost(lambda: inbox.release(lease, strand_id=STRAND, arrivals=9)),
    ]
    inbox.close()

    assert found == {
        name: int(number)
        for name, number in re.findall(r"^\| (.+) \| (\d+) \|$", TEXT, re.MULTILINE)
    }


def _end() -> Position:
    return Position(STRAND, 99, bytes(32))


def test_permissions(dynamodb: str, table: str, bucket: str, faults: Faults) -> None:
    """The calls that all methods make are those that the page asks for, no more and no less."""
    create_table(f"{table}-made", endpoint_url=dynamodb)
    inbox = open_table(dynamodb, table, bucket=bucket)
    fill(inbox)
    lease = inbox.lease("a", 9.0, 1.0)
    assert lease is not None
    inbox.release(lease, strand_id=STRAND, arrivals=9)
    inbox.block(*_where())
    inbox.unpark("a", *_where())
    inbox.erase([ASKED])
    for method in METHODS.values():
        method(inbox)
    inbox.close()
    used = {action for name in faults.counts for action in ACTIONS.get(name, [name])}

    listed = set(re.findall(r"`(?:dynamodb|s3):(\w+)`", TEXT.split("## Permissions")[1]))
    assert used | {"ListBucket"} == listed


def _where() -> tuple[str, int]:
    return ASKED.block_address.strand_id, ASKED.block_address.sequence_no


def test_options() -> None:
    """The table of options names every option."""
    section = TEXT.split("| option | what |")[1].split("```")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)

    assert set(_OPTIONS) == {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_code(
    dynamodb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's code runs."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", dynamodb)
    exec(compile(fenced("python"), "docs/inbox-dynamodb.md", "exec"), {})  # noqa: S102 - our own text

    assert make_journal(1, blocks=3).strand_id in capsys.readouterr().out


def test_commands(
    dynamodb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The page's commands run, and deliver what waits."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", dynamodb)
    monkeypatch.chdir(tmp_path)
    write_archive(JOURNAL.iter_records(), tmp_path / "archive")
    assert 0 != main(["status", "dynamodb:qldb-inbox?create=yes"])
    assert "no such table" in capsys.readouterr().err
    for line in fenced("sh").splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert ("qldb-stream", 0) == (program, main(arguments))
    assert "jsonl:copy.jsonl" in capsys.readouterr().out


def test_delivering_what_waits(
    dynamodb: str, tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`deliver` takes blocks out of the table, and trims what its sink has."""
    monkeypatch.chdir(tmp_path)
    inbox = open_table(dynamodb, table)
    inbox.put(RECORDS, 1.0)
    name = f"dynamodb:{table}?endpoint_url={dynamodb}"
    assert 0 == main(["deliver", name, "--to", "jsonl:copy.jsonl", "--start", "0"])
    (strand,) = inbox.status().strands
    inbox.close()

    assert 0 == strand.records
    assert b"POSITION" in Path("copy.jsonl").read_bytes()
