"""
A strand as bars: where each holder covers it, and what nobody has.

Strategy: a bar is COLUMNS wide, whatever it stands for. Ranges that touch the same columns are
drawn as one, so thousands of them stay a picture; what is missing is drawn last and at
least a visible width wide, so that no hole is lost in it. Exact numbers are for tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from qldb_stream.report.html._page import Markup, make_text

__all__ = ["COLUMNS", "Bar", "make_bars"]

COLUMNS: Final = 1000
"""About as many as a screen or a sheet has points for a bar."""

_LEAST_MISSING: Final = 3  # columns


@attrs.frozen
class Bar:
    """One row of a picture: whose it is, what it covers as rising ranges, and that in words."""

    label: str
    words: str
    held: Sequence[tuple[int, int]] = ()
    in_part: Sequence[tuple[int, int]] = ()
    missing: Sequence[tuple[int, int]] = ()


def make_bars(caption: str, last: int, bars: Iterable[Bar], *, first: int = 0) -> Markup:
    """
    Draw bars, one below the other, from block `first` to `last`.

    Args:
        caption: what they show.
        last: the last number of the scale.
        bars: at least one; nothing in them lies outside the scale.
        first: the first number of the scale.
    """
    rows = "\n".join(_row(bar, range(first, last + 1)) for bar in bars)
    return Markup(
        '<p class="soft"><span class="key held"></span>whole'
        '<span class="key part"></span>in part<span class="key missing"></span>missing</p>\n'
        f"<table><caption>{make_text(caption)}</caption>\n"
        '<thead><tr><th scope="col" class="who">held by</th>'
        f'<th scope="col">blocks {make_text(first)} to {make_text(last)}</th>'
        '<th scope="col">in words</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _row(bar: Bar, scale: range) -> str:
    label, words = make_text(bar.label), make_text(bar.words)
    shapes = (
        _path("held", _columns(bar.held, scale, 1))
        + _path("part", _columns(bar.in_part, scale, 1))
        + _path("missing", _columns(bar.missing, scale, _LEAST_MISSING))
    )
    return (
        f'<tr><th scope="row" class="who">{label}</th><td class="bar">'
        f'<svg viewBox="0 0 {COLUMNS} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}: {words}">{shapes}</svg></td><td>{words}</td></tr>'
    )


def _path(kind: str, columns: Sequence[tuple[int, int]]) -> str:
    if not columns:
        return ""
    drawn = "".join(f"M{start} 0H{stop}v10H{start}z" for start, stop in columns)
    return f'<path class="{kind}" d="{drawn}"/>'


def _columns(
    ranges: Iterable[tuple[int, int]], scale: range, least: int
) -> Sequence[tuple[int, int]]:
    """Give the columns that ranges touch, those that touch one another as one."""
    found: list[tuple[int, int]] = []
    width = scale.stop - scale.start  # more than len() may give
    for first, end in ranges:
        start = (first - scale.start) * COLUMNS // width
        stop = -(-(end + 1 - scale.start) * COLUMNS // width)
        if stop - start < least:
            start = min(start, COLUMNS - least)
            stop = start + least
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found
