"""
Who may use the server: access keys, and what each may do.

The file is JSON: `{"version": 1, "keys": [{"access_key": ..., "secret_key": ..., "permission":
"read-write" | "read-only"}]}`. Secrets are never printed: `repr` leaves them out.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from qldb_stream.errors import UsageError

__all__ = ["ANYBODY", "Caller", "Key", "load_keys", "parse_keys"]

_VERSION: Final = 1
_MAX_FILE_BYTES: Final = 1024 * 1024
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9_-]{3,128}")
_LEAST_SECRET: Final = 16
_OTHERS: Final = 0o077  # what group and others may, as chmod counts
_PERMISSIONS: Final = ("read-write", "read-only")

_log: Final = logging.getLogger("qldb_stream.server")


@attrs.frozen
class Caller:
    """
    Who asks.

    Attributes:
        access_key: empty where the server asks for no signature.
        read_only: whether this caller may only read.
    """

    access_key: str = ""
    read_only: bool = False


ANYBODY: Final = Caller()
"""Whoever reaches a server that asks for no signature."""


@attrs.frozen
class Key:
    """An access key, its secret, and whether it may only read."""

    access_key: str
    secret_key: str = attrs.field(repr=False)
    read_only: bool = False

    @property
    def caller(self) -> Caller:
        """Say who signs with this key."""
        return Caller(self.access_key, self.read_only)


def load_keys(path: str) -> Mapping[str, Key]:
    """
    Read a file of keys.

    Raises:
        UsageError: it cannot be read, or is not such a file.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as exc:
        raise UsageError(f"the file of keys {path} cannot be read: {exc.strerror}") from exc
    if os.name == "posix" and mode & _OTHERS:
        _log.warning("others may read the file of keys %s: chmod 600 it", path)
    return parse_keys(data, path)


def parse_keys(data: bytes, name: str = "keys") -> Mapping[str, Key]:
    """
    Read keys, by access key.

    Args:
        data: the file's bytes, JSON.
        name: what the file is called in an error.

    Raises:
        UsageError: it is not such a file; says which entry is wrong, never what is in it.
    """
    try:
        loaded = json.loads(data) if len(data) <= _MAX_FILE_BYTES else None
    except (ValueError, RecursionError):
        loaded = None
    document: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
    entries = document.get("keys")
    if not isinstance(entries, list) or not entries or document.get("version") != _VERSION:
        raise UsageError(
            f'{name} is no file of keys: {{"version": 1, "keys": [{{"access_key": ..., '
            '"secret_key": ..., "permission": "read-write" or "read-only"}]}'
        )
    keys = [_parse_key(entry, f"{name}, key {number}") for number, entry in enumerate(entries, 1)]
    found = {key.access_key: key for key in keys}
    if len(found) != len(keys):
        raise UsageError(f"{name} has an access key twice")
    return found


def _parse_key(entry: Any, where: str) -> Key:
    members = entry if isinstance(entry, dict) else {}
    access_key, secret_key = members.get("access_key"), members.get("secret_key")
    if not isinstance(access_key, str) or not _ACCESS_KEY.fullmatch(access_key):
        raise UsageError(f"{where}: access_key has 3 to 128 letters, digits, - and _")
    if not isinstance(secret_key, str) or len(secret_key) < _LEAST_SECRET:
        raise UsageError(f"{where}: secret_key has at least {_LEAST_SECRET} characters")
    permission = members.get("permission")
    if permission not in _PERMISSIONS:
        raise UsageError(f"{where}: permission is one of {', '.join(_PERMISSIONS)}")
    return Key(access_key, secret_key, permission == "read-only")
