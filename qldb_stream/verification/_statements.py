"""
What a statement's text says by its keywords, without parsing it.

A journal may hold statements that no parser of ours knows, so only words are looked at;
blanks, comments, strings and Ion literals are passed over. Every repetition is
possessive, and what is not closed reaches to the end: time is linear in the text.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["deletes_documents", "first_keyword"]

# Blanks and comments (facts 5.1).
_BLANK: Final = r"\s++|--[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
_WORD: Final = r"[A-Za-z_$][A-Za-z0-9_$]*+"
_FIRST: Final = re.compile(rf"(?:{_BLANK})*+({_WORD})")
_TOKEN: Final = re.compile(rf"""{_BLANK}|({_WORD}|"[^"]*+"?|'[^']*+'?|`[^`]*+`?|.)""", re.DOTALL)

# What may stand behind a table's name when it has no alias (facts 5.1).
_NO_ALIAS: Final = frozenset(("AS", "BY", "WHERE", "SET", "INSERT", "REMOVE", ",", ";"))


def first_keyword(text: str) -> str:
    """
    Give the first word of a statement, in capitals.

    Blanks and comments before it are passed over. The result is empty when anything
    but a word comes first; time is linear in the text (facts 5.1).
    """
    found = _FIRST.match(text)
    return "" if found is None else found[1].upper()


def deletes_documents(text: str) -> bool:
    """
    Tell whether a statement deletes whole documents.

    It does by DELETE, and by REMOVE of what FROM or UPDATE calls its table (facts 5.1).
    """
    first = first_keyword(text)
    return first == "DELETE" or (first in ("FROM", "UPDATE") and _removes_whole(text))


def _removes_whole(text: str) -> bool:
    """Look for REMOVE of what FROM or UPDATE calls its table, and of no path in it."""
    tokens = [token.strip('"').upper() for token in _TOKEN.findall(text) if token]
    table = _name_of_table(tokens)
    places = (at for at, token in enumerate(tokens) if token == "REMOVE")
    return any(
        tokens[at - 1] != "."
        and tokens[at + 1 : at + 2] == [table]
        and tokens[at + 2 : at + 3] not in (["."], ["["])
        for at in places
    )


def _name_of_table(tokens: list[str]) -> str:
    """Give the name by which a statement speaks of its first table's documents."""
    _, table, *rest = *tokens[:4], "", ""
    if rest[0] == "AS":
        return rest[1]
    return table if rest[0] in _NO_ALIAS else rest[0]
