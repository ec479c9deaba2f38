"""`qldb-stream tap`, and `replay` of a data stream: what they print, keep and how they end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.clients.kinesis import connect_kinesis
from qldb_stream.inbox import SqliteInbox
from qldb_stream.ledger import Ledger
from tests.cli.conftest import Run
from tests.clients.streams import hashes, make_stream
from tests.ledger.support import make_cars

_DEADLINE_S = 60


@pytest.fixture
def cars(tmp_path: Path, aws: str, run: Run) -> Iterator[str]:
    """The URL of a data stream with a ledger of four blocks, `cars.ledger`."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = make_stream(client, f"tap-{uuid.uuid4().hex}")
    path = tmp_path / "cars.ledger"
    with Ledger.open(path) as ledger:
        make_cars(ledger, "A", "B")
    send = ("ledger", "stream", path, "--to", f"kinesis://{name}", "--endpoint-url", aws)
    assert 0 == run(*send).code
    yield f"kinesis://{name}?endpoint_url={aws}"
    client.delete_stream(StreamName=name)


def spoil(url: str, aws: str) -> None:
    """Put something on the stream that is none of QLDB's."""
    client: Any = connect_kinesis(endpoint_url=aws)
    name = url.removeprefix("kinesis://").partition("?")[0]
    client.put_record(StreamName=name, Data=b"neither Ion nor KPL", PartitionKey="a")


CAUGHT_UP = ("--from", "trim_horizon", "--until-caught-up")


def test_a_stream_is_tapped(run: Run, cars: str) -> None:
    """A line for each event, as `inspect` prints them; documents only when they are asked for."""
    lines = run("tap", cars, *CAUGHT_UP)
    objects = run("tap", cars, *CAUGHT_UP, "--json", "--data")
    found = [json.loads(line) for line in objects.out.splitlines()]
    kinds = sorted(each["type"] for each in found)

    assert (0, 0) == (lines.code, objects.code)
    assert ["BLOCK_SUMMARY"] * 4 + ["CONTROL"] + ["REVISION_DETAILS"] * 2 == kinds
    assert kinds == sorted(line.split()[0] for line in lines.out.splitlines())
    assert "miles" not in lines.out
    assert 2 == sum("miles" in each.get("data", "") for each in found)


def test_what_cannot_be_read_is_tapped_with_its_place(run: Run, cars: str, aws: str) -> None:
    """It is a line too, with the shard and the sequence number, and the exit code says so."""
    spoil(cars, aws)
    answer = run("tap", cars, *CAUGHT_UP)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("UNDECODABLE")]

    assert (1, 8) == (answer.code, len(answer.out.splitlines()))
    assert "/shardId-" in line


def test_a_stream_is_replayed_and_gone_on_with(run: Run, cars: str, tmp_path: Path) -> None:
    """The first run delivers all, the second finds nothing new."""
    arguments = (
        *("replay", cars, "--to", f"ledger:{tmp_path / 'copy.ledger'}", "--mode", "mirror"),
        *("--inbox", tmp_path / "a.inbox", "--start", "0", "--until-caught-up"),
    )
    first, again = run(*arguments, "--json"), run(*arguments)
    with (
        Ledger.open(tmp_path / "cars.ledger", read_only=True) as source,
        Ledger.open(tmp_path / "copy.ledger", read_only=True) as copy,
    ):
        assert hashes(source.blocks()) == hashes(copy.blocks())

    said = first.json()
    assert (0, True, 4, 0) == (first.code, said["ok"], said["applied"], said["unreadable"])
    assert (0, "ok: 0 blocks applied") == (again.code, again.out.splitlines()[-1])


def test_a_replay_keeps_what_cannot_be_read(run: Run, cars: str, aws: str, tmp_path: Path) -> None:
    """It stays in the inbox, the rest is delivered, and the exit code says so."""
    spoil(cars, aws)
    inbox = tmp_path / "a.inbox"
    arguments = ("--inbox", inbox, "--start", "0", "--until-caught-up")
    answer = run("replay", cars, "--to", "memory:", *arguments)
    opened = SqliteInbox(inbox)
    kept = opened.status().quarantined
    opened.close()

    assert (1, 1) == (answer.code, kept)
    assert "4 blocks applied" in answer.out
    assert "not ok: 1 part could not be read; the inbox keeps them" in answer.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("kinesis://a", "--to", "memory:"), "needs --inbox"),
        (("kinesis://a", "b", "--to", "memory:"), "read alone"),
        (("kinesis://a", "--to", "memory:", "--inbox", "memory:", "--dry-run"), "no --dry-run"),
        (("kinesis://a b", "--to", "memory:", "--inbox", "memory:"), "write kinesis://STREAM"),
        (("kinesis://a", "--to", "memory:", "--from", "now"), "latest, trim_horizon or a time"),
        (("archive", "--to", "memory:", "--from", "latest"), "are for data streams"),
        (("archive", "--to", "memory:", "--until-caught-up"), "are for data streams"),
        (
            (
                *("kinesis://a", "--to", "ion:x", "--inbox", "memory:"),
                *("--on-refusal", "park"),
            ),
            "cannot leave blocks out",
        ),
    ],
)
def test_what_makes_no_sense(run: Run, arguments: tuple[str, ...], problem: str) -> None:
    """It is said before anything is opened."""
    answer = run("replay", *arguments)
    assert (2, True) == (answer.code, problem in answer.err)


def test_a_stream_that_is_not_there(run: Run, aws: str) -> None:
    """Wrong usage, in one line even as JSON."""
    answer = run("tap", f"kinesis://none?endpoint_url={aws}", "--json")
    assert (2, False) == (answer.code, answer.json()["ok"])
    error = answer.json()["error"]
    assert (True, True) == (error.startswith("kinesis://none is not there in "), aws in error)


def test_what_is_waited_for_is_told(tmp_path: Path, aws: str) -> None:
    """A wrong region, or an endpoint that is down, was ten minutes of silence."""
    nowhere = "kinesis://cars?endpoint_url=http://127.0.0.1:1&region=eu-west-1"
    inbox = str(tmp_path / "inbox")
    to = ("--to", f"jsonl:{tmp_path / 'copy'}", "--inbox", inbox, "--start", "0")
    for command in (("tap", nowhere, "--from", "TRIM_HORIZON"), ("replay", nowhere, *to)):
        with _start(*command) as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            process.terminate()
            process.communicate()
        assert "kinesis://cars" in line
        assert line.endswith(
            "EndpointConnectionError at http://127.0.0.1:1/; it is tried again for 600 s\n"
        )


def test_a_signal_ends_both_in_good_order(cars: str, tmp_path: Path) -> None:
    """Both end with 0; a replay has given back its leases and kept its places."""
    inbox_path = tmp_path / "a.inbox"
    tap = _start("tap", cars, "--from", "trim_horizon", "--json")
    replay = _start(
        *("replay", cars, "--to", f"jsonl:{tmp_path / 'a.jsonl'}", "--inbox", str(inbox_path)),
        *("--start", "0", "--json"),
    )
    assert tap.stdout is not None
    lines = [tap.stdout.readline() for _ in range(7)]
    _wait_for_position(inbox_path, 3)
    tap.send_signal(signal.SIGINT)
    replay.send_signal(signal.SIGTERM)
    rest, _ = tap.communicate(timeout=60)
    out, err = replay.communicate(timeout=60)
    inbox = SqliteInbox(inbox_path)
    leases = inbox.status().leases
    inbox.close()

    assert (0, "", True) == (tap.returncode, rest, all(map(json.loads, lines)))
    assert (0, "") == (replay.returncode, err)
    assert (True, 4, ()) == (json.loads(out)["ok"], json.loads(out)["applied"], leases)


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "qldb_stream", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for_position(path: Path, number: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size:
            inbox = SqliteInbox(path)
            positions = inbox.status().positions
            inbox.close()
            if any(position.sequence_no >= number for _, position in positions):
                return
        time.sleep(0.05)  # another process is at work
    raise AssertionError
