"""What GetBlock and GetRevision answered, against a digest."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from qldb_stream.archive.evidence import (
    Answer,
    find_in_answer,
    make_evidence,
    parse_answer,
    verify_proof,
)
from qldb_stream.archive.evidence._parts import path_in_block
from qldb_stream.errors import AnswerError, DecodeError, ProofRefusedError, UsageError
from qldb_stream.events import BlockAddress, RevisionKind
from qldb_stream.hashing import dot
from qldb_stream.ion import load_slice, to_slice, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.digest import SavedDigest, parse_digest
from tests.archive.evidence.support import JOURNAL, found, one_of, saved
from tests.ledger.support import make_cars, run

DOCUMENT = "JUJgkIcNbhS2goq8RqLuZ4"


@pytest.fixture
def published(vectors: Path) -> Path:
    """The answers that AWS published, with their digest."""
    return vectors / "block-100"


def digest_of(published: Path) -> SavedDigest:
    """The published digest."""
    return parse_digest((published / "digest.json").read_bytes())


@pytest.mark.parametrize("name", ["block.json", "revision.json"])
def test_the_published_proofs_hold(published: Path, name: str) -> None:
    """Block and revision of the published answers lead to the published digest."""
    answer = parse_answer((published / name).read_bytes())
    verify_proof(answer, digest_of(published))

    assert ("KmA3ZZca7vAIiJAK9S5Iwl", 100) == (answer.address.strand_id, answer.address.sequence_no)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("revision.json", 1),
        ("block.json", 3),
        pytest.param("block.json", 1, marks=pytest.mark.soak),
    ],
)
def test_one_byte_changed_fails(published: Path, name: str, step: int) -> None:
    """A byte changed in any hash, in metadata, statements or document is found."""
    data = (published / name).read_bytes()
    saved = digest_of(published)
    start = data.index(b"data:{") if name == "revision.json" else data.index(b"blockHash:")
    accepted = []
    for place in range(start, len(data), step):
        changed = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        try:
            verify_proof(parse_answer(changed), saved)
        except (DecodeError, ProofRefusedError):
            continue
        accepted.append((place, data[place - 12 : place + 12]))

    meaning = to_meaning(data)
    for place, around in accepted:  # bytes that change no value: white space, or the JSON's own
        changed = data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]
        assert meaning == to_meaning(changed), around


def to_meaning(data: bytes) -> object:
    """What the hashes of an answer cover."""
    answer = parse_answer(data)
    if answer.block is not None:
        summary = answer.block.summary
        hashes = [(r.hash, r.metadata, r.data_ion) for r in answer.block.revisions]
        return summary.block_hash, summary.entries_hash_list, hashes, answer.proof
    assert answer.revision is not None
    revision = answer.revision
    return revision.hash, revision.metadata, revision.data_ion, answer.proof


def test_digests_that_do_not_fit(published: Path) -> None:
    """Another digest, ledger or tip is told apart."""
    answer = parse_answer((published / "block.json").read_bytes())
    saved = digest_of(published)
    strand_id = answer.address.strand_id
    for code, other in (
        ("OTHER_DIGEST", attrs.evolve(saved, digest=bytes(32))),
        ("OTHER_DIGEST", attrs.evolve(saved, tip=BlockAddress(strand_id, 300))),
        ("OTHER_LEDGER", attrs.evolve(saved, tip=BlockAddress("0" * 22, 123))),
        ("AFTER_TIP", attrs.evolve(saved, tip=BlockAddress(strand_id, 99))),
    ):
        with pytest.raises(ProofRefusedError) as caught:
            verify_proof(answer, other)
        assert code == caught.value.code
    verify_proof(answer, attrs.evolve(saved, tip=None))


def test_an_answer_without_a_proof_proves_nothing(published: Path) -> None:
    """What was asked without a tip has no proof, and says so."""
    members = json.loads((published / "block.json").read_bytes())
    del members["Proof"]
    answer = parse_answer(json.dumps(members).encode())
    with pytest.raises(ProofRefusedError, match="no Proof"):
        verify_proof(answer, digest_of(published))


def test_a_bundle_of_an_answer(published: Path) -> None:
    """GetBlock's answer makes a bundle of a document in it; GetRevision's has no block for one."""
    saved = digest_of(published)
    block = parse_answer((published / "block.json").read_bytes())
    revision = parse_answer((published / "revision.json").read_bytes())
    made = make_evidence(find_in_answer(block, DOCUMENT, saved), b"saved")

    assert (DOCUMENT, 3, "VehicleRegistration") == tuple(
        made.proven[name] for name in ("document_id", "revision_version", "table")
    )
    assert find_in_answer(block, DOCUMENT, saved, version=3).revision.hash
    with pytest.raises(ProofRefusedError, match="no revision"):
        find_in_answer(block, DOCUMENT, saved, version=4)
    with pytest.raises(UsageError):
        find_in_answer(revision, DOCUMENT, saved)


def test_the_embedded_ledgers_proofs_hold(tmp_path: Path) -> None:
    """Every revision and block of a ledger is proven to its digest."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        make_cars(ledger)
        run(ledger, "UPDATE Car AS c SET c.n = 2")
        digest = ledger.digest()
        saved = SavedDigest(digest.digest, digest.tip)
        for block in ledger.blocks():
            number = block.address.sequence_no
            held = ledger.block(number, tip=digest.tip.sequence_no)
            verify_proof(parse_answer(as_answer("Block", held.block, held.proof)), saved)
            for revision in block.revisions:
                if revision.document_id is not None:
                    one = ledger.revision(number, revision.document_id, tip=digest.tip.sequence_no)
                    verify_proof(
                        parse_answer(as_answer("Revision", one.revision, one.proof)), saved
                    )


def as_answer(name: str, value: object, proof: object) -> bytes:
    """Write what the service would answer."""
    texts = {name: to_slice(value), "Proof": to_slice(list(proof or ()))}  # type: ignore[call-overload]
    return json.dumps({key: {"IonText": to_text(one)} for key, one in texts.items()}).encode()


@pytest.mark.parametrize("kind", [RevisionKind.DELETE, RevisionKind.UPDATE])
def test_a_revision_without_data_alone_proves_no_delete(kind: RevisionKind) -> None:
    """With the hash of its document as the first of the proof, any revision would pass for one."""
    at = found(JOURNAL, *one_of(JOURNAL, kind))
    metadata, data = at.revision.metadata, at.revision.data_ion
    assert metadata is not None
    delete = attrs.evolve(at.revision, data_ion=None, hash=metadata.ion.hash())
    proof = (*path_in_block(at.block, at.revision), *at.block_path)
    whole = proof if data is None else (data.hash(), *proof)

    with pytest.raises(ProofRefusedError, match="cannot be told from one whose data was left out"):
        verify_proof(Answer(None, delete, whole), saved(JOURNAL))


def test_metadata_and_a_document_of_its_fields_are_not_told_apart() -> None:
    """They may have changed places: the hash of both is the same."""
    at = found(JOURNAL, *one_of(JOURNAL, RevisionKind.UPDATE))
    metadata = at.revision.metadata
    assert metadata is not None
    digest = dot(metadata.ion.hash(), metadata.ion.hash())
    twice = attrs.evolve(at.revision, data_ion=metadata.ion, hash=digest)
    with pytest.raises(ProofRefusedError, match="very fields of metadata"):
        verify_proof(Answer(None, twice, ()), SavedDigest(digest, None))


def test_a_document_that_verify_py_does_not_read_is_proven() -> None:
    """It is no metadata for that."""
    at = found(JOURNAL, *one_of(JOURNAL, RevisionKind.UPDATE))
    metadata = at.revision.metadata
    assert metadata is not None
    # 2000-01-01T00:00:00 and 1,100 places: offset, six parts, exponent, coefficient.
    moment = load_slice(bytes.fromhex("e00100ea 6b 80 0fd0 81 81 80 80 80 48cc 01"))
    data = to_slice({"time": moment})
    digest = dot(metadata.ion.hash(), data.hash())
    verify_proof(
        Answer(None, attrs.evolve(at.revision, data_ion=data, hash=digest), ()),
        SavedDigest(digest, None),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Block":{"IonText":"{}"},"Revision":{"IonText":"{}"}}',
        b'{"Block":{"IonText":"{}"},"Block":{"IonText":"{}"}}',
        b'{"Block":1}',
        b'{"Block":{"IonText":"1 2"}}',
        b'{"Block":{"IonText":"{}"}}',
        b'{"Revision":{"IonText":"{}"}}',
        b'{"Revision":{"IonText":"1"}}',
        b'{"Revision":{"IonText":"{"}}',
        b'{"Revision":{},"Proof":{"IonText":"[1]"}}',
        b'{"Revision":{},"Proof":{"IonText":"[{{AAAA}}]"}}',
        b"[" * 100_000,
        b"\xff\xfe\xff",
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    """Anything else is an error of bytes that cannot be read."""
    with pytest.raises(DecodeError):
        parse_answer(data)


def test_a_long_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read beyond a bound."""
    monkeypatch.setattr("qldb_stream.parsers.answer.MAX_ANSWER_BYTES", 10)
    with pytest.raises(AnswerError, match="at most 10 bytes"):
        parse_answer(b" " * 11)


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_bytes(data: bytes) -> None:
    """Random bytes, alone or as Ion text in an answer, raise a DecodeError and nothing else."""
    with suppress(DecodeError):
        parse_answer(data)
    text = data.decode("latin-1")
    with suppress(DecodeError):
        parse_answer(json.dumps({"Block": {"IonText": text}, "Proof": {"IonText": text}}).encode())
