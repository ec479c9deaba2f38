"""AWS's Node driver, from the npm registry, against the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from qldb_stream.server import Server
from tests.drivers.conftest import NODE, Story
from tests.drivers.journal import check_ledger

pytestmark = pytest.mark.node


def test_a_life(story: Story, server: Server, folder: Path) -> None:
    """Tables, an index, parameters of many types, a change and its history work."""
    told = story("life")
    car = '{vin:"a",miles:1.50,made:2020-02-29T,photo:{{AQID}},tags:[red,null.int]}'

    assert [car] == told["found"]
    assert 1 == len(told["inserted"])
    assert told["inserted"] == told["updated"]
    assert (["7"], ["0", "1"], ["Car"]) == (told["miles"], told["history"], told["tables"])
    server.stop()
    assert 4 == check_ledger(folder / "cars.ledger")


def test_commit_digests(story: Story, server: Server, folder: Path) -> None:
    """The driver's commit digests are the server's, also after a statement that failed."""
    told = story("digests")

    assert "BadRequestException" == told["failed"]["name"]
    assert "No such variable named 'Nowhere'" in told["failed"]["message"]
    assert ['"A-1"', '"A-2"', '"A-3"', '"A-4"'] == sorted(told["items"])
    server.stop()
    assert 3 == check_ledger(folder / "cars.ledger")


def test_conflicts_are_tried_again(story: Story) -> None:
    """Of transactions at once each counts once; without retries the conflict is told."""
    told = story("conflicts", 8)

    assert ["9"] == told["counted"]
    assert told["calls"] > 9
    assert "OccConflictException" == told["error"]["name"]


def test_pages(story: Story) -> None:
    """Results of more than 200 rows arrive whole, at once and as a stream."""
    told = story("pages", 450)

    assert list(range(450)) == told["all"]
    assert 450 == told["streamed"]["count"]
    assert told["streamed"]["readIOs"] > 0
    assert told["streamed"]["timeMs"] >= 0


def test_refusals(story: Story) -> None:
    """Aborts and refused requests arrive as the driver's own errors, and write nothing."""
    told = story("refusals")
    errors = told["errors"]

    assert [] == told["things"]
    assert "Lambda" in errors["aborted"]["name"] or "Abort" in errors["aborted"]["message"]
    for name in ("syntax", "table", "ledger"):
        assert "BadRequestException" == errors[name]["name"], errors
    assert "Parser Error: at line 1" in errors["syntax"]["message"]


def test_speed_is_measured(story: Story) -> None:
    """The story that the benchmark runs tells transactions in a second."""
    assert {"insert", "select"} == story("speed", 3).keys()


def test_the_lock_names_no_host() -> None:
    """The lock file pins what is installed, and leaves from where to whoever installs."""
    lock = (NODE / "package-lock.json").read_text(encoding="utf-8")

    assert "integrity" in lock
    assert "://" not in lock
