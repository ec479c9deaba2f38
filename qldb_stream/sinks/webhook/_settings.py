"""What the URL of a webhook says, and its secret."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import attrs

from qldb_stream.errors import UsageError
from qldb_stream.loopback import is_loopback

__all__ = ["Settings", "read_settings"]

_SECRET: Final = "QLDB_STREAM_WEBHOOK_SECRET"
_PREFIX: Final = "whsec_"
_MIN_SECRET_BYTES: Final = 16  # 128 bits; the specification asks for 24 to 64 bytes
_MAX_SECRETS: Final = 8
_MAX_FILE_BYTES: Final = 1 << 16
_MAX_BODY_BYTES: Final = 1 << 30
_MAX_TIMEOUT_S: Final = 600.0
_SAFE: Final = "/:@!$&'()*+,;=-._~%?[]"  # a path and a query as they were written


@attrs.frozen
class Settings:
    """A sink's settings; each of `secrets` signs every request."""

    sink: str
    url: str = attrs.field(repr=False)
    secrets: tuple[bytes, ...] = attrs.field(repr=False)
    ca: str | None = None
    body_bytes: int = 8 << 20
    timeout_s: float = 30.0


def read_settings(scheme: str, path: str, options: Mapping[str, str]) -> Settings:
    """
    Read ``//HOST/PATH`` and the options.

    Raises:
        UsageError: something makes no sense, there is no secret, or it is too short.
    """
    plain = scheme.rpartition("+")[2]
    url = f"{plain}:{quote(path, safe=_SAFE)}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise UsageError(f"{scheme}: write {scheme}://HOST/PATH") from exc
    if not host:
        raise UsageError(f"{scheme}: write {scheme}://HOST/PATH")
    if parts.username is not None:
        raise UsageError(f"{scheme}: takes no name and password in its URL; requests are signed")
    if plain == "http" and not is_loopback(host):
        raise UsageError(f"{scheme}: is for this machine alone, and {host} is not; use https")
    return Settings(
        f"{scheme}://{parts.netloc}",  # what follows may be secret
        url,
        _read_secrets(scheme, options),
        _check_file(scheme, options.get("ca")),
        int(_number(scheme, options, "body_bytes", 8 << 20, _MAX_BODY_BYTES)),
        _number(scheme, options, "timeout_s", 30.0, _MAX_TIMEOUT_S),
    )


def _number(
    scheme: str, options: Mapping[str, str], name: str, default: float, most: float
) -> float:
    try:
        found = float(options.get(name, default))
    except ValueError:
        found = 0.0
    if not 1 <= found <= most:
        raise UsageError(f"{scheme}: {name} is a number from 1 to {most:g}")
    return found


def _check_file(scheme: str, path: str | None) -> str | None:
    if path is not None and not Path(path).is_file():
        raise UsageError(f"{scheme}: there is no file {path!r}")
    return path


def _read_secrets(scheme: str, options: Mapping[str, str]) -> tuple[bytes, ...]:
    """Read what signs: texts as they are, or ``whsec_`` and base64."""
    file, name = options.get("secret_file"), options.get("secret_env", _SECRET)
    if file is not None and "secret_env" in options:
        raise UsageError(f"{scheme}: takes secret_env or secret_file, not both")
    text = os.environ.get(name, "") if file is None else _read_file(scheme, file)
    where = f"the variable {name}" if file is None else f"the file {file!r}"
    found = text.split()
    if not found:
        raise UsageError(
            f"{scheme}: {where} holds no secret; put the receiver's there, to sign requests with, "
            "or name another place by secret_env or secret_file"
        )
    if not 1 <= len(found) <= _MAX_SECRETS:
        raise UsageError(
            f"{scheme}: {where} holds {len(found)} secrets; put 1 to {_MAX_SECRETS} there"
        )
    try:
        secrets = tuple(_secret(one) for one in found)
    except (binascii.Error, UnicodeError) as exc:
        raise UsageError(f"{scheme}: {where} holds no base64 behind {_PREFIX}") from exc
    if min(map(len, secrets)) < _MIN_SECRET_BYTES:
        raise UsageError(
            f"{scheme}: {where} holds a secret of fewer than {_MIN_SECRET_BYTES} bytes"
        )
    return secrets


def _read_file(scheme: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as opened:
            return opened.read(_MAX_FILE_BYTES)
    except (OSError, ValueError) as exc:
        raise UsageError(f"{scheme}: the file of secrets cannot be read: {exc}") from exc


def _secret(text: str) -> bytes:
    if text.startswith(_PREFIX):
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    return text.encode()
