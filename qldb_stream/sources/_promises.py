"""
What exports promise, and whether the files at hand keep it (facts 3.2).

A final manifest names the data objects; an object's name says which blocks it holds. So an
object that is not here, one that holds fewer blocks than its name says, and an export whose
final manifest never came are known, even where other sources have the same blocks.

Rules: an object is found by its name, wherever it was copied to; one that was renamed or joined
to others, by its blocks: some file that nobody promises has all of them. What is missed is told
once, by object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import attrs

from qldb_stream.errors import ExportIncompleteError
from qldb_stream.events import Undecodable
from qldb_stream.parsers.manifest import (
    CompletedManifest,
    ExportedObject,
    FoundManifest,
    object_of,
)
from qldb_stream.parsers.promised import Kept, keep_promises
from qldb_stream.sources._index import Index

__all__ = ["JudgedManifest", "broken_names", "broken_promises", "judged_manifests"]

_MAX_TOLD: Final = 1_000  # problems of one manifest; the rest are counted
_ID_CHARACTERS: Final = 22  # facts 2.2


@attrs.frozen
class JudgedManifest:
    """
    A manifest, the objects that it promises, and those of them that are not here.

    Of an initial manifest there is none; it stands here where its final one is not.
    """

    found: FoundManifest
    objects: tuple[ExportedObject, ...] = ()
    missing: tuple[ExportedObject, ...] = ()

    @property
    def is_final(self) -> bool:
        """Say whether it is the manifest that is written last."""
        return isinstance(self.found.manifest, CompletedManifest)


def broken_names(names: Sequence[str], index: Index) -> Iterator[Undecodable]:
    """Give a problem for each file that holds fewer blocks than its name says."""
    for file, name in enumerate(names):
        found = object_of(name)
        if found.strand_id is None or len(found.strand_id) != _ID_CHARACTERS:
            continue
        lacking = _lacking(found, index, file)
        if lacking:
            error = ExportIncompleteError(
                "an export's object holds fewer blocks than its name says",
                lacking,
                found.strand_id,
                found.last,
            )
            yield Undecodable(name, 0, 0, error)


def judged_manifests(
    manifests: Sequence[FoundManifest], names: Sequence[str], index: Index
) -> tuple[JudgedManifest, ...]:
    """Compare what manifests promise with the files, once all were looked through."""
    kept = keep_promises(manifests, names)
    ended = [one.export_id for one in manifests if isinstance(one.manifest, CompletedManifest)]
    judged = []
    for found in manifests:
        if isinstance(found.manifest, CompletedManifest):
            objects = found.manifest.objects
            missing = [
                each
                for each in objects
                if not kept.has(found, each.key) and not _is_elsewhere(each, kept, index)
            ]
            judged.append(JudgedManifest(found, objects, tuple(missing)))
        elif None not in ended and found.export_id not in ended:
            # A final manifest under another name may be anyone's, and excuses all.
            judged.append(JudgedManifest(found))
    return tuple(judged)


def broken_promises(judged: Sequence[JudgedManifest], index: Index) -> Iterator[Undecodable]:
    """Give a problem for each promise that the files do not keep."""
    for one in judged:
        name = one.found.name
        for promised in one.missing[:_MAX_TOLD]:
            yield _broken(name, promised, f"it {_fate(promised, index)}")
        if more := len(one.missing[_MAX_TOLD:]):
            yield _broken(name, ExportedObject(f"{more} more objects"), "these are not here")
    for one in judged:
        if not one.is_final:
            yield _broken(
                one.found.name,
                ExportedObject(f"{one.found.export_id}.<strand>.completed.manifest"),
                "it is not here: the export did not end, or was not copied whole",
            )


def _is_elsewhere(promised: ExportedObject, kept: Kept, index: Index) -> bool:
    """Say whether one file has all blocks of an object that has another name now."""
    if promised.strand_id is None or promised.first is None or promised.last is None:
        return False
    candidates = index.files_with(promised.strand_id, promised.first)
    return any(
        not _lacking(promised, index, file) for file in candidates if file not in kept.claimed
    )


def _fate(promised: ExportedObject, index: Index) -> str:
    """Say what the loss of an object means."""
    if promised.first is None:
        return "is not here"
    lacking = _lacking(promised, index, None)
    if not lacking:
        return "is not here; other files have its blocks"
    return f"is not here; {lacking}"


def _lacking(promised: ExportedObject, index: Index, file: int | None) -> str:
    """Say which blocks of an object a file, or all files together, do not have; none: empty."""
    assert promised.strand_id is not None
    assert promised.first is not None
    assert promised.last is not None
    ranges, count = index.missing(promised.strand_id, promised.first, promised.last, file)
    if not count:
        return ""
    shown = ", ".join([f"{a}" if a == b else f"{a}-{b}" for a, b in ranges])
    of_all = promised.last - promised.first + 1
    return f"{count} of its {of_all} blocks are missing: {shown}" + (
        "" if sum(b - a + 1 for a, b in ranges) == count else " and more"
    )


def _broken(name: str, promised: ExportedObject, fate: str) -> Undecodable:
    error = ExportIncompleteError(
        f"the export promises {promised.key}", fate, promised.strand_id, promised.last
    )
    return Undecodable(name, 0, 0, error)
