"""
Reports as pages: one self-contained HTML file each, made as text and never written here.

A page needs nothing else: no scripts, no fonts, no network; it reads well on paper, in the
dark and aloud. Every text in it is escaped, and no page holds document contents. `make_page`
and its parts are what pages of other reports are made of.
"""

from __future__ import annotations

from qldb_stream.report.html._bars import Bar, make_bars
from qldb_stream.report.html._coverage import coverage_page
from qldb_stream.report.html._page import (
    Markup,
    join,
    make_facts,
    make_list,
    make_page,
    make_section,
    make_table,
    make_text,
    make_verdict,
)
from qldb_stream.report.html._verify import verify_page

__all__ = [
    "Bar",
    "Markup",
    "coverage_page",
    "join",
    "make_bars",
    "make_facts",
    "make_list",
    "make_page",
    "make_section",
    "make_table",
    "make_text",
    "make_verdict",
    "verify_page",
]
