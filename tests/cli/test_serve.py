"""`qldb-stream ledger serve`, as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qldb_stream.ledger import Ledger
from tests.cli.conftest import Run
from tests.ledger.support import make_cars
from tests.server.at_work import ROLE, STREAM_ARN, until
from tests.server.support import Talk, Wire


def serve(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "qldb_stream", "ledger", "serve", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(tmp_path: Path, number: int) -> None:
    """It says where it is, answers, and exits with 0; the log has ids and no contents."""
    process = serve(tmp_path, "--port", "0", "--json", "--log-level", "info", "--grace", "1")
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert str(tmp_path) == said["folder"]
    assert {"url", "folder"} == set(said), "as docs/server.md says"
    wire = Wire(said["url"])
    wire.call("POST", "/ledgers", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
    talk = Talk(wire)
    talk.run(("CREATE TABLE Car",))
    talk.run(("INSERT INTO Car ?", {"vin": "secret-vin"}))
    wire.close()
    process.send_signal(number)
    _, log = process.communicate(timeout=60)
    assert 0 == process.returncode
    assert "CreateLedger 200" in log
    assert "CommitTransaction session=" in log
    assert "secret-vin" not in log


def test_a_second_signal_makes_it_hurry(tmp_path: Path) -> None:
    """It does not wait for transactions then."""
    process = serve(tmp_path, "--port", "0", "--grace", "600")
    assert process.stdout is not None
    url = process.stdout.readline().split(" at ")[1].split(";")[0]
    wire = Wire(url)
    wire.call("POST", "/ledgers", {"Name": "cars", "PermissionsMode": "ALLOW_ALL"})
    Talk(wire).begin()
    process.send_signal(signal.SIGTERM)
    while wire.call("GET", "/health").body["status"] != "stopping":
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert 0 == process.returncode
    wire.close()


def test_settings_that_let_strangers_in_are_refused(run: Run, tmp_path: Path) -> None:
    """In one sentence, with exit code 2."""
    answer = run("ledger", "serve", tmp_path, "--host", "0.0.0.0", "--port", 0)  # noqa: S104 - what is refused
    assert 2 == answer.code
    assert "give --keys" in answer.err


def test_a_folder_must_be_there(run: Run, tmp_path: Path) -> None:
    """Else nothing is served."""
    answer = run("ledger", "serve", tmp_path / "none", "--port", 0)
    assert 2 == answer.code
    assert "there is no folder" in answer.err


def test_without_the_extra_it_says_what_to_install(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uvicorn comes with the extra `server`."""
    for module in [name for name in sys.modules if name.startswith("qldb_stream.server")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    answer = run("ledger", "serve", tmp_path, "--port", 0)
    assert 2 == answer.code
    assert "pip install" in answer.err


def test_the_owner_says_where_clients_may_write(aws: str, tmp_path: Path) -> None:
    """Exports go below a folder, to S3 and to Kinesis as the options say."""
    (tmp_path / "ledgers").mkdir()
    with Ledger.open(tmp_path / "ledgers" / "cars.ledger", name="cars") as ledger:
        make_cars(ledger, "A")
    options = ["--exports", str(tmp_path / "exports"), "--s3-endpoint", aws]
    options += ["--kinesis-endpoint", aws, "--port", "0", "--json"]
    process = serve(tmp_path / "ledgers", *options)
    assert process.stdout is not None
    wire = Wire(json.loads(process.stdout.readline())["url"])
    (tmp_path / "exports" / "here").mkdir(parents=True)
    body = {
        "InclusiveStartTime": 0,
        "ExclusiveEndTime": time.time(),
        "RoleArn": ROLE,
        "S3ExportConfiguration": {
            "Bucket": "here",
            "Prefix": "",
            "EncryptionConfiguration": {"ObjectEncryptionType": "NO_ENCRYPTION"},
        },
    }
    export = wire.call("POST", "/ledgers/cars/journal-s3-exports", body).body["ExportId"]
    started = tmp_path / "exports" / "here" / f"{export}.started.manifest"
    until(started.is_file, wanted=True)
    stream = {
        "StreamName": "cars",
        "InclusiveStartTime": 0,
        "RoleArn": ROLE,
        "KinesisConfiguration": {"StreamArn": STREAM_ARN.format(name="none")},
    }
    place = "/ledgers/cars/journal-kinesis-streams"
    found = wire.call("POST", place, stream).body["StreamId"]
    until(lambda: wire.call("GET", f"{place}/{found}").body["Stream"]["Status"], "IMPAIRED")
    wire.close()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert 0 == process.returncode
