"""
Damage to one value: a bit, a digit, blanks, a line's end, a name.

What happens to bytes on a disk and to text under the hands of people. Bits and names are tried for
one value at a time, digits of two as well, texts also beside another change (`_pairs`). A bit of
each of two values would be some hundred thousand tries for a document of a hundred bytes, five to
ten times what may be spent on it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from qldb_stream.errors import QldbStreamError
from qldb_stream.ion import (
    HashNode,
    IonSlice,
    IonType,
    hash_form,
    iter_text,
    name_form,
    to_text,
)
from qldb_stream.verification.diagnosis._candidate import Candidate

__all__ = ["iter_damage", "iter_digits", "iter_names", "iter_texts"]

_BIT: Final = "another value, by one bit"
_DIGIT: Final = "another value, by one digit"
_TEXT: Final = "a string with other blanks, line ends or letters"
_NAME: Final = "a field of another name"
_DIGITS: Final = "0123456789"
_NUMBERS: Final = frozenset((IonType.INT, IonType.DECIMAL, IonType.TIMESTAMP))
_MOST_DIGITS: Final = 40
_MOST_NAMES: Final = 200
_LONGEST_NAME: Final = 200  # of which each bit is tried
_SYSTEM_SYMBOLS: Final = 10  # $0 to $9 are Ion's own


def iter_damage(node: HashNode) -> Iterator[Candidate]:
    """
    Iterate over what a scalar may have been before a bit or a digit of it changed.

    Args:
        node: a scalar, null ones included.
    """
    yield from _iter_bits(node)
    yield from iter_digits(node)


def iter_digits(node: HashNode) -> Iterator[Candidate]:
    """Iterate over a number or time with each digit exchanged, as it is written; none of others."""
    if node.value.ion_type not in _NUMBERS or node.value.is_null:
        return
    bare = _bare(node)
    try:
        text = to_text(bare, is_part=True)
    except QldbStreamError:
        return
    if len(text) > _MOST_DIGITS:
        return
    for at, digit in enumerate(text):
        if digit not in _DIGITS:
            continue
        for other in _DIGITS:
            value = None if other == digit else _maybe_value(text[:at] + other + text[at + 1 :])
            if value is not None:
                yield Candidate.of(node, "ONE_DIGIT", _DIGIT, value)


def iter_texts(node: HashNode) -> Iterator[Candidate]:
    """Iterate over what a string may have been before an editor or a store had it."""
    if node.value.ion_type is not IonType.STRING or node.value.is_null:
        return
    text = str(_bare(node).decode())
    seen = {text}
    for found in _texts(text):
        if found not in seen:
            seen.add(found)
            yield Candidate.of(node, "TEXT", _TEXT, found)


def iter_names(node: HashNode) -> Iterator[tuple[str, bytes]]:
    """
    Iterate over the names that a field may have had.

    Yields:
        Other names of its record, its own with one bit or the case of its letters changed;
        each with its form.
    """
    own = node.name
    if not node.is_field:
        return
    texts = node.value.symbols.texts[_SYSTEM_SYMBOLS : _SYSTEM_SYMBOLS + _MOST_NAMES]
    found = [text for text in texts if text is not None and text != own]
    if own:
        found += [own.lower(), own.upper(), own[:1].swapcase() + own[1:], own.strip()]
        if len(own) <= _LONGEST_NAME:
            found += list(_iter_flipped(own))
    for text in dict.fromkeys(found):
        if text != own:
            yield text, name_form(text)


def _iter_bits(node: HashNode) -> Iterator[Candidate]:
    value = node.value
    data = bytearray(value.buf[value.start : value.end])
    for bit in range(8 * len(data)):
        data[bit >> 3] ^= 1 << (bit & 7)
        flipped = IonSlice(bytes(data), 0, len(data), value.symbols)
        data[bit >> 3] ^= 1 << (bit & 7)
        try:
            form = hash_form(flipped)  # whole, or to the end that it has now
        except QldbStreamError:
            continue
        yield Candidate("ONE_BIT", _BIT, form, flipped.ion_type.name.lower(), flipped)


def _maybe_value(text: str) -> IonSlice | None:
    try:
        return next(iter_text(text), None)
    except QldbStreamError:
        return None


def _texts(text: str) -> Iterator[str]:
    yield from (text.strip(), text.rstrip(), text.lstrip(), f"{text}\n", f"{text} ", f" {text}")
    yield from (text.replace("\r\n", "\n"), text.replace("\r\n", "\n").replace("\n", "\r\n"))
    yield from (unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC"))
    yield from (text.lower(), text.upper(), text.title(), text.capitalize())
    for encoding in ("latin-1", "cp1252"):  # UTF-8 that was read as something else, and back
        for wrong, right in ((encoding, "utf-8"), ("utf-8", encoding)):
            try:
                yield text.encode(wrong).decode(right)
            except UnicodeError:
                continue


def _iter_flipped(text: str) -> Iterator[str]:
    data = text.encode()
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        try:
            yield flipped.decode()
        except UnicodeDecodeError:
            continue


def _bare(node: HashNode) -> Any:
    value = node.value
    return IonSlice(value.buf, value.value_start(), value.end, value.symbols)
