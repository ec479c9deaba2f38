"""
What pages are made of: text that is escaped, and the few tags around it.

Strategy: `Markup` is text that is HTML already; everything else becomes it by `make_text`
alone, which escapes. So a page cannot hold what a journal or a file name says as anything
but text. Letters that are not printable, those that turn the direction of writing among
them, are shown as their escapes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from qldb_stream.report.html._style import STYLE

__all__ = [
    "Markup",
    "join",
    "make_facts",
    "make_list",
    "make_page",
    "make_section",
    "make_table",
    "make_text",
    "make_verdict",
]

_KINDS: Final = {"#": ' class="n"', "=": ' class="w"'}  # of columns, by how their names begin


class Markup(str):
    """Text that is HTML already; made by this package's functions alone."""

    __slots__ = ()


def make_text(value: object) -> Markup:
    """Give any value as HTML text: escaped, and a dash for None; markup stays as it is."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return Markup("-")
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}")
    return Markup(html.escape(_printable(str(value)), quote=True))


def join(parts: Iterable[Markup], between: str = "\n") -> Markup:
    """Put markup together; `between` is text."""
    return Markup(html.escape(between).join(parts))


def make_list(entries: Iterable[object]) -> Markup:
    """Make a list of sentences; nothing where there are none."""
    body = "".join(f"<li>{make_text(entry)}</li>\n" for entry in entries)
    return Markup(f"<ul>\n{body}</ul>" if body else "")


def make_facts(facts: Mapping[str, object]) -> Markup:
    """Make a list of names and values."""
    pairs = "\n".join(
        f"<dt>{make_text(name)}</dt><dd>{make_text(value)}</dd>" for name, value in facts.items()
    )
    return Markup(f"<dl>\n{pairs}\n</dl>")


def make_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """
    Make a table.

    A column whose name starts with `#` holds numbers, one with `=` words that are not broken.

    Args:
        caption: what it shows.
        columns: their headings.
        rows: as many values as there are columns.

    Returns:
        The table; nothing where there are no rows.
    """
    kinds = [_KINDS.get(column[:1], "") for column in columns]
    body = "\n".join(_row(row, kinds) for row in rows)
    if not body:
        return Markup("")
    heads = "".join(
        f'<th scope="col"{kind}>{make_text(column.lstrip("#="))}</th>'
        for column, kind in zip(columns, kinds, strict=True)
    )
    return Markup(
        f"<table><caption>{make_text(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>"
    )


def make_verdict(*, ok: bool, sentence: str) -> Markup:
    """Make the line that says what it all came to, in words and not by its colour alone."""
    mark, kind = ("OK", "verdict ok") if ok else ("Not OK", "verdict")
    return Markup(f'<p class="{kind}"><strong>{mark}:</strong> {make_text(sentence)}</p>')


def make_section(title: str, *parts: object) -> Markup:
    """Make a section of a page, of markup and sentences; nothing where it has no contents."""
    body = join([text for text in map(_paragraph, parts) if text])
    if not body:
        return Markup("")
    return Markup(f"<section>\n<h2>{make_text(title)}</h2>\n{body}\n</section>")


def make_page(title: str, parts: Iterable[Markup], *, made_at: datetime | None, maker: str) -> str:
    """
    Make a whole page.

    Args:
        title: its title and first heading.
        parts: what stands on it.
        made_at: the time to print on it, aware, UTC; None for a page that is the same each time.
        maker: the program and its version.
    """
    when = "" if made_at is None else f" at {made_at.isoformat(timespec='seconds')}"
    when = when.replace("+00:00", "Z")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{make_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{make_text(title)}</h1>\n{join(part for part in parts if part)}\n</main>\n"
        f"<footer><p>Made by {make_text(maker)}{make_text(when)}. Blocks are named by their "
        "sequence numbers; ranges include both ends.</p></footer>\n</body>\n</html>\n"
    )


def _paragraph(part: object) -> Markup:
    return part if isinstance(part, Markup) else Markup(f"<p>{make_text(part)}</p>")


def _row(row: Sequence[object], kinds: Sequence[str]) -> str:
    cells = [f"<td{kind}>{make_text(value)}</td>" for value, kind in zip(row, kinds, strict=True)]
    return f"<tr>{''.join(cells)}</tr>"


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
