"""What `--digest` and `--tip` stand for: a file that was saved, or the digest itself."""

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

__all__ = ["digest_option", "read_digest", "read_digests", "tip_option"]

digest_option = click.option(
    "--digest",
    "digests",
    multiple=True,
    metavar="FILE|BASE64",
    help="Compare with a digest saved earlier: what the console saved, GetDigest's answer, or "
    "base64; or BASE64@STRAND:N itself. Several may be given.",
)

tip_option = click.option(
    "--tip", metavar="STRAND:N", help="Its tip, where the digest does not say it."
)


def read_digests(given: Sequence[str], tip: str | None) -> tuple[SavedDigest, ...]:
    """
    Read what `--digest` names, any number of times.

    Raises:
        UsageError: as `read_digest`; or a tip that goes with none or several.
    """
    if tip is not None and len(given) != 1:
        raise UsageError(f"--tip goes with one --digest, found {len(given)}")
    return tuple([read_digest(one, tip)[0] for one in given])


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
    data, is_file = _read(given)
    try:
        saved = parse_digest(data)
    except SavedDigestError as exc:
        no_file = "" if is_file else "there is no file of this name; as a "
        raise UsageError(f"--digest {given}: {no_file}{exc}") from exc
    try:
        said = None if tip is None else parse_address(tip)
    except SavedDigestError as exc:
        raise UsageError(f"--tip {tip}: {exc}") from exc
    if said is not None and saved.tip not in (None, said):
        raise UsageError("--tip names another block than the saved digest does")
    return (saved if said is None else attrs.evolve(saved, tip=said)), data


def _read(given: str) -> tuple[bytes, bool]:
    """Give what stands in a file or in the name itself, and whether there is such a file."""
    path = Path(given)
    try:
        if path.is_dir():
            raise UsageError(f"--digest {given} is a folder; name the file in it")
        if not path.is_file():
            return given.encode("utf-8", "surrogateescape"), False
        with path.open("rb") as file:
            return file.read(MAX_SAVED_DIGEST_BYTES + 1), True
    except (OSError, ValueError) as exc:
        raise UsageError(f"cannot read --digest {given}: {exc}") from exc
