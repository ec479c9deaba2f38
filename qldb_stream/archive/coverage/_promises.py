"""
What manifests of exports promised, and what came of it (facts 3.2).

A source tells what is not kept as problems; this is the whole account, kept promises too. An
object is found by its own name, wherever it was copied to; one that was renamed or joined to
others by its blocks, when some file that nobody promises has all of them. An initial manifest
promises a final one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import attrs

from qldb_stream.archive.coverage._begin import Begin
from qldb_stream.archive.coverage._strand import Held
from qldb_stream.parsers.manifest import (
    CompletedManifest,
    ExportedObject,
    FoundManifest,
)
from qldb_stream.parsers.promised import Kept, keep_promises
from qldb_stream.report import ManifestCoverage

__all__ = ["Promises", "PromisingSource", "read_promises"]

_NAMED: Final = 1_000  # missing objects of one manifest; the others are counted


@runtime_checkable
class PromisingSource(Protocol):
    """A source that knows the manifests among its files."""

    def manifests(self) -> Sequence[FoundManifest]:
        """Give them, in the order of the files."""


@attrs.frozen
class Promises:
    """What each manifest promised, and the last block that they promise of each strand."""

    manifests: tuple[ManifestCoverage, ...] = ()
    last: Mapping[str, int] = attrs.field(factory=dict)


def read_promises(
    found: Sequence[FoundManifest],
    names: Sequence[str],
    held: Mapping[tuple[int, str], Held],
    begin: Begin,
) -> Promises:
    """
    Compare what manifests promise with what came.

    Args:
        found: the manifests; none where the source was not read to its end.
        names: the files.
        held: what each of them holds of each strand.
        begin: objects whose blocks all come before are not missed.
    """
    kept = keep_promises(found, names)
    by_strand: dict[str, list[Held]] = {}
    for (file, strand_id), what in held.items():
        if file not in kept.claimed:
            by_strand.setdefault(strand_id, []).append(what)
    last: dict[str, int] = {}
    for promised in _objects(found):
        if promised.strand_id is not None and promised.last is not None:
            last[promised.strand_id] = max(promised.last, last.get(promised.strand_id, -1))
    return Promises(tuple(_judged(found, kept, by_strand, begin)), last)


def _objects(found: Sequence[FoundManifest]) -> Iterator[ExportedObject]:
    for each in found:
        if isinstance(each.manifest, CompletedManifest):
            yield from each.manifest.objects


def _judged(
    found: Sequence[FoundManifest],
    kept: Kept,
    held: Mapping[str, Sequence[Held]],
    begin: Begin,
) -> Iterator[ManifestCoverage]:
    """Judge final manifests, and those initial ones whose final one is not here."""
    ended = [each.export_id for each in found if isinstance(each.manifest, CompletedManifest)]
    for each in found:
        if isinstance(each.manifest, CompletedManifest):
            yield _final(each, each.manifest, kept, held, begin)
        elif None not in ended and each.export_id not in ended:
            # A final manifest under another name may be anyone's, and excuses all.
            yield ManifestCoverage(each.name, is_final=False)


def _final(
    found: FoundManifest,
    manifest: CompletedManifest,
    kept: Kept,
    held: Mapping[str, Sequence[Held]],
    begin: Begin,
) -> ManifestCoverage:
    objects = manifest.objects
    missing = [
        each.key
        for each in objects
        if not kept.has(found, each.key)
        and not begin.excuses(each.strand_id, each.last)
        and not _is_elsewhere(each, held)
    ]
    strand_id = found.strand_id or next((each.strand_id for each in objects), None)
    return ManifestCoverage(
        found.name, strand_id, len(objects), tuple(missing[:_NAMED]), len(missing)
    )


def _is_elsewhere(promised: ExportedObject, held: Mapping[str, Sequence[Held]]) -> bool:
    """Say whether one file has all blocks of an object that has another name now."""
    if promised.strand_id is None or promised.first is None or promised.last is None:
        return False
    return any(
        first <= promised.first and promised.last <= last
        for what in held.get(promised.strand_id, ())
        if what.whole.is_exact
        for first, last in what.whole.ranges
    )
