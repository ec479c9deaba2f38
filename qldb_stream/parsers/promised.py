"""
Which promises of manifests are kept by a file of the promised name (facts 3.2).

An object is known by its own name, wherever it was copied to. Two exports of one ledger often have
objects of one name: then each needs a file of its own, and the folders tell which export lacks it.

Rules: manifests in one folder share their objects, for there one name is one file. Copies of one
manifest, which have its export's id, promise once. A file whose name is promised is no other
object that was renamed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final, TypeAlias

import attrs

from qldb_stream.parsers.manifest import CompletedManifest, FoundManifest, own_name

__all__ = ["Kept", "keep_promises"]

_MOST_PAIRS: Final = 10_000
"""Promises of one name times files of it: where a stranger made more, any file is enough."""

_Promise: TypeAlias = tuple[str, str]  # the manifest's folder, and the object's own name


@attrs.frozen
class Kept:
    """
    What `keep_promises` found.

    `claimed` are the numbers of the files whose names are promised.
    """

    claimed: frozenset[int]
    _names: frozenset[str]
    _lacking: frozenset[_Promise]

    def has(self, manifest: FoundManifest, key: str) -> bool:
        """Say whether a file of its name is here for an object that a manifest promises."""
        name = own_name(key)
        return name in self._names and (_folder(manifest.name), name) not in self._lacking


def keep_promises(manifests: Iterable[FoundManifest], names: Sequence[str]) -> Kept:
    """
    Find a file for each object that final manifests promise, by its own name.

    Args:
        manifests: of any number of exports; initial ones promise no objects.
        names: the files.
    """
    files: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        files.setdefault(own_name(name), []).append(number)
    claimed: set[int] = set()
    lacking: set[_Promise] = set()
    for name, exports in _by_name(manifests).items():
        here = files.get(name, ())
        claimed.update(here)
        without = _without([names[number] for number in here], list(exports.values()))
        lacking.update((folder, name) for folder in without)
    return Kept(frozenset(claimed), frozenset(files), frozenset(lacking))


def _by_name(manifests: Iterable[FoundManifest]) -> dict[str, dict[str, list[str]]]:
    """Give by objects' own names, and by exports, the folders of manifests that promise them."""
    found: dict[str, dict[str, list[str]]] = {}
    owners: dict[_Promise, str] = {}
    for each in manifests:
        if not isinstance(each.manifest, CompletedManifest):
            continue
        folder = _folder(each.name)
        for name in dict.fromkeys(map(own_name, each.manifest.keys)):
            export = owners.setdefault((folder, name), each.export_id or folder)
            folders = found.setdefault(name, {}).setdefault(export, [])
            if folder not in folders[-1:]:
                folders.append(folder)
    return found


def _without(names: Sequence[str], exports: Sequence[Sequence[str]]) -> Iterable[str]:
    """Give the folders of the exports that are left when files went to those that are nearest."""
    if len(names) >= len(exports) or not names or len(names) * len(exports) > _MOST_PAIRS:
        return ()
    near = sorted(
        (-_nearness(name, folders), number, name)
        for number, folders in enumerate(exports)
        for name in names
    )
    left, free = dict(enumerate(exports)), set(names)
    for _, number, name in near:
        if number in left and name in free:
            del left[number]
            free.discard(name)
    return [folder for folders in left.values() for folder in folders]


def _nearness(name: str, folders: Iterable[str]) -> int:
    """Count the folders that a file has in common with a manifest, from the top."""
    parts = name.replace("\\", "/").split("/")
    pairs = (zip(parts, folder.split("/"), strict=False) for folder in folders)
    return max(sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], each)) for each in pairs)


def _folder(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[0]
