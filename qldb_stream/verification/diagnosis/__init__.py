"""
Find what was changed where a hash does not fit, as nearly as the bytes allow.

Only what fails is diagnosed, and only when that was asked for: what is found holds values, which
are parts of documents. Whatever is told was tried, and the hash fits with it; whatever is not
told was not found within a bound that counts bytes, never time.
"""

from __future__ import annotations

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
