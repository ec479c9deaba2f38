"""The zip that `make lambda` builds, run as Lambda runs it: with it and boto3, and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.ledger import Ledger
from qldb_stream.reconcile import compare_ledgers
from qldb_stream.server import Server
from qldb_stream.testing import make_journal
from tests.aws.events import kinesis_event
from tests.aws.zips import SCRIPT, Zip, run_handler

JOURNAL = make_journal(21, blocks=12)
RECORDS = list(JOURNAL.iter_records())
OURS = "qldb_stream.sinks.postgres."  # an extra that is in the zip


def test_what_is_in_it(lambda_zip: Zip) -> None:
    """It has the package and what it needs, and nothing that Lambda has or nobody runs."""
    names = lambda_zip.names
    tops = {name.partition("/")[0] for name in names}

    assert {"qldb_stream", "pyqldb", "ionhash", "amazon", "attr", "attrs", "pluggy"} <= tops
    assert not {"boto3", "botocore", "numpy", "tests"} & tops
    left = ("qldb_stream/cli/", "qldb_stream/testing/", "qldb_stream/server/")
    assert [] == [name for name in names if name.startswith(left) or name.endswith((".o", ".c"))]
    assert "qldb_stream/clients/models/qldb-session/2019-07-11/service-2.json" in names
    assert lambda_zip.unpacked_bytes < 30_000_000


def test_every_module_is_compiled(lambda_zip: Zip) -> None:
    """Each module has its compiled form, which does not depend on times."""
    names = lambda_zip.names
    tag = f"{sys.implementation.cache_tag}.pyc"
    sources = [name for name in names if name.endswith(".py")]
    compiled = [name for name in names if name.endswith(tag)]

    assert len(sources) == len(compiled)
    (head,) = {data[4:8] for data in lambda_zip.read(compiled)}
    assert (1).to_bytes(4, "little") == head  # hash-based, unchecked (PEP 552)


def test_the_same_input_gives_the_same_bytes(lambda_zip: Zip, tmp_path: Path) -> None:
    """A second build, elsewhere and later, gives the same file; nothing names this machine."""
    again = tmp_path / "again.zip"
    lambda_zip.build(again)

    assert lambda_zip.path.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(again) as opened:
        assert {(1980, 1, 1, 0, 0, 0)} == {entry.date_time for entry in opened.infolist()}
        text = b"".join(map(opened.read, opened.namelist()))
    assert str(Path(__file__).resolve().parents[2]).encode() not in text


def test_packages_of_another_target_stay_out(tmp_path: Path) -> None:
    """A folder of packages may serve several Pythons and machines; each zip has its own."""
    targets = (("3.11", "x86_64"), ("3.13", "arm64"))
    for python, arch in targets:
        folder = tmp_path / "packages" / f"{python}-{arch}"
        folder.mkdir(parents=True)
        for name in ("amazon_ion-0.15.0", "attrs-26.1.0", "pluggy-1.7.0"):
            with zipfile.ZipFile(folder / f"{name}-{python}-{arch}.whl", "w") as wheel:
                wheel.writestr(f"{name}-{python}-{arch}.txt", b"")
    for python, arch in targets:
        out = tmp_path / f"{python}.zip"
        asked = ["--python", python, "--arch", arch, "--extras", "", "--out", str(out)]
        kept = ["--packages", str(tmp_path / "packages")]
        subprocess.run([sys.executable, str(SCRIPT), *asked, *kept], check=True)
        with zipfile.ZipFile(out) as opened:
            brought = [name for name in opened.namelist() if name.endswith(".txt")]
        assert {f"{python}-{arch}.txt"} == {name.split("-", 2)[2] for name in brought}


def test_its_handler_replays(lambda_zip: Zip, tmp_path: Path, aws: str) -> None:
    """Its handler replays a stream into a server, through pyqldb, from an inbox in DynamoDB."""
    folder = tmp_path / "ledgers"
    folder.mkdir()
    Ledger.open(folder / "copy.ledger", name="copy").close()
    events = [kinesis_event(RECORDS[n::2], n) for n in range(2)]
    with Server(folder) as server:
        tables = {
            "RequestType": "Create",
            "ResourceProperties": {
                "LedgerName": "copy",
                "TableNames": ["Made"],
                "Endpoint": server.url,
            },
        }
        made = run_handler(lambda_zip, "tables.handler", [tables], {})
        environment = {
            "QLDB_STREAM_SINK": f"qldb:copy?endpoint={server.url}&ids=any",
            "QLDB_STREAM_INBOX": "dynamodb:lambda-inbox?create=yes",
            "QLDB_STREAM_START": "0",
            "AWS_ENDPOINT_URL": aws,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        answers = run_handler(lambda_zip, "replay.handler", events, environment)
        drained = run_handler(lambda_zip, "replay.drain", [{}], environment)

    assert "Made" == made[0]["Data"]["Created"]
    assert [{"batchItemFailures": []}] * 2 == answers
    assert drained[0]["ok"]
    with Ledger.open(folder / "copy.ledger") as copy:
        assert compare_ledgers(iter(JOURNAL), copy).ok


def needs_extra() -> tuple[str, ...]:
    """The rooms that a bare install cannot import, as the other script names them."""
    text = (SCRIPT.parent / "check_imports.py").read_text(encoding="utf-8")
    return tuple(re.findall(r'^    "(qldb_stream\.[^"]+)",$', text, re.MULTILINE))


def test_all_of_it_can_be_imported(lambda_zip: Zip) -> None:
    """Every module whose extra is in it can be imported, psycopg's C part too."""
    absent = tuple(name for name in needs_extra() if not name.startswith(OURS))
    code = f"""
import importlib, json, pkgutil, sys
import qldb_stream
names = [m.name for m in pkgutil.walk_packages(qldb_stream.__path__, "qldb_stream.")]
names = [name for name in names if not name.startswith({absent!r})]
for name in names:
    importlib.import_module(name)
import psycopg.pq
print(json.dumps([len(names), psycopg.pq.__impl__, qldb_stream.__file__]))
"""
    count, implementation, file = json.loads(lambda_zip.run(code, {}))

    assert count > 250
    assert "binary" == implementation
    assert file.startswith(str(lambda_zip.folder))


def test_wrong_arguments(tmp_path: Path) -> None:
    """What there is not is refused by name."""
    command = [sys.executable, str(SCRIPT), "--extras", "qldb,spark", "--out", str(tmp_path / "z")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert "no extra spark" in done.stderr


@pytest.mark.parametrize("name", ["replay.handler", "archive.handler"])
def test_a_wrong_environment_in_the_zip(lambda_zip: Zip, name: str) -> None:
    """A handler without an environment fails with what is missing."""
    with pytest.raises(AssertionError, match="QLDB_STREAM_SINK is missing"):
        run_handler(lambda_zip, name, [{}], {})


def test_answers_are_json(lambda_zip: Zip) -> None:
    """What a handler answers can be written as JSON, as Lambda does."""
    event: dict[str, Any] = {"RequestType": "Delete", "PhysicalResourceId": "tables-of-cars"}

    assert [{"PhysicalResourceId": "tables-of-cars"}] == run_handler(
        lambda_zip, "tables.handler", [event], {}
    )
