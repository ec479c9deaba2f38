"""Open an archive by its URL's path and options: a file, or objects in a bucket of S3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from qldb_stream.errors import UsageError
from qldb_stream.hookspecs import SinkOption

if TYPE_CHECKING:
    from qldb_stream.sinks._archive._bucket import BucketArchive
    from qldb_stream.sinks._archive._file import FileArchive

__all__ = ["OPTIONS", "open_archive"]

_OBJECT_BYTES: Final = "67108864"

OPTIONS: Final = (
    SinkOption(
        "object_bytes", "of s3://: how many bytes an object has, single blocks apart", _OBJECT_BYTES
    ),
    SinkOption(
        "conditional",
        "of s3://: whether the store heeds If-None-Match and If-Match, as S3 does",
        "yes",
        ("yes", "no"),
    ),
)


def open_archive(
    path: str,
    options: Mapping[str, str],
    open_file: type[FileArchive],
) -> FileArchive | BucketArchive:
    """
    Open an archive.

    Raises:
        UsageError: no path, an option that makes no sense, or what the archive raises.
        SinkUnavailableError: as the archive says.
    """
    scheme = open_file.forms.scheme
    if not path:
        raise UsageError(f"{scheme}: needs a path: write {scheme}:PATH")
    if not path.startswith("s3://"):
        if options:
            raise UsageError(f"{scheme}: the option {min(options)} is one of s3:// alone")
        return open_file(path)
    given = options.get("object_bytes", _OBJECT_BYTES)
    if not (given.isascii() and given.isdigit() and int(given)):
        raise UsageError(f"{scheme}: object_bytes is a number from 1, not {given!r}")
    from qldb_stream.sinks._archive._bucket import BucketArchive  # boto3's part

    return BucketArchive(
        path,
        open_file.forms,
        object_bytes=int(given),
        is_conditional=options.get("conditional", "yes") == "yes",
    )
