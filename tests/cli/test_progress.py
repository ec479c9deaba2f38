"""Progress is for a person at a terminal, on standard error, and for nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from qldb_stream.cli._progress import progress


class Terminal(io.StringIO):
    """Standard error as a terminal would be."""

    def isatty(self) -> bool:
        """Say that somebody watches."""
        return True


def test_a_terminal_sees_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each stage that is reported gets a line of its own."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as report:
        report(1, 2_000, "index")
        report(2_000, 2_000, "index")
        report(7, 9, "another stage")

    assert "reading" in terminal.getvalue()
    assert "2.0/2.0 kB" in terminal.getvalue()
    assert "another stage" in terminal.getvalue()


def test_a_file_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no terminal is, nothing is written."""
    with progress() as report:
        report(1, 2, "index")

    assert ("", "") == capsys.readouterr()
