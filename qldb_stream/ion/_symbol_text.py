"""Write a symbol as Ion text."""

from __future__ import annotations

import json
import re
from typing import Final

# `$10` without quotes is a symbol's number, `$ion_1_0` a version of Ion where a value of the top
# level may stand.
_PLAIN_SYMBOL: Final = re.compile(
    r"(?!(?:null|true|false|nan)\Z|\$[0-9]|\$ion_[0-9]+_[0-9]+\Z)[A-Za-z_$][A-Za-z0-9_$]*"
)


def symbol_text(text: str | None) -> str:
    """Write a symbol, in quotes where it needs them; None is one of unknown text."""
    if text is None:
        return "$0"
    if _PLAIN_SYMBOL.fullmatch(text):
        return text
    # JSON's escapes are Ion's; only the quotes are others.
    inner = json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"')
    return "'" + inner.replace("'", "\\'") + "'"
