"""`--log-format` and `--log-level` of the commands that deliver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_replay_logs_to_standard_error(run: Run, archive: Path, tmp_path: Path) -> None:
    """Standard output stays one object; the lines count the blocks that it counts."""
    to = ("--to", f"jsonl:{tmp_path / 'a.jsonl'}", "--json")
    answer = run("replay", archive, *to, "--log-format", "json")
    lines = [json.loads(line) for line in answer.err.splitlines()]
    assert (0, 12) == (answer.code, answer.json()["applied"])
    assert {"batch_done"} == {line["event"] for line in lines}
    assert 12 == sum(line["blocks"] for line in lines)


def test_deliver_and_requeue_log(run: Run, archive: Path, tmp_path: Path) -> None:
    """Either option asks for a log; where nothing happens, there is no line."""
    inbox, to = tmp_path / "an.inbox", ("--to", f"jsonl:{tmp_path / 'a.jsonl'}")
    run("replay", archive, *to, "--inbox", inbox)
    for command in (("deliver", inbox), ("parked", "requeue", inbox, "--all")):
        answer = run(*command, *to, "--log-level", "debug", "--json")
        assert (0, "") == (answer.code, answer.err)


@pytest.mark.parametrize("option", [("--log-level", "debug"), ("--log-format", "text")])
def test_each_option_alone_will_do(
    run: Run, archive: Path, tmp_path: Path, option: tuple[str, str]
) -> None:
    """Text and info are what is not given."""
    answer = run("replay", archive, "--to", f"jsonl:{tmp_path / 'a.jsonl'}", *option)
    assert 12 * (option[1] == "debug") == answer.err.count("DEBUG block_delivered sink=")
    assert "INFO batch_done sink=" in answer.err


def test_without_the_options_nothing_is_logged(run: Run, archive: Path, tmp_path: Path) -> None:
    """Standard error stays empty."""
    assert "" == run("replay", archive, "--to", f"jsonl:{tmp_path / 'a.jsonl'}").err
