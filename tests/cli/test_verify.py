"""`qldb-stream verify` on whole, damaged and unreadable journals."""

from __future__ import annotations

import base64
import json
import re
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.cli._output import print_verification
from qldb_stream.hashing import merkle_root
from qldb_stream.ion import load_slice
from qldb_stream.ledger import Ledger
from qldb_stream.report import VerifyReport
from qldb_stream.testing import (
    edit_field,
    make_delivery,
    make_export,
    make_journal,
    records,
    write_archive,
)
from tests.cli.conftest import Run

JOURNAL = make_journal(5, blocks=12)


def test_a_whole_journal(run: Run, archive: Path) -> None:
    """A journal that is whole is ok, with its strand's digest, and exit code 0."""
    answer = run("verify", archive, "--json")
    said = answer.json()

    assert (0, "") == (answer.code, answer.err)
    assert (True, 12, []) == (said["ok"], said["blocks"], said["problems"])
    assert [
        {
            "strand_id": JOURNAL.strand_id,
            "first": 0,
            "last": 11,
            "missing": [],
            "digest": base64.b64encode(JOURNAL.digest()).decode(),
        },
    ] == said["strands"]
    assert {
        "version",
        "ok",
        "level",
        "blocks",
        "revisions",
        "redacted",
        "not_checkable",
        "unchecked",
        "strands",
        "problems",
        "rebuilt",
        "digests",
        "proves",
        "limits",
    } == said.keys()


def test_a_whole_journal_for_people(run: Run, archive: Path) -> None:
    """People get the strand with its digest in full, and a last line that says ok."""
    answer = run("verify", archive)

    assert 0 == answer.code
    assert base64.b64encode(JOURNAL.digest()).decode() in answer.out
    assert answer.out.splitlines()[-1].startswith("ok: 12 blocks, ")


def test_a_missing_block(run: Run, tmp_path: Path) -> None:
    """A hole is a GAP that names it, and its strand has no digest."""
    blocks = [block for block in JOURNAL if block.address.sequence_no != 4]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    answer = run("verify", tmp_path / "in", "--json")
    said = answer.json()

    assert (1, False) == (answer.code, said["ok"])
    assert [("GAP", 4)] == [(p["code"], p["sequence_no"]) for p in said["problems"]]
    assert ([[4, 4]], None) == (said["strands"][0]["missing"], said["strands"][0]["digest"])
    assert {
        "code",
        "copies",
        "strand_id",
        "sequence_no",
        "document_id",
        "field",
        "message",
        "diagnosis",
        "held_by",
    } == said["problems"][0].keys()


def test_a_missing_block_for_people(run: Run, tmp_path: Path) -> None:
    """People get the problem in a table and a last line that counts it."""
    blocks = [block for block in JOURNAL if block.address.sequence_no != 4]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    answer = run("verify", tmp_path / "in")

    assert 1 == answer.code
    assert "GAP" in answer.out
    assert answer.out.splitlines()[-1].startswith("not ok: 1 problem found in 11 blocks")


def test_many_problems_for_people(run: Run, tmp_path: Path) -> None:
    """Of many problems people see the first ones, and how many more there are."""
    blocks = [b for b in make_journal(6, blocks=80) if b.address.sequence_no % 2 == 0]
    write_archive((record for block in blocks for record in records(block)), tmp_path / "in")
    answer = run("verify", tmp_path / "in")

    assert "and 14 more: `--json` lists them all" in answer.out


def test_damaged_bytes(run: Run, archive: Path) -> None:
    """A part that cannot be read is UNDECODABLE, exit code 1, and costs nothing else."""
    (archive / "extra").write_bytes(b"neither Ion nor KPL")
    said = run("verify", archive, "--json")

    assert 1 == said.code
    assert ["UNDECODABLE"] == [problem["code"] for problem in said.json()["problems"]]
    assert 12 == said.json()["blocks"]


def test_nothing_readable(run: Run, tmp_path: Path) -> None:
    """When nothing at all is readable the exit code is 2, and the object says why."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    answer = run("verify", tmp_path / "noise", "--json")
    said = answer.json()

    assert (2, False, "partial") == (answer.code, said["ok"], said["level"])
    assert ["UNDECODABLE"] == [problem["code"] for problem in said["problems"]]
    assert said["error"].startswith("nothing readable in ")
    assert f"qldb-stream: {said['error']}\n" == answer.err


def test_nothing_readable_for_people(run: Run, tmp_path: Path) -> None:
    """People are not told `ok` of a folder that holds no record."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    answer = run("verify", tmp_path / "noise")

    assert 2 == answer.code
    assert "ok" not in answer.out
    assert "UNDECODABLE" in answer.out


def test_no_such_file(run: Run, tmp_path: Path) -> None:
    """A file that is not there is wrong usage, named, with the object on --json."""
    answer = run("verify", tmp_path / "absent", "--json")

    assert (2, False) == (answer.code, answer.json()["ok"])
    assert "absent" in answer.err
    assert 1 == answer.err.count("\n")


def test_the_genuine_record(run: Run, vectors: Path) -> None:
    """The genuine KPL record verifies: one block, number 14, and one revision."""
    answer = run("verify", vectors / "kpl-14" / "aggregated.kpl", "--json")
    said = answer.json()

    assert (0, True, 1, 1) == (answer.code, said["ok"], said["blocks"], said["revisions"])
    assert [(14, 14, None)] == [(s["first"], s["last"], s["digest"]) for s in said["strands"]]


def test_many_files(run: Run, tmp_path: Path) -> None:
    """Several files are one journal, whichever order they are named in."""
    delivery = make_delivery(JOURNAL.iter_records(), seed=1)
    files = write_archive(delivery, tmp_path / "in", file_bytes=4_000)
    answer = run("verify", *reversed(files), "--json")

    assert len(files) > 2
    assert (0, 12) == (answer.code, answer.json()["blocks"])


@pytest.mark.parametrize("command", [("verify",), ("inspect",), ("replay", "--to", "memory:")])
def test_a_file_of_another_kind(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A ledger in place of records is exit code 2, what it is, and what reads it."""
    path = tmp_path / "part-1.kpl"
    Ledger.open(path).close()
    answer = run(*command, path)

    assert (2, 1) == (answer.code, answer.err.count("\n"))
    assert f"nothing readable in {path}: " in answer.err
    assert "expected stream records, found a ledger; `qldb-stream compare`" in answer.err
    assert answer.out.count("UNDECODABLE") <= 1


def test_what_is_hidden_is_said(run: Run, archive: Path) -> None:
    """Names that a walk passes over are counted for people, and cost nothing."""
    (archive / ".DS_Store").write_bytes(b"x")
    verified = run("verify", archive)
    replayed = run("replay", archive, "--to", "memory:")

    expected = "1 name in folders not read: hidden, or neither file nor folder"
    assert (0, 0) == (verified.code, replayed.code)
    assert [expected, expected] == [x.out.splitlines()[0] for x in (verified, replayed)]
    assert 0 == run("verify", archive, "--json").code


def test_where_it_broke_off(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ends before its end is 1, and says what ended it, in all fields or for people."""
    write_archive(make_journal(5, blocks=3).iter_records(), tmp_path / "in", gzipped=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    as_json = run("verify", tmp_path / "in", "--json")
    for_people = run("verify", tmp_path / "in")

    assert (1, 1) == (as_json.code, for_people.code)
    assert (False, 0) == (as_json.json()["ok"], as_json.json()["blocks"])
    assert "takes no more temporary data" in as_json.json()["error"]
    assert "takes no more temporary data" in for_people.err
    assert "" == for_people.out


def test_what_was_seen_before_it_broke_off(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line says that there would have been more."""
    print_verification(VerifyReport(blocks=3, records=9), has_failed=True)

    out = capsys.readouterr().out
    assert (
        "not ok: 3 blocks, 0 revisions verified in full; then it broke off" == out.splitlines()[-1]
    )


# --- saved digests, and what was changed -----------------------------------------------------


def saved(number: int, *, strand_id: str = JOURNAL.strand_id) -> str:
    """Give the digest at a block as it is written on a command line."""
    root = merkle_root([block.block_hash for block in JOURNAL][: number + 1])
    return f"{base64.b64encode(root).decode()}@{strand_id}:{number}"


@pytest.mark.parametrize("tip", [0, 5, 11])
def test_a_saved_digest_is_confirmed(run: Run, archive: Path, tmp_path: Path, tip: int) -> None:
    """At whatever block; as the console saved it, with a byte-order mark, or as it is."""
    digest, _, address = saved(tip).partition("@")
    text = {"digest": digest, "digestTipAddress": f'{{strandId:"{address[:22]}",sequenceNo:{tip}}}'}
    (tmp_path / "digest.json").write_text(json.dumps(text), encoding="utf-8-sig")
    options = ("--digest", tmp_path / "digest.json", "--digest", saved(tip), "--json")
    answer = run("verify", archive, *options)
    said = answer.json()

    assert 0 == answer.code
    assert [("CONFIRMED", tip)] * 2 == [(d["state"], d["sequence_no"]) for d in said["digests"]]
    assert "DIGEST_CONFIRMED" in {claim["code"] for claim in said["proves"]}
    assert "NO_DIGEST" not in {claim["code"] for claim in said["limits"]}


def test_the_tip_may_stand_apart(run: Run, archive: Path) -> None:
    """Base64 alone needs the block that it reaches to, unless that is the last."""
    digest, _, tip = saved(7).partition("@")

    assert 0 == run("verify", archive, "--digest", digest, "--tip", tip).code
    assert 0 == run("verify", archive, "--digest", saved(11).partition("@")[0]).code
    without = run("verify", archive, "--digest", digest, "--json")
    assert (1, "NO_TIP") == (without.code, without.json()["digests"][0]["state"])


@pytest.mark.parametrize(
    ("digest", "state"),
    [
        (saved(5, strand_id="A" * 22), "OTHER_STRAND"),
        (saved(11).replace(":11", ":12"), "BEYOND_LAST_BLOCK"),
        (saved(11).replace(":11", ":10"), "DIFFERS"),
    ],
)
def test_a_digest_that_is_not_confirmed(run: Run, archive: Path, digest: str, state: str) -> None:
    """It is a problem, whatever the reason, and the reason has a code and says what to do."""
    answer = run("verify", archive, "--digest", digest, "--json")
    said = answer.json()

    assert (1, state) == (answer.code, said["digests"][0]["state"])
    assert [("DIGEST", said["digests"][0]["message"])] == [
        (problem["code"], problem["message"]) for problem in said["problems"]
    ]
    assert state in run("verify", archive, "--digest", digest).out


@pytest.mark.parametrize(
    "options",
    [
        ("--digest", "nonsense"),
        ("--digest", "."),
        ("--digest", saved(3), "--tip", f"{JOURNAL.strand_id}:4"),
        ("--digest", saved(3), "--digest", saved(4), "--tip", f"{JOURNAL.strand_id}:3"),
        ("--tip", f"{JOURNAL.strand_id}:3"),
        ("--digest", saved(3).partition("@")[0], "--tip", "three"),
        ("--digest", "x\0"),
    ],
)
def test_what_is_no_digest(run: Run, archive: Path, options: tuple[str, ...]) -> None:
    """It is refused before anything is read, and said which option it is."""
    answer = run("verify", archive, *options)

    assert (2, "") == (answer.code, answer.out)
    assert "--digest" in answer.err or "--tip" in answer.err


def test_a_mistyped_file_of_a_digest_is_told_as_such(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    """There is no such file, or it is a folder; what a file holds is judged only where one is."""
    none = "there is no file of this name; as a saved digest: expected"
    assert none in run("verify", archive, "--digest", "digest.jsn").err
    assert f"{tmp_path} is a folder" in run("verify", archive, "--digest", tmp_path).err
    (tmp_path / "notes").write_text("no digest", encoding="utf-8")
    assert none not in run("verify", archive, "--digest", tmp_path / "notes").err


def test_documents_that_are_not_checkable_are_named(run: Run, tmp_path: Path) -> None:
    """A document of a JSON export that fits with no types is told, with its block."""
    made = make_export(list(JOURNAL), "json")
    data = made.objects[made.keys[0]]
    (number, revision) = next(
        (block.address.sequence_no, revision)
        for block in JOURNAL
        for revision in block.revisions
        if revision.data is not None
    )
    old = next(line for line in data.splitlines() if (revision.document_id or "").encode() in line)
    at = old.index(b'"data"')
    new = old[:at] + re.sub(rb'": "[^"]{2}', b'": "~~~~', old[at:], count=1)
    (tmp_path / "export.json").write_bytes(data.replace(old, new))
    said = run("verify", tmp_path, "--json").json()
    (found,) = said["unchecked"]
    assert (number, revision.document_id) == (found["sequence_no"], found["document_id"])
    assert 1 == said["not_checkable"][found["reason"]]
    answer = run("verify", tmp_path, "--html", tmp_path.parent / "page.html")
    assert f"{revision.document_id} in block {number}" in " ".join(answer.out.split())
    page = (tmp_path.parent / "page.html").read_text(encoding="utf-8")
    assert f"{revision.document_id} in block {number}" in page


def test_a_changed_field_is_named(run: Run, tmp_path: Path) -> None:
    """With its path, and what it was: on the terminal and in its own place of the object."""
    changed = list(JOURNAL.iter_records())
    at, path = next(
        (n, "payload.revision.data.credit")
        for n, record in enumerate(changed)
        if isinstance(read_credit(record), Decimal)
    )
    credit = read_credit(changed[at])
    changed[at] = edit_field(changed[at], path, float(credit))
    write_archive(changed, tmp_path / "in")

    answer = run("verify", tmp_path / "in", "--json")
    [problem] = answer.json()["problems"]
    assert (1, "data.credit") == (answer.code, problem["field"])
    assert problem["message"].endswith("`data.credit` is a decimal, not a float")
    [change] = problem["diagnosis"]["changes"]
    assert ("FLOAT_FOR_DECIMAL", str(credit)) == (change["loss"], change["value"])

    told = run("verify", tmp_path / "in").out
    assert f"is decimal {credit}" in " ".join(told.replace("│", " ").split())
    [silent] = run("verify", tmp_path / "in", "--no-diagnosis", "--json").json()["problems"]
    assert None is silent["diagnosis"]


def read_credit(record: bytes) -> Any:
    """Read a customer's credit; None of any other record."""
    revision = load_slice(record).decode().get("payload", {}).get("revision", {})
    return revision.get("data", {}).get("credit")
