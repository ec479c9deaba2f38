"""The control plane (facts 7), operation by operation; there is no socket."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.errors import LedgerFileError, UsageError
from qldb_stream.hashing import fold_proof
from qldb_stream.ion import iter_text
from qldb_stream.ledger import Ledger
from qldb_stream.server._ledgers import Ledgers
from qldb_stream.server._metadata import EXPORT, FILE_NAME, Job, LedgerSettings, Metadata
from tests.ledger.support import environment
from tests.server.support import Desk, Got, Talk, rows, to_base64

LEDGER = "/ledgers/{name}"
EXPORTS = f"{LEDGER}/journal-s3-exports"
STREAMS = f"{LEDGER}/journal-kinesis-streams"
TAGS = "/tags/{arn:path}"
ARN = "arn:aws:qldb:us-east-1:000000000000:ledger/cars"


def text(got: Got, member: str) -> Any:
    """Decode a member that is Ion text."""
    (value,) = iter_text(got.body[member]["IonText"])
    return value.decode()


def invalid(got: Got) -> str:
    """The parameter that an InvalidParameterException names."""
    assert (400, "InvalidParameterException") == (got.status, got.error[0])
    return str(got.body["ParameterName"])


# --- ledgers -------------------------------------------------------------------------------


def test_a_ledgers_whole_life(desk: Desk, tmp_path: Path) -> None:
    """It is created, described, changed, refused deletion while protected, and deleted."""
    body = {"Name": "trucks", "PermissionsMode": "STANDARD", "Tags": {"a": "b"}, "KmsKey": None}
    created = desk.call("POST", "/ledgers", body).body
    assert {
        "Name": "trucks",
        "Arn": "arn:aws:qldb:us-east-1:000000000000:ledger/trucks",
        "State": "ACTIVE",
        "CreationDateTime": desk.clock() / 1000,
        "PermissionsMode": "STANDARD",
        "DeletionProtection": True,
    } == created
    assert created == desk.call("GET", LEDGER, name="trucks").body
    again = desk.call("POST", "/ledgers", body)
    assert (409, "ResourceAlreadyExistsException") == (again.status, again.error[0])

    protected = desk.call("DELETE", LEDGER, name="trucks")
    assert (412, "Ledger", "trucks") == (
        protected.status,
        protected.body["ResourceType"],
        protected.body["ResourceName"],
    )
    mode = {"PermissionsMode": "ALLOW_ALL"}
    changed = desk.call("PATCH", f"{LEDGER}/permissions-mode", mode, name="trucks").body
    assert {"Name": "trucks", "Arn": created["Arn"], **mode} == changed
    updated = desk.call("PATCH", LEDGER, {"DeletionProtection": False}, name="trucks").body
    assert not updated["DeletionProtection"]
    assert "ALLOW_ALL" == desk.call("GET", LEDGER, name="trucks").body["PermissionsMode"]

    talk = Talk(desk, "trucks")
    talk.begin()
    assert {} == desk.call("DELETE", LEDGER, name="trucks").body
    assert "No such session" == talk.commit().error[1]
    assert [] == [file.name for file in tmp_path.iterdir() if "trucks" in file.name]
    gone = desk.call("GET", LEDGER, name="trucks")
    assert (404, "ResourceNotFoundException") == (gone.status, gone.error[0])
    assert 200 == desk.call("POST", "/ledgers", body).status


def test_an_update_without_a_change_changes_nothing(desk: Desk) -> None:
    """Absent members stay as they were."""
    desk.call("PATCH", LEDGER, {"DeletionProtection": False}, name="cars")
    assert not desk.call("PATCH", LEDGER, {}, name="cars").body["DeletionProtection"]


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "Name"),
        ({"Name": 1}, "Name"),
        ({"Name": "../x", "PermissionsMode": "STANDARD"}, "Name"),
        ({"Name": "x", "PermissionsMode": "NONE"}, "PermissionsMode"),
        ({"Name": "x"}, "PermissionsMode"),
        (
            {"Name": "x", "PermissionsMode": "STANDARD", "DeletionProtection": 1},
            "DeletionProtection",
        ),
        ({"Name": "x", "PermissionsMode": "STANDARD", "KmsKey": "arn"}, "KmsKey"),
        ({"Name": "x", "PermissionsMode": "STANDARD", "Tags": {"a": 1}}, "Tags"),
        ({"Name": "x", "PermissionsMode": "STANDARD", "Tags": {"": "b"}}, "Tags"),
        ({"Name": "x", "PermissionsMode": "STANDARD", "Tags": {"a": "\n"}}, "Tags"),
        (
            {"Name": "x", "PermissionsMode": "STANDARD", "Tags": {str(n): "" for n in range(51)}},
            "Tags",
        ),
    ],
)
def test_a_wrong_parameter_is_named(desk: Desk, body: dict[str, Any], parameter: str) -> None:
    """And nothing is made."""
    assert parameter == invalid(desk.call("POST", "/ledgers", body))
    assert ["cars"] == desk.ledgers.names()


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    """As AWS's services say it."""
    assert "SerializationException" == desk.call("POST", "/ledgers", b"[").error[0]


def test_ledgers_are_listed_by_pages(desk: Desk) -> None:
    """In order of names; a token that was not given is refused."""
    for name in ("trucks", "bikes"):
        desk.make_ledger(name)
    first = desk.call("GET", "/ledgers", query="max_results=2").body
    assert ["bikes", "cars"] == [ledger["Name"] for ledger in first["Ledgers"]]
    assert {"Name", "State", "CreationDateTime"} == set(first["Ledgers"][0])
    token = first["NextToken"].replace("=", "%3D")
    second = desk.call("GET", "/ledgers", query=f"max_results=2&next_token={token}").body
    assert ["trucks"] == [ledger["Name"] for ledger in second["Ledgers"]]
    assert "NextToken" not in second
    for wrong in ("next_token=x", "next_token=eDph"):
        assert "NextToken" == invalid(desk.call("GET", "/ledgers", query=wrong))
    for wrong in ("0", "101", "x", "1.5", "99999999999999"):
        query = f"max_results={wrong}"
        assert "MaxResults" == invalid(desk.call("GET", "/ledgers", query=query))


def test_ledgers_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be is refused."""
    monkeypatch.setattr("qldb_stream.server._ledgers.MAX_LEDGERS", 1)
    got = desk.call("POST", "/ledgers", {"Name": "more", "PermissionsMode": "STANDARD"})
    assert ("LimitExceededException", "Ledger") == (got.error[0], got.body["ResourceType"])


def test_files_put_there_by_hand_are_ledgers(desk: Desk, tmp_path: Path) -> None:
    """Whatever name was given inside; files of other names are none."""
    Ledger.open(tmp_path / "restored.ledger", name="something").close()
    for name in ("no ledger.ledger", "notes.txt", "1.ledger"):
        (tmp_path / name).touch()
    assert ["cars", "restored"] == desk.ledgers.names()
    described = desk.call("GET", LEDGER, name="restored").body
    assert ("restored", True, "ALLOW_ALL") == (
        described["Name"],
        described["DeletionProtection"],
        described["PermissionsMode"],
    )
    Talk(desk, "restored").run(("CREATE TABLE Car",))


# --- tags ----------------------------------------------------------------------------------


def test_tags_are_kept(desk: Desk) -> None:
    """They are added, changed, listed and taken away."""
    assert {"Tags": {}} == desk.call("GET", TAGS, arn=ARN).body
    desk.call("POST", TAGS, {"Tags": {"a": "1", "b": "2"}}, arn=ARN)
    desk.call("POST", TAGS, {"Tags": {"b": "3", "c d": ""}}, arn=ARN)
    assert {"Tags": {"a": "1", "b": "3", "c d": ""}} == desk.call("GET", TAGS, arn=ARN).body
    desk.call("DELETE", TAGS, query="tagKeys=a&tagKeys=c%20d", arn=ARN)
    assert {"Tags": {"b": "3"}} == desk.call("GET", TAGS, arn=ARN).body


def test_wrong_tags_are_refused(desk: Desk) -> None:
    """The parameter is named; a ledger that is not there is not found."""
    assert "Tags" == invalid(desk.call("POST", TAGS, {}, arn=ARN))
    assert "TagKeys" == invalid(desk.call("DELETE", TAGS, arn=ARN))
    assert "ResourceArn" == invalid(desk.call("GET", TAGS, arn="arn:aws:s3:::x"))
    assert 404 == desk.call("GET", TAGS, arn=ARN.replace("cars", "none")).status
    for start in (0, 25):
        tags = {str(number): "" for number in range(start, start + 25)}
        assert 200 == desk.call("POST", TAGS, {"Tags": tags}, arn=ARN).status
    assert "Tags" == invalid(desk.call("POST", TAGS, {"Tags": {"more": ""}}, arn=ARN))


# --- digests and proofs --------------------------------------------------------------------


def test_a_ledger_without_blocks_has_no_digest(desk: Desk) -> None:
    """It is not in the state that a digest needs."""
    assert 412 == desk.call("POST", f"{LEDGER}/digest", name="cars").status


def dot(left: bytes, right: bytes) -> bytes:
    """Join two hashes as AWS's samples do: the one smaller by signed bytes from the end first."""
    if not left or not right:
        return left or right
    signed = [[(byte ^ 0x80) - 0x80 for byte in reversed(one)] for one in (left, right)]
    pair = left + right if signed[0] < signed[1] else right + left
    return hashlib.sha256(pair).digest()


def test_blocks_and_revisions_are_proven(desk: Desk, talk: Talk) -> None:
    """Each block and revision, up to each tip, against the digest; folded by hand."""
    (row,) = talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    document = row["documentId"]
    talk.run(("UPDATE Car SET vin = ?", "B"))
    got = desk.call("POST", f"{LEDGER}/digest", name="cars")
    digest, tip = b64decode(got.body["Digest"]), text(got, "DigestTipAddress")
    assert 3 == tip["sequenceNo"]
    for number in range(4):
        address = {"IonText": f'{{strandId:"{tip["strandId"]}",sequenceNo:{number}}}'}
        body = {"BlockAddress": address, "DigestTipAddress": got.body["DigestTipAddress"]}
        found = desk.call("POST", f"{LEDGER}/block", body, name="cars")
        candidate = bytes(text(found, "Block")["blockHash"])
        for sibling in text(found, "Proof"):
            candidate = dot(candidate, bytes(sibling))
        assert digest == candidate
        assert digest == fold_proof(
            bytes(text(found, "Block")["blockHash"]), [bytes(one) for one in text(found, "Proof")]
        )
        body["DocumentId"] = document
        revision = desk.call("POST", f"{LEDGER}/revision", body, name="cars")
        if number < 2:
            assert "BlockAddress" == invalid(revision)
            continue
        candidate = bytes(text(revision, "Revision")["hash"])
        for sibling in text(revision, "Proof"):
            candidate = dot(candidate, bytes(sibling))
        assert digest == candidate


def test_without_a_tip_there_is_no_proof(desk: Desk, talk: Talk) -> None:
    """The block or revision comes alone."""
    (row,) = talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    address = {"IonText": f'{{strandId:"{desk.ledgers.open("cars").strand_id}",sequenceNo:2}}'}
    body = {"BlockAddress": address, "DocumentId": row["documentId"]}
    assert {"Block"} == set(desk.call("POST", f"{LEDGER}/block", body, name="cars").body)
    found = desk.call("POST", f"{LEDGER}/revision", body, name="cars")
    assert {"Revision"} == set(found.body)
    assert {"vin": "A"} == text(found, "Revision")["data"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("BlockAddress", None),
        ("BlockAddress", {}),
        ("BlockAddress", {"IonText": "{"}),
        ("BlockAddress", {"IonText": "1"}),
        ("BlockAddress", {"IonText": "1 2"}),
        ("BlockAddress", {"IonText": '{strandId:"x",sequenceNo:1}'}),
        ("BlockAddress", {"IonText": '{strandId:"STRAND",sequenceNo:true}'}),
        ("BlockAddress", {"IonText": '{strandId:"STRAND",sequenceNo:99}'}),
        ("BlockAddress", {"IonText": '{strandId:"STRAND",sequenceNo:-1}'}),
        ("BlockAddress", {"IonText": f'{{strandId:"STRAND",sequenceNo:{"9" * 400}}}'}),
        ("BlockAddress", {"IonText": " " * 1000}),
        ("DigestTipAddress", {"IonText": '{strandId:"STRAND",sequenceNo:0}'}),
        ("DigestTipAddress", {"IonText": '{strandId:"STRAND",sequenceNo:99}'}),
        ("DocumentId", "short"),
    ],
)
def test_an_address_must_be_one(desk: Desk, talk: Talk, member: str, value: Any) -> None:
    """What is wrong is named, whichever operation is asked."""
    talk.run(("INSERT INTO Car ?", {"vin": "A"}))
    strand_id = desk.ledgers.open("cars").strand_id
    address = {"IonText": f'{{strandId:"{strand_id}",sequenceNo:1}}'}
    if isinstance(value, dict) and "IonText" in value:
        value = {"IonText": value["IonText"].replace("STRAND", strand_id)}
    body = {"BlockAddress": address, "DocumentId": "A" * 22, member: value}
    assert member == invalid(desk.call("POST", f"{LEDGER}/revision", body, name="cars"))
    if member != "DocumentId":
        assert member == invalid(desk.call("POST", f"{LEDGER}/block", body, name="cars"))


def test_a_symbol_that_looks_like_an_id_is_answered(desk: Desk, talk: Talk) -> None:
    """What amazon.ion does not quote is quoted in blocks and revisions."""
    talk.begin()
    members = {"TransactionId": talk.id, "Statement": "INSERT INTO Car ?"}
    holder = {"IonText": "{a: '$10'}"}
    got = talk.ask("ExecuteStatement", **members, Parameters=[holder])
    (row,) = rows(got.body["ExecuteStatement"]["FirstPage"])
    opened = next(iter(desk.sessions.iter_all())).transaction
    assert opened is not None
    opened.transaction.commit()
    address = {"IonText": f'{{strandId:"{desk.ledgers.open("cars").strand_id}",sequenceNo:2}}'}
    body = {"BlockAddress": address, "DocumentId": row["documentId"]}
    for path, member in (("revision", "Revision"), ("block", "Block")):
        got = desk.call("POST", f"{LEDGER}/{path}", body, name="cars")
        assert "{a:'$10'}" in got.body[member]["IonText"]


# --- exports and streams -------------------------------------------------------------------


def test_exports_and_streams_are_for_the_owner_to_allow(desk: Desk) -> None:
    """Until then they are refused by name, there are none, and one is never found."""
    export = desk.call("POST", EXPORTS, {}, name="cars")
    assert "S3ExportConfiguration" == invalid(export)
    assert "--exports DIR or --allow-s3" in export.error[1]
    stream = desk.call("POST", STREAMS, {}, name="cars")
    assert "KinesisConfiguration" == invalid(stream)
    assert "--allow-kinesis" in stream.error[1]
    assert {"JournalS3Exports": []} == desk.call("GET", EXPORTS, name="cars").body
    assert {"JournalS3Exports": []} == desk.call("GET", "/journal-s3-exports").body
    assert {"Streams": []} == desk.call("GET", STREAMS, name="cars").body
    for method, path in (("GET", EXPORTS), ("GET", STREAMS), ("DELETE", STREAMS)):
        got = desk.call(method, f"{path}/{{id}}", name="cars", id="x")
        assert (404, "x") == (got.status, got.body["ResourceName"])
    assert 404 == desk.call("GET", EXPORTS, name="none").status


def test_a_file_of_before_exports_and_streams_is_taken_over(tmp_path: Path) -> None:
    """What version 1 kept is there, and jobs can be kept besides."""
    Metadata(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.executescript(
            "DROP TABLE job; INSERT INTO tag VALUES ('cars', 'a', 'b'); PRAGMA user_version = 1"
        )
    connection.close()
    metadata = Metadata(tmp_path)
    assert ({"a": "b"}, []) == (metadata.tags("cars"), metadata.jobs(EXPORT))
    metadata.add_job(Job("J" * 22, EXPORT, "cars", 1, "IN_PROGRESS", {}))
    assert 1 == len(metadata.jobs(EXPORT, "cars"))
    metadata.close()


# --- the folder ----------------------------------------------------------------------------


def test_a_folder_has_one_server(desk: Desk, tmp_path: Path) -> None:
    """A second one is refused, until the first is gone."""
    with pytest.raises(LedgerFileError, match="another server"):
        Metadata(tmp_path)
    desk.close()
    Metadata(tmp_path).close()


def test_a_folder_that_goes_is_told(tmp_path: Path) -> None:
    """Listing fails with what went."""
    folder = tmp_path / "gone"
    folder.mkdir()
    desk = Desk(folder)
    shutil.rmtree(folder)
    with pytest.raises(LedgerFileError, match="gone"):
        desk.ledgers.names()
    assert 500 == desk.call("GET", "/ledgers").status
    desk.close()


def test_a_server_needs_a_folder(tmp_path: Path) -> None:
    """A file or nothing is no folder."""
    with pytest.raises(UsageError, match="there is no folder"):
        Ledgers(tmp_path / "none", limits="qldb", extensions="off", environment=environment())


def test_an_unused_ledger_outlives_the_server(tmp_path: Path) -> None:
    """What was created is there when the folder is opened again, under its name."""
    desk = Desk(tmp_path)
    desk.make_ledger("cars")
    desk.close()
    (tmp_path / "empty.ledger").touch()
    desk = Desk(tmp_path)
    assert ["cars", "empty"] == desk.ledgers.names()
    for name in desk.ledgers.names():
        Talk(desk, name).run(("CREATE TABLE Car",))
        assert name == desk.ledgers.open(name).name
    desk.close()


def test_a_ledger_that_cannot_be_made_is_told(desk: Desk, tmp_path: Path) -> None:
    """The client hears of a failure, the log why; here a link leads nowhere."""
    (tmp_path / "vans.ledger").symlink_to(tmp_path / "nowhere" / "vans.ledger")
    body = {"Name": "vans", "PermissionsMode": "STANDARD"}
    assert 500 == desk.call("POST", "/ledgers", body).status


def test_settings_outlive_the_server(tmp_path: Path) -> None:
    """They and the tags are there when the folder is opened again."""
    settings = LedgerSettings(1, "STANDARD", deletion_protection=False)
    metadata = Metadata(tmp_path)
    metadata.put_settings("cars", settings)
    metadata.put_tags("cars", {"a": "b"})
    metadata.close()
    metadata = Metadata(tmp_path)
    assert (settings, {"a": "b"}) == (metadata.settings("cars"), metadata.tags("cars"))
    metadata.close()


@pytest.mark.parametrize("content", [b"x" * 5000, None])
def test_another_file_of_that_name_is_refused(tmp_path: Path, content: bytes | None) -> None:
    """Neither garbage nor a ledger is the server's file, and neither is changed."""
    path = tmp_path / FILE_NAME
    if content is None:
        Ledger.open(path).close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(LedgerFileError):
        Metadata(tmp_path)
    assert before == path.read_bytes()


def test_a_ledger_that_cannot_be_removed_is_told(desk: Desk, tmp_path: Path) -> None:
    """The client hears of a failure, the log why."""
    desk.call("PATCH", LEDGER, {"DeletionProtection": False}, name="cars")
    desk.ledgers.open("cars")
    blocked = tmp_path / "cars.ledger-journal"
    blocked.mkdir()
    assert 500 == desk.call("DELETE", LEDGER, name="cars").status
    blocked.rmdir()


def test_base64_is_what_the_digest_is_in(desk: Desk, talk: Talk) -> None:
    """32 bytes."""
    got = desk.call("POST", f"{LEDGER}/digest", name="cars")
    assert got.body["Digest"] == to_base64(desk.ledgers.open("cars").digest().digest)
    assert talk.token
