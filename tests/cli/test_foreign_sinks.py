"""`qldb-stream replay` into somebody else's sink, which fails, lies or is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qldb_stream.testing import make_journal, write_archive
from tests.cli.conftest import Run

PLUGIN = '''
from qldb_stream.hookspecs import SinkType, hookimpl
from qldb_stream.sinks.memory import MemorySink


class Odd(MemorySink):
    """Does what its URL's path says, when it has applied one run."""

    def __init__(self, path, options):
        super().__init__()
        self.way = path

    def position(self, strand_id):
        return 7 if self.way == "position" else super().position(strand_id)

    def apply(self, blocks, position, token):
        if self.blocks and self.way == "interrupt":
            raise KeyboardInterrupt
        if self.blocks and self.way in ("raise", "both"):
            raise RuntimeError("a secret document")
        reached = super().apply(blocks, position, token)
        return None if self.way == "none" else reached

    def close(self):
        if self.way in ("close", "both"):
            raise OSError("a secret document")

    def summary(self):
        from qldb_stream.report import SinkSummary
        return "much" if self.way == "summary" else SinkSummary(documents=1)


@hookimpl
def qldb_stream_register_sinks():
    return [SinkType("odd", Odd, "does what its path says")]
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The plug-in above, as pip installs one."""
    (tmp_path / "odd_plugin.py").write_text(PLUGIN)
    info = tmp_path / "odd_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[qldb_stream]\nodd = odd_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("odd_plugin", None)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A folder with 150 blocks, which are two runs of delivery."""
    folder = tmp_path / "journal"
    write_archive(make_journal(5, blocks=150).iter_records(), folder)
    return folder


def test_an_interrupted_replay_says_how_far_it_came(run: Run, journal: Path) -> None:
    """Ctrl-C is 130, and the object counts what was applied before it, with an error."""
    answer = run("replay", journal, "--to", "odd:interrupt", "--json")
    said = answer.json()

    assert (130, "qldb-stream: interrupted\n") == (answer.code, answer.err)
    assert (False, "interrupted", 100) == (said["ok"], said["error"], said["applied"])
    assert said["blocks"] >= 100


def test_an_interrupted_replay_for_people(run: Run, journal: Path) -> None:
    """The tables are those of what was applied, and the last line says that it is not all."""
    answer = run("replay", journal, "--to", "odd:interrupt")

    assert "not ok: 100 blocks applied, 0 skipped; then it broke off" in answer.out


@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ("none", "hook Sink.apply: must return a Position, returned NoneType"),
        ("position", "hook Sink.position: must return a Position, returned int"),
        ("raise", "hook Sink.apply: raised RuntimeError; QLDB_STREAM_DEBUG=1 shows the traceback"),
        ("close", "hook Sink.close: raised OSError; QLDB_STREAM_DEBUG=1 shows the traceback"),
        ("both", "hook Sink.apply: raised RuntimeError; QLDB_STREAM_DEBUG=1 shows the traceback"),
    ],
)
def test_a_bad_sink_is_named(run: Run, journal: Path, way: str, sentence: str) -> None:
    """Whatever a sink does wrong is one sentence with its name, and quotes nothing."""
    answer = run("replay", journal, "--to", f"odd:{way}", "--json")

    expected = f"plug-in odd_plugin.Odd, {sentence}"
    assert (1, f"qldb-stream: {expected}\n") == (answer.code, answer.err)
    assert (False, expected) == (answer.json()["ok"], answer.json()["error"])


def test_a_summary_that_is_none(run: Run, journal: Path) -> None:
    """A sink's summary of another shape is named as well."""
    answer = run("replay", journal, "--to", "odd:summary", "--json")

    assert (1, 150, False) == (answer.code, answer.json()["applied"], answer.json()["ok"])
    assert "hook Sink.summary: must return a SinkSummary, returned str" in answer.err


def test_the_traceback_for_the_sinks_author(
    run: Run, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With QLDB_STREAM_DEBUG the place where a sink failed is shown, before the sentence."""
    monkeypatch.setenv("QLDB_STREAM_DEBUG", "1")
    answer = run("replay", journal, "--to", "odd:raise", "--json")
    *traceback, sentence = answer.err.splitlines()

    assert 1 == answer.code
    assert any("odd_plugin.py" in line for line in traceback)
    assert "qldb-stream: plug-in odd_plugin.Odd, hook Sink.apply: raised RuntimeError" == sentence
