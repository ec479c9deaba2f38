"""`qldb-stream coverage` for people, for programs, and as a page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import boto3
import pytest

from qldb_stream.archive.coverage import cover_source
from qldb_stream.sources import open_source
from qldb_stream.testing import (
    firehose_object,
    make_export,
    make_journal,
    records,
    write_archive,
)
from tests.cli.conftest import Run

JOURNAL = make_journal(5, blocks=40)
BLOCKS = list(JOURNAL)


def write(folder: Path, numbers: list[int]) -> Path:
    """Put some blocks into a folder."""
    write_archive((r for n in numbers for r in records(BLOCKS[n])), folder)
    return folder


def test_a_whole_archive(run: Run, archive: Path) -> None:
    """Of a whole archive nothing is missing: exit code 0, and the object of the report."""
    answer = run("coverage", archive, "--json")

    assert (0, "") == (answer.code, answer.err)
    assert cover_source(open_source(archive), [str(archive)]).as_json() == answer.json()
    assert (True, 12, 0) == tuple(answer.json()[n] for n in ("ok", "blocks", "missing_blocks"))


def test_what_is_missing_for_people(run: Run, tmp_path: Path) -> None:
    """People see strands, who holds what, overlaps, tables, and a last line; the code is 1."""
    first = write(tmp_path / "first", [*range(20)])
    second = write(tmp_path / "second", [n for n in range(10, 40) if n not in (25, 30, 31)])
    answer = run("coverage", first, second)

    assert 1 == answer.code
    assert "25, 30-31" in answer.out
    assert "10-24, 26-29, 32-39" in answer.out
    assert "10-19" in answer.out
    assert "Customers" in answer.out
    assert "not ok: 37 blocks held whole; 3 missing" == answer.out.splitlines()[-1]


def test_conflicts_for_people(run: Run, tmp_path: Path) -> None:
    """People see which files hold the two contents of a block."""
    first = write(tmp_path / "first", [*range(40)])
    other = list(make_journal(6, blocks=40, strand_id=JOURNAL.strand_id))
    write_archive(records(other[7]), tmp_path / "second")
    answer = run("coverage", first, tmp_path / "second")

    assert 1 == answer.code
    assert "Conflicts" in answer.out
    assert "conflict" in answer.out.splitlines()[-1]
    assert answer.out.count("synthetic-1-000000") >= 2


def test_parts_for_people(run: Run, tmp_path: Path) -> None:
    """People see blocks that are here in part, and that the last one is not whole."""
    last = next(n for n in range(39, 0, -1) if len(records(BLOCKS[n])) > 1)
    found = [r for n in range(last) for r in records(BLOCKS[n])]
    write_archive([*found, *records(BLOCKS[last])[:-1]], tmp_path / "in")
    answer = run("coverage", tmp_path / "in")

    assert f"here in part, and so missing: blocks {last}" in answer.out
    assert f"the last block seen or promised is {last}" in answer.out


def test_many_ranges_for_people(run: Run, tmp_path: Path) -> None:
    """Of many ranges people see the first ones, and how many more there are."""
    answer = run("coverage", write(tmp_path / "in", [*range(0, 40, 2)]))

    assert "1, 3, 5, 7, 9, 11, 13, 15, and 11" in answer.out
    assert "0, 2, 4, 6, 8, 10, 12, 14, and 12 ranges more" in answer.out


def test_many_overlaps_for_people(run: Run, tmp_path: Path) -> None:
    """Of a table with very many rows people see the first ones."""
    first = write(tmp_path / "first", [*range(1, 40)])
    more = [write(tmp_path / str(n), [*range(n, 40, 2)]) for n in (0, 1)]
    answer = run("coverage", first, *more)

    assert "and 14 more: `--json` lists them all" in answer.out


def test_nothing_readable(run: Run, tmp_path: Path) -> None:
    """When nothing at all is readable the exit code is 2, and the object says why."""
    (tmp_path / "noise").write_bytes(b"neither Ion nor KPL")
    answer = run("coverage", tmp_path / "noise", "--json")
    people = run("coverage", tmp_path / "noise")

    assert (2, False) == (answer.code, answer.json()["ok"])
    assert answer.json()["error"].startswith("nothing readable in ")
    assert f"qldb-stream coverage: {answer.json()['error']}\n" == answer.err == people.err
    assert "ok" not in people.out


def test_a_manifest_alone(run: Run, tmp_path: Path) -> None:
    """A manifest whose objects are all gone says what is missing: all of it."""
    made = make_export(BLOCKS)
    made.write(tmp_path / "in", without=made.keys)
    answer = run("coverage", tmp_path / "in", "--json")

    assert (1, 40, "") == (answer.code, answer.json()["missing_blocks"], answer.err)


def test_objects_of_s3(run: Run, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prefix is a source beside a folder, and its objects are files, named by their URLs."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    client = boto3.client("s3")
    region = {"LocationConstraint": "eu-west-1"}
    client.create_bucket(Bucket="covered", CreateBucketConfiguration=region)
    for number in range(2):
        found = [r for block in BLOCKS[10 + number :: 2] for r in records(block)]
        client.put_object(Bucket="covered", Key=f"in/{number}", Body=firehose_object(found))
    answer = run("coverage", write(tmp_path / "in", [*range(20)]), "s3://covered/in/", "--json")
    said = answer.json()

    assert (0, 40) == (answer.code, said["blocks"])
    assert ["s3://covered/in/0", "s3://covered/in/1"] == [f["name"] for f in said["files"][1:]]
    assert [[[0, 19]], [[10, 39]]] == [s["holdings"][0]["ranges"] for s in said["sources"]]


def test_no_such_file(run: Run, tmp_path: Path) -> None:
    """A file that is not there is wrong usage, with all fields of the object."""
    whole = run("coverage", write(tmp_path / "in", [0]), "--json").json().keys()
    answer = run("coverage", tmp_path / "absent", "--json")

    assert (2, whole | {"error"}) == (answer.code, answer.json().keys())


def test_hidden_names_are_counted(run: Run, archive: Path) -> None:
    """People are told how many names were passed over."""
    (archive / ".DS_Store").write_bytes(b"x")

    assert "1 name in folders not read" in run("coverage", archive).out


def test_where_it_broke_off(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ends before its end is 1, and says what ended it, on the page too."""
    write_archive(JOURNAL.iter_records(), tmp_path / "in", gzipped=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    page = tmp_path / "page.html"
    answer = run("coverage", tmp_path / "in", "--json", "--html", page)

    assert (1, False, 0) == (answer.code, answer.json()["ok"], answer.json()["blocks"])
    assert "takes no more temporary data" in answer.json()["error"]
    assert "It broke off: " in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["coverage", "verify"])
def test_a_page(run: Run, archive: Path, tmp_path: Path, command: str) -> None:
    """`--html` writes a page beside what is printed, in place of what was there."""
    page = tmp_path / "page.html"
    page.write_text("before", encoding="utf-8")
    with_page, without = run(command, archive, "--html", page), run(command, archive)

    assert (0, without.out) == (with_page.code, with_page.out)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert JOURNAL.strand_id in text
    assert "<strong>OK:</strong>" in text


@pytest.mark.parametrize("command", ["coverage", "verify"])
@pytest.mark.parametrize("place", ["absent/page.html", "folder"])
def test_a_page_that_cannot_be_written(
    run: Run, archive: Path, tmp_path: Path, command: str, place: str
) -> None:
    """Where a page cannot be written is wrong usage, said before any work."""
    (tmp_path / "folder").mkdir()
    answer = run(command, archive, "--html", tmp_path / place)

    assert (2, "", 1) == (answer.code, answer.out, answer.err.count("\n"))
    assert "cannot write" in answer.err


def test_a_page_on_a_full_disk(run: Run, archive: Path) -> None:
    """A page that the system does not take is wrong usage as well."""
    answer = run("coverage", archive, "--html", "/dev/full")

    assert 2 == answer.code
    assert "cannot write /dev/full: No space left on device" in answer.err
