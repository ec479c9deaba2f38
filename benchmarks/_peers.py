"""The peers: AWS's KPL package, amazon.ion's own reader, ionhash."""

from __future__ import annotations

from typing import Any

from amazon.ion import simpleion

from qldb_stream.clients import load_ionhash

__all__ = ["ion_hash", "load_ionhash", "loads"]


def ion_hash(value: Any) -> bytes:
    """Hash a value that amazon.ion has read, through ionhash."""
    digest: bytes = value.ion_hash("SHA256")
    return digest


def loads(data: bytes) -> Any:
    """Read one record with amazon.ion's default values."""
    return simpleion.loads(data)
