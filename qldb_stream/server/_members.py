"""Readers of the members that exports and streams are asked for with; each names what is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from qldb_stream.server._faults import invalid_parameter

__all__ = ["choice", "moment", "optional_moment_ms", "required_moment_ms", "structure", "text"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What datetime can say, in seconds since 1970.
_LEAST_S: Final = -62_135_596_800
_MOST_S: Final = 253_402_300_799


def text(members: Mapping[str, Any], name: str, least: int, most: int) -> str:
    """
    Read a text of `least` to `most` characters.

    Raises:
        Fault: it is missing, none, of another length, or has what cannot be printed.
    """
    value = members.get(name)
    if not isinstance(value, str) or not least <= len(value) <= most or not value.isprintable():
        raise invalid_parameter(name, f"{name} is a text of {least} to {most} characters")
    return value


def choice(members: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """
    Read one of some words.

    Raises:
        Fault: it is missing, or another.
    """
    value = members.get(name)
    if value not in choices:
        raise invalid_parameter(name, f"{name} is one of {', '.join(choices)}")
    return str(value)


def structure(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """
    Read an object, its members that are null left out.

    Raises:
        Fault: it is missing, or no object.
    """
    value = members.get(name)
    if not isinstance(value, dict):
        raise invalid_parameter(name, f"{name} is an object")
    return {key: member for key, member in value.items() if member is not None}


def required_moment_ms(members: Mapping[str, Any], name: str) -> int:
    """
    Read a time: seconds since 1970 UTC (facts 7), fractions to the millisecond.

    Raises:
        Fault: it is missing, no number, or beyond the years 1 to 9999.
    """
    value = members.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        value = math.nan
    if not _LEAST_S <= value <= _MOST_S:  # as no NaN is
        raise invalid_parameter(name, f"{name} is a time, in seconds since 1970 UTC")
    return round(value * 1000)


def optional_moment_ms(members: Mapping[str, Any], name: str) -> int | None:
    """
    Read a time that may be missing.

    Raises:
        Fault: as `required_moment_ms` does.
    """
    return required_moment_ms(members, name) if name in members else None


def moment(ms: int) -> datetime:
    """Give a time, aware, UTC."""
    return _EPOCH + timedelta(milliseconds=ms)
