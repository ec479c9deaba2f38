"""Progress is for a person at a terminal, on standard error, and for nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from qldb_stream.cli._progress import describe_left, describe_rate, progress


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


def test_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two megabytes a second, and 90 seconds for the 180 megabytes that are left."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    now = 1000.0
    with progress(clock=lambda: now) as report:
        for second in range(11):
            now = 1000.0 + second
            report(second * 2_000_000, 200_000_000, "index")

    assert "2.0 MB/s" in terminal.getvalue()
    assert "0:01:30 left" in terminal.getvalue()


def test_rate_of_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where things are counted the rate is things a second; a stage that is done has none left."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    now = 0.0
    with progress(counts=True, clock=lambda: now) as report:
        for second in range(5):
            now = float(second)
            report(second * 1_250, 5_000, "read")

    last = terminal.getvalue().rpartition("working")[2]
    assert "5000/5000" in last
    assert "1,250/s" in last
    assert "left" not in last


@pytest.mark.parametrize(
    ("per_s", "counts", "expected"),
    [
        (None, False, ""),
        (0.0, False, "0.0 MB/s"),
        (12_500_000.0, False, "12.5 MB/s"),
        (1_250.4, True, "1,250/s"),
    ],
)
def test_how_a_rate_is_said(per_s: float | None, counts: bool, expected: str) -> None:  # noqa: FBT001 - a parameter of the test
    """Rates are megabytes or things a second; one that is not known is not said."""
    assert expected == describe_rate(per_s, counts=counts)


@pytest.mark.parametrize(
    ("left", "per_s", "expected"),
    [
        (10.0, None, ""),
        (10.0, 0.0, ""),
        (0.0, 5.0, ""),
        (10.0, 4.0, "0:00:02 left"),
        (3_725.0, 1.0, "1:02:05 left"),
        (1e9, 1.0, "days left"),
    ],
)
def test_how_the_time_left_is_said(left: float, per_s: float | None, expected: str) -> None:
    """The time left is hours, minutes and seconds; one that is not known is not said."""
    assert expected == describe_left(left, per_s)
