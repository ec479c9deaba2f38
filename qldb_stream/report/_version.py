"""The version of what reports are as JSON."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = 1
"""
What `version` says in every JSON object that a command prints.

It rises when a field is taken away or changes its meaning; a new field leaves it alone
(docs/reports.md).
"""
