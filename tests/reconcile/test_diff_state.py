"""The file that remembers what agreed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qldb_stream.errors import UsageError
from qldb_stream.reconcile import DiffState, Verified
from qldb_stream.report import Gap, Position

THROUGH = Position("s", 7, b"x" * 32, frozenset({3}), (Gap(4, 5, "lost"),), start=1)
VERIFIED = Verified(THROUGH, Position("s", 9, b"y" * 32))


def test_what_is_stored_is_there_again(tmp_path: Path) -> None:
    """Every field comes back, for each sink and strand apart, and no other file is left."""
    path = tmp_path / "state"
    with DiffState(path, "a:") as state:
        assert {} == state.verified()
        state.store("s", VERIFIED)
        state.store("t", Verified())
    with DiffState(path, "b:") as state:
        assert {} == state.verified()
        state.store("s", Verified(THROUGH))
    with DiffState(path, "a:") as state:
        assert {"s": VERIFIED, "t": Verified()} == state.verified()
        through = state.verified()["s"].through
        assert through is not None
        assert 1 == through.start
    assert [path] == list(tmp_path.iterdir())


def test_other_rules_begin_anew(tmp_path: Path) -> None:
    """What agreed with one filter says nothing of another one's delivery."""
    path = tmp_path / "state"
    with DiffState(path, "a:", rules="one") as state:
        state.store("s", VERIFIED)
    with DiffState(path, "a:", rules="two") as state:
        assert {} == state.verified()
        state.store("t", Verified())
        assert {"t": Verified()} == state.verified()


def test_forgetting(tmp_path: Path) -> None:
    """To compare anew changes nothing in the file by itself."""
    path = tmp_path / "state"
    with DiffState(path, "a:") as state:
        state.store("s", VERIFIED)
        state.forget()
        assert {} == state.verified()
    with DiffState(path, "a:") as state:
        assert {"s": VERIFIED} == state.verified()


def test_one_at_a_time(tmp_path: Path) -> None:
    """A state that is in use is refused."""
    with (
        DiffState(tmp_path / "state", "a:"),
        pytest.raises(UsageError, match="in use"),
        DiffState(tmp_path / "state", "a:"),
    ):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"format": "qldb-stream diff", "version": 2, "sinks": {}}',
        '{"format": "qldb-stream diff", "version": 1, "sinks": []}',
        '{"format": "qldb-stream diff", "version": 1, "sinks": {"a:": 1}}',
        "[" * 100_000,
    ],
)
def test_another_file_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    """What is no state, or one of another version, is refused and not written."""
    path = tmp_path / "state"
    path.write_text(text)

    with pytest.raises(UsageError, match="state"):
        DiffState(path, "a:")
    assert text == path.read_text()
    with pytest.raises(UsageError, match="state"):  # and its lock is free again
        DiffState(path, "a:")


@pytest.mark.parametrize(
    "strands",
    [None, [], {"s": None}, {"s": {}}, {"s": {"verifiedThrough": {}, "historyThrough": None}}],
)
def test_a_damaged_state_is_refused(tmp_path: Path, strands: object) -> None:
    """What cannot be read as positions is not guessed at."""
    path = tmp_path / "state"
    sinks = {"a:": {"rules": "", "strands": strands}}
    path.write_text(json.dumps({"format": "qldb-stream diff", "version": 1, "sinks": sinks}))

    with DiffState(path, "a:") as state, pytest.raises(UsageError, match="damaged"):
        state.verified()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that is not there, one that is in the way, and one in the new file's place."""
    with pytest.raises(UsageError, match="cannot use"):
        DiffState(tmp_path / "absent" / "state", "a:")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        DiffState(tmp_path / "folder", "a:")
    (tmp_path / "state.new").mkdir()
    with (
        DiffState(tmp_path / "state", "a:") as state,
        pytest.raises(UsageError, match="cannot write"),
    ):
        state.store("s", VERIFIED)


def test_a_state_without_end_is_refused(tmp_path: Path) -> None:
    """A file of more than 16 MiB is none of ours."""
    path = tmp_path / "state"
    with path.open("wb") as file:
        file.truncate((16 << 20) + 1)

    with pytest.raises(UsageError, match="no state"):
        DiffState(path, "a:")
