"""Sink URLs: how they are taken apart, and what of them may be shown."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from qldb_stream.errors import UsageError
from qldb_stream.sinks.url import SinkUrl, mask_url, parse_sink_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("memory:", SinkUrl("memory", "", {})),
        ("ledger:a/b.ledger?ids=any", SinkUrl("ledger", "a/b.ledger", {"ids": "any"})),
        ("x+y-1.2:a:b", SinkUrl("x+y-1.2", "a:b", {})),
        ("jsonl:what%3F%20now?", SinkUrl("jsonl", "what? now", {})),
        ("s:p?a=1+1&&b=%26=", SinkUrl("s", "p", {"a": "1+1", "b": "&="})),
        ("postgresql://u@h/d", SinkUrl("postgresql", "//u@h/d", {})),
    ],
)
def test_a_url_falls_into_its_parts(url: str, expected: SinkUrl) -> None:
    """The scheme ends at the first colon, the path at the first question mark."""
    assert expected == parse_sink_url(url)


@pytest.mark.parametrize("url", ["", "file.ledger", ":x", "Upper:x", "1:x", "a b:x", "/var/x"])
def test_what_has_no_scheme_is_no_url(url: str) -> None:
    """A bare path is refused with an example of what to write."""
    with pytest.raises(UsageError, match="write SCHEME:PATH"):
        parse_sink_url(url)


def test_an_option_needs_a_value_and_comes_once() -> None:
    """Half an option and a repeated one are refused by name."""
    with pytest.raises(UsageError, match=r"option 'ids' of s:p\?ids has no value.*%3F for a ques"):
        parse_sink_url("s:p?ids")
    with pytest.raises(UsageError, match=r"option .ids. of .* is given twice"):
        parse_sink_url("s:p?ids=a&ids=b")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:s3cret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me:p@ss/w:rd@host/db?x=1", "postgresql://me:***@host/db?x=1"),
        ("postgresql://me:p?s3=cret&x@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("s:p?password=a&user=b&api_key=c", "s:p?password=***&user=b&api_key=***"),
        ("s:p?Secret=a%26b", "s:p?Secret=***"),
        ("jsonl:plain@path", "jsonl:plain@path"),
    ],
)
def test_passwords_are_never_shown(url: str, expected: str) -> None:
    """The password of a URL and every option that sounds secret are masked."""
    assert expected == mask_url(url)


@pytest.mark.parametrize("rest", ["s3cret@host/db", "s3=cret@host/db&s3cret@x", "s3cret&a@b"])
def test_a_password_with_a_question_mark_is_in_no_error(rest: str) -> None:
    """What would be an option's name may be half a password; the hint is about %3F."""
    with pytest.raises(UsageError, match="%3F") as info:
        parse_sink_url(f"postgresql://me:pa?{rest}")
    assert "cret" not in str(info.value)


@given(st.text())
def test_any_text_is_a_url_or_a_usage_error(text: str) -> None:
    """No text makes the reader of URLs fail in another way, and masking keeps the rest."""
    try:
        parsed = parse_sink_url(text)
    except UsageError:
        return
    assert text.startswith(f"{parsed.scheme}:")
