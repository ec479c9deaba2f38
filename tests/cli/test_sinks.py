"""`qldb-stream sinks`: what there is, from our own modules and from plug-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.plugins import load_plugins
from tests.cli.conftest import Run


def test_every_sink_is_listed(run: Run) -> None:
    """The list has each scheme with its guarantee, for people and for programs."""
    said, as_json = run("sinks"), run("sinks", "--json")

    assert (0, 0) == (said.code, as_json.code)
    schemes = list(load_plugins().sink_types)
    assert schemes == [sink["scheme"] for sink in as_json.json()["sinks"]]
    assert all(f"{scheme}:" in said.out for scheme in schemes)
    guarantees = {sink["scheme"]: sink["guarantee"] for sink in as_json.json()["sinks"]}
    assert ("exactly once", "at least once") == (guarantees["ion"], guarantees["webhook+https"])


def test_what_a_table_of_dynamodb_is_named_by(run: Run) -> None:
    """Its name: there is no path."""
    assert run("sinks", "describe", "dynamodb").out.startswith("dynamodb:TABLE")


@pytest.mark.parametrize("scheme", list(load_plugins().sink_types))
def test_every_sink_is_described(run: Run, scheme: str) -> None:
    """Each option has its summary, default and choices."""
    said, as_json = run("sinks", "describe", scheme), run("sinks", "describe", scheme, "--json")

    assert (0, 0) == (said.code, as_json.code)
    found = load_plugins().sink_types[scheme]
    assert [option.name for option in found.options] == [
        option["name"] for option in as_json.json()["options"]
    ]
    assert all(option.name in said.out for option in found.options)
    assert found.options or "no options" in said.out
    assert (found.can_park, found.takes_filtered) == (
        as_json.json()["can_park"],
        as_json.json()["takes_filtered"],
    )


def test_a_sink_is_shown_by_the_form_of_its_url(run: Run) -> None:
    """A path, or the parts of a server's address, as they are written."""
    postgres = run("sinks", "describe", "postgresql").out
    sqlite = run("sinks", "describe", "sqlite").out

    assert "postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=..." in postgres
    assert "one sink" in " ".join(postgres.split())
    assert "sqlite:PATH?schema=..." in sqlite


def test_a_colon_may_stand_behind_the_name(run: Run) -> None:
    """People copy what the list prints."""
    assert run("sinks", "describe", "ledger").out == run("sinks", "describe", "ledger:").out


def test_an_unknown_sink(run: Run) -> None:
    """Wrong usage lists what there is."""
    answer = run("sinks", "describe", "nosuch")

    assert 2 == answer.code
    assert "there is no sink 'nosuch'; there are " in answer.err
    assert "ledger" in answer.err


def test_a_broken_plug_in_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes the command fail, and does not hide the others."""
    (tmp_path / "broken_sinks.py").write_text("1 / 0\n")
    info = tmp_path / "broken_sinks-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-sinks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qldb_stream]\nbroken = broken_sinks\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    said, as_json = run("sinks"), run("sinks", "--json")

    assert (1, 1) == (said.code, as_json.code)
    assert "ledger:" in said.out
    assert "broken-sinks 1.0" in " ".join(said.out.split())
    assert [
        "plug-in broken (broken-sinks 1.0), hook (loading): ZeroDivisionError: division by zero"
    ] == (as_json.json()["broken"])
