"""docs/server.md says what is so: its examples run, its file of keys is one, its bounds hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.server import ConnectionLimits, RequestLimits
from qldb_stream.server._commands import MAX_OPEN_RESULTS, MAX_TRANSACTION_BYTES
from qldb_stream.server._keys import parse_keys
from qldb_stream.server._sessions import MAX_OPEN_BYTES, SESSIONS_PER_LEDGER

DOCS = Path(__file__).resolve().parents[2] / "docs" / "server.md"
TEXT = DOCS.read_text(encoding="utf-8")
MIB = 1024 * 1024


def blocks(language: str) -> list[str]:
    """Give the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """It starts a server and prints its address."""
    (example,) = blocks("python")
    exec(compile(example, str(DOCS), "exec"), {})  # noqa: S102 - our own text
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_the_file_of_keys_is_one() -> None:
    """With a key that writes and one that reads."""
    (example,) = blocks("json")
    keys = parse_keys(example.encode())
    assert [False, True] == [key.read_only for key in keys.values()]


def test_the_bounds_are_the_codes() -> None:
    """Every number of the paragraph about bounds is the default in the code."""
    connections, requests = ConnectionLimits(), RequestLimits()
    numbers = (
        f"{connections.connections:,} connections",
        f"{requests.body_bytes // MIB} MiB a body and {requests.waiting_bytes // MIB} MiB of all",
        f"{MAX_TRANSACTION_BYTES // MIB} MiB in one transaction's requests",
        f"{MAX_OPEN_BYTES // MIB} MiB in all open ones",
        f"{MAX_OPEN_RESULTS} results with rows left",
        f"{connections.head_s:g} s for a head",
        f"{requests.body_s:g} s for a body",
        f"{connections.idle_s:g} s until the next request",
        f"{SESSIONS_PER_LEDGER:,} a ledger",
    )
    flat = " ".join(TEXT.split())
    assert [] == [number for number in numbers if number not in flat]
