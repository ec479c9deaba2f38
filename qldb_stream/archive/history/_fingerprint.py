"""By what an index knows that the archive is still the one it was built from."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import attrs

from qldb_stream.sources import FolderSource

__all__ = ["Fingerprint", "fingerprint_of"]


@attrs.frozen
class Fingerprint:
    """How many files, and a hash over name, size and time of change of each, in their order."""

    files: int
    digest: str

    def as_meta(self) -> Mapping[str, str]:
        """Give what an index keeps of it."""
        return {"files": str(self.files), "fingerprint": self.digest}


def fingerprint_of(source: FolderSource) -> Fingerprint:
    """
    Take the fingerprint of a source's files; none of them is opened.

    A file that was changed and kept its size and its time of change passes. What an index says
    of it is then wrong, which is noticed where it is read, since nothing is taken from the index
    but places.
    """
    digest = sha256()
    count = 0
    for count, mark in enumerate(source.marks(), 1):  # noqa: B007 - the last one is meant
        digest.update(repr(mark).encode())
    return Fingerprint(count, digest.hexdigest())
