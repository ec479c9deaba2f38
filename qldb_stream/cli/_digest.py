"""What `--digest` and `--tip` stand for: a file that was saved, or the digest itself."""

from __future__ import annotations

from pathlib import Path

import attrs

from qldb_stream.errors import SavedDigestError, UsageError
from qldb_stream.parsers.digest import (
    MAX_SAVED_DIGEST_BYTES,
    SavedDigest,
    parse_address,
    parse_digest,
)

__all__ = ["read_digest"]


def read_digest(given: str, tip: str | None) -> tuple[SavedDigest, bytes]:
    """
    Read a digest from a file, or from the command line where no file has that name.

    Args:
        given: a file's name, or what could stand in one.
        tip: `STRAND:N`; None where the digest says it, or nothing does.

    Returns:
        The digest, and the bytes that it was read from.

    Raises:
        UsageError: there is no such file, and it is no digest; or two tips that differ.
    """
    data = _read(given)
    try:
        saved = parse_digest(data)
        said = None if tip is None else parse_address(tip)
    except SavedDigestError as exc:
        raise UsageError(f"--digest {given}: {exc}") from exc
    if said is not None and saved.tip not in (None, said):
        raise UsageError("--tip names another block than the saved digest does")
    return (saved if said is None else attrs.evolve(saved, tip=said)), data


def _read(given: str) -> bytes:
    path = Path(given)
    try:
        if not path.is_file():
            return given.encode("utf-8", "surrogateescape")
        with path.open("rb") as file:
            return file.read(MAX_SAVED_DIGEST_BYTES + 1)
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read --digest {given}: {exc}") from exc
