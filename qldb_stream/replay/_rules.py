"""
Which strings inside documents are document ids, and how they are exchanged.

Strategy: a document id is 22 characters (facts 2.2), in the source and in the
destination, so exchanging one never changes a length. The bytes are searched for
strings of that shape first, which costs next to nothing; only where one of them is
a known id is the document walked, value by value, to tell strings from bytes that
look like one. The 22 bytes are then overwritten in a copy. Everything else stays the
very bytes that it was: annotations, symbols, precision, order, repeated fields. A
document without a known id is handed on as the same slice.

Field names are not strings: they stay. So do symbols.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.ion import IonSlice, IonType, iter_elements, iter_fields, text_of

# Type byte 0x8E: a string whose length, a VarUInt, follows; 0x96 is 22, padding zeros allowed.
_ID_STRING: Final = re.compile(rb"\x8e\x00*\x96([0-9A-Za-z-]{22})")
_ID_BYTES: Final = 22

# A record's version marker, symbol table and envelope; an export's buffer is longer.
_SHORT_HEAD_BYTES: Final = 4096

_LISTS: Final = frozenset({IonType.LIST, IonType.SEXP})


@attrs.frozen
class IdRule:
    """
    Which strings in a document are rewritten.

    With `any_string`, every whole string that equals a known id. Else the strings at
    `paths`, each a path of field names from the top of the document; lists on the way, and
    at its end, stand for each of their elements. Without either, none.
    """

    any_string: bool = False
    paths: tuple[tuple[str, ...], ...] = ()

    @property
    def keeps(self) -> bool:
        """Say whether documents are passed on as they are."""
        return not (self.any_string or self.paths)

    def __str__(self) -> str:
        """Write the rule as `parse_id_rule` reads it; paths sorted, each once."""
        if self.any_string or not self.paths:
            return "any" if self.any_string else "keep"
        return "paths=" + ",".join(sorted({".".join(path) for path in self.paths}))


def parse_id_rule(text: str) -> IdRule:
    """
    Read a rule as an option gives it: `keep`, `any` or `paths=a.b,c`.

    Raises:
        UsageError: the text is none of these, or a path has an empty part.
    """
    if text == "keep":
        return IdRule()
    if text == "any":
        return IdRule(any_string=True)
    kind, _, listed = text.partition("=")
    paths = tuple(tuple(path.strip().split(".")) for path in listed.split(","))
    if kind != "paths" or not all(name for path in paths for name in path):
        raise UsageError(f"ids={text}: expected keep, any, or paths=FIELD.FIELD,FIELD")
    return IdRule(paths=paths)


def find_ids(document: IonSlice, rule: IdRule) -> frozenset[str]:
    """
    Give the texts in a document that may be ids under a rule.

    With `any_string` some may come from other bytes than a string's; `rewrite_ids`
    looks closer.

    Raises:
        IonDecodeError: the document is not sound Ion (noticed with paths only).
    """
    if rule.keeps:
        return frozenset()
    found = _ID_STRING.findall(document.buf, document.start, document.end)
    if not found or rule.any_string:
        return frozenset(text.decode("ascii") for text in found)
    return frozenset(text for _, text in _iter_declared(document, rule.paths))


def met_paths(document: IonSlice, paths: Iterable[tuple[str, ...]]) -> frozenset[tuple[str, ...]]:
    """
    Give those of some paths at which a document has something that looks like an id.

    Raises:
        IonDecodeError: the document is not sound Ion.
    """
    if _ID_STRING.search(document.buf, document.start, document.end) is None:
        return frozenset()
    return frozenset(path for path in paths if any(_iter_declared(document, (path,))))


def rewrite_ids(document: IonSlice, rule: IdRule, known: Mapping[str, str]) -> IonSlice:
    """
    Exchange the ids in a document that are known.

    Args:
        document: the document, in its bytes.
        rule: which strings are ids.
        known: what each id becomes.

    Returns:
        The same slice when nothing in it is known, else a new one that differs in
        the exchanged ids only.

    Raises:
        IonDecodeError: the document is not sound Ion.
    """
    sites = [site for site in _iter_sites(document, rule, known) if site[1] in known]
    if not sites:
        return document
    # What stands before a value in its own record stays before it: a record that holds one
    # value and its symbol table can be stored as it is. Of a longer buffer one byte is kept, so
    # that nobody takes the copy for such a record.
    base = 0 if document.start <= _SHORT_HEAD_BYTES else document.start - 1
    copy = bytearray(document.buf[base : document.end])
    for end, text in sites:
        _overwrite(copy, end - base, known[text])
    return IonSlice(bytes(copy), document.start - base, len(copy), document.symbols)


def _overwrite(copy: bytearray, end: int, becomes: str) -> None:
    """Put an id's text before `end`, where another id stands."""
    text = becomes.encode("ascii")
    if len(text) != _ID_BYTES:
        raise AssertionError("a destination id is not 22 characters long")
    copy[end - _ID_BYTES : end] = text


def _iter_sites(
    document: IonSlice, rule: IdRule, known: Mapping[str, str]
) -> Iterable[tuple[int, str]]:
    """Give where the strings end that the rule covers, and their texts."""
    if not rule.any_string:
        return _iter_declared(document, rule.paths)
    matches = _ID_STRING.finditer(document.buf, document.start, document.end)
    found = {match.end(): match[1].decode("ascii") for match in matches}
    ends = [end for end, text in found.items() if text in known]
    return [(end, found[end]) for end in _iter_string_ends(document, ends)]


def _iter_string_ends(document: IonSlice, ends: Sequence[int]) -> Iterator[int]:
    """Yield those of some offsets, given in order, where a string of 22 bytes really ends."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        first = bisect_right(ends, value.start)
        if first == len(ends) or ends[first] > value.end or value.is_null:
            continue
        if value.ion_type is IonType.STRUCT:
            waiting.extend(member for _, member in iter_fields(value))
        elif value.ion_type in _LISTS:
            waiting.extend(iter_elements(value))
        elif value.ion_type is IonType.STRING and ends[first] == value.end and _is_id(value):
            yield value.end


def _is_id(string: IonSlice) -> bool:
    text = text_of(string)
    return len(text) == _ID_BYTES and text.isascii()


def _iter_declared(
    document: IonSlice, paths: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[int, str]]:
    """Yield where each id-shaped string at a path ends, and its text."""
    for string in _iter_at(document, paths):
        if _is_id(string):
            yield string.end, text_of(string)


def _iter_at(document: IonSlice, paths: tuple[tuple[str, ...], ...]) -> Iterator[IonSlice]:
    """Yield the strings at some paths, each once."""
    waiting = [(document, frozenset(paths))]
    while waiting:
        value, rest = waiting.pop()
        if value.is_null:
            continue
        if value.ion_type in _LISTS:
            waiting.extend((element, rest) for element in iter_elements(value))
        elif value.ion_type is IonType.STRUCT:
            waiting.extend(_step_down(value, rest))
        elif value.ion_type is IonType.STRING and () in rest:
            yield value


def _step_down(
    value: IonSlice, rest: frozenset[tuple[str, ...]]
) -> Iterator[tuple[IonSlice, frozenset[tuple[str, ...]]]]:
    """Yield each member that a path leads into, with what is left of the paths there."""
    for name, member in iter_fields(value):
        below = frozenset(path[1:] for path in rest if path and path[0] == name)
        if below:
            yield member, below
