"""What a ledger may be called (facts 5.8)."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_ledger_name"]

_NAME: Final = re.compile(r"(?=.{1,32}$)(?![0-9]+$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*")


def is_ledger_name(name: str) -> bool:
    """Tell whether a ledger may have this name: 32 letters, digits and single dashes at most."""
    return _NAME.fullmatch(name) is not None
