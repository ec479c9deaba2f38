"""Bundles: what verify.py accepts, and that it refuses whatever was changed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from qldb_stream.archive.evidence import Signer, make_evidence, verify
from qldb_stream.events import RevisionKind
from qldb_stream.ion import iter_text, loads
from qldb_stream.parsers.export import parse_export
from qldb_stream.verification import verify_block
from tests.archive.evidence.support import JOURNAL, bundle, found, given, one_of, revisions, saved

DIGEST = saved(JOURNAL).digest
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
LONG = ("verify.py", "evidence.html", "report.json")  # nothing in them is looked at but the hash


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bundle's own verify.py on a bare Python, in an empty folder."""
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    script = folder / "verify.py"
    script.write_bytes(bundle().files["verify.py"])
    command = [sys.executable, "-I", "-S", str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=empty, env={})


def resealed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files with an index that fits: what a forger does who changes all together."""
    return {**files, verify.INDEX: verify.index_of(files)}


def refuse(files: dict[str, bytes], digest: bytes = DIGEST, key: bytes | None = None) -> str:
    """Give the reason for which files are refused."""
    with pytest.raises(verify.RefusedError) as caught:
        verify.check_bundle(files, digest, key)
    return str(caught.value)


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_a_bare_python_accepts_it(tmp_path: Path, form: str) -> None:
    """verify.py runs without any package, on the zip and on the folder that it unpacks to."""
    place = tmp_path / "evidence.zip"
    place.write_bytes(bundle().to_zip())
    if form == "folder":
        with zipfile.ZipFile(place) as packed:
            packed.extractall(tmp_path / "evidence")
        place = tmp_path / "evidence"
    done = run(tmp_path, str(place), "--digest", b64encode(DIGEST).decode(), "--json")
    said = json.loads(done.stdout)

    assert (0, "", True) == (done.returncode, done.stderr, said["ok"])
    block, revision = one_of(JOURNAL, RevisionKind.UPDATE)
    assert (revision.document_id, block.address.sequence_no, "document") == (
        said["document_id"],
        said["sequence_no"],
        said["state"],
    )
    assert revision.table is not None
    assert revision.table.table_name == said["table"]


def test_people_are_told_what_is_proven_and_what_not(tmp_path: Path) -> None:
    """Without --json it is sentences, with what the digest does not prove among them."""
    place = tmp_path / "evidence.zip"
    place.write_bytes(bundle().to_zip())
    done = run(tmp_path, str(place), "--digest", b64encode(DIGEST).decode())

    assert 0 == done.returncode
    assert done.stdout.startswith("PROVEN against the digest given")
    assert all(sentence in done.stdout for sentence in verify.PROVES_NOT)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--digest", b64encode(bytes(32)).decode()], 1, "does not lead to the digest"),
        (["--digest", "AAAA"], 2, "32 bytes"),
        (["--digest", "!"], 2, "base64"),
        ([], 2, ""),
        (
            ["--digest", b64encode(DIGEST).decode(), "--key", b64encode(PUBLIC).decode()],
            1,
            "signed",
        ),
        (["--digest", b64encode(DIGEST).decode(), "--key", "AAAA"], 2, "32 bytes"),
    ],
)
def test_codes(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """1 says that it is not proven, 2 that it cannot be asked so."""
    place = tmp_path / "evidence.zip"
    place.write_bytes(bundle().to_zip())
    done = run(tmp_path, str(place), *arguments)

    assert code == done.returncode
    assert said in done.stdout


def test_it_asks_for_little() -> None:
    """verify.py is Python 3.9, and imports the standard library alone."""
    tree = ast.parse(bundle().files["verify.py"], feature_version=(3, 9))
    imports = [one for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]
    names = {
        name.name if isinstance(one, ast.Import) else str(one.module)
        for one in imports
        for name in one.names
    }

    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize("place", ["nothing.zip", "verify.py", "."])
def test_what_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str) -> None:
    """A file that is missing ends with 2, another file or folder is refused."""
    (tmp_path / "verify.py").write_bytes(b"print()")
    path = str(tmp_path / place)
    code = verify.main([path, "--digest", b64encode(DIGEST).decode()])

    assert (2 if place == "nothing.zip" else 1) == code
    assert "REFUSED" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [k for k in RevisionKind if k.value in ("insert", "update")])
def test_a_document(kind: RevisionKind) -> None:
    """An insert and an update prove their documents; the block in the bundle verifies, too."""
    made = bundle(kind)
    (block,) = parse_export(made.files["block.10n"])

    assert "document" == made.proven["state"]
    assert () == verify_block(block).problems
    (text,) = iter_text(made.files["revision.ion"])
    assert loads(made.files["revision.10n"]) == text.decode()


def test_a_delete_and_a_redaction_say_what_they_prove() -> None:
    """Of a document that was deleted or redacted nothing more is claimed than its hash."""
    for kind, state in ((RevisionKind.DELETE, "deleted"), (RevisionKind.REDACTED, "redacted")):
        made = bundle(kind)
        assert state == made.proven["state"]
        assert verify.PROVES[state][0] in made.files["evidence.html"].decode()


def test_revisions_all_over_a_journal_are_proven() -> None:
    """Whatever the place of a revision in its block and of the block in the journal."""
    for block, revision in list(revisions(JOURNAL))[::4]:
        made = make_evidence(found(JOURNAL, block, revision), given(saved(JOURNAL)))
        assert revision.document_id == made.proven["document_id"]


def test_the_same_bytes_each_time() -> None:
    """Two bundles of one revision are one file."""
    block, revision = one_of(JOURNAL, RevisionKind.UPDATE)
    again = make_evidence(found(JOURNAL, block, revision), given(saved(JOURNAL)))

    assert bundle().to_zip() == again.to_zip()


def test_only_the_document() -> None:
    """Other documents of the block and its statements can stay out, and the proof holds."""
    block, revision = next(
        (block, revision)
        for block, revision in revisions(JOURNAL)
        if sum(one.data_ion is not None for one in block.revisions) > 1
    )
    whole = make_evidence(found(JOURNAL, block, revision), b"")
    alone = make_evidence(found(JOURNAL, block, revision), b"", only_document=True)
    (held,) = parse_export(alone.files["block.10n"])

    assert (0, True) == (alone.others, whole.others > 0)
    assert [revision.document_id] == [r.document_id for r in held.revisions if r.metadata]
    assert (None, None) == (held.summary.transaction_info, alone.proven["table"])
    assert json.loads(alone.files["report.json"])["left_out"]


def test_it_says_nothing_that_no_digest_proves(tmp_path: Path) -> None:
    """The report tells that it is told, and that no archive was read where none was."""
    report = json.loads(bundle().files["report.json"])

    assert report["archive"] is None
    assert "proves none of it" in report["note"]


# --- changes -------------------------------------------------------------------------------


def changed(files: dict[str, bytes], step: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Files with one byte of one of them changed; long ones at every so many bytes."""
    for name, data in files.items():
        for place in range(0, len(data), step if name in LONG else 1):
            other = bytes((data[place] ^ 1 << place % 8,))
            yield name, {**files, name: data[:place] + other + data[place + 1 :]}


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.soak)])
def test_a_changed_byte_in_any_file_is_refused(step: int) -> None:
    """One byte changed, in any file of a signed bundle, is refused, without the key as well."""
    files = dict(bundle(signer=Signer(KEY)).files)
    verify.check_bundle(files, DIGEST)
    for _name, other in changed(files, step):
        with pytest.raises(verify.RefusedError):
            verify.check_bundle(other, DIGEST)


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.soak)])
def test_a_changed_byte_of_the_zip_is_refused(step: int) -> None:
    """A byte changed anywhere between or around the files is refused: the zip has one form."""
    data = bundle().to_zip()
    start = data.index(b"PK\1\2")
    places = {*range(0, len(data), step), *range(start, len(data)), *range(200)}
    for place in places:
        other = data[:place] + bytes((data[place] ^ 1 << place % 8,)) + data[place + 1 :]
        with pytest.raises(verify.RefusedError):
            verify.check_bundle(verify.unpack(other), DIGEST)


@pytest.mark.parametrize("name", ["revision.10n", "revision.ion", "block.10n", "block.ion"])
def test_changed_ion_is_refused_though_the_index_fits(name: str) -> None:
    """Who changes Ion and the index is refused by text, hash or path."""
    files = dict(bundle().files)
    for place in range(len(files[name])):
        other = bytearray(files[name])
        other[place] ^= 1 << place % 8
        refuse(resealed({**files, name: bytes(other)}))


def test_a_changed_proof_is_refused_though_the_index_fits() -> None:
    """No claim of proof.json can be another one."""
    files = dict(bundle().files)
    claims = json.loads(files[verify.PROOF])
    for name, value in claims.items():
        others: list[Any] = [None, [], 0, -1, True, "x" * 22, "é"]
        if isinstance(value, int):
            others += [value + 1, float(value)]
        if isinstance(value, list):
            others += [value[::-1] + value, value[:-1], [*value, b64encode(bytes(32)).decode()]]
        for other in others:
            if other != value:
                proof = verify.canonical({**claims, name: other})
                refuse(resealed({**files, verify.PROOF: proof}))
    refuse(resealed({**files, verify.PROOF: json.dumps(claims).encode()}))
    refuse(resealed({**files, verify.PROOF: b"[" * 100_000}))


def test_the_tip_is_compared_where_it_is_given() -> None:
    """No digest says up to which block it goes; a tip from outside is compared."""
    files, tip = dict(bundle().files), saved(JOURNAL).tip
    assert tip is not None
    assert verify.check_bundle(files, DIGEST, tip=f"{tip.strand_id}:{tip.sequence_no}")["ok"]
    with pytest.raises(verify.RefusedError, match="another tip"):
        verify.check_bundle(files, DIGEST, tip=f"{tip.strand_id}:{tip.sequence_no + 1}")


def test_a_sibling_document_is_not_taken_for_it() -> None:
    """Revision and path of one document with the block of another are refused."""
    mine, other = bundle(), bundle(RevisionKind.INSERT)
    for name in ("revision", "block"):
        swapped = {f"{name}{end}": other.files[f"{name}{end}"] for end in (".10n", ".ion")}
        refuse(resealed({**mine.files, **swapped}))


def test_the_key_protects_what_the_digest_does_not() -> None:
    """Page, report and digest as saved can be forged with the index; a signature forbids it."""
    made = bundle(signer=Signer(KEY))
    said = verify.check_bundle(dict(made.files), DIGEST, PUBLIC)
    assert {"public_key": b64encode(PUBLIC).decode(), "is_yours": True} == said["signer"]

    for name in (*LONG, "digest.saved"):
        unsigned = {**bundle().files, name: b"forged"}
        assert verify.check_bundle(resealed(unsigned), DIGEST)["ok"]
        refuse(resealed({**made.files, name: b"forged"}))

    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    forged = resealed({**made.files, "evidence.html": b"forged"})
    forged[verify.SIGNATURE] = Signer(other).sign(forged[verify.INDEX])
    assert not verify.check_bundle(forged, DIGEST)["signer"]["is_yours"]
    assert "another key" in refuse(forged, key=PUBLIC)


def test_a_signature_has_one_form() -> None:
    """More or fewer words, spaces and lines around it are refused."""
    files = dict(bundle(signer=Signer(KEY)).files)
    line = files[verify.SIGNATURE]
    for other in (
        b"",
        line[:-1],
        line + b"\n",
        line.replace(b" ", b"  "),
        b"x " + line,
        b"rsa" + line,
    ):
        refuse({**files, verify.SIGNATURE: other})


def test_names_are_exactly_those_of_a_bundle() -> None:
    """A file that is added, taken away or renamed is named."""
    files = dict(bundle().files)
    for name, data in files.items():
        less = {key: one for key, one in files.items() if key != name}
        assert name in refuse(less)
        assert name.upper() + "x" in refuse({**less, name.upper() + "x": data})
    assert "more" in refuse({**files, "more": b""})


# --- tricks --------------------------------------------------------------------------------


def packed(files: dict[str, bytes], *, more: tuple[str, ...] = (), **options: Any) -> bytes:
    """Pack files by the standard library, and some of them again."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:
        for name in (*files, *more):
            archive.writestr(zipfile.ZipInfo(name), files[name], options.get("compression"))
    return out.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_other_zip_is_taken() -> None:
    """Packed anew, compressed, with a name twice, with bytes around it: the folder is asked for."""
    files = dict(bundle().files)
    good = bundle().to_zip()
    backwards = dict(sorted(files.items(), reverse=True))
    for data in (
        packed(files, compression=zipfile.ZIP_DEFLATED),
        packed(files, more=("block.ion",)),
        packed(backwards),
        b"x" + good,
        good + b"x",
        good[:-2] + b"\1\0x",
        good[:1000],
        good[:20],
        b"",
    ):
        with pytest.raises(verify.RefusedError):
            verify.unpack(data)


def test_the_zip_is_one_for_all() -> None:
    """What `pack` writes is a zip that the standard library reads, and finds nothing wrong in."""
    with zipfile.ZipFile(BytesIO(bundle().to_zip())) as archive:
        assert archive.testzip() is None
        assert sorted(bundle().files) == archive.namelist()


def test_links_and_long_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder holds plain files, and not more of them than a bundle may have."""
    for name, data in bundle().files.items():
        (tmp_path / name).write_bytes(data)
    assert verify.open_bundle(str(tmp_path)) == bundle().files

    monkeypatch.setattr(verify, "MAX_BYTES", 1000)
    with pytest.raises(verify.RefusedError, match="too long"):
        verify.open_bundle(str(tmp_path))
    monkeypatch.undo()

    (tmp_path / "block.ion").rename(tmp_path.parent / "elsewhere")
    (tmp_path / "block.ion").symlink_to(tmp_path.parent / "elsewhere")
    with pytest.raises(verify.RefusedError, match="plain"):
        verify.open_bundle(str(tmp_path))
    for number in range(20):
        (tmp_path / f"more-{number}").write_bytes(b"")
    with pytest.raises(verify.RefusedError, match="names"):
        verify.open_bundle(str(tmp_path))


def test_the_page_escapes_what_it_shows() -> None:
    """Nothing of a document becomes a part of the page."""
    page = bundle().files["evidence.html"].decode()

    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_keys_are_read_from_text_and_from_files(tmp_path: Path) -> None:
    """A public key is base64 of its bytes or of its DER, or a PEM file."""
    from cryptography.hazmat.primitives import serialization as s

    pem = KEY.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    der = KEY.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "odd.pem").write_bytes(b"no key")

    for given_key in (b64encode(PUBLIC), b64encode(der), bytes(tmp_path / "key.pem")):
        assert PUBLIC == verify.read_key(given_key.decode())
    with pytest.raises(verify.AskedWrongError):
        verify.read_key(str(tmp_path / "odd.pem"))


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="a file that nobody can read")
def test_a_key_that_cannot_be_read_is_no_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    """It was asked wrong, which is another exit code than that the bundle is refused."""
    digest = b64encode(DIGEST).decode()
    assert 2 == verify.main([".", "--digest", digest, "--key", "/proc/self/mem"])
    assert "cannot read the key" in capsys.readouterr().out
