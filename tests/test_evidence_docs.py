"""docs/evidence.md: its commands and its example run, and it names every file and code."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from qldb_stream.archive.evidence import verify
from qldb_stream.cli import main
from qldb_stream.testing import write_archive
from tests.archive.evidence.support import JOURNAL, revisions, saved

PAGE = Path(__file__).resolve().parent.parent / "docs" / "evidence.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLE = "JUJgkIcNbhS2goq8RqLuZ4"


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vectors: Path) -> str:
    """Where the page's files are; the document of the archive there that stands for the page's."""
    monkeypatch.chdir(tmp_path)
    write_archive(JOURNAL.iter_records(), Path("archive"))
    digest = saved(JOURNAL)
    assert digest.tip is not None
    tip = f'{{strandId:"{digest.tip.strand_id}",sequenceNo:{digest.tip.sequence_no}}}'
    answer = {"Digest": base64.b64encode(digest.digest).decode(), "DigestTipAddress": tip}
    Path("digest.json").write_text(json.dumps(answer), encoding="utf-8")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path("key.pem").write_bytes(pem)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    Path("public.pem").write_bytes(public)
    for name in ("block.json", "revision.json"):
        shutil.copy(vectors / "block-100" / name, name)
    shutil.copy(vectors / "block-100" / "digest.json", "published.json")
    return next(r.document_id or "" for _, r in revisions(JOURNAL) if r.metadata)


def commands(pattern: str) -> list[list[str]]:
    """The page's commands of a kind, in words."""
    return [found.split() for found in re.findall(pattern, TEXT, re.MULTILINE)]


def test_the_commands_run(document: str) -> None:
    """Each proves something, the bundles are accepted by the last two commands."""
    proofs = commands(r"^qldb-stream (prove .*)$")
    assert 6 == len(proofs)
    for words in proofs:
        if "--answer" in words:
            words[words.index("digest.json")] = "published.json"
        else:
            words[words.index(EXAMPLE)] = document
        assert 0 == main(words), words

    published = json.loads(Path("published.json").read_bytes())["Digest"]
    digest, tip = saved(JOURNAL).digest, saved(JOURNAL).tip
    assert tip is not None
    real = {
        "BASE64": base64.b64encode(digest).decode(),
        "STRAND:N": f"{tip.strand_id}:{tip.sequence_no}",
    }
    Path("verify.py").write_bytes(Path(verify.__file__).read_bytes())
    checks = commands(r"^python3 (-I -S verify.py .*)$")
    assert 2 == len(checks)
    for words, bundle in zip(checks, ("answered.zip", "signed.zip"), strict=True):
        words[words.index("evidence.zip")] = bundle
        done = subprocess.run(
            [sys.executable, *(real.get(word, word) for word in words)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert published in TEXT


def test_the_example_runs(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The library makes the bundle that the command makes."""
    (example,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    exec(compile(example.replace(EXAMPLE, document), str(PAGE), "exec"), {})  # noqa: S102 - ours

    assert re.fullmatch(r"\d+ (document|deleted|redacted)\n", capsys.readouterr().out)
    digest = base64.b64encode(saved(JOURNAL).digest).decode()
    assert 0 == verify.main(["python.zip", "--digest", digest])


def test_every_file_and_code_is_named() -> None:
    """The tables name what a bundle holds, and why a proof is refused."""
    assert [] == [name for name in verify.FILES if f"`{name}`" not in TEXT]
    room = Path(verify.__file__).parent
    source = "".join(file.read_text(encoding="utf-8") for file in room.glob("_*.py"))
    codes = set(re.findall(r'^\s{8,}"([A-Z]+(?:_[A-Z]+)+)"', source, re.MULTILINE))
    codes |= set(re.findall(r'ProofRefusedError\("([A-Z_]+)"', source))
    assert 9 == len(codes)
    assert [] == [code for code in codes if f"`{code}`" not in TEXT]
