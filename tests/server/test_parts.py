"""The small parts: tokens, pages, mailbox, pool, keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import PartiqlEvaluationError, UsageError
from qldb_stream.ion import loads, to_slice
from qldb_stream.server._keys import Caller, load_keys, parse_keys
from qldb_stream.server._mailbox import MAX_WAITING, Mailbox
from qldb_stream.server._pages import PAGE_BYTES, Pages
from qldb_stream.server._pool import Pool
from qldb_stream.server._tokens import SessionTokens, TokenContent
from tests.server.support import to_json

# --- tokens --------------------------------------------------------------------------------


def test_a_token_says_what_it_was_made_of() -> None:
    """Reading undoes making."""
    tokens, content = SessionTokens(), TokenContent("A" * 22, 1_714_996_800_000)
    assert content == tokens.maybe_read(tokens.make(content))


def test_another_servers_token_says_nothing() -> None:
    """Each process has a secret of its own."""
    token = SessionTokens().make(TokenContent("A" * 22, 1))
    assert SessionTokens().maybe_read(token) is None


@given(st.integers(0, 63), st.characters(codec="ascii"))
def test_a_changed_token_says_nothing(place: int, letter: str) -> None:
    """Whatever letter is changed, it is a token of no session."""
    tokens, content = SessionTokens(), TokenContent("A" * 22, 1)
    token = tokens.make(content)
    changed = token[:place] + letter + token[place + 1 :]
    if changed != token:
        assert tokens.maybe_read(changed) is None


# --- pages ---------------------------------------------------------------------------------


def pages_of(rows: Iterator[object]) -> list[list[object]]:
    """Read all pages of a result."""
    pages = Pages(map(to_slice, rows))
    found = [[loads(row) for row in pages.next_page()]]
    while not pages.done:
        found.append([loads(row) for row in pages.next_page()])
    return found


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, [0]), (1, [1]), (200, [200]), (201, [200, 1]), (500, [200, 200, 100])]
)
def test_a_page_has_two_hundred_rows(count: int, sizes: list[int]) -> None:
    """No page is empty but that of an empty result, and nothing is lost."""
    found = pages_of(iter(range(count)))
    assert sizes == [len(page) for page in found]
    assert list(range(count)) == [row for page in found for row in page]


def test_a_page_has_no_more_bytes_than_fit() -> None:
    """Large rows make shorter pages, a row that is too large for any has one of its own."""
    half, huge = "x" * (PAGE_BYTES // 2 - 100), "x" * (PAGE_BYTES + 1)
    found = pages_of(iter([half, half, half, huge, half]))
    assert [2, 1, 1, 1] == [len(page) for page in found]


def test_a_row_that_fails_fails_when_it_is_asked_for() -> None:
    """The rows before it are given first; after it there is nothing."""
    error = PartiqlEvaluationError(1, 1, "no")

    def rows() -> Iterator[object]:
        yield from range(200)
        raise error

    pages = Pages(map(to_slice, rows()))
    assert 200 == len(pages.next_page())
    assert not pages.done
    with pytest.raises(PartiqlEvaluationError):
        pages.next_page()
    assert pages.done


# --- mailbox and pool ----------------------------------------------------------------------


def test_a_session_does_one_thing_at_a_time() -> None:
    """What comes while it is at work is done after, by the thread that is at work."""
    box, done = Mailbox(), []

    def first() -> None:
        assert box.put(lambda: done.append("second"))
        done.append("first")

    assert box.put(first)
    assert ["first", "second"] == done


def test_a_box_that_is_full_takes_no_more() -> None:
    """It says so; what must be done is taken all the same."""
    box = Mailbox()
    done: list[str] = []
    taken: list[bool] = []

    def first() -> None:
        taken.extend(box.put(lambda: done.append("more")) for _ in range(MAX_WAITING + 1))
        assert box.put(lambda: done.append("forced"), force=True)

    box.put(first)
    assert [True] * MAX_WAITING + [False] == taken
    assert ["more"] * MAX_WAITING + ["forced"] == done


def test_a_pool_does_what_it_was_given_before_it_ends() -> None:
    """Closing waits for jobs; a job that does not end is said to be left."""
    pool, done = Pool(2), []
    for number in range(10):
        pool.submit(lambda number=number: done.append(number))  # type: ignore[misc]  # mypy infers no default
    assert pool.close(10)
    assert list(range(10)) == sorted(done)
    stuck, gate = Pool(1), threading.Event()

    def wait() -> None:
        gate.wait()

    stuck.submit(wait)
    assert not stuck.close(0)
    gate.set()


# --- keys ----------------------------------------------------------------------------------

SECRET = "0123456789abcdef"


def entry(**members: object) -> dict[str, object]:
    """A key's entry."""
    return {"access_key": "AK1", "secret_key": SECRET, "permission": "read-only", **members}


def test_keys_are_read_from_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    By access key, with what each may do; the secret is not in the repr.

    A file that others may read is warned of.
    """
    path = tmp_path / "keys.json"
    more = entry(access_key="AK2", permission="read-write")
    path.write_bytes(to_json({"version": 1, "keys": [entry(), more]}))
    path.chmod(0o644)
    keys = load_keys(str(path))
    assert "others may read" in caplog.text
    caplog.clear()
    path.chmod(0o600)
    assert keys == load_keys(str(path))
    assert "" == caplog.text
    assert Caller("AK1", read_only=True) == keys["AK1"].caller
    assert Caller("AK2") == keys["AK2"].caller
    assert SECRET not in repr(keys)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"", "is no file of keys"),
        (b"[" * 100_000, "is no file of keys"),
        (b"[]", "is no file of keys"),
        (to_json({"version": 2, "keys": [entry()]}), "is no file of keys"),
        (to_json({"version": 1, "keys": []}), "is no file of keys"),
        (to_json({"version": 1, "keys": [1]}), "key 1: access_key"),
        (to_json({"version": 1, "keys": [entry(access_key="a b")]}), "key 1: access_key"),
        (to_json({"version": 1, "keys": [entry(secret_key="short")]}), "key 1: secret_key"),
        (to_json({"version": 1, "keys": [entry(permission="root")]}), "key 1: permission"),
        (to_json({"version": 1, "keys": [entry(), entry()]}), "an access key twice"),
        (b" " * 2_000_000, "is no file of keys"),
    ],
)
def test_a_wrong_file_of_keys_is_refused(document: bytes, problem: str) -> None:
    """The error says which entry, and never shows a secret."""
    with pytest.raises(UsageError, match=problem) as caught:
        parse_keys(document)
    assert SECRET not in str(caught.value)


def test_a_file_of_keys_must_be_there(tmp_path: Path) -> None:
    """A missing file is wrong usage."""
    with pytest.raises(UsageError, match="cannot be read"):
        load_keys(str(tmp_path / "none"))
