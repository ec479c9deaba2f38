"""Proofs of documents that stand in a JSON export alone: as rebuilt, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from qldb_stream.archive.evidence import find_revision, make_evidence, maybe_find_by_index
from qldb_stream.archive.evidence._rebuilt import as_rebuilt
from qldb_stream.archive.history import archive_over
from qldb_stream.errors import ProofRefusedError
from qldb_stream.events import Block, Revision, RevisionKind
from qldb_stream.hashing import dot
from qldb_stream.ion import IonSlice, iter_text, load_slice, read_struct, to_slice
from qldb_stream.sources import open_source
from qldb_stream.testing.exports import make_export
from tests.archive.evidence.support import JOURNAL, given, one_of, saved
from tests.cli.conftest import Run, run

__all__ = ["run"]  # a fixture

_, UPDATE = one_of(JOURNAL, RevisionKind.UPDATE)
DOCUMENT = UPDATE.document_id or ""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The journal as a JSON export, and nothing else."""
    make_export(JOURNAL, "json").write(tmp_path / "in")
    return tmp_path / "in"


def lost(text: str, document: Any, *, from_json: bool = True) -> tuple[Block, Revision]:
    """A block with a revision that has the hash of some Ion text, and another document."""
    (hashed,) = iter_text(text)
    block, like = one_of(JOURNAL, RevisionKind.INSERT)
    assert like.metadata is not None
    digest = dot(like.metadata.ion.hash(), hashed.hash())
    revision = attrs.evolve(
        like, data_ion=to_slice(document), hash=digest, from_json=from_json, data_hash=None
    )
    kept = tuple(revision if one is like else one for one in block.revisions)
    return attrs.evolve(block, revisions=kept), revision


def document_in(files: dict[str, bytes]) -> IonSlice:
    """The document of a bundle."""
    return read_struct(load_slice(files["revision.10n"]))["data"]


def test_every_document_of_a_json_export(archive: Path) -> None:
    """The bundle holds the document as it was hashed, and says what was put back."""
    found = find_revision(open_source(archive), DOCUMENT, saved(JOURNAL))
    made = make_evidence(found, given(saved(JOURNAL)))

    assert found.rebuilt is not None
    assert UPDATE.data_ion == found.revision.data_ion == document_in(dict(made.files))
    assert [change.path for change in found.rebuilt.changes] == made.report["rebuilt"]
    assert "as rebuilt from a JSON export" in " ".join(made.report["checked"])
    assert b"as rebuilt from a JSON export" in made.files["evidence.html"]
    assert made.proven["ok"]


def test_what_lost_nothing(archive: Path, tmp_path: Path) -> None:
    """A delete of a JSON export lost nothing, and nothing is said of a stream's documents."""
    _, delete = one_of(JOURNAL, RevisionKind.DELETE)
    found = find_revision(open_source(archive), delete.document_id or "", saved(JOURNAL))
    block, revision = lost("{a: 1, b: [2, {c: text}]}", {"a": 1}, from_json=False)

    assert None is found.rebuilt
    assert [] == make_evidence(found, b"").report["rebuilt"]
    assert (block, revision, None) == as_rebuilt(block, revision)
    same = lost('{a: 1, b: "text", c: 1.50}', {"a": 1, "b": "text", "c": Decimal("1.50")})
    assert (*same, None) == as_rebuilt(*same)


def test_by_an_index(archive: Path, tmp_path: Path) -> None:
    """The way by an index proves the same."""
    with archive_over(open_source(archive), tmp_path / "index") as opened:
        found = maybe_find_by_index(opened, DOCUMENT, saved(JOURNAL))

    assert found is not None
    assert found.rebuilt is not None
    assert UPDATE.data_ion == found.revision.data_ion


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("{a: [1, (x 2)], t: 2020-01-01T}", {"a": [1, ["x", 2]], "t": "2020-01-01"}),
        ("(1 2)", [1, 2]),
        ("{a: {b: null.string, c: null.int}}", {"a": {"b": None, "c": None}}),
        ("{{aGVsbG8=}}", "aGVsbG8="),
        ("{a: 1.5e0, b: 2.5e0, c: sym}", {"a": Decimal("1.5"), "b": Decimal("2.5"), "c": "sym"}),
    ],
)
def test_what_is_put_back(text: str, document: Any) -> None:
    """Sexps, times, nulls, blobs and floats stand in the revision as they were hashed."""
    (hashed,) = iter_text(text)
    block, revision, diagnosis = as_rebuilt(*lost(text, document))

    assert diagnosis is not None
    assert hashed == revision.data_ion
    assert any(one is revision for one in block.revisions)


@pytest.mark.parametrize(
    ("text", "document", "reason"),
    [
        ("{a: 12, b: 1}", {"a": 13, "b": 1}, "one with a value changed"),
        ('{a: "text"}', {"a": "text\n"}, "one with a value changed"),
        ("{a: 12}", {"a": 12, "b": "put in"}, "one with a value changed"),
        ("{note: 12}", {"Note": 12}, "one with a value changed"),
        ('{a: "one"}', {"a": "something else"}, "no reading was found"),
        ("{a: kg::7, kg: 1}", {"a": 7, "kg": 1}, "annotation"),
    ],
)
def test_what_is_refused(text: str, document: Any, reason: str) -> None:
    """A document that says something else is not proven, though it could be mended."""
    with pytest.raises(ProofRefusedError, match=reason) as caught:
        as_rebuilt(*lost(text, document))

    assert "NOT_SOUND" == caught.value.code
    assert "JSON export" in str(caught.value)


def test_a_search_that_is_bounded() -> None:
    """Where the bound ended the search the refusal says so, and nothing of the document."""
    table = {f"f{n}": f"2020-01-01T00:00:{n % 60:02}Z" for n in range(6000)}
    with pytest.raises(ProofRefusedError, match="stopped at its bound") as caught:
        as_rebuilt(*lost("{}", table))

    assert "2020" not in str(caught.value)


def changed(folder: Path, edit: dict[str, Any]) -> None:
    """Change fields of one document in the JSON of an export."""
    for path in folder.rglob("*.json"):
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(_edited(lines, edit)) + "\n", encoding="utf-8")


def _edited(lines: Sequence[str], edit: dict[str, Any]) -> list[str]:
    found = []
    for line in lines:
        block = json.loads(line)
        for revision in block.get("revisions", []):
            if revision.get("metadata", {}).get("id") == DOCUMENT and "data" in revision:
                revision["data"].update(edit)
        found.append(json.dumps(block))
    return found


def test_an_export_that_was_edited(archive: Path) -> None:
    """A document that somebody edited is refused, with the reason."""
    changed(archive, {"more": "x"})
    with pytest.raises(ProofRefusedError, match="JSON export") as caught:
        find_revision(open_source(archive), DOCUMENT, saved(JOURNAL))

    assert "NOT_SOUND" == caught.value.code


def test_the_command(run: Run, archive: Path, tmp_path: Path) -> None:
    """People are told what was put back; the object has the report."""
    told = given(saved(JOURNAL)).decode()
    options = ("--document", DOCUMENT, "--digest", told)
    first = run("prove", archive, *options, "-o", tmp_path / "a.zip")
    second = run("prove", archive, *options, "-o", tmp_path / "b.zip", "--json")

    assert (0, 0) == (first.code, second.code)
    assert "JSON export and has its hash with" in " ".join(first.out.split())
    assert second.json()["report"]["rebuilt"]
