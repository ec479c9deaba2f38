"""docs/sinks-events.md and the sinks name the same options, defaults and messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qldb_stream.plugins import load_plugins
from qldb_stream.sinks._messages import MessageType
from qldb_stream.sinks.kafka._records import HEADERS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sinks-events.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["kafka", "events", "webhook+https"])
def test_options(scheme: str) -> None:
    """The table of a sink has each of its options, with its default."""
    _, *parts = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (part,) = [part for part in parts if part.startswith(f"`{scheme}:")]
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([^|]*) \|$", part, re.MULTILINE)
    options = load_plugins().sink_types[scheme].options
    assert [option.name for option in options] == [name for name, _ in rows]
    told = {name: default.strip("`") for name, default in rows}
    assert {o.name: o.default for o in options if o.default is not None} == {
        name: default for name, default in told.items() if default not in {"none", "the system's"}
    }


def test_messages() -> None:
    """Every type of message and every header is named."""
    for name in (*(kind.value for kind in MessageType), *HEADERS.values()):
        assert f"`{name}`" in TEXT
