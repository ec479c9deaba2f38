"""
Fresh places for sinks: each scenario gets one that nothing has written to before.

A place is an empty folder whose name, 12 hex digits, no other place ever had, so that it also
names a database schema or a topic on a server that outlives the kit. A URL says where it
wants the place by ``{tmp}`` (the folder) and ``{n}`` (its name); a callable asks `kit_place`.
What the kit itself must remember of a place stands beside the folder, never in it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from qldb_stream.errors import UsageError

__all__ = ["fill_in", "has_placeholder", "kit_place", "make_place", "placed"]

_VARIABLE: Final = "QLDB_STREAM_KIT_PLACE"
_FOLDER: Final = "{tmp}"
_NAME: Final = "{n}"
_NAME_BYTES: Final = 6


def kit_place() -> Path:
    """
    Give the place of the sink that is being made: for callables that are given to the kit.

    Returns:
        An empty folder, or, where the kit opens a sink again, the one that it had before.
        Its name is 12 hex digits and new: use it for whatever is no file.

    Raises:
        UsageError: no kit is at work.
    """
    found = os.environ.get(_VARIABLE)
    if found is None:
        raise UsageError("kit_place() is for sinks that check_sink makes; none is made now")
    return Path(found)


@contextmanager
def placed(place: Path) -> Iterator[None]:
    """Let `kit_place` give a place."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(place)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before


def make_place(root: Path) -> Path:
    """Make a place below a folder."""
    place = root / secrets.token_hex(_NAME_BYTES)
    place.mkdir()
    return place


def has_placeholder(url: str) -> bool:
    """Say whether a URL leads to another sink in each place."""
    return _FOLDER in url or _NAME in url


def fill_in(url: str, place: Path) -> str:
    """Put a place into a URL, percent-encoded as a sink's URL must be."""
    return url.replace(_FOLDER, quote(str(place))).replace(_NAME, place.name)
