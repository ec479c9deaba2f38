"""`qldb-stream prove`: bundles of evidence, and answers that AWS gave."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from qldb_stream.archive.evidence import verify
from qldb_stream.events import RevisionKind
from qldb_stream.testing import make_delivery, make_journal, records, write_archive
from tests.archive.evidence.support import SHAPE, given, one_of, revisions, saved
from tests.cli.conftest import Run

JOURNAL = make_journal(21, blocks=30, shape=SHAPE)
DIGEST = saved(JOURNAL)
BASE64 = base64.b64encode(DIGEST.digest).decode()
BLOCK, REVISION = [pair for pair in revisions(JOURNAL) if len(pair[0].revisions) > 1][-1]
DOCUMENT = REVISION.document_id or ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an archive is, and the digest that was saved."""
    monkeypatch.chdir(tmp_path)
    write_archive(make_delivery(JOURNAL.iter_records(), seed=1), tmp_path / "archive")
    tip = f'{{strandId:"{JOURNAL.strand_id}",sequenceNo:29}}'
    console = {"digest": BASE64, "digestTipAddress": tip, "ledger": "cars", "date": "2020-01-01"}
    (tmp_path / "digest.json").write_text(json.dumps(console), encoding="utf-8-sig")
    return tmp_path


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a private key as openssl does."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_a_bundle(run: Run, folder: Path) -> None:
    """The bundle that is written is accepted with the digest, and refused with another."""
    command = ("prove", "archive", "--document", DOCUMENT, "--digest", "digest.json")
    answer = run(*command, "-o", "evidence.zip")

    assert (0, "") == (answer.code, answer.err)
    assert "ok: proven against the digest; evidence.zip written, unsigned" in answer.out
    assert "--only-document hides them" in answer.out
    assert 0 == verify.main(["evidence.zip", "--digest", BASE64])
    assert 1 == verify.main(["evidence.zip", "--digest", base64.b64encode(bytes(32)).decode()])


def test_what_is_no_document_is_said(run: Run, folder: Path) -> None:
    """That a delete is proven as metadata alone is told with it."""
    _, deleted = one_of(JOURNAL, RevisionKind.DELETE)
    command = ("prove", "archive", "--document", deleted.document_id, "--digest", "digest.json")
    whole = run(*command, "-o", "whole.zip")
    alone = run(*command, "-o", "alone.zip", "--only-document")

    assert "deleted: this revision, with this metadata, deleted the document" in whole.out
    assert "metadata: the metadata are those that the journal had" in alone.out


def test_a_signed_bundle_of_a_version_alone(run: Run, folder: Path) -> None:
    """A key signs it, a version is chosen, other documents stay out, and it is told as JSON."""
    key = Ed25519PrivateKey.generate()
    write_key(folder / "key.pem", key)
    assert REVISION.metadata is not None
    version = ("--version", REVISION.metadata.version, "--only-document", "--json")
    command = ("prove", "archive", "--document", DOCUMENT, "--digest", "digest.json", *version)
    answer = run(*command, "-o", "evidence.zip", "--sign", "key.pem")
    said = answer.json()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()

    assert (0, True, 0, "evidence.zip") == (
        answer.code,
        said["ok"],
        said["other_revisions"],
        said["output"],
    )
    assert (DOCUMENT, public) == (said["document_id"], said["signer"]["public_key"])
    assert 0 == verify.main(["evidence.zip", "--digest", BASE64, "--key", public])


@pytest.mark.parametrize("form", [given(DIGEST).decode(), f"{BASE64} --tip {JOURNAL.strand_id}:29"])
def test_a_digest_on_the_command_line(run: Run, folder: Path, form: str) -> None:
    """A digest can be given as base64, with its tip behind it or beside it."""
    command = ("prove", "archive", "--document", DOCUMENT, "-o", "e.zip", "--digest")

    assert 0 == run(*command, *form.split()).code


def test_by_an_index(run: Run, folder: Path) -> None:
    """An index finds the same proof; where it finds none, reading all says why."""
    command = ("prove", "archive", "--document", DOCUMENT, "--digest", "digest.json")
    assert 0 == run(*command, "-o", "read.zip").code
    for name in ("made.zip", "used.zip"):
        answer = run(*command, "-o", name, "--index", "index", "--json")
        assert (0, "") == (answer.code, answer.err)
        assert verify.check_bundle(verify.open_bundle(name), DIGEST.digest)["ok"]
        assert 30 == answer.json()["report"]["archive"]["blocks"]
    read, used = (verify.open_bundle(name) for name in ("read.zip", "used.zip"))
    assert {"SHA256SUMS", "report.json", "evidence.html"} == {
        name for name in read if read[name] != used[name]
    }

    unknown = ("prove", "archive", "--document", "0" * 22, "--digest", "digest.json")
    answer = run(*unknown, "-o", "e.zip", "--index", "index")
    assert (1, True) == (answer.code, "has no document" in answer.err)


def test_a_wrong_index_makes_no_proof(run: Run, folder: Path) -> None:
    """Hashes of an index that were changed do not lead to the digest: all is read instead."""
    command = ("prove", "archive", "--document", DOCUMENT, "--digest", "digest.json")
    assert 0 == run(*command, "-o", "first.zip", "--index", "index").code
    with closing(sqlite3.connect("index")) as db, db:
        db.execute("UPDATE block SET nodes = zeroblob(length(nodes))")
    answer = run(*command, "-o", "second.zip", "--index", "index", "--json")

    assert 0 == answer.code
    assert "not_checkable" in answer.json()["report"]["archive"]  # what only reading all tells
    assert 0 == verify.main(["second.zip", "--digest", BASE64])


def test_what_cannot_be_proven_exits_with_1(run: Run, folder: Path) -> None:
    """An unknown document, and an archive with a hole, are one sentence; nothing is written."""
    holed = (r for b in JOURNAL if b.address.sequence_no != 4 for r in records(b))
    write_archive(holed, folder / "holed")
    for source, document, why in (
        ("archive", "0" * 22, "has no document"),
        ("holed", DOCUMENT, "block 4 is missing"),
    ):
        command = ("prove", source, "--document", document, "--digest", "digest.json")
        answer = run(*command, "-o", "e.zip")
        assert (1, True) == (answer.code, why in answer.err)
    assert not (folder / "e.zip").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--digest", "digest.json"),
        ("archive", "--digest", "digest.json"),
        ("archive", "--digest", "digest.json", "--document", DOCUMENT),
        ("archive", "--digest", "nothing.json", "--document", DOCUMENT, "-o", "e.zip"),
        ("archive", "--digest", BASE64, "--document", DOCUMENT, "-o", "e.zip"),
        ("archive", "--digest", "digest.json", "--tip", f"{'0' * 22}:1", "-o", "e.zip"),
        ("archive", "--digest", "digest.json", "--document", DOCUMENT, "-o", "digest.json"),
        ("archive", "--digest", "digest.json", "--document", DOCUMENT, "-o", "no/where/e.zip"),
        ("archive", "--digest", "digest.json", "--answer", "digest.json"),
        ("--digest", "digest.json", "--answer", "nothing.json"),
        ("--digest", "digest.json", *2 * ("--answer", "x"), "--document", DOCUMENT, "-o", "e.zip"),
    ],
)
def test_wrong_usage_exits_with_2(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    """What makes no sense as given ends with 2 and one sentence."""
    answer = run("prove", *arguments)

    assert (2, "", 1) == (answer.code, answer.out, len(answer.err.splitlines()))


def test_keys_that_are_none(run: Run, folder: Path) -> None:
    """A key of another kind, a file that holds none, and none at all; it is never shown."""
    other = generate_private_key(SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "other.pem").write_bytes(pem)
    (folder / "odd.pem").write_bytes(b"SECRET")
    for key in ("other.pem", "odd.pem", "none.pem"):
        command = ("prove", "archive", "--document", DOCUMENT, "--digest", "digest.json")
        answer = run(*command, "-o", "e.zip", "--sign", key)
        assert (2, False) == (answer.code, "SECRET" in answer.err)


def test_answers(run: Run, vectors: Path, tmp_path: Path) -> None:
    """The published answers are proven, one of them becomes a bundle, and a changed one fails."""
    given_here = vectors / "block-100"
    digest = ("--digest", given_here / "digest.json")
    both = ("--answer", given_here / "block.json", "--answer", given_here / "revision.json")
    answer = run("prove", *both, *digest)
    assert (0, True) == (answer.code, "ok: 2 answers proven" in answer.out)
    said = run("prove", *both, *digest, "--json").json()
    assert ["block", "revision"] == [one["what"] for one in said["proven"]]

    bundle = ("--document", "JUJgkIcNbhS2goq8RqLuZ4", "-o", tmp_path / "e.zip")
    assert 0 == run("prove", *both[:2], *digest, *bundle).code
    published = json.loads((given_here / "digest.json").read_bytes())["Digest"]
    assert 0 == verify.main([str(tmp_path / "e.zip"), "--digest", published])

    changed = (given_here / "block.json").read_text(encoding="utf-8").replace("Everett", "Seattle")
    (tmp_path / "changed.json").write_text(changed, encoding="utf-8")
    answer = run("prove", "--answer", tmp_path / "changed.json", *digest)
    assert (1, True) == (answer.code, "REVISION_HASH" in answer.err)
    assert f"no proof: {tmp_path / 'changed.json'}: block" in answer.err
    answer = run("prove", *both, "--answer", given_here / "digest.json", *digest)
    assert (1, True) == (answer.code, f"both or neither in {given_here}" in answer.err)
