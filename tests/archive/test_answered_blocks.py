"""What GetBlock answered is a source like an export, and its proof stands for a digest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.archive.coverage import cover_source
from qldb_stream.archive.evidence import AnsweredProof, parse_answer
from qldb_stream.ion import to_slice, to_text
from qldb_stream.ledger import Ledger
from qldb_stream.parsers.digest import SavedDigest
from qldb_stream.pipeline import Checks, verify_source
from qldb_stream.report import DigestCheck, DigestState, ProblemCode, VerifyReport
from qldb_stream.sources import open_source
from qldb_stream.testing import make_export
from tests.archive.parts import BLOCKS, make_ledger
from tests.cli.conftest import Run, run as run  # noqa: PLC0414 - the fixture

LAST = BLOCKS - 1


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    """The ledger that was asked; nothing writes to it."""
    with make_ledger() as made:
        yield made


def answer(ledger: Ledger, number: int, *, tip: int = LAST, **more: Any) -> dict[str, Any]:
    """Give what GetBlock answers, as boto3 and the command line have it."""
    held = ledger.block(number, tip=tip)
    proof = to_text(to_slice(list(held.proof or ())))
    return {**more, "Block": {"IonText": to_text(held.block)}, "Proof": {"IonText": proof}}


def write(folder: Path, ledger: Ledger, numbers: Iterable[int], *, tip: int = LAST) -> list[Path]:
    """Write answers into files."""
    paths = [folder / f"block-{number}.json" for number in numbers]
    for number, path in zip(numbers, paths, strict=True):
        path.write_text(json.dumps(answer(ledger, number, tip=tip), indent=4))
    return paths


def verify(
    paths: Sequence[Path], ledger: Ledger, answers: Sequence[Path], *, tip: int = LAST
) -> tuple[VerifyReport, DigestCheck]:
    """Verify against the ledger's digest at a tip, with the proofs of answers."""
    digest = ledger.digest(tip)
    proofs = [AnsweredProof(parse_answer(path.read_bytes())) for path in answers]
    checks = Checks(digests=[SavedDigest(digest.digest, digest.tip)], proofs=proofs)
    report = verify_source(open_source(paths), checks=checks)
    return report, report.digests[0]


def codes(report: VerifyReport) -> list[str]:
    """Name what a report proves."""
    return [claim.code for claim in report.proves]


def test_the_answers_of_all_blocks_are_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    """Types are kept, for the Ion in them is text and no JSON; a digest can be recomputed."""
    answers = write(tmp_path, ledger, range(BLOCKS))
    report, found = verify([tmp_path], ledger, answers)
    assert ((), BLOCKS, DigestState.CONFIRMED) == (report.problems, report.blocks, found.state)
    assert codes(report)[-1] == "DIGEST_CONFIRMED"


@pytest.mark.parametrize("form", ["plain", "marked", "metadata", "lines", "proof first"])
def test_every_form_of_an_answer(ledger: Ledger, tmp_path: Path, form: str) -> None:
    """As the command line prints it, as boto3 gives it, several in one file."""
    first, second = answer(ledger, 7), answer(ledger, 8)
    texts = {
        "plain": json.dumps(first),
        "marked": "\ufeff" + json.dumps(first, indent=2),
        "metadata": json.dumps({"ResponseMetadata": {"HTTPStatusCode": 200}, **first}),
        "lines": f"{json.dumps(first)}\n{json.dumps(second)}\n",
        "proof first": json.dumps(dict(reversed(first.items()))),
    }
    (tmp_path / "answer").write_text(texts[form], encoding="utf-8")
    report = verify_source(open_source(tmp_path))
    assert (1 + (form == "lines"), ()) == (report.blocks, report.problems)


def test_answers_fill_what_an_export_lacks(ledger: Ledger, tmp_path: Path) -> None:
    """Blocks that were asked for one by one close the hole, and overlap without harm."""
    blocks = list(ledger.blocks())
    make_export([*blocks[:10], *blocks[13:]], object_blocks=10).write(tmp_path / "export")
    answers = write(tmp_path, ledger, range(9, 14))
    paths = [tmp_path / "export", *answers]
    report = cover_source(open_source(paths), [path.name for path in paths])
    assert ((), ()) == (report.strands[0].missing, report.problems)


def test_a_proof_stands_for_the_digest(ledger: Ledger, tmp_path: Path) -> None:
    """One block alone cannot make the digest, but its proof leads to it."""
    answers = write(tmp_path, ledger, [7])
    report, found = verify(answers, ledger, answers)
    assert (DigestState.PROOF_HOLDS, (7,), True) == (found.state, found.proof_blocks, report.ok)
    assert ["CHAIN_FROM_FIRST", "BLOCKS_PROVEN"] == codes(report)
    assert "beyond what proofs lead from, no digest" in str(report.limits)


@pytest.mark.parametrize(
    ("here", "proven", "tip", "state"),
    [
        (range(5, BLOCKS), [LAST], LAST, DigestState.PROOF_HOLDS),
        (range(5, BLOCKS), [30], 30, DigestState.PROOF_HOLDS),  # what is later is nobody's
        (range(5, BLOCKS), [20], LAST, DigestState.STARTS_LATER),  # 21 and later are not proven
        (range(5, BLOCKS), [], LAST, DigestState.STARTS_LATER),
        ([*range(10), *range(15, BLOCKS)], [9, LAST], LAST, DigestState.PROOF_HOLDS),
        ([*range(10), *range(15, BLOCKS)], [LAST], LAST, DigestState.HOLES),
        (range(20), [19], LAST, DigestState.PROOF_HOLDS),
        (range(20), [18], LAST, DigestState.BEYOND_LAST_BLOCK),
    ],
)
def test_a_proven_block_proves_what_is_linked_before_it(
    ledger: Ledger, tmp_path: Path, here: Sequence[int], proven: list[int], tip: int, state: str
) -> None:
    """A digest is good when each piece ends with a proven block; else it says what it lacks."""
    blocks = list(ledger.blocks())
    pieces = [[n for n in here if n < 12], [n for n in here if n >= 12]]
    for piece in filter(None, pieces):
        made = make_export([blocks[n] for n in piece], prefix=f"{piece[0]}/")
        made.write(tmp_path / "export")
    answers = write(tmp_path, ledger, proven, tip=tip)
    report, found = verify([tmp_path / "export", *answers], ledger, answers, tip=tip)
    assert (state, tuple(proven)) == (found.state, found.proof_blocks)
    is_problem = ProblemCode.DIGEST in {problem.code for problem in report.problems}
    assert (state != DigestState.PROOF_HOLDS) == is_problem
    assert bool(proven) == ("BLOCKS_PROVEN" in codes(report))


def test_a_proof_that_leads_elsewhere(ledger: Ledger, tmp_path: Path) -> None:
    """Another tip's proof, or one that was changed, is a problem, also beside one that holds."""
    good, other = write(tmp_path, ledger, [7, 8])
    members = answer(ledger, 8, tip=LAST - 1)
    other.write_text(json.dumps(members))
    report, found = verify([good, other], ledger, [good, other])
    assert (DigestState.PROOF_DIFFERS, (8,)) == (found.state, found.proof_blocks)
    assert [found.message] == [problem.message for problem in report.problems]
    assert "BLOCKS_PROVEN" not in codes(report)


def test_a_digest_without_tip_is_reached_by_proofs(ledger: Ledger, tmp_path: Path) -> None:
    """Then its strand is that of the blocks."""
    (path,) = write(tmp_path, ledger, [7])
    proofs = [AnsweredProof(parse_answer(path.read_bytes()))]
    checks = Checks(digests=[SavedDigest(ledger.digest().digest)], proofs=proofs)
    (found,) = verify_source(open_source(path), checks=checks).digests
    assert (DigestState.PROOF_HOLDS, ledger.strand_id) == (found.state, found.strand_id)


def test_the_published_answer(run: Run, vectors: Path, tmp_path: Path) -> None:
    """On the command line; with one letter changed it fails, and of GetRevision's is told."""
    published = vectors / "block-100"
    digest = ("--digest", published / "digest.json")
    found = run("verify", published / "block.json", *digest, "--json")
    said = found.json()
    assert (0, "PROOF_HOLDS", [100]) == (
        found.code,
        said["digests"][0]["state"],
        said["digests"][0]["proof_blocks"],
    )
    text = (published / "block.json").read_text(encoding="utf-8")
    (tmp_path / "changed.json").write_text(text.replace("Everett", "Seattle"), encoding="utf-8")
    changed = run("verify", tmp_path / "changed.json", *digest, "--json")
    states = [one["state"] for one in changed.json()["digests"]]
    assert (1, ["PROOF_DIFFERS"]) == (changed.code, states)
    assert "REVISION_HASH" in {one["code"] for one in changed.json()["problems"]}

    revision = run("verify", published / "revision.json")
    assert 2 == revision.code
    assert "`qldb-stream prove --answer FILE" in revision.err


@pytest.mark.parametrize("text", ['{"Block": 1}', '{"Block": {"IonText": "{}"}}', '{"Proof": {'])
def test_what_is_no_answer_after_all(run: Run, tmp_path: Path, text: str) -> None:
    """It is told as what cannot be read, with or without a digest."""
    (tmp_path / "answer.json").write_text(text)
    digest = f"{'A' * 43}=@{'B' * 22}:1"
    assert {2} == {
        run("verify", tmp_path / "answer.json").code,
        run("verify", tmp_path / "answer.json", "--digest", digest).code,
    }
