"""Read and write Ion text, through amazon.ion.

Rules: amazon.ion's text reader makes its values, our writer encodes them; our decoder makes values, its text
writer prints them. It is imported on first use, because its whole reader and writer come with it. Text written
by different versions of it differs in spelling, never in value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qldb_stream.errors import IonDecodeError
from qldb_stream.ion._slice import IonSlice
from qldb_stream.ion._stream import to_slice


def iter_text(text: str | bytes) -> Iterator[IonSlice]:
    """Iterate over the top-level values of Ion text.

    Raises:
        IonDecodeError: not Ion text.
    """
    from amazon.ion import simpleion

    data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
    options: dict[str, Any] = {"single_value": False, "parse_eagerly": False}
    values = simpleion.loads(data, **options)
    try:
        for value in values:
            yield to_slice(value)
    except Exception as exc:
        raise IonDecodeError(0, f"not Ion text: {exc}") from exc


def to_text(s: IonSlice, *, indent: str | None = None) -> str:
    """Write a value as Ion text.

    Args:
        indent: what each level is indented with, on lines of their own; None for one line.
    """
    from amazon.ion import simpleion

    text: str = simpleion.dumps(
        s.decode(), binary=False, indent=indent, omit_version_marker=True
    )
    return text
