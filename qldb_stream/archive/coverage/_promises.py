"""
What manifests of exports promised, and what came of it (facts 3.2).

A source compares manifests with its files and tells what is not kept as problems; this is the
whole account, kept promises too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import attrs

from qldb_stream.archive.coverage._begin import Begin
from qldb_stream.report import ManifestCoverage
from qldb_stream.sources import JudgedManifest

__all__ = ["Promises", "PromisingSource", "read_promises"]

_NAMED: Final = 1_000  # missing objects of one manifest; the others are counted


@runtime_checkable
class PromisingSource(Protocol):
    """A source that knows the manifests among its files."""

    @property
    def judged_manifests(self) -> Sequence[JudgedManifest]:
        """Give those of the last iteration, compared with the files."""


@attrs.frozen
class Promises:
    """What each manifest promised, and the last block that they promise of each strand."""

    manifests: tuple[ManifestCoverage, ...] = ()
    last: Mapping[str, int] = attrs.field(factory=dict)


def read_promises(judged: Sequence[JudgedManifest], begin: Begin) -> Promises:
    """
    Sum up manifests that were compared with the files.

    Args:
        judged: the manifests; none where the source was not read to its end.
        begin: objects whose blocks all come before are not missed.
    """
    last: dict[str, int] = {}
    for one in judged:
        for promised in one.objects:
            if promised.strand_id is not None and promised.last is not None:
                last[promised.strand_id] = max(promised.last, last.get(promised.strand_id, -1))
    return Promises(tuple([_account(one, begin) for one in judged]), last)


def _account(judged: JudgedManifest, begin: Begin) -> ManifestCoverage:
    missing = [each.key for each in judged.missing if not begin.excuses(each.strand_id, each.last)]
    strand_id = next((each.strand_id for each in judged.objects), None)
    return ManifestCoverage(
        judged.found.name,
        judged.found.strand_id or strand_id,
        len(judged.objects),
        tuple(missing[:_NAMED]),
        len(missing),
        judged.is_final,
    )
