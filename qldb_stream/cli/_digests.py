"""`--digest`: digests that were saved earlier, from files or as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import click

from qldb_stream.errors import SavedDigestError, UsageError
from qldb_stream.parsers.digest import (
    MAX_SAVED_DIGEST_BYTES,
    SavedDigest,
    parse_address,
    parse_digest,
)

__all__ = ["digest_option", "read_digests", "tip_option"]

digest_option = click.option(
    "--digest",
    "digests",
    multiple=True,
    metavar="FILE",
    help="Compare with a digest saved earlier: what the console saved, GetDigest's answer, or "
    "base64; or BASE64@STRAND:N itself. Several may be given.",
)

tip_option = click.option(
    "--tip",
    metavar="STRAND:N",
    help="The last block that --digest covers, where it does not say so itself.",
)


def read_digests(given: Sequence[str], tip: str | None) -> tuple[SavedDigest, ...]:
    """
    Read what `--digest` names, each a file or else a digest itself.

    Args:
        given: by the user.
        tip: for a single digest that has none.

    Raises:
        UsageError: one can be read in neither way, or the tip is none or belongs nowhere.
    """
    found = [_read_digest(one) for one in given]
    if tip is None:
        return tuple(found)
    if len(found) != 1 or found[0].tip is not None:
        raise UsageError("--tip goes with one --digest that has no tip itself")
    try:
        return (attrs.evolve(found[0], tip=parse_address(tip)),)
    except SavedDigestError as exc:
        raise UsageError(f"--tip {tip}: expected STRAND:N, a strand's id and a number") from exc


def _read_digest(given: str) -> SavedDigest:
    try:
        with Path(given).open("rb") as file:
            return _parse(given, file.read(MAX_SAVED_DIGEST_BYTES + 1))
    except FileNotFoundError:  # also where base64 has a slash, and looks like a path
        return _parse(given, given.encode())
    except (OSError, ValueError) as exc:  # ValueError: no path can be like this
        raise UsageError(f"--digest {given}: cannot be read: {exc}") from exc


def _parse(given: str, data: bytes) -> SavedDigest:
    try:
        return parse_digest(data)
    except SavedDigestError as exc:
        raise UsageError(f"--digest {given}: {exc}") from exc
