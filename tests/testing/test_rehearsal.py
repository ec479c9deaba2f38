"""The whole way once: what a rehearsal says, and that it says so when something broke."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from qldb_stream.errors import UsageError
from qldb_stream.events import Block, BlockAddress
from qldb_stream.ledger import Ledger
from qldb_stream.report import Problem, ProblemCode
from qldb_stream.testing.rehearsal import ChainProof, Rehearsal, Step, prove_chain, rehearse
from qldb_stream.testing.vehicle_registration import tell_story


@pytest.fixture
def rehearsal(tmp_path: Path) -> Rehearsal:
    """A small one."""
    return rehearse(tmp_path / "new", lambda _step: None, vehicles=3)


def test_every_step_is_told(tmp_path: Path) -> None:
    """Each step is reported once, in order, and each held."""
    steps: list[Step] = []
    rehearsal = rehearse(tmp_path, steps.append, vehicles=3)

    assert [
        "recorded",
        "delivered",
        "verified",
        "replayed",
        "verified",
        "verified",
        "compared",
    ] == [step.title.partition(":")[0] for step in steps]
    assert all(step.ok for step in steps)
    assert rehearsal.ok


def test_records_come_shuffled_and_repeated(tmp_path: Path) -> None:
    """More is delivered than was recorded, in files that the pipeline then reads."""
    steps: list[Step] = []
    rehearse(tmp_path, steps.append, vehicles=8)
    recorded, delivered, files = map(int, re.findall(r"\d+", steps[1].detail))

    assert recorded < delivered
    assert len(list((tmp_path / "records").iterdir())) == files


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing is written into a folder that holds something."""
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="is not empty"):
        rehearse(tmp_path, lambda _step: None)


@pytest.mark.parametrize("path", ["/dev/null/x", "/dev/null", "n" * 300])
def test_what_cannot_be_a_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A path under a file, a file, and a name that is too long are wrong usage."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"cannot be used as a folder|is no folder"):
        rehearse(Path(path), lambda _step: None)


def test_what_is_the_replays_own(rehearsal: Rehearsal) -> None:
    """The destination holds the story's revisions, and the replay's own apart from them."""
    assert rehearsal.source.revisions == rehearsal.destination.revisions
    assert 0 == rehearsal.source.own_revisions
    assert rehearsal.destination.own_revisions > rehearsal.source.blocks


def test_one_part_that_fails(rehearsal: Rehearsal) -> None:
    """A rehearsal is ok only if each of its parts is."""
    problem = Problem(ProblemCode.CHAIN, "broken")
    broken = attrs.evolve(rehearsal.destination, problems=(problem,))

    assert rehearsal.ok
    assert not broken.ok
    assert not attrs.evolve(rehearsal, destination=broken).ok


@attrs.frozen
class _Truncated:
    """A ledger whose last block was lost, while its digest is still that of the whole."""

    whole: Ledger

    def blocks(self) -> Iterator[Block]:
        """Iterate over all blocks but the last."""
        yield from list(self.whole.blocks())[:-1]

    def digest(self) -> object:
        """Give the digest of the whole."""
        return self.whole.digest()


def test_a_chain_that_does_not_reach_its_digest() -> None:
    """A chain that lacks its last block is not proven by the ledger's digest."""
    with Ledger.open(":memory:") as ledger:
        list(tell_story(ledger.driver(), vehicles=2))
        whole = prove_chain(ledger)
        short = prove_chain(_Truncated(ledger))  # type: ignore[arg-type]  # stands in for a damaged one
        tip: BlockAddress = ledger.digest().tip

    assert ChainProof(tip.sequence_no + 1, whole.revisions, 0, whole.digest, ()) == whole
    assert [ProblemCode.DIGEST] == [problem.code for problem in short.problems]
