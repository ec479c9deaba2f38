"""
Find what was changed where a hash does not fit, as nearly as the bytes allow.

Only what fails is diagnosed, and only when that was asked for: what is found holds values, which
are parts of documents. Whatever is told was tried, and the hash fits with it; whatever is not
told was not found within a bound that counts bytes, never time.

Names are imported when they are first used: nothing of this is needed where nothing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qldb_stream._faces import import_from_home

if TYPE_CHECKING:
    from qldb_stream.verification.diagnosis._part import rebuild_part
    from qldb_stream.verification.diagnosis._revision import (
        Rebuilt,
        diagnose_revision,
        rebuild_revision,
    )
    from qldb_stream.verification.diagnosis._search import Effort, Efforts
    from qldb_stream.verification.diagnosis._summary import diagnose_summary

__all__ = [
    "Effort",
    "Efforts",
    "Rebuilt",
    "diagnose_revision",
    "diagnose_summary",
    "rebuild_part",
    "rebuild_revision",
]

_HOME: Final = {
    "Effort": "_search",
    "Efforts": "_search",
    "Rebuilt": "_revision",
    "diagnose_revision": "_revision",
    "diagnose_summary": "_summary",
    "rebuild_part": "_part",
    "rebuild_revision": "_revision",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use (PEP 562)."""
    return import_from_home(__name__, _HOME, name)
