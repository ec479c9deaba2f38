"""`qldb-stream replay --mode mirror` and `compare` with what it made."""

from __future__ import annotations

from pathlib import Path

from qldb_stream.ledger import Ledger
from qldb_stream.testing import make_delivery, write_archive
from qldb_stream.testing.vehicle_registration import tell_story
from tests.cli.conftest import Run


def _tell(path: Path) -> Path:
    with Ledger.open(path) as ledger:
        list(tell_story(ledger.driver(), vehicles=4))
    return path


def test_a_journal_is_mirrored_and_compares_equal(run: Run, tmp_path: Path) -> None:
    """Records of a ledger become a ledger with the same digest; both ways of comparing agree."""
    source, recorded = _tell(tmp_path / "source.ledger"), tmp_path / "recorded"
    with Ledger.open(source) as ledger:
        digest = ledger.digest()
        write_archive(make_delivery(ledger.stream_records(), seed=2), recorded)
    path = tmp_path / "mirror.ledger"
    first = run("replay", recorded, "--to", f"ledger:{path}", "--mode", "mirror", "--json")
    again = run("replay", recorded, "--to", f"ledger:{path}?mode=mirror", "--json")
    blocks = digest.tip.sequence_no + 1
    assert (0, blocks) == (first.code, first.json()["applied"])
    assert (0, blocks) == (again.code, again.json()["skipped"])
    with Ledger.open(path, read_only=True) as mirror:
        assert digest == mirror.digest()
    for origin in (source, recorded):
        compared = run("compare", origin, path, "--json")
        assert (0, True, blocks) == (
            compared.code,
            compared.json()["ok"],
            compared.json()["blocks"],
        )
        assert 0 < compared.json()["documents"]


def test_a_mirror_that_has_gone_on(run: Run, tmp_path: Path) -> None:
    """What is current is not compared any more, and people are told; its ids are its source's."""
    source, path = _tell(tmp_path / "source.ledger"), tmp_path / "mirror.ledger"
    with Ledger.open(source) as ledger:
        write_archive(ledger.stream_records(), tmp_path / "recorded")
    run("replay", tmp_path / "recorded", "--to", f"ledger:{path}", "--mode", "mirror")
    assert "document by document" in run("compare", source, path).out
    run("ledger", "query", path, "CREATE TABLE Own")
    compared = run("compare", source, path)

    assert 0 == compared.code
    assert "document by document" not in compared.out
    assert "has gone on, by 1 block of its own: documents not compared" in compared.out
    assert "a mirror keeps its source's document ids" in run("ids", path, "A" * 22).err


def test_a_mirror_of_another_ledger_does_not_agree(run: Run, tmp_path: Path) -> None:
    """Its strand is another one, and people are told."""
    source, other = _tell(tmp_path / "source.ledger"), _tell(tmp_path / "other.ledger")
    with Ledger.open(source) as ledger:
        write_archive(ledger.stream_records(), tmp_path / "recorded")
    path = tmp_path / "mirror.ledger"
    run("replay", tmp_path / "recorded", "--to", f"ledger:{path}", "--mode", "mirror")
    compared = run("compare", other, path)
    assert 1 == compared.code
    assert "do not agree" in compared.out


def test_a_mirror_is_not_replayed_into_by_mistake(run: Run, archive: Path, tmp_path: Path) -> None:
    """One sentence says what to write instead, and the mirror stays as it was."""
    path = tmp_path / "mirror.ledger"
    run("replay", archive, "--to", f"ledger:{path}", "--mode", "mirror")
    answer = run("replay", archive, "--to", f"ledger:{path}")
    assert 2 == answer.code
    assert "is a mirror: go on with mode=mirror" in answer.err
    assert 0 == run("compare", archive, path).code


def test_a_later_start_is_refused(run: Run, archive: Path, tmp_path: Path) -> None:
    """A mirror begins at block 0."""
    url = f"ledger:{tmp_path / 'mirror.ledger'}"
    answer = run("replay", archive, "--to", url, "--mode", "mirror", "--start", "3")
    assert 1 == answer.code
    assert "a mirror begins at block 0" in answer.err
