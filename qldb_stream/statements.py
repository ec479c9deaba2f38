"""
What a block's transaction says that can be read: its statements by their keywords, redactions.

Statements are not parsed. A journal may hold some that no parser of ours knows, so only words are
looked at; blanks, comments, strings and Ion literals are passed over. Every repetition is
possessive, and what is not closed reaches to the end: time is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from qldb_stream.events import BlockSummary, RedactedRevision, Statement, TransactionInfo

__all__ = [
    "deletes_documents",
    "first_keyword",
    "missing_documents",
    "readable_redactions",
    "readable_statements",
]

# Blanks and comments (facts 5.1).
_BLANK: Final = r"\s++|--[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
_WORD: Final = r"[A-Za-z_$][A-Za-z0-9_$]*+"
_FIRST: Final = re.compile(rf"(?:{_BLANK})*+({_WORD})")
_TOKEN: Final = re.compile(rf"""{_BLANK}|({_WORD}|"[^"]*+"?|'[^']*+'?|`[^`]*+`?|.)""", re.DOTALL)

_PASSED_OVER: Final = ("", "(", ")")

# What may stand behind a table's name when it has no alias (facts 5.1).
_NO_ALIAS: Final = frozenset(("AS", "BY", "WHERE", "SET", "INSERT", "REMOVE", ",", ";"))


def readable_statements(summary: BlockSummary) -> Sequence[Statement]:
    """Give a block's statements; none where they cannot be read, which verification says."""
    info = summary.transaction_info
    try:
        return () if info is None else info.statements
    except DecodeError:
        return ()


def readable_redactions(summary: BlockSummary) -> Sequence[RedactedRevision]:
    """Give what a block redacts; nothing where that cannot be read, which verification says."""
    info = summary.redaction_info
    try:
        return () if info is None else info.revisions
    except DecodeError:
        return ()


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


def missing_documents(info: TransactionInfo, present: Collection[str | None]) -> Mapping[str, bool]:
    """
    Find the documents that transactionInfo names and that are not present.

    Args:
        info: of the block.
        present: ids of the documents that have revisions.

    Returns:
        By document id, whether it can do without a revision: its first statement inserts
        and its last deletes. Whether such documents are named at all is open (facts 2.3).

    Raises:
        DecodeError: the documents of transactionInfo cannot be read.
    """
    missing = {
        document_id: document.statements
        for document_id, document in info.documents.items()
        if document_id not in present
    }
    if not missing:
        return {}
    inserts, deletes = _by_kind(info)
    return {
        document_id: min(indexes, default=0) in inserts and max(indexes, default=0) in deletes
        for document_id, indexes in missing.items()
    }


def _removes_whole(text: str) -> bool:
    """Look for REMOVE of what FROM or UPDATE calls its table, in brackets or not; of no path."""
    found = (token for token in _TOKEN.findall(text) if token not in _PASSED_OVER)
    tokens = [token.strip('"').upper() for token in found]
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


def _by_kind(info: TransactionInfo) -> tuple[frozenset[int], frozenset[int]]:
    """Give the indexes of statements that insert, and of those that delete; each read once."""
    try:
        texts = [statement.statement for statement in info.statements]
    except DecodeError:
        return frozenset(), frozenset()  # then nothing excuses a document
    inserts = (index for index, text in enumerate(texts) if first_keyword(text) == "INSERT")
    deletes = (index for index, text in enumerate(texts) if deletes_documents(text))
    return frozenset(inserts), frozenset(deletes)
