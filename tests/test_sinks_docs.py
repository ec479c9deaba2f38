"""docs/sinks.md: its sink is installed as pip would, and its own tests pass on it."""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qldb_stream.cli import main
from qldb_stream.hookspecs import SinkType
from qldb_stream.plugins import load_plugins
from qldb_stream.testing import make_journal, write_archive
from qldb_stream.typing import Sink

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sinks.md"
TEXT = PAGE.read_text(encoding="utf-8")
MODULE, TESTS = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
(TOML,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
NAMES: dict[str, Any] = {}
exec(compile(f"import sqlite3\n{TESTS}", str(PAGE), "exec"), NAMES)  # noqa: S102 - our own text


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's module and entry point, in a folder that looks like site-packages."""
    packages = tmp_path / "packages"
    info = packages / "qldb_stream_history-1.0.dist-info"
    info.mkdir(parents=True)
    (packages / "qldb_stream_history.py").write_text(MODULE)
    metadata = "Metadata-Version: 2.1\nName: qldb-stream-history\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata)
    (entry_points,) = tomllib.loads(TOML)["project"]["entry-points"].items()
    lines = [f"[{entry_points[0]}]", *(f"{name} = {at}" for name, at in entry_points[1].items())]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(packages))
    yield
    sys.modules.pop("qldb_stream_history", None)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("test_")])
def test_its_own_tests(name: str, tmp_path: Path) -> None:
    """What the page says must hold does."""
    test: Callable[[Path], None] = NAMES[name]
    test(tmp_path)


def test_the_command_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page's command line replays into it, once."""
    monkeypatch.chdir(tmp_path)
    write_archive(make_journal(3, blocks=20).iter_records(), tmp_path / "archive")
    (line,) = re.findall(r"qldb-stream (replay .*)", TEXT)
    words = line.replace("'", "").split()

    assert (0, 0) == (main(words), main(words))
    assert "20 blocks applied, 0 skipped" in capsys.readouterr().out
    assert 0 < len(NAMES["rows"](tmp_path / "cars.db"))


def test_it_keeps_what_it_promises(tmp_path: Path) -> None:
    """Its type is what the hook asks for, and its class has a sink's methods."""
    sink_type = load_plugins().sink_types["history"]
    sink = sink_type.open(str(tmp_path / "x"), {})
    sink.close()

    assert isinstance(sink_type, SinkType)
    assert isinstance(sink, Sink)
    assert ["path", "options"] == list(inspect.signature(sink_type.open).parameters)
