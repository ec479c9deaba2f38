"""`qldb-stream inspect` prints what is in carriers, good and bad."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import attrs

from qldb_stream.events import Block, BlockSummary, TransactionInfo
from qldb_stream.ion import to_slice
from qldb_stream.ledger import Ledger
from qldb_stream.testing import JournalShape, make_export, make_journal, records, write_archive
from tests.cli.conftest import Run

JOURNAL = make_journal(3, blocks=40, shape=JournalShape(redactions=0.5, system=0.2))


def _write(tmp_path: Path) -> Path:
    write_archive(JOURNAL.iter_records(), tmp_path / "in")
    return tmp_path / "in"


def test_json_lines(run: Run, tmp_path: Path) -> None:
    """--json prints one object a line, one for each event, none of them with documents."""
    answer = run("inspect", _write(tmp_path), "--json")
    shown = [json.loads(line) for line in answer.out.splitlines()]
    types = Counter(line["type"] for line in shown)

    assert (0, "") == (answer.code, answer.err)
    assert (1, 40) == (types["CONTROL"], types["BLOCK_SUMMARY"])
    assert {"insert", "update", "delete"} <= {line.get("kind") for line in shown}
    assert any(line.get("redacts") for line in shown)
    assert not any("data" in line for line in shown)


def test_first_block(run: Run, tmp_path: Path) -> None:
    """A block summary says what its transaction ran, and when."""
    answer = run("inspect", _write(tmp_path), "--json")
    shown = [json.loads(line) for line in answer.out.splitlines()]
    block = next(line for line in shown if line["type"] == "BLOCK_SUMMARY")

    assert 0 == block["sequence_no"]
    assert JOURNAL.strand_id == block["strand_id"]
    assert block["statements"][0].startswith("CREATE TABLE ")
    assert block["block_timestamp"].endswith("Z")


def test_documents(run: Run, tmp_path: Path) -> None:
    """--data adds a revision's document as Ion text, and null where it has none."""
    answer = run("inspect", _write(tmp_path), "--data", "--json")
    shown = [json.loads(line) for line in answer.out.splitlines()]
    with_data = {line["kind"] for line in shown if line.get("data") is not None}
    without = {line["kind"] for line in shown if "data" in line and line["data"] is None}

    assert {"insert", "update"} <= with_data
    assert without <= {"delete", "redacted", "system"}


def test_lines_for_people(run: Run, tmp_path: Path) -> None:
    """People get a line for each event that begins with its type."""
    answer = run("inspect", _write(tmp_path), "--data")
    firsts = {line.split()[0] for line in answer.out.splitlines()}

    assert 0 == answer.code
    assert {"CONTROL", "BLOCK_SUMMARY", "REVISION_DETAILS"} == firsts


def test_a_line_without_statements(run: Run, tmp_path: Path) -> None:
    """A block without transactionInfo has no statements to show, and is shown."""
    journal = make_journal(3, blocks=40, shape=JournalShape(empty=0.5))
    blocks = [block for block in journal if block.summary.transaction_info is None]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    answer = run("inspect", tmp_path / "in", "--json")
    shown = [json.loads(line) for line in answer.out.splitlines()]

    assert len(blocks) >= 1
    assert [[]] * len(blocks) == [s["statements"] for s in shown if s["type"] == "BLOCK_SUMMARY"]


def test_damage(run: Run, tmp_path: Path) -> None:
    """Bytes that are no record are shown with their place, and the exit code is 1."""
    folder = _write(tmp_path)
    (folder / "zzz").write_bytes(b"neither Ion nor KPL")
    for options in ((), ("--json",)):
        answer = run("inspect", folder, *options)
        (line,) = [line for line in answer.out.splitlines() if "UNDECODABLE" in line]

        assert 1 == answer.code
        assert "zzz" in line


def test_nothing_readable(run: Run, tmp_path: Path) -> None:
    """Nothing readable at all is exit code 2, and one sentence."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    answer = run("inspect", tmp_path / "noise")

    assert 2 == answer.code
    assert answer.err.startswith("qldb-stream inspect: nothing readable in ")


def test_unreadable_transaction_info(run: Run, tmp_path: Path) -> None:
    """A block whose transactionInfo has no sound shape is still shown, without statements."""
    block = next(iter(JOURNAL))
    summary: BlockSummary = block.summary
    broken = TransactionInfo(to_slice({"statements": [{"statement": 1}]}))
    odd = Block(_with_info(summary, broken), block.revisions)
    write_archive(records(odd), tmp_path / "in")
    answer = run("inspect", tmp_path / "in", "--json")
    shown = [json.loads(line) for line in answer.out.splitlines()]

    assert [None] == [line["statements"] for line in shown if line["type"] == "BLOCK_SUMMARY"]
    assert 1 == answer.err.count("\n")


def _with_info(summary: BlockSummary, info: TransactionInfo) -> BlockSummary:
    return attrs.evolve(summary, transaction_info=info)


def test_statements_give_no_orders_to_a_terminal(run: Run, tmp_path: Path) -> None:
    """Control characters in a statement's text are printed escaped."""
    with Ledger.open(tmp_path / "source.ledger") as ledger:
        statement = "CREATE TABLE Things -- \x1b]0;owned\x07\x9b2J"
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement(statement))
        write_archive(ledger.stream_records(), tmp_path / "in")
    answer = run("inspect", tmp_path / "in")

    assert 0 == answer.code
    assert all(letter == "\n" or letter.isprintable() for letter in answer.out)
    assert r"CREATE TABLE Things -- \x1b]0;owned\x07\x9b2J" in answer.out


def test_what_an_export_lacks_is_a_line_of_its_own(run: Run, tmp_path: Path) -> None:
    """It is no damage of the manifest, which is read well."""
    made = make_export(make_journal(5, blocks=12), object_blocks=6)
    made.write(tmp_path, without=[made.keys[1]])
    answer = run("inspect", tmp_path)
    (line,) = [line for line in answer.out.splitlines() if "EXPORT_INCOMPLETE" in line]

    assert 1 == answer.code
    assert f"{tmp_path / made.manifest_key}:" in line
    assert line.endswith("it is not here; 6 of its 6 blocks are missing: 6-11")
    assert "UNDECODABLE" not in answer.out
