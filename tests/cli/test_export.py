"""`qldb-stream ledger export` to folders and to S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from qldb_stream.parsers.export import parse_export
from tests.cli.conftest import Run
from tests.ledger.support import Clock, environment, make_cars


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of four blocks of noon, 2024-05-06."""
    made = tmp_path / "cars.ledger"
    with Ledger.open(made, environment=environment(Clock())) as ledger:
        make_cars(ledger, "A", "B")
    return made


@pytest.mark.parametrize("output_format", ["ion-text", "ion-binary"])
def test_to_a_folder(run: Run, path: Path, tmp_path: Path, output_format: str) -> None:
    """The folder has manifests and objects; the command says how many blocks."""
    folder = tmp_path / "out"
    answer = run("ledger", "export", path, "--to", folder, "--format", output_format)
    assert (0, "") == (answer.code, answer.err)
    assert answer.out.startswith("ok: 4 blocks in 1 object, listed in ")
    (data,) = folder.rglob("*.ion")
    with Ledger.open(path, read_only=True) as ledger:
        assert list(ledger.blocks()) == list(parse_export(data.read_bytes()))
    assert "2024/05/06/12" in str(data)


def test_json_says_the_same(run: Run, path: Path, tmp_path: Path) -> None:
    """For programs."""
    said = run("ledger", "export", path, "--to", tmp_path / "out", "--json").json()
    assert (True, 4, 0, 3, 1) == (
        said["ok"],
        said["blocks"],
        said["first"],
        said["last"],
        said["objects"],
    )
    assert (tmp_path / "out" / said["manifest_key"]).is_file()


def test_a_range(run: Run, path: Path, tmp_path: Path) -> None:
    """Times are read as ISO 8601, UTC where no offset is given."""
    for start, expected in (("2024-05-06T12:00:00.001", 0), ("2024-05-06T14:00:00+02:00", 4)):
        said = run(
            *("ledger", "export", path, "--to", tmp_path / "out", "--json"),
            *("--start", start, "--end", "2024-05-07"),
        ).json()
        assert expected == said["blocks"]


@pytest.mark.parametrize(
    ("problem", "arguments"),
    [
        ("is no time such as", ("--to", "out", "--start", "yesterday")),
        ("to a folder or to s3://, not to ftp://", ("--to", "ftp://host/x")),
        ("followed by a bucket's name", ("--to", "s3:///x")),
        ("Missing option '--to'", ()),
        (
            "start is before its end",
            ("--to", "out", "--start", "2024-05-07", "--end", "2024-05-06"),
        ),
        ("start is in the past: without", ("--to", "out", "--start", "9999-01-01")),
    ],
)
def test_wrong_usage(run: Run, path: Path, problem: str, arguments: tuple[str, ...]) -> None:
    """Exit code 2, one sentence, and nothing is written."""
    answer = run("ledger", "export", path, *arguments)
    assert 2 == answer.code
    assert problem in answer.err
    assert not Path("out").exists()


def test_what_cannot_be_written(run: Run, path: Path, tmp_path: Path) -> None:
    """Exit code 1."""
    (tmp_path / "file").touch()
    answer = run("ledger", "export", path, "--to", tmp_path / "file")
    assert 1 == answer.code
    assert "cannot be written" in answer.err


def test_to_s3(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the bucket's name is the prefix; a service that is not there is told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    answer = run("ledger", "export", path, "--to", "s3://archive/exports/")
    assert 1 == answer.code
    assert "export: s3://archive/exports/" in answer.err
