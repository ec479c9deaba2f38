"""
Find the scalar literals in a statement's text, without parsing it.

They are candidates for what a field was, nothing more: what is found is tried, and a hash
decides. Each pattern is possessive, so time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import IonSlice, iter_text, to_slice

__all__ = ["iter_literals"]

_MAX_TEXT: Final = 1 << 17  # a statement is 100,000 characters at most (facts 5.8)
_MAX_ION: Final = 1 << 10
_LITERAL: Final = re.compile(
    r"'((?:[^']|'')*+)'|`([^`]*+)`|\"[^\"]*+\""
    r"|(?<![\w.])([0-9]++(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]{1,3})?)(?![\w.])|\b(true|false|null)\b",
    re.IGNORECASE,
)


def iter_literals(text: str, limit: int) -> Iterator[IonSlice]:
    """
    Iterate over the strings, numbers, Ion literals and words for bool and null in a text.

    Args:
        text: a statement's.
        limit: how many are looked at.
    """
    for found in islice(_LITERAL.finditer(text[:_MAX_TEXT]), limit):
        string, ion, number, word = found.groups()
        if string is not None:
            yield to_slice(string.replace("''", "'"))
        elif ion is not None:
            yield from _ion_literal(ion)
        elif number is not None:
            yield from _numbers(number)
        elif word is not None:
            yield to_slice({"true": True, "false": False, "null": None}[word.lower()])


def _ion_literal(text: str) -> Iterator[IonSlice]:
    if len(text) <= _MAX_ION:
        try:
            yield from islice(iter_text(text), 1)
        except QldbStreamError:
            return


def _numbers(text: str) -> Iterator[IonSlice]:
    """Give a number, and the same with the other sign: a minus before it is an operator."""
    number = int(text) if text.isdigit() and len(text) < 100 else Decimal(text)  # noqa: PLR2004 - quadratic beyond
    yield to_slice(number)
    if number:
        yield to_slice(-number)
