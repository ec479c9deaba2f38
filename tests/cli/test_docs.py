"""docs/cli.md and what the commands print say the same, field by field."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.clients.kinesis import connect_kinesis
from qldb_stream.errors import UsageError
from qldb_stream.inbox import SqliteInbox
from qldb_stream.ion import to_slice, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.report import ParkedBlock, ParkReason, Position, ProblemCode
from qldb_stream.sinks.ledger import LedgerSink
from qldb_stream.testing import (
    JournalShape,
    edit_field,
    make_export,
    make_journal,
    records,
    write_archive,
)
from tests.cli.conftest import Run

DOCS = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
STATUS_LISTS = ("strands", "waits", "positions", "leases", "parked")
NAME = re.compile(r"`([^`]+)`")


def documented() -> dict[str, set[str]]:
    """The names in the first column of each section's table, by heading."""
    _, *parts = HEADING.split(DOCS.read_text(encoding="utf-8"))
    sections = zip(parts[::2], parts[1::2], strict=True)
    tables = {heading: ROW.findall(text) for heading, text in sections}
    return {
        heading: {name for cell in cells for name in NAME.findall(cell)}
        for heading, cells in tables.items()
        if cells
    }


def keys(objects: Iterable[dict[str, Any]]) -> set[str]:
    """Every field of some objects, at least one, but for the `version` that whole ones have."""
    found = list(objects)
    assert found
    wholes = [each for each in found if "ok" in each and "version" in each]
    assert {1} >= {each["version"] for each in wholes}
    return {key for each in found for key in each if key != "version" or each not in wholes}


SHAPE = JournalShape(redactions=0.5, system=0.2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """Where there is one of everything that the commands can have something to say about."""
    monkeypatch.chdir(tmp_path)
    journal = make_journal(3, blocks=60, shape=SHAPE)
    write_archive(journal.iter_records(), tmp_path / "in")
    erased = make_journal(3, blocks=60, shape=attrs.evolve(SHAPE, erased=True))
    write_archive(erased.iter_records(), tmp_path / "erased")
    holed = (r for b in journal if b.address.sequence_no != 4 for r in records(b))
    write_archive(holed, tmp_path / "holed")
    write_archive(map(with_other_version, journal.iter_records()), tmp_path / "changed")
    Path("noise").write_bytes(b"neither Ion nor KPL")
    Path("unended").write_bytes(b'{ledgerName: "a", exportId: "b"}')
    run("demo", "--vehicles", "3", "--keep", "demo")
    with Ledger.open("demo/destination.ledger") as ledger:
        ledger.driver().execute_lambda(lambda txn: txn.execute_statement("DROP TABLE Person"))
    return tmp_path


def with_other_version(record: bytes) -> bytes:
    """Change the version in the metadata of every revision."""
    path = "payload.revision.metadata.version"
    try:
        return edit_field(record, path, 77)
    except UsageError:
        return record


def first_request() -> int:
    """The first block of the journal that asks for a redaction."""
    journal = make_journal(3, blocks=60, shape=SHAPE)
    requests = (b.address.sequence_no for b in journal if b.summary.redaction_info is not None)
    return next(requests)


def damage(path: str) -> None:
    """Change a ledger's file behind its back."""
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM entry")
    connection.commit()
    connection.close()


def fill_inbox(path: str) -> None:
    """Make an inbox in which something stands in every list."""
    journal = make_journal(3, blocks=4)
    inbox = SqliteInbox(path)
    blocks = list(journal)
    inbox.put(blocks, 1.0)
    inbox.lease(journal.strand_id, 60.0, 1.0)
    inbox.store_position("a", Position(journal.strand_id, 1, blocks[1].block_hash, start=0), 1)
    inbox.park(ParkedBlock("a", blocks[1], ParkReason.REFUSED, "", datetime.now(UTC)))
    inbox.close()


def deliveries(run: Run) -> dict[str, set[str]]:
    """The fields of what concerns inboxes and parked blocks."""
    strand_id = make_journal(3, blocks=4).strand_id
    fill_inbox("waiting")
    dry = run("replay", "in", "--to", "memory:", "--dry-run", "--json").json()
    inbox = SqliteInbox("waiting")
    blocks = list(make_journal(3, blocks=4))
    name = "ledger:other"
    inbox.park(ParkedBlock(name, blocks[3], ParkReason.REFUSED, "", datetime.now(UTC)))
    inbox.park(ParkedBlock("ledger:aside", blocks[0], ParkReason.REFUSED, "", datetime.now(UTC)))
    inbox.close()
    aside = Position(strand_id, 0, blocks[0].block_hash, parked=frozenset({0}), start=0)
    with closing(LedgerSink.open("aside")) as sink:
        assert aside == sink.apply([], aside, 0)
    replayed = run("replay", "in", "--to", name, "--json")
    assert 0 == replayed.code
    with closing(LedgerSink.open("other")) as sink:
        position = sink.position(strand_id)
        assert position is not None
        sink.apply([], attrs.evolve(position, parked=frozenset({3})), 0)
    listed = run("parked", "list", "waiting", "--json").json()
    shown = run("parked", "show", "waiting", f"{strand_id}/3", "--contents", "--json").json()
    skip = ("parked", "skip", "waiting", f"{strand_id}/0", "--to", "ledger:aside", "--reason", "x")
    skipped = run(*skip, "--json").json()
    requeued = run("parked", "requeue", "waiting", "--all", "--to", name, "--json").json()
    delivered = run("deliver", "waiting", "--to", name, "--json").json()
    return {
        "replay: parked": {"strand_id", "sequence_no"},
        "replay: not_atomic": {"strand_id", "sequence_no"},
        "replay: dry_run": keys(dry["dry_run"]),
        "parked list": keys([listed]),
        "parked list: parked": keys(shown["parked"]),
        "parked skip": keys([skipped]),
        "parked requeue": keys([requeued]),
        "parked requeue: strands": keys(requeued["strands"].values()),
        "deliver": keys([delivered]),
        "deliver: strands": keys(delivered["strands"]),
    }


def history(run: Run) -> dict[str, set[str]]:
    """The fields of revisions as they were, and of who changed them."""
    *revisions, summary = map(json.loads, run("history", "in", "--json").out.splitlines())
    document = revisions[0]["revision"]["metadata"]["id"]
    blamed = run("history", "in", "--document", document, "--blame", "--json").json()
    return {
        "history: REVISION": keys(revisions),
        "history: state": keys(each["state"] for each in (*revisions, *blamed["fields"])),
        "history: SUMMARY": keys([summary]),
        "history: tables": keys(summary["tables"]),
        "history: archive": keys([summary["archive"], blamed["archive"]])
        | keys(summary["archive"]["strands"]),
        "history: blame": keys([blamed]),
        "history: fields": keys(blamed["fields"]),
    }


def lists(run: Run) -> dict[str, set[str]]:
    """The fields of what lists sinks and what waits for them."""
    listed = run("sinks", "--json").json()
    described = run("sinks", "describe", "ledger", "--json").json()
    fill_inbox("inbox")
    said = run("status", "inbox", "--json").json()
    return {
        "sinks": keys([listed]),
        "sinks: sinks": keys(listed["sinks"]),
        "sinks: options": keys(described["options"]),
        "status": keys([said]),
        **{f"status: {x}": keys(said[x]) for x in STATUS_LISTS},
        "forget": keys([run("forget", "inbox", "a", "--yes", "--json").json()]),
    }


def diffs(run: Run) -> dict[str, set[str]]:
    """The fields of a comparison with a sink that was altered."""
    run("replay", "in", "--to", "sqlite:altered.db")
    with closing(sqlite3.connect("altered.db")) as db, db:
        db.execute("DELETE FROM customers")
    found = run("diff", "in", "--with", "sqlite:altered.db", "--json").json()
    repaired = run("diff", "in", "--with", "sqlite:altered.db", "--repair", "--json").json()
    assert found.keys() == repaired.keys()
    return {
        "diff": keys([found]),
        "diff: strands": keys(found["strands"]),
        "diff: differences": keys(found["differences"]),
        "diff: repair": keys([repaired["repair"]]),
    }


def coverages(run: Run) -> dict[str, set[str]]:
    """The fields of coverage: of an archive with everything, and of one that has nothing."""
    other = make_journal(4, blocks=2, strand_id=make_journal(3, blocks=1).strand_id)
    write_archive(other.iter_records(), Path("rival"))
    make_export(other, object_blocks=1).write(Path("rival"))
    found = [
        run("coverage", *names, "--json").json() for names in (("in", "holed", "rival"), ("noise",))
    ]
    holders = [each for said in found for each in (*said["sources"], *said["files"])]
    strands = [each for said in found for each in said["strands"]]
    conflicts = [each for said in found for each in said["conflicts"]]
    problems = keys(each for said in found for each in said["problems"])
    return {
        "coverage": keys(found),
        "coverage: sources": keys(each for said in found for each in said["sources"]),
        "coverage: files": keys(each for said in found for each in said["files"]),
        "coverage: holdings": keys(each for holder in holders for each in holder["holdings"]),
        "coverage: strands": keys(strands),
        "coverage: overlaps": keys(each for strand in strands for each in strand["overlaps"]),
        "coverage: tables": keys(each for strand in strands for each in strand["tables"]),
        "coverage: redactions": keys(strand["redactions"] for strand in strands),
        "coverage: manifests": keys(each for said in found for each in said["manifests"]),
        "coverage: conflicts": keys(conflicts) - problems,
    }


def proofs(run: Run) -> dict[str, set[str]]:
    """The fields of a bundle that was made, and of answers that were proven."""
    with Ledger.open("demo/source.ledger") as ledger:
        tip = ledger.digest().tip.sequence_no
        digest = base64.b64encode(ledger.digest().digest).decode() + f"@{ledger.strand_id}:{tip}"
        block = next(b for b in ledger.blocks() if b.revisions and b.revisions[-1].metadata)
        held = ledger.block(block.address.sequence_no, tip=tip)
    texts = {"Block": held.block, "Proof": to_slice(list(held.proof or ()))}
    answer = {name: {"IonText": to_text(value)} for name, value in texts.items()}
    Path("block.json").write_text(json.dumps(answer), encoding="utf-8")
    asked = ("prove", "--answer", "block.json", "--digest", digest, "--json")
    document = ("--document", block.revisions[-1].document_id, "-o", "evidence.zip")
    said = run(*asked).json()
    return {
        "prove": keys([run(*asked, *document).json()]),
        "prove: answers": keys([said]),
        "prove: proven": keys(said["proven"]),
    }


def verifications(run: Run) -> dict[str, set[str]]:
    """The fields of verification, of what is sound and of what is not."""
    verified = [run("verify", name, "--json").json() for name in ("in", "holed", "noise")]
    changed = run("verify", "changed", "--digest", "A" * 43 + "=", "--json").json()
    verified.append(changed)
    found = [p["diagnosis"] for p in changed["problems"] if p["diagnosis"] is not None]
    twice = run("verify", "in", "changed", "--json").json()
    return {
        "verify": keys(verified),
        "verify: strands": keys(each for said in verified for each in said["strands"]),
        "verify: problems": keys(each for said in verified for each in said["problems"]),
        "verify: diagnosis": keys(found),
        "verify: copies": keys(copy for problem in twice["problems"] for copy in problem["copies"]),
        "verify: changes": keys(change for each in found for change in each["changes"]),
        "verify: digests": keys(changed["digests"]),
        "verify: proves": keys(c for said in verified for c in said["proves"] + said["limits"]),
    }


def replays(run: Run, verified: set[str]) -> dict[str, set[str]]:
    """The fields of a replay, beside those of a verification."""
    replayed = run("replay", "in", "--to", "ledger:new", "--json").json()
    late = ("--start", str(first_request()), "--base", "insert")
    pending = run("replay", "in", "--to", "ledger:late", *late, "--json").json()
    again = run("replay", "erased", "--to", "ledger:new", "--json").json()
    assert (True, 60) == (again["ok"], again["skipped"])
    several = run("replay", "in", "--to", "memory:", "--to", "ledger:new", "--json").json()
    return {
        "replay": keys([replayed, several]) - verified,
        "replay: sinks": keys(several["sinks"]) - replayed.keys(),
        "replay: redactions_pending": keys(pending["redactions_pending"]),
        "replay: redacted_copies": keys(again["redacted_copies"]),
    }


def inspections(run: Run) -> dict[str, set[str]]:
    """The fields of what carriers hold, by kind, and of ids."""
    said = run("inspect", "in", "noise", "unended", "--data", "--json").out.split("\n")
    lines = [json.loads(line) for line in said if line]
    document_id = next(x["document_id"] for x in lines if x.get("kind") == "insert")
    ids = run("ids", "new", document_id, "0" * 22, "--json").json()
    return {
        **{
            f"inspect: {kind}": keys(line for line in lines if line["type"] == kind)
            for kind in {line["type"] for line in lines}
        },
        "ids": keys([ids]),
        "ids: ids": keys(ids["ids"]),
    }


def ledgers(run: Run) -> dict[str, set[str]]:
    """The fields of what is done with the ledger that `replays` made, and with a damaged one."""
    compared = [
        run("compare", source, "demo/destination.ledger", "--json").json()
        for source in ("demo/source.ledger", "demo/records")
    ]
    to_json = ("ledger", "export", "new", "--to", "exported", "--format", "json", "--json")
    exported = run(*to_json).json()
    unchecked = run("verify", "exported", "--no-diagnosis", "--json").json()["unchecked"]
    damage("demo/source.ledger")
    checked = [
        run("ledger", "check", name, "--json").json() for name in ("new", "demo/source.ledger")
    ]
    select = ("ledger", "query", "new", "SELECT * FROM information_schema.user_tables", "--json")
    queried = [run(*select, *more).json() for more in ((), ("--explain",))]
    return {
        "verify: unchecked": keys(unchecked),
        "compare": keys(compared),
        "compare: differences": keys(each for said in compared for each in said["differences"]),
        "ledger check": keys(checked),
        "ledger check: problems": keys(each for said in checked for each in said["problems"]),
        "ledger export": keys([exported]),
        "ledger query": keys(queried),
        "ledger query: statements": keys(each for said in queried for each in said["statements"]),
    }


def demos(run: Run) -> dict[str, set[str]]:
    """The fields of the demonstration."""
    demo = run("demo", "--vehicles", "3", "--keep", "another", "--json").json()
    assert demo["source"].keys() == demo["destination"].keys()
    return {
        "demo": keys([demo]),
        "demo: chapters": keys(demo["chapters"]),
        "demo: source": keys([demo["source"]]),
        "demo: kept": keys([demo["kept"]]),
    }


def printed(run: Run) -> dict[str, set[str]]:
    """The fields that the commands really print, under the headings of the docs."""
    verified = verifications(run)
    return {
        "error": keys([run("ids", "absent", "x", "--json").json()]),
        "codes": {code.value for code in ProblemCode},
        **verified,
        **replays(run, verified["verify"]),
        **inspections(run),
        **proofs(run),
        **ledgers(run),
        **coverages(run),
        **deliveries(run),
        **diffs(run),
        **history(run),
        **lists(run),
        **demos(run),
    }


def live(run: Run, url: str) -> dict[str, set[str]]:
    """The fields of a replay of a data stream, beside those of any delivery."""
    client: Any = connect_kinesis(endpoint_url=url)
    client.create_stream(StreamName="documented", ShardCount=1)
    stream = f"kinesis://documented?endpoint_url={url}"
    said = run(
        *("replay", stream, "--to", "memory:", "--inbox", "memory:"), "--until-caught-up", "--json"
    ).json()
    delivered = run("deliver", "waiting", "--to", "ledger:other", "--json").json()
    return {"replay: a data stream": said.keys() - delivered.keys()}


@pytest.mark.usefixtures("folder")
def test_every_field_is_documented(run: Run, aws: str) -> None:
    """Each field that is printed is in the docs' tables, and each that is there is printed."""
    assert documented() == printed(run) | live(run, aws)


@pytest.mark.usefixtures("folder")
def test_what_has_failed_has_all_fields(run: Run) -> None:
    """Where verify and replay could not begin, their objects have all fields and an error."""
    verified = run("verify", "in", "--json").json().keys()
    replayed = run("replay", "in", "--to", "memory:", "--json").json().keys()

    assert verified | {"error"} == run("verify", "absent", "--json").json().keys()
    assert replayed | {"error"} == run("replay", "absent", "--to", "x:", "--json").json().keys()


@pytest.mark.usefixtures("folder")
def test_inspect_says_an_error_in_one_line(run: Run) -> None:
    """Where every object is a line, the one that says what is wrong is a line too."""
    *_, last = run("inspect", "noise", "--json").out.splitlines()

    assert documented()["error"] == json.loads(last).keys()


def test_exit_codes() -> None:
    """Each exit code that the command knows is documented."""
    codes = re.findall(r"^\| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

    assert ["0", "1", "2", "130", "141"] == codes
