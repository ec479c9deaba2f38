"""The options that the relational sinks share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption

__all__ = ["OPTIONS", "check_name", "read_settings"]

OPTIONS: Final = (
    SinkOption(
        "schema",
        "columns inferred from the documents, or one column of JSON",
        "columns",
        ("columns", "json"),
    ),
    SinkOption(
        "prefix",
        "what the names of documents' tables begin with; as it was at first, since a database or "
        "file holds one sink",
        "",
    ),
)

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,29}")


def read_settings(options: Mapping[str, str]) -> dict[str, str]:
    """
    Read what the tables are made with, and must be used with later.

    Raises:
        UsageError: the prefix is no beginning of a name.
    """
    prefix = options.get("prefix", "")
    if prefix:
        check_name("prefix", prefix)
    return {"schema": options.get("schema", "columns"), "prefix": prefix}


def check_name(option: str, name: str) -> str:
    """
    Make sure that an option is a name that needs no quotes.

    Raises:
        UsageError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"option {option}: expected 1 to 30 of a-z, 0-9 and _, no digit first, found {name!r}"
        )
    return name
