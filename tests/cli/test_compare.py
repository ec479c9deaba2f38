"""`qldb-stream compare` and `ids`: a destination beside its source."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from qldb_stream.testing import make_journal, records, write_archive
from tests.cli.conftest import Run


def test_an_altered_destination(run: Run, recorded: Path, source: Path, tmp_path: Path) -> None:
    """One altered destination document is named, and compare exits with 1."""
    destination = tmp_path / "destination.ledger"
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    with Ledger.open(destination) as ledger:
        (altered,) = ledger.driver().execute_lambda(
            lambda txn: [
                str(row["documentId"])
                for row in txn.execute_statement(
                    "UPDATE Person AS p SET p.FirstName = ? WHERE p.GovId = ?", "X", "ID000000"
                )
            ]
        )
    as_json = run("compare", source, destination, "--json")
    for_people = run("compare", source, destination)

    assert (1, False) == (as_json.code, as_json.json()["ok"])
    assert altered in {d["destination_id"] for d in as_json.json()["differences"]}
    assert 1 == for_people.code
    assert for_people.out.splitlines()[-1].startswith("not ok: source and destination do not agree")


def test_a_dropped_table(run: Run, recorded: Path, source: Path, tmp_path: Path) -> None:
    """A table that somebody dropped in the destination is named, and compare exits with 1."""
    destination = tmp_path / "destination.ledger"
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    with Ledger.open(destination) as ledger:
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement("DROP TABLE Person"))
    as_json = run("compare", source, destination, "--json")
    for_people = run("compare", source, destination)

    assert (1, False) == (as_json.code, as_json.json()["ok"])
    assert [("the table is missing, with its documents", "Person")] == [
        (found["what"], found["table"]) for found in as_json.json()["differences"]
    ]
    assert 1 == for_people.code
    assert "Person" in for_people.out


def test_compare_with_records(run: Run, recorded: Path, tmp_path: Path) -> None:
    """A destination can be compared with the very records that were replayed into it."""
    destination = tmp_path / "destination.ledger"
    replayed = run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any", "--json")
    as_json = run("compare", recorded, destination, "--json")
    for_people = run("compare", recorded, destination)

    assert (0, True, 0) == (as_json.code, as_json.json()["ok"], for_people.code)
    assert replayed.json()["applied"] == as_json.json()["blocks"]
    assert "document by document" in for_people.out.splitlines()[-1]


def test_compare_with_damaged_records(run: Run, recorded: Path, tmp_path: Path) -> None:
    """Records that do not verify are not what a destination can agree with."""
    destination = tmp_path / "destination.ledger"
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    (recorded / "zzz").write_bytes(b"neither Ion nor KPL")
    as_json = run("compare", recorded, destination, "--json")
    for_people = run("compare", recorded, destination)

    assert (1, False, []) == (as_json.code, as_json.json()["ok"], as_json.json()["differences"])
    assert ["UNDECODABLE"] == [p["code"] for p in as_json.json()["source"]["problems"]]
    assert 1 == for_people.code
    assert "UNDECODABLE" in for_people.out
    assert "not ok: the source does not verify: 1 problem" == for_people.out.splitlines()[-1]


def test_compare_with_nothing(run: Run, recorded: Path, tmp_path: Path) -> None:
    """A source in which nothing is readable is exit code 2."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    run("replay", recorded, "--to", f"ledger:{tmp_path / 'destination.ledger'}", "--json")
    answer = run("compare", tmp_path / "noise", tmp_path / "destination.ledger")

    assert 2 == answer.code
    assert "nothing readable" in answer.err


def test_ids(run: Run, recorded: Path, tmp_path: Path) -> None:
    """The ids of source documents lead to their documents in the destination."""
    destination = tmp_path / "destination.ledger"
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    lines = run("inspect", recorded, "--json").out.splitlines()
    ids = [s["document_id"] for line in lines if (s := json.loads(line)).get("kind") == "insert"]
    known = run("ids", destination, *ids[:2], "--json")
    unknown = run("ids", destination, ids[0], "0" * 22, "--json")

    assert (0, True) == (known.code, known.json()["ok"])
    assert ids[:2] == [row["source_id"] for row in known.json()["ids"]]
    assert all(len(row["destination_id"]) == 22 for row in known.json()["ids"])
    assert (1, ["0" * 22]) == (unknown.code, unknown.json()["unknown"])
    assert f"unknown here: {'0' * 22}" in run("ids", destination, "0" * 22).out
    assert ids[0] in run("ids", destination, ids[0]).out


def test_compare_behind_a_declared_gap(run: Run, tmp_path: Path) -> None:
    """A gap that was declared once is known: a second replay and compare both cross it."""
    journal = list(make_journal(5, blocks=3))
    blocks = [b for b in journal if b.address.sequence_no != 1]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    destination = tmp_path / "destination.ledger"
    gap = ("--accept-gap", f"{blocks[0].address.strand_id}:1-1", "--reason", "lost")
    arguments = ("replay", tmp_path / "in", "--to", f"ledger:{destination}?base=insert", "--json")
    first = run(*arguments, *gap)
    second = run(*arguments)
    compared = run("compare", tmp_path / "in", destination, "--json")

    assert (0, 2) == (first.code, first.json()["applied"])
    assert (0, 2) == (second.code, second.json()["skipped"])
    assert (0, 2) == (compared.code, compared.json()["blocks"])


def _tamper(path: Path, statement: str) -> None:
    """Change a ledger's file behind its back."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("side", ["source", "destination"])
@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("UPDATE revision SET hash = zeroblob(32) WHERE no = 5", "REVISION_HASH"),
        ("UPDATE revision SET tx_time_ms = 7 WHERE no = 5", "REVISION_HASH"),
        # A journal written anew cannot be made with SQL; that it is another one shows here.
        ("UPDATE block SET nodes = zeroblob(length(nodes))", "DIGEST"),
    ],
)
def test_comparing_verifies_both_ledgers(
    run: Run, source: Path, recorded: Path, side: str, edit: str, code: str
) -> None:
    """What the hashes of either ledger deny is told with block and side, and is no success."""
    destination = source.with_name("destination.ledger")
    run("replay", recorded, "--to", f"ledger:{destination}", "--ids", "any")
    _tamper(source if side == "source" else destination, edit)

    answer = run("compare", source, destination, "--json")
    told = answer.json()
    people = run("compare", source, destination)

    assert (1, 1, False) == (answer.code, people.code, told["ok"])
    other = "destination" if side == "source" else "source"
    assert (False, True) == (told[side]["ok"], told[other]["ok"])
    assert code in [problem["code"] for problem in told[side]["problems"]]
    assert all(problem["sequence_no"] is not None for problem in told[side]["problems"])
    assert f"the {side} does not verify" in people.out
    assert f"Problems of the {side}" in people.out


def test_comparing_names_a_damaged_block(run: Run, source: Path, tmp_path: Path) -> None:
    """A block whose bytes are no block's is a file that cannot be read: named, exit code 2."""
    destination = tmp_path / "mirror.ledger"
    with Ledger.open(source) as ledger:
        write_archive(ledger.stream_records(), tmp_path / "whole")
    run("replay", tmp_path / "whole", "--to", f"ledger:{destination}?mode=mirror")
    _tamper(destination, "UPDATE block SET summary = (SELECT summary FROM block LIMIT 1)")

    answer = run("compare", source, destination)

    assert 2 == answer.code
    assert f"ledger {destination}: block 1 is damaged" in answer.err
