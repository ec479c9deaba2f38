"""`qldb-stream ledger stream`: what it sends, says and keeps; killed, stopped, started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients.kinesis import connect_kinesis
from qldb_stream.ledger import Ledger
from tests.cli.conftest import Run
from tests.clients.streams import (
    blocks_of,
    controls_of,
    events_of,
    hashes,
    make_stream,
    read_stream,
)
from tests.ledger.support import make_cars, run as execute

_DEADLINE_S = 60


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """A ledger file of four blocks."""
    path = tmp_path / "cars.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A", "B")
    return path


def data_of(client: Any, name: str) -> list[bytes]:
    """What is on a data stream."""
    return [record["Data"] for record in read_stream(client, name)]


def follow(cars: Path, name: str, aws: str) -> subprocess.Popen[str]:
    """The command as a process that follows a ledger."""
    arguments = [cars, "--to", f"kinesis://{name}", "--endpoint-url", aws, "--follow", "--json"]
    command = [sys.executable, "-m", "qldb_stream", "ledger", "stream", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_block(state: Path, number: int) -> None:
    """Wait until a state says that all blocks below a number are there."""
    deadline = time.monotonic() + _DEADLINE_S
    while not state.exists() or json.loads(state.read_bytes())["next_block"] < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)  # another process is at work


def test_a_ledger_is_streamed_and_gone_on_with(run: Run, aws: str, cars: Path) -> None:
    """The first run sends all, the second nothing; the position stands beside the ledger."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, "cli-cars")
    arguments = ["ledger", "stream", cars, "--to", f"kinesis://{name}", "--endpoint-url", aws]
    first = run(*arguments, "--json")
    again = run(*arguments)
    assert (0, True, 4, 4) == (
        first.code,
        first.json()["ok"],
        first.json()["blocks"],
        first.json()["next_block"],
    )
    assert 0 == again.code
    expected = "ok: stream cli-cars: 0 blocks in 0 records put there, it goes on with block 4"
    assert expected == again.out.strip()
    assert Path(f"{cars}-kinesis-{name}").exists()
    with Ledger.open(cars, read_only=True) as ledger:
        assert hashes(ledger.blocks()) == hashes(blocks_of(events_of(data_of(client, name))))


def test_a_bounded_stream_is_completed(run: Run, aws: str, cars: Path, tmp_path: Path) -> None:
    """With times and without aggregation; the state is where it was told to be."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, "cli-bounded")
    answer = run(
        *("ledger", "stream", cars, "--to", f"kinesis:{name}", "--endpoint-url", aws),
        *("--start", "2020-01-01", "--end", "2020-01-02T00:00+01:00"),
        *("--no-aggregation", "--state", tmp_path / "state"),
    )
    assert 0 == answer.code
    assert answer.out.strip().endswith("0 blocks in 2 records put there, it is completed")
    assert ["COMPLETED", "CREATED"] == sorted(controls_of(events_of(data_of(client, name))))
    assert (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "kinesis://a/b"], "it is kinesis://STREAM"),
        (["--to", "jsonl:a"], "it is kinesis://STREAM"),
        (["--to", "kinesis://a", "--start", "yesterday"], "is no time such as"),
        (["--to", "kinesis://a", "--start", "9999-01-01T00:00Z"], "is in the future"),
        (["--to", "kinesis://no-such-stream"], "ResourceNotFoundException"),
    ],
)
def test_wrong_usage_is_a_sentence(
    run: Run, aws: str, cars: Path, arguments: list[str], sentence: str
) -> None:
    """It says what is expected, and leaves no state behind."""
    answer = run("ledger", "stream", cars, *arguments, "--endpoint-url", aws)
    assert 2 == answer.code
    assert sentence in answer.err
    assert [] == list(cars.parent.glob("*kinesis*"))


def test_a_ledger_that_is_not_there(run: Run, aws: str, tmp_path: Path) -> None:
    """It is named."""
    answer = run(
        "ledger", "stream", tmp_path / "none", "--to", "kinesis://a", "--endpoint-url", aws
    )
    assert 2 == answer.code
    assert "there is no ledger file" in answer.err


def test_killed_and_started_again_nothing_is_lost(run: Run, aws: str, cars: Path) -> None:
    """A process that follows a ledger dies while it is written; another one goes on."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, "cli-killed")
    state = Path(f"{cars}-kinesis-{name}")
    with follow(cars, name, aws) as process, Ledger.open(cars) as writer:
        wait_for_block(state, 4)
        for n in range(30):
            execute(writer, "INSERT INTO Car ?", {"vin": str(n)})
        wait_for_block(state, 5)
        process.kill()
    for _ in range(2):
        arguments = ["ledger", "stream", cars, "--to", f"kinesis://{name}"]
        assert 0 == run(*arguments, "--endpoint-url", aws).code
    with Ledger.open(cars, read_only=True) as ledger:
        assert 34 == len(list(ledger.blocks()))
        assert hashes(ledger.blocks()) == hashes(blocks_of(events_of(data_of(client, name))))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(aws: str, cars: Path, number: signal.Signals) -> None:
    """It says what it has sent, and exits with 0."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, f"cli-{number.name}")
    with follow(cars, name, aws) as process:
        wait_for_block(Path(f"{cars}-kinesis-{name}"), 4)
        process.send_signal(number)
        out, err = process.communicate(timeout=_DEADLINE_S)
    assert (0, "") == (process.returncode, err)
    assert (True, 4, False) == tuple(json.loads(out)[key] for key in ("ok", "blocks", "completed"))
